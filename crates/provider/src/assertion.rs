//! Whose signature an assertion bears.

use crate::provider::Provider;
use crate::{error::BackendError, issuer::IssuerState};
use rustls_pki_types::UnixTime;
use sealstone_grants::assertion::{AssertionClaims, AssertionFault};
use sealstone_grants::authenticate::Verdict;
use sealstone_jose::{
    Algorithm, JoseError, Jwk, KeyId, MacAlgorithm, MacKey, PrivateKey, Signer, UnverifiedJwt,
    UnverifiedMacJwt, Verifier,
};
use sealstone_keyring::{SecretPlace, SecretPurpose};
use sealstone_oauth_types::Secret;
use sealstone_registry::{AssertionKeys, AssertionSecret, Client, ClientAuth};

/// The `typ` values that an assertion may have, besides none: RFC 7523 names none, its successor the second.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];

/// The RSA key of RFC 7638 §3.1, whose private half nobody uses: to make one takes too long.
const RSA_DECOY: &str = r#"{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#;

impl Provider {
    /// Checks an assertion by the keys of its client, and by nothing that it brings along. Which reader it goes to is
    /// decided by the registration: a token under a secret is never compared with a public key, nor the reverse.
    pub(crate) fn check_assertion<'a>(
        &self,
        client: Option<&Client>,
        offered: &Secret,
        issuer: &'a IssuerState,
        now: UnixTime,
    ) -> Result<Verdict<'a>, BackendError> {
        let claims = match client.map(|client| (client, client.auth())) {
            Some((_, ClientAuth::PrivateKeyJwt(keys))) => by_key(keys, offered.expose()),
            Some((client, ClientAuth::ClientSecretJwt(own))) => {
                self.by_secret(client, own, offered.expose(), now)?
            }
            Some(_) | None => {
                self.0.decoys.spend(offered.expose());
                Err(AssertionFault::Signature)
            }
        };
        Ok(match claims {
            Ok(claims) => Verdict::Signed {
                claims: Box::new(claims),
                audiences: &issuer.assertion_audiences,
            },
            Err(fault) => Verdict::NotSigned(fault),
        })
    }

    /// Under the client's own secrets, each opened for this one check.
    fn by_secret(
        &self,
        client: &Client,
        own: &AssertionSecret,
        assertion: &str,
        now: UnixTime,
    ) -> Result<Result<AssertionClaims, AssertionFault>, BackendError> {
        let place = SecretPlace {
            purpose: SecretPurpose::ClientSecret,
            domain: client.domain().as_str(),
            client: client.id().as_str(),
        };
        let allowed = own
            .algorithm()
            .map_or_else(|| MacAlgorithm::ALL.to_vec(), |one| vec![one]);
        let mut fault = AssertionFault::Signature;
        for sealed in own.secrets().sealed(now) {
            let secret = self
                .0
                .config
                .key_encryption_key
                .open_secret(place, sealed.as_str())?;
            match under(&secret, &allowed, assertion) {
                Ok(claims) => return Ok(Ok(claims)),
                Err(found) => fault = found,
            }
        }
        Ok(Err(fault))
    }
}

fn by_key(keys: &AssertionKeys, assertion: &str) -> Result<AssertionClaims, AssertionFault> {
    let unverified = UnverifiedJwt::parse(assertion).map_err(|error| fault(&error))?;
    let header = unverified.header();
    check_type(header.typ.is_none(), |typ| unverified.typ_is(typ))?;
    let verified = keys.verifiers().verify(unverified);
    verified
        .and_then(|verified| verified.claims())
        .map_err(|error| fault(&error))
}

fn under(secret: &str, allowed: &[MacAlgorithm], assertion: &str) -> Result<AssertionClaims, AssertionFault> {
    let unverified = UnverifiedMacJwt::parse(assertion).map_err(|error| fault(&error))?;
    check_type(unverified.has_no_typ(), |typ| unverified.typ_is(typ))?;
    MacKey::new(secret.as_bytes())
        .and_then(|key| unverified.verify(&key, allowed))
        .and_then(|verified| verified.claims())
        .map_err(|error| fault(&error))
}

/// Another kind of token by the same key is no assertion (RFC 8725 §3.11).
fn check_type(is_absent: bool, is: impl Fn(&str) -> bool) -> Result<(), AssertionFault> {
    if is_absent || TYPES.into_iter().any(is) {
        Ok(())
    } else {
        Err(AssertionFault::Unreadable)
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else is wrong with a JWT, it can't be read"
)]
fn fault(error: &JoseError) -> AssertionFault {
    match error {
        JoseError::AlgorithmNotAllowed | JoseError::WeakKey(_) => AssertionFault::Algorithm,
        JoseError::UnknownKey { .. } | JoseError::TooManyCandidates => AssertionFault::UnknownKey,
        JoseError::BadSignature => AssertionFault::Signature,
        _ => AssertionFault::Unreadable,
    }
}

/// Keys that verify nothing: what a client that does not exist is checked by, so that it costs what another costs.
#[derive(Debug)]
pub(crate) struct Decoys {
    verifiers: Vec<Verifier>,
    secret: Option<MacKey>,
}

impl Decoys {
    /// One for each algorithm. One that can't be made is left out: it makes a difference in time, not in the answer.
    pub(crate) fn new() -> Self {
        let rsa = Jwk::parse(RSA_DECOY.as_bytes()).ok();
        let verifier = |algorithm| {
            let key = match algorithm {
                Algorithm::Rs256 | Algorithm::Ps256 => rsa.clone()?,
                Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => made(algorithm).ok()?,
            };
            Verifier::new(&key, algorithm).ok()
        };
        Self {
            verifiers: Algorithm::ALL.into_iter().filter_map(verifier).collect(),
            secret: MacKey::new(&[0; MacKey::MIN_BYTES * 2]).ok(),
        }
    }

    fn spend(&self, assertion: &str) {
        if let Ok(token) = UnverifiedJwt::parse(assertion) {
            let algorithm = token.header().alg;
            let verifier = self.verifiers.iter().find(|own| own.algorithm() == algorithm);
            // The answer is no, whatever comes of it.
            drop(verifier.map(|verifier| token.verify(verifier)));
        } else if let (Ok(token), Some(secret)) = (UnverifiedMacJwt::parse(assertion), &self.secret) {
            drop(token.verify(secret, &MacAlgorithm::ALL));
        }
    }
}

/// The public half of a new key, without a name: a token's `kid` does not keep it from being tried.
fn made(algorithm: Algorithm) -> Result<Jwk, JoseError> {
    let signer = Signer::new(&PrivateKey::generate(algorithm)?, KeyId::parse("decoy")?)?;
    Jwk::from_spki_der(&signer.public_jwk().to_spki_der())
}
