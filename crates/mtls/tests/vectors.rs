//! Published vectors, all of them: RFC 8705 appendix A, RFC 9440 appendix A, RFC 4514 section 4.

use serde_json::Value;

use sealstone_mtls::{
    ClientCertificate, Confirmation, DistinguishedName, ForwardedHeader, SelfSignedKey, SelfSignedKeys,
    SubjectMatcher,
};

fn cases(json: &str) -> Vec<Value> {
    serde_json::from_str::<Value>(json).unwrap()["cases"]
        .as_array()
        .unwrap()
        .clone()
}

fn text<'a>(case: &'a Value, member: &str) -> &'a str {
    case[member].as_str().unwrap()
}

fn check_common(case: &Value, certificate: &ClientCertificate) {
    assert_eq!(certificate.thumbprint().to_string(), text(case, "x5t#S256"));
    assert_eq!(certificate.subject().to_string(), text(case, "subject_rfc4514"));
    assert_eq!(
        certificate.subject(),
        &text(case, "subject_rfc4514")
            .parse::<DistinguishedName>()
            .unwrap()
    );
    let dates = (
        certificate.not_before().as_secs(),
        certificate.not_after().as_secs(),
    );
    assert_eq!(
        dates,
        match text(case, "not_before") {
            "2018-10-18T12:37:09Z" => (1_539_866_229, 1_651_495_029),
            "2020-01-14T22:55:33Z" => (1_579_042_533, 1_611_442_533),
            other => panic!("a new vector: {other}"),
        }
    );
}

#[test]
fn mutual_tls() {
    let cases = cases(include_str!("vectors/mtls.json"));
    assert_eq!(cases.len(), 2, "a new vector needs a test");
    for case in &cases {
        match text(case, "id") {
            "rfc8705-A" => {
                let certificate = ClientCertificate::from_pem(text(case, "pem")).unwrap();
                check_common(case, &certificate);
                assert_eq!(
                    serde_json::to_value(Confirmation::bind(&certificate)).unwrap(),
                    case["cnf"]
                );
                assert_eq!(certificate.to_pem(), text(case, "pem"));
                let x5c = case["jwk"]["x5c"][0].as_str().unwrap();
                assert_eq!(
                    ForwardedHeader::Traefik.parse(&[x5c]),
                    Ok(Some(certificate.clone()))
                );
                let key = SelfSignedKey {
                    spki_der: certificate.spki_der().to_vec(),
                    x5c_leaf: Some(certificate.der().to_vec()),
                };
                assert!(SelfSignedKeys::new(vec![key]).unwrap().matches(&certificate));
            }
            "rfc9440-client-cert" => {
                let certificate = ForwardedHeader::Rfc9440
                    .parse(&[text(case, "value")])
                    .unwrap()
                    .unwrap();
                check_common(case, &certificate);
                assert_eq!(certificate.subject_alt_names().email(), [text(case, "san_email")]);
                let email = SubjectMatcher::parse("tls_client_auth_san_email", "bdc@EXAMPLE.com").unwrap();
                assert!(email.matches(&certificate));
            }
            other => panic!("a new vector needs a test: {other}"),
        }
    }
}

#[test]
fn names() {
    let cases = cases(include_str!("vectors/dn_rfc4514.json"));
    assert_eq!(cases.len(), 4, "a new vector needs a look");
    for case in &cases {
        let octets: Vec<u8> = text(case, "der_hex")
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let from_der = DistinguishedName::from_der(&octets).unwrap();
        let from_text = DistinguishedName::parse_rfc4514(text(case, "string")).unwrap();
        assert_eq!(from_der, from_text, "{}", text(case, "id"));
        assert_eq!(
            from_der.to_string().parse::<DistinguishedName>().unwrap(),
            from_der
        );
    }
}

/// One certificate has one thumbprint of each kind, and they never look alike.
#[test]
fn keystone_thumbprint_beside_x5t() {
    let certificate = ClientCertificate::from_pem(include_str!("vectors/rfc8705-a.pem")).unwrap();
    let keystone = certificate.keystone_thumbprint().to_string();
    // Computed by Python: base64url(sha256(ssl.DER_cert_to_PEM_cert(der))).
    assert_eq!(keystone, "RZUyid0cUQWEONv2uroCiSi6CqAXdVZueQmkxBeJ0gc=");
    assert_eq!(keystone.len(), 44);
    assert_eq!(certificate.thumbprint().to_string().len(), 43);
    assert_ne!(&keystone[..43], certificate.thumbprint().to_string());
}
