//! Attack group D, as far as a certificate, a name, a matcher and a confirmation alone decide it.

#[path = "support/x509.rs"]
mod x509;

use sealstone_mtls::{
    BindingError, CertificateThumbprint, ClientCertificate, Confirmation, DistinguishedName, MatcherError,
    SelfSignedKey, SelfSignedKeys, SubjectMatcher,
};
use x509::*;

fn dn(text: &str) -> SubjectMatcher {
    SubjectMatcher::parse("tls_client_auth_subject_dn", text).unwrap()
}

fn san(kind: &str, value: &str) -> SubjectMatcher {
    SubjectMatcher::parse(&format!("tls_client_auth_san_{kind}"), value).unwrap()
}

fn utf8(kind: &str, value: &str) -> Vec<u8> {
    attribute(kind, UTF8, value.as_bytes())
}

#[test]
fn d02_certificate_of_another_client() {
    let ours = dn("CN=ci");
    assert!(ours.matches(&with_subject(common_name("ci"))));
    assert!(!ours.matches(&with_subject(common_name("other"))));
}

#[test]
fn d05_ca_signed_where_self_signed_is_registered() {
    let keys = SelfSignedKeys::new(vec![SelfSignedKey {
        spki_der: spki(1),
        x5c_leaf: None,
    }])
    .unwrap();
    let of = |key| ClientCertificate::from_der(&certificate_of(common_name("ci"), &[], key, 1)).unwrap();
    assert!(keys.matches(&of(1)));
    assert!(!keys.matches(&of(2)), "same name, other key");
}

#[test]
fn d06_registered_key_in_another_certificate() {
    let registered = certificate_of(common_name("ci"), &[], 1, 1);
    let renewed = ClientCertificate::from_der(&certificate_of(common_name("ci"), &[], 1, 2)).unwrap();
    let keys = |x5c_leaf| {
        SelfSignedKeys::new(vec![SelfSignedKey {
            spki_der: spki(1),
            x5c_leaf,
        }])
        .unwrap()
    };

    let with_x5c = keys(Some(registered.clone()));
    assert!(with_x5c.matches(&ClientCertificate::from_der(&registered).unwrap()));
    assert!(!with_x5c.matches(&renewed), "x5c names the certificate");
    assert!(
        keys(None).matches(&renewed),
        "a bare key stands for all of its certificates"
    );
}

#[test]
fn d06_unusable_registrations() {
    let refused = |keys| matches!(SelfSignedKeys::new(keys), Err(BindingError::SelfSignedKeys(_)));
    let key = |x5c_leaf| SelfSignedKey {
        spki_der: spki(1),
        x5c_leaf,
    };
    assert!(refused(Vec::new()));
    assert!(refused(vec![key(None); 17]));
    assert!(
        refused(vec![key(Some(certificate_of(common_name("ci"), &[], 2, 1)))]),
        "x5c of another key"
    );
    assert_eq!(
        SelfSignedKeys::new(vec![key(Some(b"no certificate".to_vec()))]),
        Err(BindingError::Der("not one well-formed certificate"))
    );
}

#[test]
fn d17_same_attributes_in_another_order() {
    let registered = dn("O=x,CN=y");
    assert!(registered.matches(&with_subject(name(&[&[utf8(CN, "y")], &[utf8(O, "x")]]))));
    assert!(!registered.matches(&with_subject(name(&[&[utf8(O, "x")], &[utf8(CN, "y")]]))));
}

#[test]
fn d18_an_added_rdn() {
    let registered = dn("CN=y,O=x");
    let plain = [&[utf8(O, "x")][..], &[utf8(CN, "y")]];
    assert!(registered.matches(&with_subject(name(&plain))));
    for at in 0..=2 {
        let added = [utf8(OU, "z")];
        let mut rdns = plain.to_vec();
        rdns.insert(at, &added);
        assert!(!registered.matches(&with_subject(name(&rdns))), "added at {at}");
    }
}

