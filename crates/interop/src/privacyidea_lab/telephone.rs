//! A telephone with privacyIDEA's app, as far as push tokens go: it is enrolled, asks for questions and answers them.

use std::time::SystemTime;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Iso8601};

use super::PrivacyIdeaLab;

/// A telephone that holds one push token.
#[derive(Debug)]
pub struct Telephone<'a> {
    lab: &'a PrivacyIdeaLab,
    serial: String,
    key: KeyPair,
}

impl<'a> Telephone<'a> {
    /// Enrols a push token for `user`. privacyIDEA sends nothing anywhere: the telephone asks.
    #[must_use]
    pub fn enrol(lab: &'a PrivacyIdeaLab, user: &str, serial: &str) -> Self {
        for (name, scope, administrator, action) in [
            (
                "test-push-rights",
                "admin",
                "labadmin",
                json!({"enrollPUSH": true}),
            ),
            (
                "test-push-enrolment",
                "enrollment",
                "",
                json!({
                    "push_firebase_configuration": "poll only",
                    "push_registration_url": format!("{}/ttype/push", lab.url()),
                }),
            ),
        ] {
            let rule = json!({"scope": scope, "adminuser": administrator, "action": action, "active": true});
            let _made = lab.ask("POST", &format!("/policy/{name}"), &rule);
        }
        let token = json!({
            "type": "push", "serial": serial, "user": user, "realm": PrivacyIdeaLab::REALM, "genkey": 1,
        });
        let begun = lab.ask("POST", "/token/init", &token);
        let credential = begun
            .pointer("/detail/enrollment_credential")
            .expect("a credential");
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let public = spki(key.public_key().as_ref());
        let second = json!({
            "serial": serial, "enrollment_credential": credential, "fbtoken": "none",
            "pubkey": base64_simd::STANDARD.encode_to_string(public),
        });
        let done = lab.send("POST", "/ttype/push", &[], &second);
        assert_eq!(done.pointer("/result/status"), Some(&Value::Bool(true)), "{done}");
        Self {
            lab,
            serial: serial.to_owned(),
            key,
        }
    }

    /// The questions that wait for an answer: the secret of each.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a telephone has a clock")]
    pub fn questions(&self) -> Vec<String> {
        let now = OffsetDateTime::from(SystemTime::now());
        let now = now.format(&Iso8601::DATE_TIME_OFFSET).expect("a time");
        let signature = self.sign(&format!("{}|{now}", self.serial));
        let escaped = sealstone_testkit::escaped;
        let query = format!(
            "/ttype/push?serial={}&timestamp={}&signature={}",
            self.serial,
            escaped(&now),
            escaped(&signature)
        );
        let answer = self.lab.send("GET", &query, &[], &Value::Null);
        let list = answer.pointer("/result/value").and_then(Value::as_array);
        let list = list.expect("a list of questions");
        let secret = |question: &Value| question.get("nonce").and_then(Value::as_str).map(str::to_owned);
        list.iter().filter_map(secret).collect()
    }

    /// The person agrees.
    pub fn agree(&self, question: &str) {
        let signature = self.sign(&format!("{question}|{}", self.serial));
        self.answer(&json!({"serial": self.serial, "nonce": question, "signature": signature}));
    }

    /// The person declines.
    pub fn decline(&self, question: &str) {
        let signature = self.sign(&format!("{question}|{}|decline", self.serial));
        let answer = json!({"serial": self.serial, "nonce": question, "signature": signature, "decline": 1});
        self.answer(&answer);
    }

    fn answer(&self, answer: &Value) {
        let done = self.lab.send("POST", "/ttype/push", &[], answer);
        assert_eq!(done.pointer("/result/value"), Some(&Value::Bool(true)), "{done}");
    }

    fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        let signed = self
            .key
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
        signed.expect("a signature");
        base32(&signature)
    }
}

impl Drop for Telephone<'_> {
    fn drop(&mut self) {
        let path = format!("/token/{}", self.serial);
        let _gone = self.lab.send(
            "DELETE",
            &path,
            &[(
                "pi-authorization",
                self.lab.admin.get().map_or("", String::as_str),
            )],
            &json!({}),
        );
    }
}

/// `SubjectPublicKeyInfo` around a PKCS #1 public key of 2048 bits (RFC 3279 §2.3.1).
fn spki(pkcs1: &[u8]) -> Vec<u8> {
    let long = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).expect("a short key").to_be_bytes();
        [&[tag, 0x82, length[0], length[1]], content].concat()
    };
    let algorithm = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let bits = long(0x03, &[&[0], pkcs1].concat());
    long(0x30, &[&algorithm[..], &bits].concat())
}

/// RFC 4648 §6, with padding.
fn base32(octets: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for chunk in octets.chunks(5) {
        let mut whole = [0; 8];
        for (place, octet) in whole.iter_mut().skip(3).zip(chunk) {
            *place = *octet;
        }
        let bits = u64::from_be_bytes(whole);
        let letters = chunk.len().saturating_mul(8).div_ceil(5);
        for index in 0..8_usize {
            let shift = 35_usize.saturating_sub(index.saturating_mul(5));
            let letter = usize::try_from(
                bits.checked_shr(u32::try_from(shift).expect("small"))
                    .unwrap_or(0)
                    & 31,
            );
            let letter = letter
                .ok()
                .and_then(|at| LETTERS.get(at))
                .copied()
                .expect("a letter");
            text.push(if index < letters { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base32;

    #[test]
    fn base32_is_that_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "MY======"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI======"),
        ] {
            assert_eq!(base32(plain.as_bytes()), coded);
        }
    }
}
