//! Tokens whose signature is right and whose header or claims are not: made by whoever else has a trusted key, or by a
//! fault of ours.

use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use rustls_pki_types::UnixTime;
use sealstone_fernet::{DecodeError, JwsAlgorithm, JwsPrivateKey, JwsTokenReader, TokenClaims};

const HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT"}"#;
const CLAIMS: &str = r#"{"sub":"alice","iat":1000,"exp":2000,"openstack_methods":["password"],"openstack_audit_ids":["AAAAAAAAAAAAAAAAAAAAAA"]}"#;

/// A key that signs whatever it is given, and a reader that trusts it.
struct Forger {
    key: Ed25519KeyPair,
    reader: JwsTokenReader,
}

impl Forger {
    fn new(accepted: &[JwsAlgorithm]) -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        let der = key.to_pkcs8v1().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode_to_string(der.as_ref())
        );
        let public = JwsPrivateKey::from_pem(JwsAlgorithm::EdDsa, &pem).unwrap();
        let reader = JwsTokenReader::new(vec![public.public_key().clone()], accepted).unwrap();
        Self { key, reader }
    }

    fn read(&self, header: &str, claims: &str) -> Result<TokenClaims, DecodeError> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode_to_string(text);
        let message = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode_to_string(self.key.sign(message.as_bytes()));
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1500));
        self.reader.read(&format!("{message}.{signature}"), now)
    }
}

#[test]
fn headers_that_no_keystone_writes() {
    let forger = Forger::new(&JwsAlgorithm::ALL);
    for good in [
        HEADER,
        r#"{"typ":"jwt","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","kid":"k1"}"#,
    ] {
        assert!(forger.read(good, CLAIMS).is_ok(), "{good}");
    }
    let cases = [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"eddsa"}"#,
        // The key's own algorithm counts, whatever the header says.
        r#"{"alg":"ES256"}"#,
        r#"{"alg":["EdDSA"]}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt"}"#,
        r#"{"alg":"EdDSA","typ":7}"#,
        r#"{"alg":"EdDSA","crit":["exp"],"exp":1}"#,
        r#"{"alg":"EdDSA","crit":[]}"#,
        r#"{"alg":"EdDSA","crit":null}"#,
        "[]",
        "",
        "{",
    ];
    for header in cases {
        assert!(forger.read(header, CLAIMS).is_err(), "{header}");
    }
    let strict = Forger::new(&[JwsAlgorithm::Es256]);
    assert_eq!(
        strict.read(HEADER, CLAIMS),
        Err(DecodeError::Algorithm),
        "not accepted here"
    );
}

/// The good claims with one text in another's place.
fn with(from: &str, to: &str) -> String {
    assert!(CLAIMS.contains(from), "{from}");
    CLAIMS.replace(from, to)
}

/// The good claims and one member more.
fn and(member: &str) -> String {
    CLAIMS.replace('}', &format!(",{member}}}"))
}

#[test]
fn claims_that_no_keystone_writes() {
    let forger = Forger::new(&JwsAlgorithm::ALL);
    for good in [
        CLAIMS.to_owned(),
        and(r#""jti":"x","whatever":[1,{"deep":null}]"#),
        and(r#""openstack_project_id":null"#),
        with("1000", "1500"),
    ] {
        assert!(forger.read(HEADER, &good).is_ok(), "{good}");
    }
    let long = format!("\"sub\":\"{}\"", "u".repeat(256));
    let many = format!("\"openstack_methods\":[{}\"password\"]", "\"m\",".repeat(32));
    let cases = [
        with(r#""sub":"alice","#, ""),
        with(r#""iat":1000,"#, ""),
        with(r#""exp":2000,"#, ""),
        with(r#""openstack_methods":["password"],"#, ""),
        with(r#","openstack_audit_ids":["AAAAAAAAAAAAAAAAAAAAAA"]"#, ""),
        with(r#""alice""#, r#""""#),
        with(r#""alice""#, "7"),
        with(r#""alice""#, r#""a\u0000""#),
        with(r#""sub":"alice""#, &long),
        with("1000", "1000.5"),
        with("1000", r#""1000""#),
        with("1000", "-1"),
        with("1000", "1501"),
        with("2000", "1500"),
        with("2000", "253402300800"),
        with("2000", "1e400"),
        with(r#"["password"]"#, r#""password""#),
        with(r#"["password"]"#, "[1]"),
        with(r#"["password"]"#, r#"[""]"#),
        with(r#""openstack_methods":["password"]"#, &many),
        with(r#"["AAAAAAAAAAAAAAAAAAAAAA"]"#, "[]"),
        with(
            r#"["AAAAAAAAAAAAAAAAAAAAAA"]"#,
            r#"["AAAAAAAAAAAAAAAAAAAAAA","AAAAAAAAAAAAAAAAAAAAAA","AAAAAAAAAAAAAAAAAAAAAA"]"#,
        ),
        with("AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB"),
        with("AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA=="),
        and(r#""sub":"bob""#),
        and(r#""aud":"a service""#),
        and(r#""aud":null"#),
        and(r#""nbf":1"#),
        and(r#""openstack_project_id":"p","openstack_domain_id":"d""#),
        and(r#""openstack_project_id":"p","openstack_system":"all""#),
        and(r#""openstack_project_id":["p"]"#),
        and(r#""openstack_group_ids":[]"#),
        and(r#""openstack_idp_id":"i","openstack_protocol_id":"p""#),
        and(r#""openstack_group_ids":["g"],"openstack_idp_id":"i","openstack_protocol_id":"p""#),
        and(r#""openstack_thumbprint":"""#),
        "[]".to_owned(),
        format!("{CLAIMS} {CLAIMS}"),
        format!("{}1{}", "[".repeat(5000), "]".repeat(5000)),
    ];
    for claims in cases {
        assert!(forger.read(HEADER, &claims).is_err(), "{claims}");
    }
}
