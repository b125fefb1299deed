//! Answers of an upstream OpenID provider: metadata, keys, tokens, userinfo.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_upstream::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::answer(data));
