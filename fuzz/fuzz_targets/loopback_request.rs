//! Requests to the loopback port of a login: a browser's, or anybody's on the same machine.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_client::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::loopback_request(data));
