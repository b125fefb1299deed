//! Private keys in files: read in whatever form they come, written for their owner alone.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use anyhow::Context as _;
use sealstone_jose::{Algorithm, JoseError, PrivateKey};
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};

/// What is tried for a key that does not say what it is for. RSA keys sign RS256, which every client knows.
const GUESSES: [Algorithm; 4] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Rs256,
];

/// Reads PKCS#8 in PEM or DER, or a private JWK.
pub(crate) fn read(path: &Path, algorithm: Option<Algorithm>) -> Outcome<PrivateKey> {
    let shown = path.display();
    let file = fs::metadata(path).with_context(|| shown.to_string())?;
    if !file.is_file() || file.len() > u64::try_from(PrivateKey::MAX_BYTES).unwrap_or(u64::MAX) {
        return Err(Failure::failed(format!(
            "{shown} is no file of a private key: name one"
        )));
    }
    if file.mode() & 0o077 != 0 {
        return Err(Failure::failed(format!(
            "{shown} can be read by others than its owner: `chmod 600 {shown}`; if others had access, use another key"
        )));
    }
    let octets = Zeroizing::new(fs::read(path).with_context(|| shown.to_string())?);
    let key = parse(&octets, algorithm).map_err(|error| {
        Failure::failed(format!(
            "{shown} is no private key that signs tokens ({error}): unencrypted PKCS#8 in PEM or DER, or a private JWK, \
             with P-256, P-384, Ed25519 or RSA of 2048 bits or more"
        ))
    })?;
    match algorithm {
        Some(wanted) if wanted != key.algorithm() => Err(Failure::failed(format!(
            "{shown} says that it is for {}: leave --alg away",
            key.algorithm().as_str()
        ))),
        Some(_) | None => Ok(key),
    }
}

fn parse(octets: &[u8], algorithm: Option<Algorithm>) -> Result<PrivateKey, JoseError> {
    let start = octets.trim_ascii_start();
    if start.starts_with(b"{") {
        return PrivateKey::from_jwk(start);
    }
    let is_pem = start.starts_with(b"-----BEGIN");
    let read = |algorithm| match std::str::from_utf8(octets) {
        Ok(pem) if is_pem => PrivateKey::from_pkcs8_pem(algorithm, pem),
        Ok(_) | Err(_) => PrivateKey::from_pkcs8_der(algorithm, octets),
    };
    let mut last = JoseError::MalformedPrivateKey;
    for guess in algorithm.map_or_else(|| GUESSES.to_vec(), |one| vec![one]) {
        match read(guess) {
            Ok(key) => return Ok(key),
            // An RSA key that is too short says so.
            Err(JoseError::MalformedPrivateKey) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}
