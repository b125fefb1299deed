//! What holds for every input: printing is undone by parsing, and nothing panics.

#[path = "support/x509.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod x509;

use proptest::prelude::*;
use sealstone_mtls::{
    CertificateThumbprint, ClientCertificate, Confirmation, DistinguishedName, ForwardedHeader,
    SubjectMatcher,
};
use x509::{attribute, name};

fn any_attribute() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(vec![
        x509::CN,
        x509::O,
        x509::OU,
        "0.9.2342.19200300.100.1.25",
        "1.2.3.4",
    ]);
    let text = prop_oneof![any::<String>(), "[ #\"+,;<>=\\\\a\0\r\n]{0,6}"].prop_map(String::into_bytes);
    let value = prop_oneof![
        4 => text.prop_map(|octets| (x509::UTF8, octets)),
        1 => any::<Vec<u8>>().prop_map(|octets| (x509::TELETEX, octets)),
        1 => any::<Vec<u8>>().prop_map(|octets| (x509::BMP, octets)),
        1 => any::<Vec<u8>>().prop_map(|octets| (0x04, octets)),
    ];
    (kinds, value).prop_map(|(kind, (tag, octets))| attribute(kind, tag, &octets))
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::collection::vec(any_attribute(), 1..4), 0..5)
        .prop_map(|rdns| name(&rdns.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

proptest! {
    #[test]
    fn printing_a_name_is_undone_by_parsing(der in any_name()) {
        let parsed = DistinguishedName::from_der(&der).unwrap();
        let text = parsed.to_string();
        prop_assert!(!text.contains(char::is_control), "{text:?}");
        let again = DistinguishedName::parse_rfc4514(&text);
        prop_assert_eq!(again.as_ref(), Ok(&parsed), "{}", text);
        prop_assert_eq!(again.unwrap().to_string(), text);
    }

    #[test]
    fn names_are_equal_exactly_when_their_texts_are(one in any_name(), other in any_name()) {
        let (one, other) = (DistinguishedName::from_der(&one).unwrap(), DistinguishedName::from_der(&other).unwrap());
        prop_assert_eq!(one == other, one.to_string() == other.to_string());
    }

    #[test]
    fn thumbprints(octets in any::<[u8; 32]>()) {
        let thumbprint = CertificateThumbprint::from_bytes(octets);
        prop_assert_eq!(CertificateThumbprint::parse(&thumbprint.to_string()), Ok(thumbprint));
    }

    #[test]
    fn a_certificate_goes_through_every_text(der in any_name()) {
        let certificate = x509::with_subject(der);
        prop_assert_eq!(ClientCertificate::from_pem(&certificate.to_pem()), Ok(certificate));
    }

    #[test]
    fn any_text_is_refused_without_panic(text in prop_oneof![any::<String>(), "[A-Z0-9.=+,#\\\\\" ;:%-]{0,40}"]) {
        drop(DistinguishedName::parse_rfc4514(&text));
        for member in SubjectMatcher::MEMBERS {
            if let Ok(matcher) = SubjectMatcher::parse(member, &text) {
                prop_assert_eq!(SubjectMatcher::parse(member, &matcher.to_string()), Ok(matcher));
            }
        }
        prop_assert!(ClientCertificate::from_pem(&text).is_err());
        prop_assert!(ClientCertificate::from_escaped_pem(&text).is_err());
        for form in [
            ForwardedHeader::Rfc9440,
            ForwardedHeader::NginxEscapedPem,
            ForwardedHeader::ApachePem,
            ForwardedHeader::EnvoyXfcc,
            ForwardedHeader::Traefik,
        ] {
            prop_assert!(!matches!(form.parse(&[&text]), Ok(Some(_))));
        }
        drop(serde_json::from_str::<Confirmation>(&text));
    }

    #[test]
    fn any_octets_are_refused_without_panic(octets in any::<Vec<u8>>(), at in 0_usize..400, octet: u8) {
        drop(DistinguishedName::from_der(&octets));
        prop_assert!(ClientCertificate::from_der(&octets).is_err());
        // And one wrong octet in a right certificate.
        let names: &[(u8, &[u8])] = &[(x509::SAN_DNS, b"a"), (x509::SAN_IP, &[1, 2, 3, 4])];
        let mut der = x509::certificate_of(x509::common_name("ci"), &[x509::alt_names(names)], 1, 1);
        let at = at % der.len();
        der[at] = octet;
        drop(ClientCertificate::from_der(&der));
    }
}
