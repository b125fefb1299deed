//! What holds for every input.

#[path = "support/forge.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod forge;

use std::sync::LazyLock;

use forge::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use sealstone_jose::{Algorithm, Jwk, JwkSet, KeyId, PrivateKey, Thumbprint, UnverifiedJwt, base64url, json};
use serde_json::Value;

static ES256: LazyLock<Fixture> = LazyLock::new(|| Fixture::new(Algorithm::Es256));

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(Algorithm::ALL.to_vec())
}

/// JSON that strict reading takes: at most six deep.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(".{0,8}", inner, 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Value> {
    btree_map(".{0,8}", values(), 0..6).prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #[test]
    fn base64url_decodes_what_it_encodes(octets in vec(any::<u8>(), 0..200)) {
        let text = base64url::encode(&octets);
        prop_assert_eq!(base64url::decode(&text).unwrap(), octets);
    }

    #[test]
    fn base64url_has_one_text_for_each_octet_string(text in "[A-Za-z0-9_=+/ -]{0,12}") {
        if let Ok(octets) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(octets), text);
        }
    }

    #[test]
    fn json_reads_what_it_prints(value in values()) {
        prop_assert_eq!(json::from_slice::<Value>(value.to_string().as_bytes()).unwrap(), value);
    }

    #[test]
    fn jwk_parses_what_it_prints(algorithm in algorithms(), kid in "[^\0]{1,32}", named in any::<bool>()) {
        let mut jwk = key(algorithm).public_jwk().clone();
        if named {
            jwk = jwk.with_kid(&kid).unwrap();
        }
        prop_assert_eq!(&Jwk::parse(jwk.to_json().as_bytes()).unwrap(), &jwk);
        let set = JwkSet::new(vec![jwk.clone()]).unwrap();
        prop_assert_eq!(&JwkSet::parse(set.to_json().as_bytes()).unwrap(), &set);
        prop_assert_eq!(JwkSet::parse_strict(set.to_json().as_bytes()).unwrap(), set);
        let bare = Jwk::from_spki_der(&jwk.to_spki_der()).unwrap();
        prop_assert_eq!(bare.to_spki_der(), jwk.to_spki_der());
        prop_assert_eq!(bare.thumbprint(), jwk.thumbprint());
    }

    #[test]
    fn jwt_gives_back_its_claims(claims in objects()) {
        let token = ES256.encoder().encode_to_string(&claims).unwrap();
        prop_assert_eq!(ES256.verify(&token).unwrap().claims::<Value>().unwrap(), claims);
    }

    #[test]
    fn no_byte_sequence_panics(octets in vec(any::<u8>(), 0..300)) {
        drop(json::check(&octets));
        drop(Jwk::parse(&octets));
        drop(Jwk::from_spki_der(&octets));
        drop(JwkSet::parse(&octets));
        drop(PrivateKey::from_jwk(&octets));
        for algorithm in Algorithm::ALL {
            drop(PrivateKey::from_pkcs8_der(algorithm, &octets));
        }
        let text = String::from_utf8_lossy(&octets);
        drop(UnverifiedJwt::parse(&text));
        drop(KeyId::parse(&text));
        drop(Thumbprint::parse(&text));
        // As header, payload and signature of a token in form.
        let part = base64url::encode(&octets);
        let header = base64url::encode(r#"{"alg":"ES256","kid":"k1"}"#);
        drop(UnverifiedJwt::parse(&format!("{part}.{part}.{part}")));
        let token = format!("{header}.{part}.{part}");
        prop_assert!(ES256.verify(&token).is_err());
    }

    #[test]
    fn no_text_like_json_panics(text in r#"[\[\]{}",:0-9truefalsn\\u\-.eE ]{0,64}"#) {
        drop(json::check(text.as_bytes()));
        drop(UnverifiedJwt::parse(&format!("{}..", base64url::encode(&text))));
    }

    #[test]
    fn strict_json_is_json(text in r#"[\[\]{}",:0-9truefalsn\\u\-.eE ]{0,64}"#) {
        if json::check(text.as_bytes()).is_ok() {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
        }
    }

    #[test]
    fn no_changed_character_verifies(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let token = ES256.good();
        let at = at.index(token.len());
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assert_eq!(ES256.verify(&changed).is_ok(), changed == token);
    }
}
