//! Verifies a bound access token offline: `verify-token ISSUER AUDIENCE JWKS_JSON CERTIFICATE_PEM < TOKEN`.
use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, JwkSet, VerifierSet};
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::Issuer;
use sealstone_tokens::{AccessTokenVerifier, NothingRevoked, Possession};
use std::{env, error::Error, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [issuer, audience, jwks, certificate] = arguments.as_slice() else {
        return Err("usage: verify-token ISSUER AUDIENCE JWKS_JSON CERTIFICATE_PEM < TOKEN".into());
    };
    let token = io::read_to_string(io::stdin())?;

    let keys = VerifierSet::new(&JwkSet::parse(&fs::read(jwks)?)?, &Algorithm::ALL)?;
    let holder = ClientCertificate::from_pem(&fs::read_to_string(certificate)?)?.thumbprint();
    let verifier = AccessTokenVerifier::new(Issuer::parse(issuer)?, vec![audience.clone()]);
    let held = Possession::Proved(Some(&holder));
    // A service also asks for revocations: `sealstone-resource` does.
    let verified = verifier.verify(token.trim(), &keys, held, &NothingRevoked, UnixTime::now())?;
    println!("{} until {}", verified.client_id, verified.expires_at.as_secs());
    Ok(())
}
