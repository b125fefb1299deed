//! Configuration files of one node, with a NUL between them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_migrate::{IniDocument, Settings, set_option};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let files: Vec<IniDocument> = text
        .split('\0')
        .filter_map(|text| IniDocument::parse(text).ok())
        .collect();
    for text in text.split('\0').filter(|text| IniDocument::parse(text).is_ok()) {
        let edited = set_option(text, "token", "provider", "jws").expect("what is read is changed");
        let file = IniDocument::parse(&edited).expect("and read");
        assert_eq!(file.last("token", "provider"), Some("jws"));
    }
    for file in &files {
        let again = IniDocument::parse(&file.to_text());
        assert_eq!(
            again.as_ref(),
            Ok(file),
            "what was read is written and read the same"
        );
    }
    if let Ok(settings) = Settings::read(&files) {
        let json = serde_json::to_string(&settings).expect("JSON");
        let again: Settings = serde_json::from_str(&json).expect("what is written is read");
        assert_eq!(again, settings);
    }
});
