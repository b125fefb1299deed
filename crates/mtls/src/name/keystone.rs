//! The attributes of a name as Keystone's mappings know them.

use std::collections::BTreeMap;

use const_oid::ObjectIdentifier;

use super::{DistinguishedName, hex, value::Value};

/// The names of RFC 4514 §3, and one of Keystone's own; every other type goes by its OID.
const NAMES: [(&str, ObjectIdentifier); 10] = [
    ("CN", ObjectIdentifier::new_unwrap("2.5.4.3")),
    ("L", ObjectIdentifier::new_unwrap("2.5.4.7")),
    ("ST", ObjectIdentifier::new_unwrap("2.5.4.8")),
    ("O", ObjectIdentifier::new_unwrap("2.5.4.10")),
    ("OU", ObjectIdentifier::new_unwrap("2.5.4.11")),
    ("C", ObjectIdentifier::new_unwrap("2.5.4.6")),
    ("STREET", ObjectIdentifier::new_unwrap("2.5.4.9")),
    ("DC", ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25")),
    ("UID", ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1")),
    (
        "EMAILADDRESS",
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1"),
    ),
];

impl DistinguishedName {
    /// Adds each attribute's values, as they are, under `prefix` and Keystone's name of its type.
    pub(crate) fn collect_keystone(&self, prefix: &str, into: &mut BTreeMap<String, Vec<String>>) {
        for attribute in self.rdns.iter().flatten() {
            let known = NAMES.iter().find(|(_, kind)| *kind == attribute.kind);
            let name = match known {
                Some((name, _)) => format!("{prefix}{name}"),
                None => format!("{prefix}{}", attribute.kind),
            };
            // What is no string is shown as RFC 4514 §2.4 does, and counts: nothing beside it passes for the only one.
            let text = match &attribute.value {
                Value::Text(text) => text.clone(),
                Value::Der(der) => format!("#{}", hex(der)),
            };
            into.entry(name).or_default().push(text);
        }
    }
}
