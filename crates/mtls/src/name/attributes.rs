//! Names of attribute types: RFC 4514 §3, and those that certificates use besides.

use const_oid::ObjectIdentifier;

/// A type, the name it is printed with, and other names it is read by.
struct Known {
    kind: ObjectIdentifier,
    name: &'static str,
    aliases: &'static [&'static str],
}

const fn known(oid: &str, name: &'static str, aliases: &'static [&'static str]) -> Known {
    Known {
        kind: ObjectIdentifier::new_unwrap(oid),
        name,
        aliases,
    }
}

/// The first nine are RFC 4514 §3, in its order; the rest RFC 4519, RFC 2985, ETSI EN 319 412-1 and the EV
/// guidelines, by the names that OpenSSL prints.
const KNOWN: &[Known] = &[
    known("2.5.4.3", "CN", &["commonName"]),
    known("2.5.4.7", "L", &["localityName"]),
    known("2.5.4.8", "ST", &["stateOrProvinceName"]),
    known("2.5.4.10", "O", &["organizationName"]),
    known("2.5.4.11", "OU", &["organizationalUnitName"]),
    known("2.5.4.6", "C", &["countryName"]),
    known("2.5.4.9", "STREET", &["streetAddress"]),
    known("0.9.2342.19200300.100.1.25", "DC", &["domainComponent"]),
    known("0.9.2342.19200300.100.1.1", "UID", &["userId"]),
    known("1.2.840.113549.1.9.1", "emailAddress", &["E", "email"]),
    known("2.5.4.5", "serialNumber", &[]),
    known("2.5.4.4", "SN", &["surname"]),
    known("2.5.4.42", "GN", &["givenName"]),
    known("2.5.4.12", "title", &[]),
    known("2.5.4.43", "initials", &[]),
    known("2.5.4.44", "generationQualifier", &[]),
    known("2.5.4.46", "dnQualifier", &[]),
    known("2.5.4.65", "pseudonym", &[]),
    known("2.5.4.41", "name", &[]),
    known("2.5.4.13", "description", &[]),
    known("2.5.4.15", "businessCategory", &[]),
    known("2.5.4.17", "postalCode", &[]),
    known("2.5.4.20", "telephoneNumber", &[]),
    known("2.5.4.97", "organizationIdentifier", &[]),
    known("0.9.2342.19200300.100.1.3", "mail", &[]),
    known("1.2.840.113549.1.9.2", "unstructuredName", &[]),
    known(
        "1.3.6.1.4.1.311.60.2.1.1",
        "jurisdictionL",
        &["jurisdictionLocalityName"],
    ),
    known(
        "1.3.6.1.4.1.311.60.2.1.2",
        "jurisdictionST",
        &["jurisdictionStateOrProvinceName"],
    ),
    known(
        "1.3.6.1.4.1.311.60.2.1.3",
        "jurisdictionC",
        &["jurisdictionCountryName"],
    ),
];

/// The name that `kind` is printed with.
pub(super) fn name_of(kind: ObjectIdentifier) -> Option<&'static str> {
    KNOWN
        .iter()
        .find(|known| known.kind == kind)
        .map(|known| known.name)
}

/// The type that `name` stands for, in any case.
pub(super) fn kind_of(name: &str) -> Option<ObjectIdentifier> {
    KNOWN
        .iter()
        .find(|known| {
            known.name.eq_ignore_ascii_case(name)
                || known.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
        })
        .map(|known| known.kind)
}
