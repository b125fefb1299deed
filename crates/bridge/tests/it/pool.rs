//! The keys of a pool of Keystones, and tokens of both forms by them.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_bridge::Translator;
use sealstone_fernet::{
    AuditId, AuditIds, AuthMethods, FernetKey, FernetKeys, FernetTokens, Iv, JwsAlgorithm, JwsPrivateKey,
    JwsTokenIssuer, JwsTokenReader, KeystoneId, Scope, TokenClaims, TokenSubject,
};

pub(crate) const NOW: u64 = 1_795_302_749;
pub(crate) const WINDOW: Duration = Duration::from_secs(172_800);

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(crate) fn id(text: &str) -> KeystoneId {
    KeystoneId::parse(text).unwrap()
}

pub(crate) struct Pool {
    pub(crate) fernet: FernetTokens,
    pub(crate) reader: JwsTokenReader,
    pub(crate) issuer: JwsTokenIssuer,
    signer: String,
}

impl Pool {
    /// With new keys.
    pub(crate) fn new() -> Self {
        Self::of(vec![FernetKey::generate().unwrap()])
    }

    /// With these Fernet keys, and a new JWS key.
    pub(crate) fn of(keys: Vec<FernetKey>) -> Self {
        let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
        let signer = key.to_pem().unwrap().to_string();
        let public = vec![key.public_key().clone()];
        Self {
            fernet: FernetTokens::new(
                FernetKeys::new(keys).unwrap(),
                AuthMethods::default(),
                id("default"),
            ),
            reader: JwsTokenReader::new(public, &[JwsAlgorithm::Es256]).unwrap(),
            issuer: JwsTokenIssuer::new(key),
            signer,
        }
    }

    pub(crate) fn translator(&self) -> Translator {
        let key = JwsPrivateKey::from_pem(JwsAlgorithm::Es256, &self.signer).unwrap();
        let issuer = JwsTokenIssuer::new(key);
        Translator::new(self.fernet.clone(), self.reader.clone(), issuer, WINDOW).unwrap()
    }

    pub(crate) fn fernet(&self, claims: &TokenClaims) -> String {
        self.fernet.issue(claims, Iv::generate().unwrap()).unwrap()
    }

    pub(crate) fn jws(&self, claims: &TokenClaims) -> String {
        self.issuer.sign(claims).unwrap()
    }
}

/// A user in a project, from `NOW` on for an hour; each with a name of its own.
pub(crate) fn claims(name: u8) -> TokenClaims {
    let project = Scope::Project(id("c01ec4b87d21437eab890b4776ab6212"));
    TokenClaims {
        subject: TokenSubject::new(id("451f13c616a94105ba37aae4469c6963"), &["password"], project),
        audit_ids: AuditIds {
            own: AuditId::new([name; 16]),
            chain: Some(AuditId::new([7; 16])),
        },
        issued_at: at(NOW),
        expires_at: at(NOW + 3600),
    }
}
