//! A registered subject (RFC 8705 §2.1.2), and distinguished names as text and as DER. The first byte picks.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sealstone_mtls::{ClientCertificate, DistinguishedName, SubjectMatcher};

static CERTIFICATE: LazyLock<ClientCertificate> = LazyLock::new(|| {
    ClientCertificate::from_der(include_bytes!("../seeds/certificate/machine.der"))
        .expect("the committed certificate")
});

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let choice = usize::from(*first) % (SubjectMatcher::MEMBERS.len() + 1);
    let Some(member) = SubjectMatcher::MEMBERS.get(choice) else {
        return der(rest);
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let Ok(matcher) = SubjectMatcher::parse(member, text) else {
        return;
    };
    assert_eq!(matcher.member(), *member);
    let matched = matcher.matches(&CERTIFICATE);
    if let SubjectMatcher::SubjectDn(name) = &matcher {
        assert_eq!(matched, name == CERTIFICATE.subject());
        printed(name);
    }
});

fn der(data: &[u8]) {
    if let Ok(name) = DistinguishedName::from_der(data) {
        printed(&name);
    }
}

fn printed(name: &DistinguishedName) {
    let text = name.to_string();
    if let Ok(again) = DistinguishedName::parse_rfc4514(&text) {
        assert_eq!(&again, name, "a printed name is that name: {text}");
        assert_eq!(again.to_string(), text);
    }
}
