//! Keys of an issuer and the tokens it signs with them.

use std::sync::Arc;

use sealstone_jose::{Algorithm, Jwk, JwtEncoder, KeyId, PrivateKey, Signer, base64url};
use sealstone_resource::ClientCertificate;
use sealstone_testkit::TestCertificate;
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://id.example/v4/oauth2/demo";
pub(crate) const AUDIENCE: &str = "https://builds.example";

/// A key that signs tokens.
pub(crate) struct IssuerKey(Arc<Signer>);

impl IssuerKey {
    pub(crate) fn new(kid: &str) -> Self {
        Self::of(Algorithm::Es256, kid)
    }

    pub(crate) fn of(algorithm: Algorithm, kid: &str) -> Self {
        let key = PrivateKey::generate(algorithm).unwrap();
        Self(Arc::new(Signer::new(&key, KeyId::parse(kid).unwrap()).unwrap()))
    }

    pub(crate) fn public_jwk(&self) -> &Jwk {
        self.0.public_jwk()
    }

    /// A token of `typ: at+jwt`.
    pub(crate) fn access_token(&self, claims: &Value) -> String {
        self.token("at+jwt", claims)
    }

    pub(crate) fn token(&self, typ: &str, claims: &Value) -> String {
        JwtEncoder::new(Arc::clone(&self.0), typ)
            .unwrap()
            .encode_to_string(claims)
            .unwrap()
    }

    /// A token with any header.
    pub(crate) fn token_with_header(&self, header: &Value, claims: &Value) -> String {
        let mut token = base64url::encode(header.to_string());
        token.push('.');
        base64url::encode_to(claims.to_string(), &mut token);
        let mut signature = Vec::new();
        self.0.sign(token.as_bytes(), &mut signature).unwrap();
        token.push('.');
        base64url::encode_to(signature, &mut token);
        token
    }
}

/// Claims of a token made at `now` for 15 minutes, bound to the certificate of this `x5t#S256`.
pub(crate) fn claims(now: u64, x5t_s256: Option<&str>) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": "machine", "aud": AUDIENCE, "client_id": "machine", "iat": now, "nbf": now,
        "exp": now + 900, "jti": "token-1", "scope": "builds:read builds:write",
    });
    if let Some(x5t_s256) = x5t_s256 {
        claims["cnf"] = json!({"x5t#S256": x5t_s256});
    }
    claims
}

/// `x5t#S256` of a certificate.
pub(crate) fn thumbprint(certificate: &TestCertificate) -> String {
    ClientCertificate::from_der(certificate.der())
        .unwrap()
        .thumbprint()
        .to_string()
}
