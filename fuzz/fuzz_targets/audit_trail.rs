//! The files of an audit trail, as whoever can write them may have left them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_trail::{Hash, Line, Verification};

fuzz_target!(|data: &[u8]| {
    // Two files, so that what is bound between them is reached.
    let half = data.len() / 2;
    let mut verification = Verification::new(None);
    let mut octets = 0;
    for (name, part) in [("a", &data[..half]), ("b", &data[half..])] {
        verification
            .file(name, part, &mut |read| octets += read)
            .expect("memory can be read");
    }
    assert_eq!(octets, data.len());
    let report = verification.finish();
    assert!(report.findings.len() <= 1000);
    assert!(report.checkpoints <= report.events);
    for line in data.split(|octet| *octet == b'\n') {
        if let Ok(read) = Line::parse(line) {
            assert_eq!(read.hash, Hash::of(line));
        }
    }
});
