//! A browser with an authenticator in it, as far as a relying party sees them (W3C Web Authentication).

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::{KeyKind, TestKey, base64url, sha256};

/// The flags of authenticator data (WebAuthn §6.1): present, verified.
const PRESENT_AND_VERIFIED: u8 = 0x05;
const ATTESTED: u8 = 0x40;

/// Makes passkeys and logs in with them, honestly or not.
///
/// It answers the options that a relying party gives as JSON with the JSON that a page's script sends back. It has one
/// passkey at a time: the one that was registered last.
#[derive(Debug)]
pub struct SoftAuthenticator {
    origin: String,
    key: TestKey,
    credential: Vec<u8>,
    user: String,
    counter: u32,
    /// What it says otherwise than it is.
    pub lie: Lie,
}

/// Octets made of octets.
pub type MadeOf = fn(&[u8]) -> Vec<u8>;

/// What a dishonest browser or authenticator says instead of the truth. `None` is the truth.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a test sets what it needs")]
pub struct Lie {
    /// `webauthn.get` or `webauthn.create`.
    pub ceremony: Option<&'static str>,
    /// Another challenge, base64url.
    pub challenge: Option<String>,
    /// Another origin.
    pub origin: Option<&'static str>,
    /// Further members of the client data.
    pub client_data: Option<(&'static str, Value)>,
    /// Another relying party.
    pub rp_id: Option<&'static str>,
    /// Other flags.
    pub flags: Option<u8>,
    /// Another counter; without, it grows by one each time.
    pub counter: Option<u32>,
    /// Octets behind the authenticator data.
    pub tail: Vec<u8>,
    /// Another credential id outside of what is signed.
    pub credential: Option<Vec<u8>>,
    /// Another user handle, base64url; an empty one leaves it out.
    pub user: Option<&'static str>,
    /// Another COSE key than the real one.
    pub cose: Option<Vec<u8>>,
    /// Another attestation object; gets the authenticator data.
    pub attestation: Option<MadeOf>,
    /// A changed signature.
    pub signature: Option<fn(Vec<u8>) -> Vec<u8>>,
}

impl SoftAuthenticator {
    /// An authenticator for keys of this kind, in a browser that shows a page of this origin.
    #[must_use]
    pub fn new(kind: KeyKind, origin: &str) -> Self {
        let key = TestKey::generate(kind);
        let credential = sha256(&key.spki_der()).to_vec();
        Self {
            origin: origin.to_owned(),
            key,
            credential,
            user: String::new(),
            counter: 0,
            lie: Lie::default(),
        }
    }

    /// `navigator.credentials.create` and `toJSON`: the answer to `PublicKeyCredentialCreationOptionsJSON`.
    #[must_use]
    pub fn register(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).expect("options");
        text(&options, "/user/id").clone_into(&mut self.user);
        let client_data = self.client_data("webauthn.create", &options);
        let rp_id = text(&options, "/rp/id");
        let mut data = self.data(rp_id, PRESENT_AND_VERIFIED | ATTESTED);
        let flags = data.get(32).copied().unwrap_or_default();
        if flags & ATTESTED != 0 {
            data.extend_from_slice(&[0; 16]);
            data.extend_from_slice(&u16::try_from(self.credential.len()).expect("short").to_be_bytes());
            data.extend_from_slice(&self.credential);
            data.extend(self.lie.cose.clone().unwrap_or_else(|| self.cose()));
        }
        data.extend_from_slice(&self.lie.tail);
        let object = self
            .lie
            .attestation
            .map_or_else(|| none(&data), |made| made(&data));
        let id = base64url(self.lie.credential.as_ref().unwrap_or(&self.credential));
        json!({
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": {"credProps": {"rk": true}},
            "response": {
                "clientDataJSON": base64url(client_data.as_bytes()),
                "attestationObject": base64url(&object),
                "transports": ["internal", "hybrid"],
                "publicKeyAlgorithm": -7,
            },
        })
        .to_string()
    }

