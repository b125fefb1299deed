use std::collections::BTreeSet;

use crate::{Algorithm, JoseError, JwkSet, UnverifiedJwt, VerifiedJwt, Verifier};

/// The keys of one signer and the algorithms the caller allows, each pair parsed once.
#[derive(Debug, Default)]
pub struct VerifierSet {
    allowed: Vec<Algorithm>,
    names: BTreeSet<String>,
    verifiers: Vec<Verifier>,
}

impl VerifierSet {
    /// The most keys that a token without `kid` is tried with.
    pub const MAX_TRIES: usize = 4;

    /// Takes the keys of `set` for the algorithms of `allowed`, and no other.
    ///
    /// # Errors
    /// [`JoseError::MalformedKey`] if the cryptographic library refuses a key.
    pub fn new(set: &JwkSet, allowed: &[Algorithm]) -> Result<Self, JoseError> {
        let mut verifiers = Vec::new();
        for key in set.keys() {
            for algorithm in Algorithm::ALL {
                if allowed.contains(&algorithm) && key.supports(algorithm) {
                    verifiers.push(Verifier::new(key, algorithm)?);
                }
            }
        }
        let names = set
            .keys()
            .iter()
            .filter_map(|key| key.kid().map(str::to_owned))
            .collect();
        Ok(Self {
            allowed: allowed.to_vec(),
            names,
            verifiers,
        })
    }

    /// Whether the set has a key named `kid`, whatever it may be used for.
    #[must_use]
    pub fn contains(&self, kid: &str) -> bool {
        self.names.contains(kid)
    }

    /// Checks the signature by the key that the token names; without `kid`, by each key that fits the token's
    /// algorithm, if there are at most [`VerifierSet::MAX_TRIES`].
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotAllowed`] if the caller or the named key does not allow the token's algorithm;
    /// [`JoseError::UnknownKey`] if the set lacks the key, [`JoseError::TooManyCandidates`],
    /// [`JoseError::BadSignature`].
    pub fn verify(&self, token: UnverifiedJwt<'_>) -> Result<VerifiedJwt, JoseError> {
        let algorithm = token.header().alg;
        if !self.allowed.contains(&algorithm) {
            return Err(JoseError::AlgorithmNotAllowed);
        }
        let mut fitting = self
            .verifiers
            .iter()
            .filter(|verifier| verifier.algorithm() == algorithm);
        let Some(kid) = token.header().kid.as_deref() else {
            return try_each(token, &fitting.collect::<Vec<_>>());
        };
        if !self.contains(kid) {
            return Err(JoseError::UnknownKey {
                kid: Some(kid.to_owned()),
            });
        }
        let verifier = fitting.find(|verifier| verifier.key_id() == Some(kid));
        token.verify(verifier.ok_or(JoseError::AlgorithmNotAllowed)?)
    }
}

fn try_each(token: UnverifiedJwt<'_>, candidates: &[&Verifier]) -> Result<VerifiedJwt, JoseError> {
    if candidates.is_empty() {
        return Err(JoseError::UnknownKey { kid: None });
    }
    if candidates.len() > VerifierSet::MAX_TRIES {
        return Err(JoseError::TooManyCandidates);
    }
    let found = candidates.iter().find(|verifier| token.check(verifier).is_ok());
    token.verify(found.ok_or(JoseError::BadSignature)?)
}
