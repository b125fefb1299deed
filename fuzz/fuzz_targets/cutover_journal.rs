//! The journal of a change, and what it says happened.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_migrate::{Event, History, parse_journal};

fuzz_target!(|data: &[u8]| {
    if let Ok(read) = parse_journal(data) {
        assert!(read.whole <= data.len());
        let again = parse_journal(&data[..read.whole]).expect("whole lines are a journal");
        assert_eq!(again.events, read.events);
        let _ = History::of(&read.events);
    }
    // Digests keep a fuzzer from the events: here they are without.
    let events = data
        .split(|byte| *byte == b'\n')
        .map_while(|line| serde_json::from_slice::<Event>(line).ok());
    let events: Vec<Event> = events.collect();
    if let Ok(Some(history)) = History::of(&events) {
        for target in [
            sealstone_migrate::TokenForm::Fernet,
            sealstone_migrate::TokenForm::Jws,
        ] {
            let _ = history.pool.verify(&history.pool.course_to(target), target);
        }
    }
});
