//! Keys of the published vectors, and tokens that no honest encoder makes.

use std::sync::Arc;

use sealstone_jose::{
    Algorithm, JoseError, Jwk, JwkSet, JwtEncoder, KeyId, PrivateKey, Signer, UnverifiedJwt, VerifiedJwt,
    VerifierSet, base64url,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The RSA key of RFC 7515 A.2 for `algorithm`.
pub(crate) fn rsa_key(algorithm: Algorithm) -> PrivateKey {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/jws.json")).unwrap();
    let mut key = vectors["cases"][1]["key"].clone();
    key["alg"] = json!(algorithm);
    PrivateKey::from_jwk(key.to_string().as_bytes()).unwrap()
}

pub(crate) fn key(algorithm: Algorithm) -> PrivateKey {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => rsa_key(algorithm),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => PrivateKey::generate(algorithm).unwrap(),
    }
}

/// One signer `k1`, its published set, and a verifier of its algorithm alone.
pub(crate) struct Fixture {
    pub(crate) key: PrivateKey,
    pub(crate) signer: Arc<Signer>,
    pub(crate) set: JwkSet,
    pub(crate) keys: VerifierSet,
}

impl Fixture {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let key = key(algorithm);
        let signer = Arc::new(Signer::new(&key, KeyId::parse("k1").unwrap()).unwrap());
        let set = JwkSet::new(vec![signer.public_jwk().clone()]).unwrap();
        let keys = VerifierSet::new(&set, &[algorithm]).unwrap();
        Self {
            key,
            signer,
            set,
            keys,
        }
    }

    pub(crate) fn good(&self) -> String {
        let token = self
            .encoder()
            .encode_to_string(&json!({"sub": "machine"}))
            .unwrap();
        assert_eq!(self.verify(&token).unwrap().payload(), br#"{"sub":"machine"}"#);
        token
    }

    pub(crate) fn encoder(&self) -> JwtEncoder {
        JwtEncoder::new(Arc::clone(&self.signer), "at+jwt").unwrap()
    }

    /// A token with this very header and payload, signed by the right key.
    pub(crate) fn forge(&self, header: &str, payload: &str) -> String {
        self.forge_octets(header.as_bytes(), payload.as_bytes())
    }

    pub(crate) fn forge_octets(&self, header: &[u8], payload: &[u8]) -> String {
        self.sign_input(&format!(
            "{}.{}",
            base64url::encode(header),
            base64url::encode(payload)
        ))
    }

    /// Signs any text before the last dot.
    pub(crate) fn sign_input(&self, input: &str) -> String {
        let mut signature = Vec::new();
        self.signer.sign(input.as_bytes(), &mut signature).unwrap();
        format!("{input}.{}", base64url::encode(signature))
    }

    /// The header of a good token with one more member.
    pub(crate) fn with_header(&self, member: &str) -> String {
        let alg = self.signer.algorithm();
        self.forge(
            &format!(r#"{{"alg":"{alg}","kid":"k1",{member}}}"#),
            r#"{"sub":"machine"}"#,
        )
    }

    pub(crate) fn verify(&self, token: &str) -> Result<VerifiedJwt, JoseError> {
        self.keys.verify(UnverifiedJwt::parse(token)?)
    }

    pub(crate) fn refusal(&self, token: &str) -> JoseError {
        self.verify(token).expect_err(token)
    }
}

/// The parts of a token, decoded but for the signing input.
pub(crate) fn split(token: &str) -> (String, Vec<u8>) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    (input.to_owned(), base64url::decode(signature).unwrap())
}

pub(crate) fn join(input: &str, signature: impl AsRef<[u8]>) -> String {
    format!("{input}.{}", base64url::encode(signature))
}

pub(crate) fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if secret.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        block[..secret.len()].copy_from_slice(secret);
    }
    let pad = |value: u8| block.map(|octet| octet ^ value);
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

pub(crate) fn hs256(secret: &[u8]) -> String {
    let input = format!(
        "{}.{}",
        base64url::encode(r#"{"alg":"HS256","kid":"k1"}"#),
        base64url::encode(r#"{"sub":"machine"}"#)
    );
    join(&input, hmac_sha256(secret, input.as_bytes()))
}

/// The public members of a JWK, as JSON to be spoiled.
pub(crate) fn members(jwk: &Jwk) -> Value {
    serde_json::from_str(&jwk.to_json()).unwrap()
}

pub(crate) fn parse(jwk: &Value) -> Result<Jwk, JoseError> {
    Jwk::parse(jwk.to_string().as_bytes())
}
