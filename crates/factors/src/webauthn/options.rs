//! What a page's script hands to `navigator.credentials`: WebAuthn §5.1.8 and §5.1.9, the JSON forms.

use serde::{Deserialize, Serialize};

use super::{Challenge, Passkey, RelyingParty, UserHandle, cose::KeyAlgorithm, encoding::CredentialId};

/// Five minutes: WebAuthn §15.1 recommends that much for people who need time.
const TIMEOUT_MS: u32 = 300_000;
const MAX_NAME: usize = 64;

/// Whether the authenticator must verify who uses it, by PIN, finger or face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "a ceremony asks for one of these")]
pub enum UserVerification {
    /// It must: the passkey is the whole login.
    Required,
    /// It may: the passkey comes beside a password. The assertion says whether it did.
    Preferred,
}

/// The argument of `navigator.credentials.create`: `PublicKeyCredentialCreationOptionsJSON`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    rp: Rp,
    user: User,
    challenge: Challenge,
    pub_key_cred_params: Vec<Parameter>,
    timeout: u32,
    exclude_credentials: Vec<Descriptor>,
    authenticator_selection: Selection,
    attestation: &'static str,
}

impl CreationOptions {
    /// The JSON, for a page's `data-` attribute: the page escapes it as any text.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(self)
    }
}

/// The argument of `navigator.credentials.get`: `PublicKeyCredentialRequestOptionsJSON`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestOptions {
    challenge: Challenge,
    timeout: u32,
    rp_id: String,
    allow_credentials: Vec<Descriptor>,
    user_verification: UserVerification,
}

impl RequestOptions {
    /// The JSON, for a page's `data-` attribute: the page escapes it as any text.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(self)
    }
}

impl RelyingParty {
    /// What a page asks a browser for to register a passkey. `name` is what the person logs in with, `full_name` how
    /// the person is called. Authenticators that hold one of `existing` are told to stay out.
    #[must_use]
    pub fn creation_options(
        &self,
        challenge: &Challenge,
        (user, name, full_name): (&UserHandle, &str, &str),
        existing: &[&Passkey],
        verification: UserVerification,
    ) -> CreationOptions {
        CreationOptions {
            rp: Rp {
                id: self.id().to_owned(),
                name: self.name().to_owned(),
            },
            user: User {
                id: user.clone(),
                name: cut(name),
                display_name: cut(full_name),
            },
            challenge: *challenge,
            pub_key_cred_params: KeyAlgorithm::ALL.map(Parameter::from).to_vec(),
            timeout: TIMEOUT_MS,
            exclude_credentials: existing
                .iter()
                .map(|passkey| Descriptor::from(*passkey))
                .collect(),
            authenticator_selection: Selection {
                resident_key: "preferred",
                require_resident_key: false,
                user_verification: verification,
            },
            attestation: "none",
        }
    }

    /// What a page asks a browser for to log in with one of `allowed`. With none, the browser offers those that it
    /// knows, and the response's user handle says whose it is.
    #[must_use]
    pub fn request_options(
        &self,
        challenge: &Challenge,
        allowed: &[&Passkey],
        verification: UserVerification,
    ) -> RequestOptions {
        RequestOptions {
            challenge: *challenge,
            timeout: TIMEOUT_MS,
            rp_id: self.id().to_owned(),
            allow_credentials: allowed.iter().map(|passkey| Descriptor::from(*passkey)).collect(),
            user_verification: verification,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Rp {
    id: String,
    name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: UserHandle,
    name: String,
    display_name: String,
}

#[derive(Debug, Clone, Serialize)]
struct Parameter {
    r#type: &'static str,
    alg: i64,
}

impl From<KeyAlgorithm> for Parameter {
    fn from(algorithm: KeyAlgorithm) -> Self {
        Self {
            r#type: "public-key",
            alg: algorithm.cose(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Descriptor {
    r#type: &'static str,
    id: CredentialId,
    transports: Vec<String>,
}

impl From<&Passkey> for Descriptor {
    fn from(passkey: &Passkey) -> Self {
        Self {
            r#type: "public-key",
            id: passkey.id().clone(),
            transports: passkey.transports().to_vec(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    resident_key: &'static str,
    require_resident_key: bool,
    user_verification: UserVerification,
}

/// Authenticators cut names at 64 octets themselves, some of them in the middle of a character.
fn cut(name: &str) -> String {
    let end = name.floor_char_boundary(MAX_NAME);
    name.get(..end).unwrap_or_default().to_owned()
}

/// Text, numbers and lists: nothing of it fails to serialize.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