#[test]
fn d19_prefix_and_suffix() {
    let registered = dn("CN=ci");
    assert!(registered.matches(&with_subject(common_name("ci"))));
    for other in ["ci2", "c", "xci", "ci ", " ci", "CI", "ci\u{200b}", ""] {
        assert!(
            !registered.matches(&with_subject(common_name(other))),
            "{other:?}"
        );
    }
    let both = name(&[&[utf8(CN, "a"), utf8(CN, "ci")]]);
    assert!(!registered.matches(&with_subject(both)));
    let repeated = name(&[&[utf8(CN, "ci"), utf8(CN, "ci")]]);
    assert!(!registered.matches(&with_subject(repeated)));
}

#[test]
fn d20_escaped_comma() {
    let two = with_subject(name(&[&[utf8(O, "trusted")], &[utf8(CN, "a")]]));
    let one = with_subject(common_name("a,O=trusted"));
    let registered = dn("CN=a,O=trusted");
    assert!(registered.matches(&two));
    assert!(!registered.matches(&one));
    for escaped in [
        r"CN=a\,O=trusted",
        r"CN=a\2CO=trusted",
        r#"CN="a,O=trusted""#,
        r"CN=a\,O\=trusted",
    ] {
        assert!(dn(escaped).matches(&one), "{escaped}");
        assert!(!dn(escaped).matches(&two), "{escaped}");
    }
}

