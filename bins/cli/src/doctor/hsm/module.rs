//! The module's file, before its code runs in this process.

use std::{fs::File, io::Read as _, path::Path};

use sealstone_pkcs11::Pkcs11Error;

use crate::doctor::{checks, finding::Report};

/// As much of a file as is looked at: an ELF file's header, and the table of what is loaded of it, which follows.
const HEAD: u64 = 64 * 1024;
/// Offset of the type and of the machine, two octets each.
const TYPE: usize = 16;
/// `ET_DYN`: a shared object.
const SHARED: u16 = 3;
/// `PT_LOAD`: a part that is loaded.
const LOADED: u64 = 1;

/// The machines that this is built for, as an ELF file has them (`e_machine`) and as Rust names them.
const MACHINES: [(u16, &str); 9] = [
    (3, "x86"),
    (8, "mips"),
    (20, "powerpc"),
    (21, "powerpc64"),
    (22, "s390x"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
];

/// Whether the file looks like a library for this machine. What does not is not loaded.
pub(super) fn is_loadable(file: &Path, report: &mut Report) -> bool {
    let name = file.display();
    let mut head = Vec::new();
    let read = File::open(file).and_then(|file| {
        let length = file.metadata()?.len();
        file.take(HEAD).read_to_end(&mut head)?;
        Ok(length)
    });
    let length = match read {
        Ok(length) => length,
        Err(error) => {
            report.found(&checks::HSM_MODULE_MISSING, format!("{name}: {error}"));
            return false;
        }
    };
    // Elsewhere than on systems of ELF the loader itself must judge.
    if !cfg!(target_os = "linux") {
        return true;
    }
    let Some(machine) = machine(&head) else {
        report.found(
            &checks::HSM_MODULE_NOT_A_LIBRARY,
            format!("{name} is no shared object"),
        );
        return false;
    };
    let own = std::env::consts::ARCH;
    let found = MACHINES.iter().find(|(number, _)| *number == machine);
    let found = found.map_or_else(|| format!("machine {machine}"), |(_, name)| (*name).to_owned());
    if found != own {
        report.found(
            &checks::HSM_MODULE_ARCHITECTURE,
            format!("{name} is for {found}, this machine is {own}"),
        );
        return false;
    }
    // Such a one ends the program that loads it, and not with a message.
    match loaded_length(&head) {
        Some(needed) if needed <= length => true,
        needed => {
            let needed = needed.map_or_else(String::new, |needed| format!(" of {needed}"));
            report.found(
                &checks::HSM_MODULE_NOT_A_LIBRARY,
                format!("{name} is damaged or cut: it has {length}{needed} octets"),
            );
            false
        }
    }
}

/// How long the file must be for all that is loaded of it; `None` where its table cannot be read.
fn loaded_length(head: &[u8]) -> Option<u64> {
    let is_wide = head.get(4).copied()? == 2;
    let is_little = head.get(5).copied()? == 1;
    let number = |at: u64, octets: u64| -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let end = at.checked_add(usize::try_from(octets).ok()?)?;
        let text = head.get(at..end)?;
        let add = |sum: u64, octet: &u8| sum.checked_mul(256)?.checked_add(u64::from(*octet));
        if is_little {
            text.iter().rev().try_fold(0, add)
        } else {
            text.iter().try_fold(0, add)
        }
    };
    // The table's place, the size and number of its rows; in each row its kind, and what of the file it is.
    let (table, size, rows, offset, length, word) = if is_wide {
        (32, 54, 56, 8, 32, 8)
    } else {
        (28, 42, 44, 4, 16, 4)
    };
    let (table, size, rows) = (number(table, word)?, number(size, 2)?, number(rows, 2)?);
    let mut needed = 0;
    for row in 0..rows {
        let at = table.checked_add(row.checked_mul(size)?)?;
        if number(at, 4)? == LOADED {
            let begin = number(at.checked_add(offset)?, word)?;
            needed = begin
                .checked_add(number(at.checked_add(length)?, word)?)?
                .max(needed);
        }
    }
    Some(needed)
}

/// The machine that a shared object is for; `None` for what is none.
fn machine(head: &[u8]) -> Option<u16> {
    let is_elf = head.starts_with(b"\x7fELF");
    let is_little = head.get(5).copied()? == 1;
    let number = |at: usize| {
        let octets = head.get(at..)?.first_chunk::<2>()?;
        Some(if is_little {
            u16::from_le_bytes(*octets)
        } else {
            u16::from_be_bytes(*octets)
        })
    };
    let kind = number(TYPE)?;
    let machine = number(TYPE.checked_add(2)?)?;
    (is_elf && kind == SHARED).then_some(machine)
}

/// What the loader, or the module itself, said.
pub(super) fn refused(error: &Pkcs11Error, report: &mut Report) {
    let told = error.to_string();
    // The one function that makes a library a module.
    let check = if told.contains("C_GetFunctionList") {
        &checks::HSM_MODULE_NOT_PKCS11
    } else {
        &checks::HSM_MODULE_FAILS
    };
    report.found(check, told);
}

#[cfg(test)]
mod tests {
    use super::{loaded_length, machine};

    #[test]
    fn only_shared_objects_have_a_machine() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let mut head = own[..20].to_vec();
        head[16] = 3;
        assert!(machine(&head).is_some());
        head[16] = 1;
        for (name, bytes) in [
            ("an object file", head.as_slice()),
            ("a text", b"#!/bin/sh\necho hello, this is text".as_slice()),
            ("nothing", b""),
            ("cut", &own[..17]),
        ] {
            assert_eq!(machine(bytes), None, "{name}");
        }
    }

    #[test]
    fn a_file_says_how_long_it_must_be() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let needed = loaded_length(&own[..4096]).unwrap();
        let length = u64::try_from(own.len()).unwrap();
        assert!(needed > 4096 && needed <= length, "{needed} {length}");
        assert_eq!(loaded_length(&own[..100]), None, "its table is cut");
        let mut mad = own[..4096].to_vec();
        mad[32..40].fill(0xff);
        assert_eq!(loaded_length(&mad), None);
    }
}
