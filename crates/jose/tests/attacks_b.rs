//! Attack group B: keys and sets. Each test first shows that the key without the attack is taken.

#[path = "support/forge.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod forge;

use forge::*;
use sealstone_jose::{
    Algorithm, JoseError, Jwk, JwkSet, KeyUse, PrivateKey, UnverifiedJwt, Verifier, VerifierSet, base64url,
};
use serde_json::{Value, json};

/// The public members of a fresh key.
fn public(algorithm: Algorithm) -> Value {
    let jwk = key(algorithm).public_jwk().clone();
    parse(&members(&jwk)).unwrap();
    members(&jwk)
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn set_of(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// At registration the whole set is refused; in a published set the key is not there to be used.
fn refused_everywhere(jwk: &Value) -> JoseError {
    let refusal = parse(jwk).expect_err(&jwk.to_string());
    assert_eq!(
        JwkSet::parse_strict(&set_of(std::slice::from_ref(jwk))).unwrap_err(),
        refusal
    );
    assert_eq!(
        JwkSet::parse(&set_of(std::slice::from_ref(jwk))).unwrap().keys(),
        []
    );
    refusal
}

/// An RSA modulus of `bits` bits that is odd and no product of small primes by construction of its ends alone.
fn modulus(bits: usize) -> Vec<u8> {
    let mut octets: Vec<u8> = (0..bits.div_ceil(8))
        .map(|at| u8::try_from(at * 37 % 251).unwrap() | 1)
        .collect();
    octets[0] = if bits.is_multiple_of(8) {
        0x80
    } else {
        1 << (bits % 8 - 1)
    };
    octets
}

fn rsa(n: &[u8], e: &[u8]) -> Value {
    json!({"kty": "RSA", "n": base64url::encode(n), "e": base64url::encode(e), "kid": "k1"})
}

const F4: [u8; 3] = [1, 0, 1];

#[test]
fn b01_rsa_below_2048_bits() {
    for bits in [2048, 2049, 3072, 8192] {
        parse(&rsa(&modulus(bits), &F4)).expect("the sizes that are taken");
    }
    for bits in [8, 512, 1024, 2040, 2047] {
        let refusal = refused_everywhere(&rsa(&modulus(bits), &F4));
        assert_eq!(
            refusal,
            JoseError::WeakKey("RSA modulus below 2048 bits"),
            "{bits}"
        );
    }
    // At use: a token by a 1024-bit key finds no key, whatever its signature.
    let set = JwkSet::parse(&set_of(&[rsa(&modulus(1024), &F4)])).unwrap();
    let keys = VerifierSet::new(&set, &[Algorithm::Rs256]).unwrap();
    let token = Fixture::new(Algorithm::Rs256).good();
    let refusal = keys.verify(UnverifiedJwt::parse(&token).unwrap()).unwrap_err();
    assert_eq!(
        refusal,
        JoseError::UnknownKey {
            kid: Some("k1".to_owned())
        }
    );
    // A modulus blown up by zeros in front, or even.
    let refusal = refused_everywhere(&rsa(&[vec![0; 128], modulus(1024)].concat(), &F4));
    assert_eq!(refusal, JoseError::MalformedKey("RSA number with a leading zero"));
    let mut even = modulus(2048);
    *even.last_mut().unwrap() = 2;
    assert_eq!(
        refused_everywhere(&rsa(&even, &F4)),
        JoseError::WeakKey("RSA modulus is even")
    );
}

#[test]
fn b02_rsa_exponent_one_even_or_huge() {
    let n = modulus(2048);
    for e in [&[3][..], &[17], &F4, &[0xff, 0xff, 0xff, 0xff]] {
        parse(&rsa(&n, e)).expect("an exponent that is taken");
    }
    for e in [&[1][..], &[2], &[1, 0, 0], &[0xff, 0xff, 0xff, 0xfe]] {
        assert_eq!(
            refused_everywhere(&rsa(&n, e)),
            JoseError::WeakKey("RSA exponent is 1 or even"),
            "{e:?}"
        );
    }
    for e in [
        [1, 0, 0, 0, 1].to_vec(),
        [1, 0, 0, 0, 0, 0, 0, 0, 1].to_vec(),
        modulus(4096),
    ] {
        assert_eq!(
            refused_everywhere(&rsa(&n, &e)),
            JoseError::UnsupportedKey("RSA exponent of 2^32 or more")
        );
    }
    for e in [&[][..], &[0], &[0, 1, 0, 1]] {
        assert_eq!(
            refused_everywhere(&rsa(&n, e)),
            JoseError::MalformedKey("RSA number with a leading zero")
        );
    }
}

#[test]
fn b03_rsa_modulus_of_16384_or_65536_bits() {
    parse(&rsa(&modulus(8192), &F4)).unwrap();
    for bits in [8193, 16_384, 65_536] {
        let refusal = refused_everywhere(&rsa(&modulus(bits), &F4));
        assert_eq!(
            refusal,
            JoseError::UnsupportedKey("RSA modulus above 8192 bits"),
            "{bits}"
        );
    }
}

#[test]
fn b04_roca_modulus() {
    // One above a multiple of 2·3·5·…·167: a power of 65537 (the zeroth) modulo each of these primes.
    let mut product = vec![1_u8];
    let mut multiply = |factor: u16| {
        let mut carry = 0_u16;
        for octet in product.iter_mut().rev() {
            let value = u16::from(*octet) * factor + carry;
            *octet = value.to_be_bytes()[1];
            carry = value >> 8;
        }
        if carry > 0 {
            product.insert(0, u8::try_from(carry).unwrap());
        }
        product[0] >= 0x80
    };
    for prime in (2_u16..168).filter(|n| (2..*n).all(|d| n % d != 0)) {
        multiply(prime);
    }
    while !multiply(2) {}
    product.resize(256, 0);
    assert!(product[0] >= 0x80, "2048 bits");
    *product.last_mut().unwrap() += 1;
    assert_eq!(
        refused_everywhere(&rsa(&product, &F4)),
        JoseError::WeakKey("RSA modulus of the ROCA form")
    );
    *product.last_mut().unwrap() += 2;
    parse(&rsa(&product, &F4)).expect("not of that form");
}

#[test]
fn b05_ec_point_off_the_curve() {
    for (algorithm, curve) in [
        (Algorithm::Es256, "not a point of P-256"),
        (Algorithm::Es384, "not a point of P-384"),
    ] {
        let good = public(algorithm);
        let mut y = base64url::decode(good["y"].as_str().unwrap()).unwrap();
        *y.last_mut().unwrap() ^= 1;
        let refusal = refused_everywhere(&with(good, "y", json!(base64url::encode(y))));
        assert_eq!(refusal, JoseError::MalformedKey(curve));
    }
}

#[test]
fn b06_ec_identity_field_prime_and_twist() {
    let p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    let zero = "00".repeat(32);
    let good = public(Algorithm::Es256);
    let wrong = [
        (zero.as_str(), zero.as_str(), "the identity as zeros"),
        (p, zero.as_str(), "x is the prime"),
        (p, p, "both are the prime"),
        ("ff".repeat(32).leak() as &str, zero.as_str(), "x above the prime"),
        // x of a point of the twist: no y fits on the curve.
        (
            "01".repeat(32).leak() as &str,
            "02".repeat(32).leak() as &str,
            "neither",
        ),
    ];
    for (x, y, what) in wrong {
        let jwk = with(with(good.clone(), "x", hex(x)), "y", hex(y));
        assert_eq!(
            refused_everywhere(&jwk),
            JoseError::MalformedKey("not a point of P-256"),
            "{what}"
        );
    }
    // Every x is on the curve or on its twist; for one of the twist no y is taken, not even the twist's own.
    let mut refused = 0;
    for x in 1_u8..=64 {
        let mut point = vec![0_u8; 32];
        point[31] = x;
        let compressed = [&[2], point.as_slice()].concat();
        if p256_has(&compressed) {
            continue;
        }
        refused += 1;
        for y in [&zero, &"01".repeat(32)] {
            let jwk = with(
                with(good.clone(), "x", json!(base64url::encode(&point))),
                "y",
                hex(y),
            );
            refused_everywhere(&jwk);
        }
    }
    assert!(refused > 10, "about half of all x are the twist's");
}

fn p256_has(compressed: &[u8]) -> bool {
    p256::PublicKey::from_sec1_bytes(compressed).is_ok()
}

fn hex(text: &str) -> Value {
    let octets: Vec<u8> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    json!(base64url::encode(octets))
}

#[test]
fn b07_ec_coordinates_of_another_length() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        for name in ["x", "y"] {
            let good = public(algorithm);
            let octets = base64url::decode(good[name].as_str().unwrap()).unwrap();
            for wrong in [
                octets[1..].to_vec(),
                [&[0], octets.as_slice()].concat(),
                Vec::new(),
            ] {
                let jwk = with(good.clone(), name, json!(base64url::encode(wrong)));
                assert_eq!(
                    refused_everywhere(&jwk),
                    JoseError::MalformedKey("length of a coordinate")
                );
            }
        }
    }
    let good = public(Algorithm::EdDsa);
    let octets = base64url::decode(good["x"].as_str().unwrap()).unwrap();
    for wrong in [octets[1..].to_vec(), [octets.as_slice(), &[0]].concat()] {
        let jwk = with(good.clone(), "x", json!(base64url::encode(wrong)));
        assert_eq!(
            refused_everywhere(&jwk),
            JoseError::MalformedKey("not a point of Ed25519")
        );
    }
}

