//! `clouds.yaml`: a login is noted in it, and nothing else changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_client::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::clouds_yaml(data));
