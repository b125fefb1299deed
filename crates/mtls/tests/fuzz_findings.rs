//! What fuzzing found, kept.

use sealstone_mtls::{DistinguishedName, NameError};

/// `0.9.2342.19200300.100.1.25` with a stray bit: its fourth arc does not fit 32 bits, and it was printed as a type
/// that it is not.
#[test]
fn an_attribute_type_that_cannot_be_printed_is_refused() {
    let good = b"\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03net";
    assert_eq!(DistinguishedName::from_der(good).unwrap().to_string(), "CN=net");
    let wide = b"\x30\x15\x31\x13\x30\x11\x06\x0a\x26\x89\x09\x92\x93\xf2\xf2\x64\x01\x19\x16\x03net";
    assert_eq!(DistinguishedName::from_der(wide), Err(NameError::Der));
    let padded = b"\x30\x0f\x31\x0d\x30\x0b\x06\x04\x55\x04\x80\x03\x0c\x03net";
    assert_eq!(DistinguishedName::from_der(padded), Err(NameError::Der));
}