#[test]
fn d21_special_characters_match_their_escaped_form_only() {
    let cases = [
        ("a\"b", r#"CN=a\"b"#),
        ("a+b", r"CN=a\+b"),
        ("#abc", r"CN=\#abc"),
        (" a", r"CN=\ a"),
        ("a ", r"CN=a\ "),
        (" ", r"CN=\ "),
        ("a\\b", r"CN=a\\b"),
        ("a;b", r"CN=a\;b"),
        ("a<b>c", r"CN=a\<b\>c"),
        ("a=b", "CN=a=b"),
        ("a\nb", r"CN=a\0Ab"),
        ("", "CN="),
    ];
    for (value, text) in cases {
        let certificate = with_subject(common_name(value));
        assert_eq!(certificate.subject().to_string(), text);
        assert!(dn(text).matches(&certificate), "{text}");
        for (other, _) in cases.iter().filter(|(other, _)| *other != value) {
            assert!(
                !dn(text).matches(&with_subject(common_name(other))),
                "{text} against {other:?}"
            );
        }
    }
    for unescaped in [
        r#"CN=a"b"#,
        "CN=a+b",
        "CN=#abc",
        "CN= a",
        "CN=a ",
        r"CN=a\b",
        "CN=a;b",
        "CN=a<b",
        "CN=\\",
    ] {
        assert!(
            DistinguishedName::parse_rfc4514(unescaped).is_err(),
            "{unescaped}"
        );
    }
}

#[test]
fn d22_nul_in_common_name() {
    let certificate = with_subject(common_name("ci.example\0.evil.example"));
    assert!(!dn("CN=ci.example").matches(&certificate));
    assert!(dn(r"CN=ci.example\00.evil.example").matches(&certificate));
    assert_eq!(
        certificate.subject().to_string(),
        r"CN=ci.example\00.evil.example"
    );
    assert!(SubjectMatcher::parse("tls_client_auth_subject_dn", "CN=ci.example\0").is_err());

    let registered = san("dns", "ci.example");
    assert!(registered.matches(&with_alt_names(&[(SAN_DNS, b"ci.example")])));
    assert!(!registered.matches(&with_alt_names(&[(SAN_DNS, b"ci.example\0.evil.example")])));
    assert!(!san("uri", "https://ci").matches(&with_alt_names(&[(SAN_URI, b"https://ci\0")])));
}

#[test]
fn d23_multi_valued_rdn_is_a_set() {
    let one = with_subject(name(&[&[utf8(OU, "a"), utf8(CN, "b")]]));
    let other = with_subject(name(&[&[utf8(CN, "b"), utf8(OU, "a")]]));
    for registered in ["OU=a+CN=b", "CN=b+OU=a"] {
        assert!(
            dn(registered).matches(&one) && dn(registered).matches(&other),
            "{registered}"
        );
    }
    assert_eq!(one.subject(), other.subject());
    assert!(!dn("OU=a,CN=b").matches(&one), "two RDNs are not one");
}

/// D24, the documented answer: the string type does not count, on no path.
#[test]
fn d24_string_type_does_not_count() {
    let bmp: Vec<u8> = "ci".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let forms = [
        (UTF8, b"ci".to_vec()),
        (PRINTABLE, b"ci".to_vec()),
        (IA5, b"ci".to_vec()),
        (TELETEX, b"ci".to_vec()),
        (BMP, bmp),
    ];
    for (tag, octets) in &forms {
        let certificate = with_subject(name(&[&[attribute(CN, *tag, octets)]]));
        assert!(dn("CN=ci").matches(&certificate), "{tag:#x}");
        assert!(
            dn("CN=#0c026369").matches(&certificate) && dn("CN=#13026369").matches(&certificate),
            "{tag:#x}"
        );
        assert_eq!(certificate.subject().to_string(), "CN=ci");
    }
    // Characters are not certain beyond ASCII in TeletexString: it matches as octets only.
    let latin = with_subject(name(&[&[attribute(CN, TELETEX, b"caf\xe9")]]));
    assert!(!dn("CN=café").matches(&latin));
    assert!(dn("CN=#1404636166e9").matches(&latin));
}

#[test]
fn d25_look_alikes_and_composition() {
    assert!(dn("CN=café").matches(&with_subject(common_name("caf\u{e9}"))));
    assert!(!dn("CN=caf\u{e9}").matches(&with_subject(common_name("cafe\u{301}"))));
    assert!(
        !dn("CN=ci").matches(&with_subject(common_name("c\u{456}"))),
        "Cyrillic letter"
    );
    assert!(
        !dn("CN=ci").matches(&with_subject(common_name("\u{ff43}\u{ff49}"))),
        "full width"
    );
    assert!(
        !dn("CN=K").matches(&with_subject(common_name("\u{212a}"))),
        "Kelvin sign"
    );
}

#[test]
fn d26_dns_wildcards() {
    assert!(san("dns", "a.example.com").matches(&with_alt_names(&[(SAN_DNS, b"A.Example.COM")])));
    assert!(matches!(
        SubjectMatcher::parse("tls_client_auth_san_dns", "*.example.com"),
        Err(MatcherError::SanDns(_))
    ));
    assert!(!san("dns", "a.example.com").matches(&with_alt_names(&[(SAN_DNS, b"*.example.com")])));
    let unparsed = SubjectMatcher::SanDns("*.example.com".to_owned());
    for name in ["a.example.com", "*.example.com"] {
        assert!(
            !unparsed.matches(&with_alt_names(&[(SAN_DNS, name.as_bytes())])),
            "{name}"
        );
    }
    assert!(!san("dns", "example.com").matches(&with_alt_names(&[(SAN_DNS, b"example.com.")])));
    assert!(!san("dns", "example.com").matches(&with_alt_names(&[(SAN_DNS, b".example.com")])));
}

#[test]
fn d27_type_confusion() {
    let registered = [
        (san("uri", "https://a"), (SAN_URI, &b"https://a"[..])),
        (san("dns", "a.example"), (SAN_DNS, b"a.example")),
        (san("email", "ci@a.example"), (SAN_EMAIL, b"ci@a.example")),
    ];
    for (matcher, (own, value)) in registered {
        for kind in [SAN_URI, SAN_DNS, SAN_EMAIL] {
            assert_eq!(
                matcher.matches(&with_alt_names(&[(kind, value)])),
                kind == own,
                "{matcher} as {kind:#x}"
            );
        }
    }
    assert!(
        !san("ip", "10.0.0.1").matches(&with_alt_names(&[(SAN_DNS, b"10.0.0.1"), (SAN_URI, b"10.0.0.1")]))
    );
}

#[test]
fn d28_addresses_by_octets() {
    let v4 = with_alt_names(&[(SAN_IP, &[10, 0, 0, 1])]);
    let mut mapped = [0; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1]);
    let mapped = with_alt_names(&[(SAN_IP, &mapped)]);
    assert!(san("ip", "10.0.0.1").matches(&v4) && san("ip", "::ffff:10.0.0.1").matches(&mapped));
    assert!(!san("ip", "10.0.0.1").matches(&mapped) && !san("ip", "::ffff:10.0.0.1").matches(&v4));
    let v6 = with_alt_names(&[(SAN_IP, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]);
    assert!(
        san("ip", "2001:DB8:0::1").matches(&v6),
        "one address in several spellings"
    );
    let text = with_alt_names(&[(SAN_DNS, b"10.0.0.1")]);
    assert!(!san("ip", "10.0.0.1").matches(&text));
    for octets in [&[10_u8, 0, 0][..], &[10, 0, 0, 1, 255, 255, 255, 255], &[]] {
        let der = certificate_of(common_name("x"), &[alt_names(&[(SAN_IP, octets)])], 1, 1);
        assert!(ClientCertificate::from_der(&der).is_err(), "{octets:?}");
    }
    for text in [
        "10.0.0.01",
        "10.0.0",
        "0x0a000001",
        "10.0.0.1/32",
        "[::1]",
        "fe80::1%eth0",
        "",
    ] {
        assert_eq!(
            SubjectMatcher::parse("tls_client_auth_san_ip", text),
            Err(MatcherError::SanIp),
            "{text}"
        );
    }
}

/// D29, the documented answer: the local part exactly, the host ASCII case aside, IDN in its ASCII form.
#[test]
fn d29_mailboxes() {
    let registered = san("email", "A@Example.com");
    assert!(registered.matches(&with_alt_names(&[(SAN_EMAIL, b"A@example.COM")])));
    assert!(!registered.matches(&with_alt_names(&[(SAN_EMAIL, b"a@Example.com")])));
    assert!(!registered.matches(&with_alt_names(&[(SAN_EMAIL, b"A@Example.com@evil.example")])));
    assert!(!registered.matches(&with_alt_names(&[(SAN_EMAIL, b"Example.com")])));
    for refused in [
        "a@bücher.example",
        "a",
        "@a",
        "a@",
        "a@b@c",
        "a b@c.example",
        "a@*.example",
    ] {
        assert!(
            SubjectMatcher::parse("tls_client_auth_san_email", refused).is_err(),
            "{refused}"
        );
    }
}

#[test]
fn d30_two_members_are_no_matcher() {
    let one = r#"{"tls_client_auth_san_dns":"ci.example"}"#;
    let matcher: SubjectMatcher = serde_json::from_str(one).unwrap();
    assert_eq!(serde_json::to_string(&matcher).unwrap(), one);
    for refused in [
        r#"{"tls_client_auth_san_dns":"ci.example","tls_client_auth_subject_dn":"CN=ci"}"#,
        r#"{"tls_client_auth_san_dns":"ci.example","tls_client_auth_san_dns":"ci.example"}"#,
        r#"{"tls_client_auth_san":"ci.example"}"#,
        r#"{"tls_client_auth_san_dns":""}"#,
        "{}",
    ] {
        assert!(
            serde_json::from_str::<SubjectMatcher>(refused).is_err(),
            "{refused}"
        );
    }
}

#[test]
fn d31_common_name_never_stands_in() {
    let der = certificate_of(
        common_name("ci.example"),
        &[alt_names(&[(SAN_DNS, b"other.example")])],
        1,
        1,
    );
    let certificate = ClientCertificate::from_der(&der).unwrap();
    assert!(san("dns", "other.example").matches(&certificate));
    assert!(!san("dns", "ci.example").matches(&certificate));
    assert!(
        !san("dns", "ci.example").matches(&with_subject(common_name("ci.example"))),
        "nor without any SAN"
    );
}

fn bound() -> (ClientCertificate, Confirmation) {
    let certificate = with_subject(common_name("ci"));
    let cnf = Confirmation::bind(&certificate);
    assert_eq!(cnf.check(Some(&certificate.thumbprint())), Ok(()));
    (certificate, cnf)
}

#[test]
fn d32_bound_token_without_certificate() {
    let (_, cnf) = bound();
    assert_eq!(cnf.check(None), Err(BindingError::CertificateMissing));
}

#[test]
fn d33_bound_token_with_another_certificate() {
    let (_, cnf) = bound();
    let other = with_subject(common_name("other")).thumbprint();
    assert_eq!(cnf.check(Some(&other)), Err(BindingError::CertificateMismatch));
}

#[test]
fn d34_same_key_in_a_renewed_certificate() {
    let (certificate, cnf) = bound();
    let renewed = ClientCertificate::from_der(&certificate_of(common_name("ci"), &[], 1, 9)).unwrap();
    assert_eq!(renewed.spki_der(), certificate.spki_der());
    assert_eq!(
        cnf.check(Some(&renewed.thumbprint())),
        Err(BindingError::CertificateMismatch)
    );
}

#[test]
fn d35_confirmation_of_another_kind() {
    let (certificate, _) = bound();
    let presented = certificate.thumbprint();
    for json in [
        r#"{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#,
        r#"{"jwk":{}}"#,
        r#"{"kid":"x"}"#,
    ] {
        let cnf: Confirmation = serde_json::from_str(json).unwrap();
        assert_eq!(
            cnf.check(Some(&presented)),
            Err(BindingError::UnsupportedConfirmation),
            "{json}"
        );
    }
    let empty: Confirmation = serde_json::from_str("{}").unwrap();
    assert_eq!(
        empty.check(Some(&presented)),
        Err(BindingError::EmptyConfirmation)
    );
    assert!(serde_json::from_str::<Confirmation>("null").is_err());
    assert!(serde_json::from_str::<Confirmation>("[]").is_err());
}

#[test]
fn d36_every_member_must_hold() {
    let (certificate, _) = bound();
    let presented = certificate.thumbprint();
    for more in [r#""jkt":"x""#, r#""x5t":"x""#, r#""kid":null"#] {
        let cnf: Confirmation =
            serde_json::from_str(&format!(r#"{{"x5t#S256":"{presented}",{more}}}"#)).unwrap();
        assert_eq!(
            cnf.check(Some(&presented)),
            Err(BindingError::UnsupportedConfirmation),
            "{more}"
        );
    }
    let twice = format!(r#"{{"x5t#S256":"{presented}","x5t#S256":"{presented}"}}"#);
    assert!(serde_json::from_str::<Confirmation>(&twice).is_err());
    let unknown: Confirmation = serde_json::from_str(r#"{"kid":"x"}"#).unwrap();
    assert!(
        serde_json::to_string(&unknown).is_err(),
        "what was not understood is not printed away"
    );
}

#[test]
fn d37_forms_of_the_thumbprint() {
    let (certificate, _) = bound();
    let right = certificate.thumbprint().to_string();
    assert_eq!(CertificateThumbprint::parse(&right), Ok(certificate.thumbprint()));
    let hex: String = certificate
        .thumbprint()
        .as_bytes()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let mut loose_bits = right.clone();
    let last = loose_bits.pop().unwrap();
    loose_bits.push(char::from(u8::try_from(last).unwrap() + 1));
    let wrong = [
        format!("{right}="),
        hex.clone(),
        hex.to_uppercase(),
        right.to_uppercase(),
        certificate.keystone_thumbprint().to_string(),
        certificate
            .keystone_thumbprint()
            .to_string()
            .trim_end_matches('=')
            .to_owned(),
        "A".repeat(27),
        format!(" {right}"),
        format!("{right}\n"),
        loose_bits,
        String::new(),
    ];
    for text in wrong {
        let cnf = serde_json::from_str::<Confirmation>(&serde_json::json!({ "x5t#S256": text }).to_string());
        assert!(
            cnf.is_err() || cnf.unwrap().check(Some(&certificate.thumbprint())).is_err(),
            "{text:?} passed"
        );
    }
    for json in [r#"{"x5t#S256":null}"#, r#"{"x5t#S256":[]}"#, r#"{"x5t#S256":7}"#] {
        assert!(serde_json::from_str::<Confirmation>(json).is_err(), "{json}");
    }
}