#[test]
fn b08_curve_does_not_fit_the_algorithm() {
    for algorithm in Algorithm::ALL {
        let jwk = key(algorithm).public_jwk().clone();
        Verifier::new(&jwk, algorithm).unwrap();
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            // As the key says its own algorithm, and as it says nothing.
            assert_eq!(
                Verifier::new(&jwk, other).unwrap_err(),
                JoseError::AlgorithmNotAllowed
            );
            let bare = Jwk::from_spki_der(&jwk.to_spki_der()).unwrap();
            let same_type = matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256)
                && matches!(other, Algorithm::Rs256 | Algorithm::Ps256);
            assert_eq!(bare.supports(other), same_type, "{algorithm} {other}");
            assert_eq!(
                Verifier::new(&bare, other).is_ok(),
                same_type,
                "{algorithm} {other}"
            );
            if !same_type {
                // A JWK that contradicts itself.
                let refusal = refused_everywhere(&with(members(&jwk), "alg", json!(other)));
                assert_eq!(refusal, JoseError::MalformedKey("alg does not fit the key"));
            }
        }
    }
    let x25519 = with(public(Algorithm::EdDsa), "crv", json!("X25519"));
    assert_eq!(refused_everywhere(&x25519), JoseError::UnsupportedKey("crv"));
    let p521 = with(public(Algorithm::Es256), "crv", json!("P-521"));
    assert_eq!(refused_everywhere(&p521), JoseError::UnsupportedKey("crv"));
    // P-256 coordinates under the name of P-384.
    let renamed = with(public(Algorithm::Es256), "crv", json!("P-384"));
    assert_eq!(
        refused_everywhere(&renamed),
        JoseError::MalformedKey("length of a coordinate")
    );
}

