//! Subject and issuer as Keystone's mappings name them.

#[path = "support/x509.rs"]
#[expect(dead_code, reason = "other tests build odder certificates")]
mod x509;

use x509::*;

#[test]
fn each_name_once_with_all_its_values() {
    let one = |kind: &str, value: &str| attribute(kind, UTF8, value.as_bytes());
    let subject = name(&[
        &[one("0.9.2342.19200300.100.1.25", "org")],
        &[one("0.9.2342.19200300.100.1.25", "example")],
        &[one("2.5.4.5", "42"), one("2.5.4.11", "a, b+c=d;e")],
        &[attribute("1.2.840.113549.1.9.1", IA5, b"ci@example.org")],
        &[one(CN, "ci-bot")],
        &[attribute("2.5.4.99", 0x02, &[7])],
    ]);
    let attributes = with_subject(subject).keystone_attributes();
    let of = |name: &str| {
        attributes
            .get(&format!("SSL_CLIENT_SUBJECT_DN_{name}"))
            .map(Vec::as_slice)
    };
    assert_eq!(
        of("DC").unwrap(),
        ["org", "example"],
        "all of them: which is meant is for the rules to say"
    );
    assert_eq!(of("OU").unwrap(), ["a, b+c=d;e"], "unescaped, whole");
    assert_eq!(of("2.5.4.5").unwrap(), ["42"]);
    assert_eq!(of("EMAILADDRESS").unwrap(), ["ci@example.org"]);
    assert_eq!(of("CN").unwrap(), ["ci-bot"]);
    assert_eq!(
        of("2.5.4.99").unwrap(),
        ["#020107"],
        "no string, and still a value"
    );
    assert!(
        attributes.contains_key("SSL_CLIENT_ISSUER_DN_CN"),
        "{attributes:?}"
    );
}