    /// `navigator.credentials.get` and `toJSON`: the answer to `PublicKeyCredentialRequestOptionsJSON`.
    #[must_use]
    pub fn assert(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).expect("options");
        let client_data = self.client_data("webauthn.get", &options);
        self.counter = self.counter.wrapping_add(1);
        let mut data = self.data(text(&options, "/rpId"), PRESENT_AND_VERIFIED);
        data.extend_from_slice(&self.lie.tail);
        let mut message = data.clone();
        message.extend_from_slice(&sha256(client_data.as_bytes()));
        let signature = self.key.sign(&message);
        let signature = match self.lie.signature {
            Some(changed) => changed(signature),
            None => signature,
        };
        let id = base64url(self.lie.credential.as_ref().unwrap_or(&self.credential));
        let user = self.lie.user.unwrap_or(&self.user);
        json!({
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": base64url(client_data.as_bytes()),
                "authenticatorData": base64url(&data),
                "signature": base64url(&signature),
                "userHandle": if user.is_empty() { Value::Null } else { user.into() },
            },
        })
        .to_string()
    }

    /// The public key as a COSE key (RFC 9053 §7).
    #[must_use]
    pub fn cose(&self) -> Vec<u8> {
        let jwk = self.key.public_jwk();
        let octets = |member: &str| {
            let text = text(&jwk, member);
            cbor(
                2,
                &URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).expect("base64url"),
            )
        };
        match self.key.kind() {
            KeyKind::P256 => [
                &[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21][..],
                &octets("/x"),
                &[0x22],
                &octets("/y"),
            ]
            .concat(),
            KeyKind::Ed25519 => [
                &[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21][..],
                &octets("/x"),
            ]
            .concat(),
            KeyKind::Rsa2048 => [
                &[0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20][..],
                &octets("/n"),
                &[0x21],
                &octets("/e"),
            ]
            .concat(),
            // ES384, which nobody is offered.
            KeyKind::P384 => [
                &[0xa5, 0x01, 0x02, 0x03, 0x38, 0x22, 0x20, 0x02, 0x21][..],
                &octets("/x"),
                &[0x22],
                &octets("/y"),
            ]
            .concat(),
        }
    }

    fn client_data(&self, ceremony: &str, options: &Value) -> String {
        let challenge = self
            .lie
            .challenge
            .as_deref()
            .unwrap_or_else(|| text(options, "/challenge"));
        let mut data = json!({
            "type": self.lie.ceremony.unwrap_or(ceremony),
            "challenge": challenge,
            "origin": self.lie.origin.unwrap_or(&self.origin),
            "crossOrigin": false,
        });
        if let (Some((name, value)), Some(members)) = (&self.lie.client_data, data.as_object_mut()) {
            members.insert((*name).to_owned(), value.clone());
        }
        data.to_string()
    }

    fn data(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        let mut data = sha256(self.lie.rp_id.unwrap_or(rp_id).as_bytes()).to_vec();
        data.push(self.lie.flags.unwrap_or(flags));
        data.extend_from_slice(&self.lie.counter.unwrap_or(self.counter).to_be_bytes());
        data
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).expect("text")
}

/// An attestation object of the format `none` (WebAuthn §8.7).
fn none(data: &[u8]) -> Vec<u8> {
    let mut object = vec![0xa3];
    object.extend(cbor(3, b"fmt"));
    object.extend(cbor(3, b"none"));
    object.extend(cbor(3, b"attStmt"));
    object.push(0xa0);
    object.extend(cbor(3, b"authData"));
    object.extend(cbor(2, data));
    object
}

/// A string of CBOR: major type 2 or 3.
fn cbor(major: u8, octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).expect("short");
    let [high, low] = length.to_be_bytes();
    let mut out = match (high, low) {
        (0, 0..=23) => vec![(major << 5) | low],
        (0, _) => vec![(major << 5) | 24, low],
        _ => vec![(major << 5) | 25, high, low],
    };
    out.extend_from_slice(octets);
    out
}
