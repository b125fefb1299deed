//! The module's file, before its code runs in this process.

use std::{fs::File, io::Read as _, path::Path};

use sealstone_pkcs11::Pkcs11Error;

use crate::doctor::{checks, finding::Report};

/// As much of an ELF file as tells what it is: its identification, type and machine.
const HEAD: usize = 20;
/// Offset of the type and of the machine, two octets each.
const TYPE: usize = 16;
/// `ET_DYN`: a shared object.
const SHARED: u16 = 3;

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
    let mut head = Vec::with_capacity(HEAD);
    let limit = u64::try_from(HEAD).unwrap_or(u64::MAX);
    let read = File::open(file).and_then(|file| file.take(limit).read_to_end(&mut head));
    if let Err(error) = read {
        report.found(&checks::HSM_MODULE_MISSING, format!("{name}: {error}"));
        return false;
    }
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
    true
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
    use super::machine;

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
}
