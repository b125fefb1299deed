//! Attack group A: headers, encodings and signatures. Each test first shows that the token without the attack is
//! taken.

#[path = "support/forge.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod forge;
#[path = "support/rsa_raw.rs"]
mod rsa_raw;

use forge::*;
use rsa_raw::*;
use sealstone_jose::{
    Algorithm, JoseError, Jwk, JwkSet, PrivateKey, Signer, UnverifiedJwt, Verifier, VerifierSet, base64url,
    json,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

const CLAIMS: &str = r#"{"sub":"machine"}"#;

fn es256() -> Fixture {
    let fixture = Fixture::new(Algorithm::Es256);
    fixture.good();
    fixture
}

/// `header..` with claims and an empty signature.
fn unsigned(header: &str) -> String {
    format!("{}.{}.", base64url::encode(header), base64url::encode(CLAIMS))
}

#[test]
fn a01_alg_none() {
    let f = es256();
    assert_eq!(
        f.refusal(&unsigned(r#"{"alg":"none"}"#)),
        JoseError::AlgorithmNotAllowed
    );
    assert_eq!(
        f.refusal(&unsigned(r#"{"alg":"none","kid":"k1"}"#)),
        JoseError::AlgorithmNotAllowed
    );
    assert_eq!(
        f.refusal(&f.forge(r#"{"alg":"none","kid":"k1"}"#, CLAIMS)),
        JoseError::AlgorithmNotAllowed
    );
}

#[test]
fn a02_alg_none_in_other_spellings() {
    let f = es256();
    for spelling in [
        "None",
        "NONE",
        "nOnE",
        "none ",
        r"non\u0065",
        "",
        " ES256",
        "es256",
        "ES256\\u0000",
    ] {
        let header = format!(r#"{{"alg":"{spelling}","kid":"k1"}}"#);
        assert_eq!(
            f.refusal(&unsigned(&header)),
            JoseError::AlgorithmNotAllowed,
            "{spelling}"
        );
        assert_eq!(
            f.refusal(&f.forge(&header, CLAIMS)),
            JoseError::AlgorithmNotAllowed,
            "{spelling}"
        );
    }
}

#[test]
fn a03_alg_missing() {
    let f = es256();
    for header in ["{}", r#"{"typ":"JWT"}"#, r#"{"kid":"k1"}"#] {
        assert_eq!(
            f.refusal(&f.forge(header, CLAIMS)),
            JoseError::MalformedHeader("no alg"),
            "{header}"
        );
    }
}

#[test]
fn a04_alg_not_a_string() {
    let f = es256();
    for value in [r#"["ES256"]"#, "256", "null", "{}", "true"] {
        let refusal = f.refusal(&f.forge(&format!(r#"{{"alg":{value},"kid":"k1"}}"#), CLAIMS));
        assert!(
            matches!(refusal, JoseError::MalformedHeader(_)),
            "{value}: {refusal}"
        );
    }
    // The members as an array, which some readers take for an object.
    assert_eq!(
        f.refusal(&f.forge(r#"["ES256","k1"]"#, CLAIMS)),
        JoseError::UnexpectedJson
    );
}

#[test]
fn a05_rsa_public_key_as_hmac_secret() {
    let f = Fixture::new(Algorithm::Rs256);
    f.good();
    let der = f.key.public_jwk().to_spki_der();
    let body: String = base64_lines(&der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----");
    let jwk = f.signer.public_jwk().to_json();
    for secret in [
        pem.clone().into_bytes(),
        format!("{pem}\n").into_bytes(),
        der,
        jwk.clone().into_bytes(),
        format!("{jwk}\n").into_bytes(),
    ] {
        assert_eq!(f.refusal(&hs256(&secret)), JoseError::AlgorithmNotAllowed);
    }
}

/// Standard base64 in lines of 64 characters.
fn base64_lines(octets: &[u8]) -> String {
    let text = base64url::encode(octets).replace('-', "+").replace('_', "/");
    let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    padded
        .as_bytes()
        .chunks(64)
        .map(|line| format!("{}\n", std::str::from_utf8(line).unwrap()))
        .collect()
}

#[test]
fn a06_ec_public_key_as_hmac_secret() {
    let f = es256();
    let der = f.key.public_jwk().to_spki_der();
    // The uncompressed point ends the SubjectPublicKeyInfo.
    let point = &der[der.len() - 65..];
    for secret in [point, &point[1..], &point[1..33], &der] {
        assert_eq!(f.refusal(&hs256(secret)), JoseError::AlgorithmNotAllowed);
    }
}

#[test]
fn a07_alg_differs_from_the_keys_own() {
    for (own, other) in [
        (Algorithm::Rs256, Algorithm::Ps256),
        (Algorithm::Ps256, Algorithm::Rs256),
    ] {
        let registered = Fixture::new(own);
        registered.good();
        let attacker = Fixture::new(other);
        let token = attacker.good();
        // Both algorithms are allowed; the key is the same; it is registered for one.
        let keys = VerifierSet::new(&registered.set, &[own, other]).unwrap();
        let refusal = keys.verify(UnverifiedJwt::parse(&token).unwrap()).unwrap_err();
        assert_eq!(refusal, JoseError::AlgorithmNotAllowed, "{own} {other}");
        assert_eq!(
            Verifier::new(registered.signer.public_jwk(), other).unwrap_err(),
            JoseError::AlgorithmNotAllowed
        );
    }
}

#[test]
fn a08_alg_allowed_in_general_but_not_for_this_use() {
    let f = Fixture::new(Algorithm::Rs256);
    let token = f.good();
    let assertions = VerifierSet::new(&f.set, &[Algorithm::Es256, Algorithm::Ps256]).unwrap();
    let refusal = assertions
        .verify(UnverifiedJwt::parse(&token).unwrap())
        .unwrap_err();
    assert_eq!(refusal, JoseError::AlgorithmNotAllowed);
    let nothing = VerifierSet::new(&f.set, &[]).unwrap();
    let refusal = nothing.verify(UnverifiedJwt::parse(&token).unwrap()).unwrap_err();
    assert_eq!(refusal, JoseError::AlgorithmNotAllowed);
}

#[test]
fn a09_empty_signature_with_a_real_alg() {
    for algorithm in Algorithm::ALL {
        let f = Fixture::new(algorithm);
        let (input, _) = split(&f.good());
        assert_eq!(
            f.refusal(&format!("{input}.")),
            JoseError::BadSignature,
            "{algorithm}"
        );
    }
}

#[test]
fn a10_signature_removed_with_its_dot() {
    let f = es256();
    let (input, _) = split(&f.good());
    assert_eq!(f.refusal(&input), JoseError::NotCompact);
}

#[test]
fn a11_psychic_signature() {
    for (algorithm, length) in [
        (Algorithm::Es256, 64),
        (Algorithm::Es384, 96),
        (Algorithm::EdDsa, 64),
    ] {
        let f = Fixture::new(algorithm);
        let (input, _) = split(&f.good());
        assert_eq!(
            f.refusal(&join(&input, vec![0; length])),
            JoseError::BadSignature,
            "{algorithm}"
        );
    }
}

#[test]
fn a12_r_or_s_zero_or_not_below_the_order() {
    let orders = [
        (
            Algorithm::Es256,
            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        ),
        (
            Algorithm::Es384,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
    ];
    for (algorithm, order) in orders {
        let f = Fixture::new(algorithm);
        let (input, signature) = split(&f.good());
        let n = unhex(order);
        let mut above = n.clone();
        *above.last_mut().unwrap() += 1;
        for wrong in [vec![0; n.len()], n.clone(), above, vec![0xff; n.len()]] {
            let (r, s) = signature.split_at(n.len());
            for spoiled in [
                [&wrong, s].concat(),
                [r, &wrong].concat(),
                [wrong.clone(), wrong.clone()].concat(),
            ] {
                assert_eq!(
                    f.refusal(&join(&input, spoiled)),
                    JoseError::BadSignature,
                    "{algorithm}"
                );
            }
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn a13_der_signature_where_fixed_length_is_due() {
    let f = es256();
    let (input, signature) = split(&f.good());
    let integer = |octets: &[u8]| {
        let digits: Vec<u8> = octets.iter().copied().skip_while(|octet| *octet == 0).collect();
        let sign = if digits[0] >= 0x80 { vec![0] } else { vec![] };
        let value = [sign, digits].concat();
        [&[2, u8::try_from(value.len()).unwrap()], value.as_slice()].concat()
    };
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    let der = [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
    assert_eq!(f.refusal(&join(&input, &der)), JoseError::BadSignature);
    // Also cut or filled to the length that is due.
    let mut fitted = der;
    fitted.resize(64, 0);
    assert_eq!(f.refusal(&join(&input, fitted)), JoseError::BadSignature);
}

#[test]
fn a14_short_or_long_ecdsa_signature() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        let f = Fixture::new(algorithm);
        let (input, signature) = split(&f.good());
        let half = signature.len() / 2;
        for wrong in [
            signature[1..].to_vec(),
            signature[..signature.len() - 1].to_vec(),
            [&[0], signature.as_slice()].concat(),
            [signature.as_slice(), &[0]].concat(),
            [&[0], &signature[..half], &[0], &signature[half..]].concat(),
            [signature.clone(), signature.clone()].concat(),
        ] {
            assert_eq!(
                f.refusal(&join(&input, wrong)),
                JoseError::BadSignature,
                "{algorithm}"
            );
        }
    }
}

#[test]
fn a15_non_canonical_ed25519() {
    let f = Fixture::new(Algorithm::EdDsa);
    let (input, signature) = split(&f.good());
    // S + L, little-endian.
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0_u16;
    let mut raised = signature.clone();
    for (octet, add) in raised[32..].iter_mut().zip(order) {
        let sum = u16::from(*octet) + u16::from(add) + carry;
        *octet = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert_eq!(f.refusal(&join(&input, raised)), JoseError::BadSignature);

    // The points of small order, in their canonical and other encodings: never a key.
    let small = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for point in small {
        let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(unhex(point))});
        let refusal = parse(&jwk).unwrap_err();
        assert!(
            matches!(refusal, JoseError::WeakKey(_) | JoseError::MalformedKey(_)),
            "{point}: {refusal}"
        );
    }
}

#[test]
fn a16_lax_pkcs1_padding() {
    let f = Fixture::new(Algorithm::Rs256);
    let (input, signature) = split(&f.good());
    let hash = Sha256::digest(&input);
    let body = [SHA256_PREFIX.as_slice(), &hash].concat();
    let right = private_operation(&f.key, &pkcs1_block(256 - 3 - body.len(), &body, &[]));
    assert_eq!(right, signature, "the forger makes a good signature too");

    let without_null = [SHA256_PREFIX_WITHOUT_NULL.as_slice(), &hash].concat();
    let mut other_block_type = pkcs1_block(256 - 3 - body.len(), &body, &[]);
    other_block_type[1] = 2;
    let mut other_hash = pkcs1_block(256 - 3 - body.len(), &body, &[]);
    other_hash[255] ^= 1;
    let wrong = [
        (
            "garbage after the hash, short padding",
            pkcs1_block(8, &body, &[0x41; 256 - 3 - 8 - 51]),
        ),
        (
            "garbage after the hash, no padding",
            pkcs1_block(0, &body, &[0x41; 256 - 3 - 51]),
        ),
        ("one octet of garbage", pkcs1_block(256 - 3 - 52, &body, &[0])),
        (
            "NULL left out",
            pkcs1_block(256 - 3 - without_null.len(), &without_null, &[]),
        ),
        ("no DigestInfo", pkcs1_block(256 - 3 - 32, &hash, &[])),
        ("block type 2", other_block_type),
        ("another hash", other_hash),
    ];
    for (what, block) in wrong {
        assert_eq!(block.len(), 256, "{what}");
        let forged = private_operation(&f.key, &block);
        assert_eq!(
            f.refusal(&join(&input, forged)),
            JoseError::BadSignature,
            "{what}"
        );
    }
}

#[test]
fn a17_pss_with_another_salt_length_or_mask() {
    let f = Fixture::new(Algorithm::Ps256);
    let (input, _) = split(&f.good());
    let sign = |salt: &[u8], mask| {
        join(
            &input,
            private_operation(&f.key, &pss_block(input.as_bytes(), salt, mask)),
        )
    };
    f.verify(&sign(&[7; 32], Mask::Sha256))
        .expect("the forger makes a good signature too");
    for salt in [0, 20, 31, 33, 64] {
        assert_eq!(
            f.refusal(&sign(&vec![7; salt], Mask::Sha256)),
            JoseError::BadSignature,
            "salt of {salt}"
        );
    }
    assert_eq!(f.refusal(&sign(&[7; 32], Mask::Sha1)), JoseError::BadSignature);
}

#[test]
fn a18_jwk_in_the_header() {
    let f = es256();
    let attacker = Fixture::new(Algorithm::Es256);
    let jwk = attacker.signer.public_jwk().to_json();
    let header = format!(r#"{{"alg":"ES256","kid":"k1","jwk":{jwk}}}"#);
    assert_eq!(
        f.refusal(&attacker.forge(&header, CLAIMS)),
        JoseError::ForbiddenHeader("jwk")
    );
    // Also when it is the right key, or nothing.
    assert_eq!(
        f.refusal(&f.forge(&header, CLAIMS)),
        JoseError::ForbiddenHeader("jwk")
    );
    assert_eq!(
        f.refusal(&f.with_header(r#""jwk":null"#)),
        JoseError::ForbiddenHeader("jwk")
    );
}

#[test]
fn a19_jku_in_the_header() {
    // No request can go out: nothing in this crate can make one.
    let f = es256();
    let refusal = f.refusal(&f.with_header(r#""jku":"https://attacker.example/jwks""#));
    assert_eq!(refusal, JoseError::ForbiddenHeader("jku"));
}

#[test]
fn a20_x5u_in_the_header() {
    let f = es256();
    let refusal = f.refusal(&f.with_header(r#""x5u":"https://attacker.example/cert.pem""#));
    assert_eq!(refusal, JoseError::ForbiddenHeader("x5u"));
}

#[test]
fn a21_x5c_in_the_header() {
    let f = es256();
    assert_eq!(
        f.refusal(&f.with_header(r#""x5c":["MIIB"]"#)),
        JoseError::ForbiddenHeader("x5c")
    );
    assert_eq!(
        f.refusal(&f.with_header(r#""x5c":[]"#)),
        JoseError::ForbiddenHeader("x5c")
    );
}

/// A token with this `kid` (JSON text), signed by the right key.
fn with_kid(f: &Fixture, kid: &str) -> String {
    f.forge(&format!(r#"{{"alg":"ES256","kid":{kid}}}"#), CLAIMS)
}

#[test]
fn a22_kid_as_a_path() {
    let f = es256();
    for kid in [
        "../../../../dev/null",
        "/proc/self/environ",
        "file:///etc/passwd",
        "k1/../k1",
        "./k1",
    ] {
        let refusal = f.refusal(&with_kid(&f, &format!("\"{kid}\"")));
        assert_eq!(
            refusal,
            JoseError::UnknownKey {
                kid: Some(kid.to_owned())
            }
        );
    }
}

#[test]
fn a23_kid_as_a_query() {
    let f = es256();
    for kid in [
        "x' UNION SELECT 'a",
        "x\nSET k v",
        "$(id)",
        "k1\r\nX: y",
        "k1' OR '1'='1",
        "\u{1b}[2Jk1",
    ] {
        let refusal = f.refusal(&with_kid(&f, &serde_json::to_string(kid).unwrap()));
        assert_eq!(
            refusal,
            JoseError::UnknownKey {
                kid: Some(kid.to_owned())
            }
        );
        assert!(
            !refusal.to_string().contains(char::is_control),
            "escaped where it is logged"
        );
    }
}

#[test]
fn a24_kid_very_long_or_of_odd_type() {
    let f = es256();
    let long = format!("\"{}\"", "k".repeat(1024 * 1024));
    assert!(matches!(
        f.refusal(&with_kid(&f, &long)),
        JoseError::TooLarge { .. }
    ));
    let longish = format!("\"{}\"", "k".repeat(257));
    for kid in [
        "1",
        "{}",
        "null",
        "[\"k1\"]",
        "true",
        r#""k1\u0000""#,
        r#""""#,
        &longish,
    ] {
        let refusal = f.refusal(&with_kid(&f, kid));
        assert!(
            matches!(refusal, JoseError::MalformedHeader(_)),
            "{kid}: {refusal}"
        );
    }
}

#[test]
fn a25_no_kid_with_several_keys() {
    let nameless = |f: &Fixture| f.forge(r#"{"alg":"ES256"}"#, CLAIMS);
    let all: Vec<Fixture> = (0..5).map(|_| Fixture::new(Algorithm::Es256)).collect();
    let set = |count: usize| {
        let keys = all[..count].iter().enumerate();
        let keys = keys.map(|(at, f)| f.key.public_jwk().clone().with_kid(&format!("k{at}")).unwrap());
        VerifierSet::new(
            &JwkSet::new(keys.collect()).unwrap(),
            &[Algorithm::Es256, Algorithm::EdDsa],
        )
        .unwrap()
    };
    let verify =
        |keys: &VerifierSet, token: &str| keys.verify(UnverifiedJwt::parse(token).unwrap()).map(|_| ());
    // Each fitting key is tried, whatever its place; another's signature fails with all.
    let four = set(VerifierSet::MAX_TRIES);
    for f in &all[..4] {
        verify(&four, &nameless(f)).unwrap();
    }
    assert_eq!(
        verify(&four, &nameless(&all[4])).unwrap_err(),
        JoseError::BadSignature
    );
    // More than that are not tried, also if the first would fit.
    assert_eq!(
        verify(&set(5), &nameless(&all[0])).unwrap_err(),
        JoseError::TooManyCandidates
    );
    // None fits.
    let ed = Fixture::new(Algorithm::EdDsa).forge(r#"{"alg":"EdDSA"}"#, CLAIMS);
    assert_eq!(
        verify(&four, &ed).unwrap_err(),
        JoseError::UnknownKey { kid: None }
    );
}

#[test]
fn a26_unknown_critical_header() {
    let f = es256();
    assert_eq!(
        f.refusal(&f.with_header(r#""crit":["x"],"x":1"#)),
        JoseError::ForbiddenHeader("crit")
    );
    f.verify(&f.with_header(r#""x":1"#))
        .expect("unknown and not critical: ignored");
}

#[test]
fn a27_malformed_crit() {
    let f = es256();
    for crit in [
        "[]",
        "\"x\"",
        "{}",
        "null",
        "1",
        r#"["alg"]"#,
        r#"["absent"]"#,
        r#"["exp","exp"]"#,
        "[1]",
        r#"[""]"#,
    ] {
        let refusal = f.refusal(&f.with_header(&format!(r#""crit":{crit},"exp":1"#)));
        assert_eq!(refusal, JoseError::ForbiddenHeader("crit"), "{crit}");
    }
}

#[test]
fn a28_crit_in_the_unprotected_header() {
    let f = es256();
    let token = f.good();
    let parts: Vec<&str> = token.split('.').collect();
    let flattened = serde_json::json!({
        "protected": parts[0], "payload": parts[1], "signature": parts[2],
        "header": {"crit": ["x"], "x": 1},
    });
    assert_eq!(f.refusal(&flattened.to_string()), JoseError::NotCompact);
}

#[test]
fn a29_b64_false() {
    let f = es256();
    for header in [r#""b64":false"#, r#""b64":true"#, r#""b64":null"#] {
        assert_eq!(
            f.refusal(&f.with_header(header)),
            JoseError::ForbiddenHeader("b64"),
            "{header}"
        );
    }
    let both = f.with_header(r#""b64":false,"crit":["b64"]"#);
    assert_eq!(f.refusal(&both), JoseError::ForbiddenHeader("crit"));
    // The unencoded payload itself.
    let header = base64url::encode(r#"{"alg":"ES256","kid":"k1","b64":false,"crit":["b64"]}"#);
    assert_eq!(
        f.refusal(&f.sign_input(&format!("{header}.$02"))),
        JoseError::ForbiddenHeader("crit")
    );
}

#[test]
fn a30_duplicate_header_names() {
    let f = es256();
    for header in [
        r#"{"alg":"ES256","alg":"none","kid":"k1"}"#,
        r#"{"alg":"none","kid":"k1","alg":"ES256"}"#,
        r#"{"alg":"ES256","kid":"k1","kid":"k1"}"#,
        r#"{"alg":"ES256","kid":"k1","a\u006cg":"ES256"}"#,
        r#"{"alg":"ES256","kid":"k1","x":{"y":1,"y":1}}"#,
    ] {
        assert_eq!(
            f.refusal(&f.forge(header, CLAIMS)),
            JoseError::DuplicateName,
            "{header}"
        );
    }
}

/// The refusal of signed claims.
fn claims(f: &Fixture, payload: &[u8]) -> Result<Value, JoseError> {
    f.verify(&f.forge_octets(br#"{"alg":"ES256","kid":"k1"}"#, payload))
        .unwrap()
        .claims()
}

#[test]
fn a31_duplicate_claim_names() {
    let f = es256();
    claims(
        &f,
        br#"{"aud":"a","sub":"b","cnf":{"x":1},"y":[{"x":1},{"x":1}]}"#,
    )
    .unwrap();
    for payload in [
        r#"{"aud":"a","aud":"b"}"#,
        r#"{"sub":"a","x":1,"sub":"a"}"#,
        r#"{"cnf":{},"cnf":{"x5t#S256":"a"}}"#,
        r#"{"cnf":{"x5t#S256":"a","x5t#S256":"b"}}"#,
        r#"{"list":[1,[{"a":1,"b":2,"a":3}]]}"#,
        r#"{"":1,"":1}"#,
    ] {
        assert_eq!(
            claims(&f, payload.as_bytes()).unwrap_err(),
            JoseError::DuplicateName,
            "{payload}"
        );
    }
}

#[test]
fn a32_duplicate_names_by_escape() {
    let f = es256();
    for payload in [
        r#"{"sub":"a","su\u0062":"b"}"#,
        r#"{"\u0073ub":"a","s\u0075b":"b"}"#,
        r#"{"é":1,"\u00e9":2}"#,
        r#"{"😀":1,"\ud83d\ude00":2}"#,
        r#"{"a/b":1,"a\/b":2}"#,
    ] {
        assert_eq!(
            claims(&f, payload.as_bytes()).unwrap_err(),
            JoseError::DuplicateName,
            "{payload}"
        );
    }
}

#[test]
fn a33_wrong_typ() {
    let f = es256();
    let typ = |member: &str| {
        f.verify(&f.with_header(member))
            .unwrap()
            .header()
            .typ_is("at+jwt")
    };
    assert!(typ(r#""typ":"at+jwt""#));
    for other in [
        r#""typ":"JWT""#,
        r#""typ":"""#,
        r#""x":1"#,
        r#""typ":"at+jwt ""#,
        r#""typ":"text/at+jwt""#,
        r#""typ":"application/application/at+jwt""#,
        r#""typ":"at+jwt;a=b""#,
        r#""typ":"dpop+jwt""#,
    ] {
        assert!(!typ(other), "{other}");
    }
    for wrong in [r#""typ":null"#, r#""typ":["at+jwt"]"#, r#""typ":1"#] {
        assert!(
            matches!(f.refusal(&f.with_header(wrong)), JoseError::MalformedHeader(_)),
            "{wrong}"
        );
    }
}

#[test]
fn a34_typ_in_another_case_or_full_media_type() {
    let f = es256();
    for typ in [
        "at+jwt",
        "AT+JWT",
        "At+Jwt",
        "application/at+jwt",
        "APPLICATION/AT+JWT",
        "Application/at+JWT",
    ] {
        let token = f.with_header(&format!(r#""typ":"{typ}""#));
        let unverified = UnverifiedJwt::parse(&token).unwrap();
        assert!(
            unverified.typ_is("at+jwt") && unverified.typ_is("application/AT+jwt"),
            "{typ}"
        );
        assert!(f.verify(&token).unwrap().header().typ_is("at+jwt"), "{typ}");
    }
}

#[test]
fn a35_nested_jwt() {
    let f = es256();
    for cty in ["JWT", "jwt", "application/jwt", "Application/JWT"] {
        let refusal = f.refusal(&f.with_header(&format!(r#""cty":"{cty}""#)));
        assert_eq!(refusal, JoseError::ForbiddenHeader("cty"), "{cty}");
    }
    // Also without saying so: the octets are no claims.
    let inner = f.good();
    let outer = f
        .verify(&f.forge(r#"{"alg":"ES256","kid":"k1"}"#, &inner))
        .unwrap();
    assert_eq!(outer.claims::<Value>().unwrap_err(), JoseError::MalformedJson);
    let quoted = f.forge(r#"{"alg":"ES256","kid":"k1"}"#, &format!("\"{inner}\""));
    assert_eq!(
        f.verify(&quoted).unwrap().claims::<Value>().unwrap_err(),
        JoseError::UnexpectedJson
    );
}

#[test]
fn a36_jwe_where_jws_is_due() {
    let f = es256();
    let header = base64url::encode(r#"{"alg":"dir","enc":"A256GCM","kid":"k1"}"#);
    assert_eq!(
        f.refusal(&format!("{header}..aXY.Y2lwaGVy.dGFn")),
        JoseError::NotCompact
    );
    // Its header over three parts.
    let input = format!("{header}.{}", base64url::encode(CLAIMS));
    assert_eq!(
        f.refusal(&f.sign_input(&input)),
        JoseError::ForbiddenHeader("enc")
    );
    assert_eq!(
        f.refusal(&f.with_header(r#""enc":"A256GCM""#)),
        JoseError::ForbiddenHeader("enc")
    );
}

#[test]
fn a37_zip_bomb() {
    let f = es256();
    assert_eq!(
        f.refusal(&f.with_header(r#""zip":"DEF""#)),
        JoseError::ForbiddenHeader("zip")
    );
    let header = base64url::encode(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#);
    let body = base64url::encode(vec![0; 10 * 1024]);
    assert_eq!(
        f.refusal(&format!("{header}..aXY.{body}.dGFn")),
        JoseError::NotCompact
    );
}

#[test]
fn a38_pbes2_iteration_bomb() {
    let f = es256();
    let header = r#"{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"p2s":"AAAA","kid":"k1"}"#;
    assert_eq!(
        f.refusal(&f.forge(header, CLAIMS)),
        JoseError::AlgorithmNotAllowed
    );
    f.verify(&f.with_header(r#""p2c":2147483647"#))
        .expect("a number without meaning here costs nothing");
}

#[test]
fn a39_base64_of_another_kind() {
    let f = es256();
    let token = f.good();
    let parts: Vec<&str> = token.split('.').collect();
    for foreign in [
        "=", "==", "+", "/", " ", "\n", "\r\n", "\t", "\0", "é", "%3D", "*",
    ] {
        for part in 0..3 {
            for at in [0, parts[part].len() / 2, parts[part].len()] {
                let mut spoiled: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
                spoiled[part].insert_str(at, foreign);
                let refusal = f.refusal(&spoiled.join("."));
                // The payload's signature is judged before its encoding.
                let expected = if part == 1 {
                    JoseError::BadSignature
                } else {
                    JoseError::Base64
                };
                assert_eq!(refusal, expected, "{foreign:?} at {at} of part {part}");
            }
        }
        // A payload that is signed like this.
        let input = format!("{}.{}{foreign}", parts[0], parts[1]);
        assert_eq!(
            f.refusal(&f.sign_input(&input)),
            JoseError::Base64,
            "{foreign:?} signed"
        );
    }
}

#[test]
fn a40_unused_bits_not_zero() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let f = es256();
    let token = f.good();
    // 64 octets leave four unused bits in the last character: fifteen other spellings.
    let last = *token.as_bytes().last().unwrap();
    let value = ALPHABET.iter().position(|character| *character == last).unwrap();
    assert_eq!(value % 16, 0);
    for bits in 1..16 {
        let spelling = format!(
            "{}{}",
            &token[..token.len() - 1],
            char::from(ALPHABET[value + bits])
        );
        assert_eq!(f.refusal(&spelling), JoseError::Base64, "{bits}");
    }
    // In the header, and in a signed payload.
    let input = format!("{}.e31", base64url::encode(r#"{"alg":"ES256","kid":"k1"}"#));
    assert_eq!(f.refusal(&f.sign_input(&input)), JoseError::Base64);
}

#[test]
fn a41_more_or_fewer_parts() {
    let f = es256();
    let token = f.good();
    let (input, _) = split(&token);
    let part = token.split('.').next().unwrap();
    for wrong in [
        String::new(),
        part.to_owned(),
        input,
        format!("{token}.{part}"),
        format!("{token}.{part}.{part}.{part}"),
        format!(".{token}"),
        format!("{token}."),
        token.replacen('.', "..", 1),
        "..".to_owned(),
        ".".to_owned(),
        ".".repeat(16 * 1024),
    ] {
        assert_eq!(f.refusal(&wrong), JoseError::NotCompact, "{wrong:.80}");
    }
    assert!(matches!(
        f.refusal(&".".repeat(100_000)),
        JoseError::TooLarge { .. }
    ));
}

#[test]
fn a42_json_serialization_where_compact_is_due() {
    let f = es256();
    let token = f.good();
    let parts: Vec<&str> = token.split('.').collect();
    let flattened = serde_json::json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]});
    let general = serde_json::json!({
        "payload": parts[1],
        "signatures": [{"protected": parts[0], "signature": parts[2]}],
    });
    for form in [flattened, general] {
        assert_eq!(f.refusal(&form.to_string()), JoseError::NotCompact);
    }
}

#[test]
fn a43_very_large_token() {
    let f = es256();
    let too_large = |token: &str| {
        assert!(matches!(f.refusal(token), JoseError::TooLarge { .. }));
    };
    too_large(&f.with_header(&format!(r#""x":"{}""#, "x".repeat(1024 * 1024))));
    too_large(&format!(
        "{}.{}.AAAA",
        base64url::encode("{}"),
        "A".repeat(64 * 1024 * 1024)
    ));
    // Depth: within a token, and by itself.
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(
        f.refusal(&f.with_header(&format!(r#""x":{}"#, nested(5000)))),
        JoseError::TooDeep
    );
    f.verify(&f.with_header(&format!(r#""x":{}"#, nested(json::MAX_DEPTH - 1))))
        .unwrap();
    assert_eq!(
        f.refusal(&f.with_header(&format!(r#""x":{}"#, nested(json::MAX_DEPTH)))),
        JoseError::TooDeep
    );
    assert_eq!(
        json::from_slice::<Value>(nested(100_000).as_bytes()).unwrap_err(),
        JoseError::TooDeep
    );
    let objects = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(
        json::from_slice::<Value>(objects.as_bytes()).unwrap_err(),
        JoseError::TooDeep
    );
    // The encoder makes nothing that the other side refuses for its length.
    let refusal = f
        .encoder()
        .encode_to_string(&serde_json::json!({"x": "x".repeat(16 * 1024)}))
        .unwrap_err();
    assert!(matches!(refusal, JoseError::TooLarge { .. }));
}

#[test]
fn a44_not_utf8_bom_lone_surrogate() {
    let f = es256();
    let header = br#"{"alg":"ES256","kid":"k1"}"#;
    let wrong: [(&str, Vec<u8>); 8] = [
        (
            "byte order mark",
            [&[0xef, 0xbb, 0xbf], header.as_slice()].concat(),
        ),
        (
            "overlong NUL",
            b"{\"alg\":\"ES256\",\"kid\":\"k1\",\"x\":\"\xc0\x80\"}".to_vec(),
        ),
        (
            "overlong NUL as a name",
            b"{\"alg\":\"ES256\",\"kid\":\"k1\",\"\xc0\x80\":1}".to_vec(),
        ),
        (
            "lone surrogate",
            br#"{"alg":"ES256","kid":"k1","x":"\ud800"}"#.to_vec(),
        ),
        (
            "lone surrogate as a name",
            br#"{"alg":"ES256","kid":"k1","\udc00":1}"#.to_vec(),
        ),
        (
            "surrogate in UTF-8",
            b"{\"alg\":\"ES256\",\"kid\":\"k1\",\"x\":\"\xed\xa0\x80\"}".to_vec(),
        ),
        ("UTF-16", header.iter().flat_map(|octet| [*octet, 0]).collect()),
        ("something after it", [header.as_slice(), b"{}"].concat()),
    ];
    f.verify(&f.forge_octets(header, CLAIMS.as_bytes())).unwrap();
    for (what, spoiled) in wrong {
        let token = f.forge_octets(&spoiled, CLAIMS.as_bytes());
        assert_eq!(f.refusal(&token), JoseError::MalformedJson, "{what}");
        assert_eq!(
            claims(&f, &spoiled).unwrap_err(),
            JoseError::MalformedJson,
            "{what} as claims"
        );
    }
}

#[test]
fn key_named_by_the_token_is_another() {
    // A verifier with a name does not take a token that names another key, also if the signature is good.
    let f = es256();
    let token = with_kid(&f, "\"k2\"");
    let verifier = Verifier::new(f.signer.public_jwk(), Algorithm::Es256).unwrap();
    let refusal = UnverifiedJwt::parse(&token)
        .unwrap()
        .verify(&verifier)
        .unwrap_err();
    assert_eq!(
        refusal,
        JoseError::UnknownKey {
            kid: Some("k2".to_owned())
        }
    );
    // A key without a name takes both.
    let nameless = Verifier::new(f.key.public_jwk(), Algorithm::Es256).unwrap();
    UnverifiedJwt::parse(&token).unwrap().verify(&nameless).unwrap();
}

#[test]
fn signer_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<PrivateKey>();
    shared::<Signer>();
    shared::<VerifierSet>();
    shared::<Jwk>();
}
