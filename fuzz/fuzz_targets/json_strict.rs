//! The strict JSON reader: what it takes, an ordinary reader takes and reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_jose::json;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    if let Ok(strict) = json::from_slice::<Value>(data) {
        let ordinary: Value = serde_json::from_slice(data).expect("strict is a part of ordinary");
        assert_eq!(strict, ordinary);
        assert!(depth(&strict) <= 32, "the limit on depth");
    }
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
