//! What is free on the disk of the checkout: a full one shows as the strangest failures.

use std::path::Path;
use std::process::Command;

/// A fresh run of all steps writes this much, with room for the labs.
const WANTED_MIB: u64 = 24 * 1024;

/// One line of what is free, with a warning when a run of all steps may not find room.
pub(crate) fn line(root: &Path) -> String {
    let Some(free) = free_mib(root) else {
        return "disk: what is free is not known".to_owned();
    };
    let gib = free.checked_div(1024).unwrap_or_default();
    let built = root.join("target/debug").exists();
    if free < WANTED_MIB && !built {
        return format!(
            "disk: {gib} GiB free; all steps from a fresh checkout want {} GiB",
            WANTED_MIB / 1024
        );
    }
    format!("disk: {gib} GiB free")
}

fn free_mib(root: &Path) -> Option<u64> {
    let output = Command::new("df").args(["-Pm"]).arg(root).output().ok()?;
    parsed(&String::from_utf8_lossy(&output.stdout))
}

/// The fourth field of the second line, as POSIX has it.
fn parsed(df: &str) -> Option<u64> {
    df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parsed;

    #[test]
    fn the_free_part_is_read() {
        let df = "Filesystem 1048576-blocks Used Available Capacity Mounted on\n/dev/vda 257898 61440 43008 59% /\n";
        assert_eq!(parsed(df), Some(43008));
        for wrong in [
            "",
            "Filesystem\n",
            "a b c d\n/dev/vda 1 2\n",
            "a\n/dev/vda 1 2 - x\n",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }
}
