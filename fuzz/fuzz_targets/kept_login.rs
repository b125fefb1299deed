//! Files of the cache of logins, plain and encrypted, and what older plugins left.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_client::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::kept_login(data));