#[test]
fn b09_symmetric_key_as_a_public_key() {
    let oct = json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ", "alg": "HS256"});
    assert_eq!(parse(&oct).unwrap_err(), JoseError::SymmetricKey);
    // Also beside good keys, and in a published set: such a set gives its secret away.
    for set in [
        set_of(std::slice::from_ref(&oct)),
        set_of(&[public(Algorithm::Es256), oct]),
    ] {
        assert_eq!(JwkSet::parse_strict(&set).unwrap_err(), JoseError::SymmetricKey);
        assert_eq!(JwkSet::parse(&set).unwrap_err(), JoseError::SymmetricKey);
    }
}

#[test]
fn b10_private_members() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            for value in [json!("AQAB"), json!(""), json!(null), json!([])] {
                let jwk = with(public(algorithm), name, value);
                assert_eq!(
                    parse(&jwk).unwrap_err(),
                    JoseError::PrivateMember,
                    "{algorithm} {name}"
                );
                let set = set_of(&[public(Algorithm::Es384), jwk]);
                assert_eq!(JwkSet::parse_strict(&set).unwrap_err(), JoseError::PrivateMember);
                assert_eq!(JwkSet::parse(&set).unwrap_err(), JoseError::PrivateMember);
            }
        }
    }
    // Nothing that prints a private key prints one of them.
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        let printed = members(key.public_jwk());
        for name in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(printed.get(name).is_none(), "{algorithm} {name}");
        }
        assert_eq!(
            format!("{key:?}"),
            format!("PrivateKey {{ algorithm: {algorithm:?}, .. }}").replace("EdDSA", "EdDsa")
        );
    }
}

