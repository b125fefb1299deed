//! What a login is answered: metadata, tokens, device codes, Keystone's tokens and scopes; and the records that it leaves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_client::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::login_answer(data));