#[test]
fn b11_two_keys_with_one_kid() {
    let key = |kid: &str| with(public(Algorithm::Es256), "kid", json!(kid));
    JwkSet::parse(&set_of(&[key("a"), key("b")])).unwrap();
    for set in [
        set_of(&[key("a"), key("a")]),
        set_of(&[key("a"), key("b"), key("a")]),
    ] {
        assert_eq!(JwkSet::parse(&set).unwrap_err(), JoseError::DuplicateKeyId);
        assert_eq!(JwkSet::parse_strict(&set).unwrap_err(), JoseError::DuplicateKeyId);
    }
    let keys = ["a", "a"].map(|kid| parse(&key(kid)).unwrap());
    assert_eq!(JwkSet::new(keys.to_vec()).unwrap_err(), JoseError::DuplicateKeyId);
    // Keys without a name do not collide; the same name written in two ways does.
    JwkSet::parse(&set_of(&[public(Algorithm::Es256), public(Algorithm::Es256)])).unwrap();
    let escaped = String::from_utf8(set_of(&[key("a"), key("zz")]))
        .unwrap()
        .replace(r#""zz""#, r#""\u0061""#);
    assert_eq!(
        JwkSet::parse(escaped.as_bytes()).unwrap_err(),
        JoseError::DuplicateKeyId
    );
}

#[test]
fn b12_key_for_another_use() {
    let f = Fixture::new(Algorithm::Es256);
    let token = f.good();
    let good = with(public(Algorithm::Es256), "kid", json!("k1"));
    let own = |name: &str, value: Value| {
        let mut jwk = with(members(f.signer.public_jwk()), name, value);
        if name == "key_ops" {
            jwk.as_object_mut().unwrap().remove("use");
        }
        jwk
    };
    let verify = |jwk: &Value| {
        let set = JwkSet::parse(&set_of(&[jwk.clone(), with(good.clone(), "kid", json!("k2"))])).unwrap();
        let keys = VerifierSet::new(&set, &[Algorithm::Es256]).unwrap();
        keys.verify(UnverifiedJwt::parse(&token).unwrap())
            .map(|_verified| ())
    };
    verify(&own("use", json!("sig"))).unwrap();
    verify(&own("key_ops", json!(["verify"]))).unwrap();
    verify(&own("key_ops", json!(["sign", "verify"]))).unwrap();
    for wrong in [
        own("use", json!("enc")),
        own("key_ops", json!(["encrypt"])),
        own("key_ops", json!(["sign"])),
        own("key_ops", json!([])),
        own("key_ops", json!(["Verify"])),
    ] {
        let jwk = parse(&wrong).unwrap();
        assert!(!jwk.supports(Algorithm::Es256));
        assert_eq!(
            Verifier::new(&jwk, Algorithm::Es256).unwrap_err(),
            JoseError::AlgorithmNotAllowed
        );
        assert_eq!(
            verify(&wrong).unwrap_err(),
            JoseError::AlgorithmNotAllowed,
            "{wrong}"
        );
    }
    assert_eq!(
        parse(&own("use", json!("enc"))).unwrap().key_use(),
        Some(KeyUse::Encryption)
    );
    // Uses that nobody registered, and members of the wrong type.
    assert_eq!(
        parse(&own("use", json!("tls"))).unwrap_err(),
        JoseError::UnsupportedKey("use")
    );
    for (name, value) in [
        ("use", json!(["sig"])),
        ("use", json!(null)),
        ("alg", json!(256)),
        ("kid", json!(1)),
        ("kid", json!("")),
        ("kid", json!("k".repeat(257))),
        ("kid", json!("k\0")),
        ("key_ops", json!("verify")),
        ("key_ops", json!([1])),
        ("key_ops", json!(["verify", "verify"])),
    ] {
        assert_eq!(
            parse(&own(name, value)).unwrap_err(),
            JoseError::MalformedKey(name),
            "{name}"
        );
    }
}

#[test]
fn b13_key_set_of_ten_thousand_keys_or_50_mib() {
    let keys: Vec<Value> = (0..JwkSet::MAX_KEYS)
        .map(|at| with(public(Algorithm::EdDsa), "kid", json!(format!("k{at}"))))
        .collect();
    assert_eq!(JwkSet::parse(&set_of(&keys)).unwrap().keys().len(), 64);
    let one_more = [keys.as_slice(), &[public(Algorithm::EdDsa)]].concat();
    let many = JoseError::TooManyKeys { limit: 64 };
    assert_eq!(JwkSet::parse(&set_of(&one_more)).unwrap_err(), many);
    // What is not known counts as well.
    let unknown = vec![json!({"kty": "X"}); 10_000];
    assert_eq!(JwkSet::parse(&set_of(&unknown)).unwrap_err(), many);
    let large = JoseError::TooLarge {
        what: "key set",
        limit: 256 * 1024,
    };
    let padded = |size: usize| [set_of(&keys[..1]), vec![b' '; size]].concat();
    JwkSet::parse(&padded(200 * 1024)).unwrap();
    assert_eq!(JwkSet::parse(&padded(256 * 1024)).unwrap_err(), large);
    assert_eq!(JwkSet::parse(&padded(50 * 1024 * 1024)).unwrap_err(), large);
    let wide = format!("\"{}\"", "x".repeat(Jwk::MAX_BYTES));
    assert!(matches!(
        Jwk::parse(wide.as_bytes()).unwrap_err(),
        JoseError::TooLarge { .. }
    ));
}

#[test]
fn published_set_leaves_out_what_it_does_not_know() {
    let known = with(public(Algorithm::Es256), "kid", json!("known"));
    let encryption = with(public(Algorithm::Rs256), "alg", json!("RSA-OAEP-256"));
    let set = JwkSet::parse(&set_of(&[
        json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AA"}),
        encryption.clone(),
        json!({"kty": "EC", "crv": "secp256k1"}),
        json!({"kty": "EC", "crv": "P-256"}),
        json!("text"),
        known.clone(),
    ]))
    .unwrap();
    assert_eq!(set.keys().len(), 1);
    assert_eq!(set.find("known"), Some(&parse(&known).unwrap()));
    assert_eq!(set.find("other"), None);
    assert_eq!(
        JwkSet::parse_strict(&set_of(&[known, encryption])).unwrap_err(),
        JoseError::UnsupportedKey("alg")
    );
    for shape in ["[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, "null", "\"\""] {
        assert_eq!(
            JwkSet::parse(shape.as_bytes()).unwrap_err(),
            JoseError::UnexpectedJson,
            "{shape}"
        );
    }
    assert_eq!(
        JwkSet::parse(br#"{"keys":[],"keys":[]}"#).unwrap_err(),
        JoseError::DuplicateName
    );
}

#[test]
fn certificate_chain_of_another_key() {
    // A certificate's skeleton: what stands before the key may be anything.
    let tlv = |tag: u8, content: &[u8]| {
        let length = content.len();
        let header = if length < 128 {
            vec![tag, u8::try_from(length).unwrap()]
        } else {
            [
                vec![tag, 0x82],
                u16::try_from(length).unwrap().to_be_bytes().to_vec(),
            ]
            .concat()
        };
        [header, content.to_vec()].concat()
    };
    let certificate = |spki: &[u8], version: &[u8]| {
        let empty = tlv(0x30, &[]);
        let body = [version, &[2, 1, 1], &empty, &empty, &empty, &empty, spki].concat();
        tlv(0x30, &[tlv(0x30, &body), empty, tlv(3, &[0, 0])].concat())
    };
    let own: PrivateKey = key(Algorithm::Es256);
    let other = key(Algorithm::Es256).public_jwk().to_spki_der();
    let jwk = |der: &[u8]| {
        let text = base64url::encode(der).replace('-', "+").replace('_', "/");
        let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
        with(members(own.public_jwk()), "x5c", json!([padded]))
    };
    let spki = own.public_jwk().to_spki_der();
    for version in [&[0xa0, 3, 2, 1, 2][..], &[]] {
        let der = certificate(&spki, version);
        let parsed = parse(&jwk(&der)).unwrap();
        assert_eq!(parsed.x5c(), [der]);
        assert_eq!(parse(&members(&parsed)).unwrap(), parsed);
    }
    assert_eq!(
        refused_everywhere(&jwk(&certificate(&other, &[]))),
        JoseError::MalformedKey("x5c is of another key")
    );
    for broken in [
        vec![],
        vec![0x30],
        spki.clone(),
        certificate(&[], &[]),
        vec![0xff; 40],
    ] {
        assert!(matches!(
            refused_everywhere(&jwk(&broken)),
            JoseError::MalformedKey(_)
        ));
    }
    for wrong in [
        json!([]),
        json!("MIIB"),
        json!([1]),
        json!(["!"]),
        json!(vec!["MA"; 9]),
    ] {
        let refusal = refused_everywhere(&with(members(own.public_jwk()), "x5c", wrong));
        assert_eq!(refusal, JoseError::MalformedKey("x5c"));
    }
}
