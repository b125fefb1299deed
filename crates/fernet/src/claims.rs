//! What a token says, whichever form it has.

use std::sync::{Arc, LazyLock};

use rustls_pki_types::UnixTime;

use crate::limits::{MAX_METHOD, MAX_METHODS, MAX_THUMBPRINT, MAX_TIME};
use crate::{AuditId, DecodeError, KeystoneId};

/// Where a token's roles hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "readers decide for every scope")]
pub enum Scope {
    /// Nowhere: the token proves its user, and may be exchanged for a scoped one.
    Unscoped,
    /// In a project.
    Project(KeystoneId),
    /// In a domain.
    Domain(KeystoneId),
    /// In the whole system; Keystone knows the one value `all`.
    System(KeystoneId),
}

/// How a federated user came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "Keystone's three claims, all of them needed"
)]
pub struct Federation {
    /// The groups that the mapping gave.
    pub groups: Vec<KeystoneId>,
    /// The identity provider.
    pub identity_provider_id: KeystoneId,
    /// The protocol at that provider.
    pub protocol_id: KeystoneId,
}

/// How a user proved itself: names of Keystone's `[auth] methods`, or `oauth2_credential`.
///
/// A list of names that is cheap to copy: readers give out the lists that they have, since most tokens name one method
/// or two.
#[derive(Clone, Default)]
pub struct Methods(List);

#[derive(Clone, Default)]
enum List {
    #[default]
    Empty,
    /// One of [`KEYSTONE_METHODS`], as most tokens have it.
    Lone(&'static String),
    Names(Arc<[String]>),
}

/// The methods that Keystone itself has.
static KEYSTONE_METHODS: LazyLock<[String; 11]> = LazyLock::new(|| {
    [
        "external",
        "password",
        "token",
        "oauth1",
        "mapped",
        "saml2",
        "openid",
        "totp",
        "application_credential",
        "ec2credential",
        "oauth2_credential",
    ]
    .map(str::to_owned)
});

impl Methods {
    /// These names, in this order.
    #[must_use]
    pub fn new(names: &[&str]) -> Self {
        if let [lone] = names
            && let Some(name) = KEYSTONE_METHODS.iter().find(|name| name == lone)
        {
            return Self(List::Lone(name));
        }
        names.iter().map(|&name| name.to_owned()).collect()
    }
}

impl std::ops::Deref for Methods {
    type Target = [String];

    fn deref(&self) -> &[String] {
        match &self.0 {
            List::Empty => &[],
            List::Lone(name) => std::slice::from_ref(name),
            List::Names(names) => names,
        }
    }
}

impl FromIterator<String> for Methods {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(List::Names(names.into_iter().collect()))
    }
}

impl From<Vec<String>> for Methods {
    fn from(names: Vec<String>) -> Self {
        Self(List::Names(names.into()))
    }
}

impl<const N: usize> PartialEq<[&str; N]> for Methods {
    fn eq(&self, names: &[&str; N]) -> bool {
        **self == *names
    }
}

impl PartialEq for Methods {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Methods {}

impl std::fmt::Debug for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

/// Whom a token speaks for, and where: everything but its name and its times.
///
/// Keystone re-reads user, roles, trust and application credential at each validation, so a subject is a request for
/// authority and no proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenSubject {
    /// The user; with a trust it is the trustee, also when the trust impersonates: Keystone puts the trustor in its
    /// place when it validates.
    pub user_id: KeystoneId,
    /// How the user proved itself.
    pub methods: Methods,
    /// Where the roles hold.
    pub scope: Scope,
    /// The trust that gave the roles.
    pub trust_id: Option<KeystoneId>,
    /// How a federated user came.
    pub federation: Option<Federation>,
    /// The OAuth 1.0a access token.
    pub access_token_id: Option<KeystoneId>,
    /// The application credential.
    pub application_credential_id: Option<KeystoneId>,
    /// The certificate that the token is bound to, in Keystone's own form: base64url **with** padding of SHA-256
    /// over the certificate's PEM text. `sealstone_mtls` computes it (`ClientCertificate::keystone_thumbprint`).
    pub thumbprint: Option<String>,
}

impl TokenSubject {
    /// A user that proved itself by `methods`.
    #[must_use]
    pub fn new(user_id: KeystoneId, methods: &[&str], scope: Scope) -> Self {
        Self::with_methods(user_id, Methods::new(methods), scope)
    }

    #[inline]
    pub(crate) const fn with_methods(user_id: KeystoneId, methods: Methods, scope: Scope) -> Self {
        Self {
            user_id,
            methods,
            scope,
            trust_id: None,
            federation: None,
            access_token_id: None,
            application_credential_id: None,
            thumbprint: None,
        }
    }

    /// What Keystone writes for an application credential: the method `application_credential`, the credential, its
    /// user and its project.
    ///
    /// # Security
    /// Keystone 30 believes a token that the credential is this user's and for this project, and does not look at the
    /// credential's end. Take both from Keystone's own record of the credential, and mint nothing past its end.
    #[must_use]
    pub fn application_credential(
        credential_id: KeystoneId,
        user_id: KeystoneId,
        project_id: KeystoneId,
    ) -> Self {
        let mut subject = Self::new(user_id, &["application_credential"], Scope::Project(project_id));
        subject.application_credential_id = Some(credential_id);
        subject
    }

    /// What Keystone's `/v3/OS-OAUTH2/token` writes for a client certificate: the method `oauth2_credential`, the
    /// user in its project, the thumbprint in Keystone's form.
    #[must_use]
    pub fn certificate(user_id: KeystoneId, project_id: KeystoneId, thumbprint: &str) -> Self {
        let mut subject = Self::new(user_id, &["oauth2_credential"], Scope::Project(project_id));
        subject.thumbprint = Some(thumbprint.to_owned());
        subject
    }

    /// What Keystone writes for a trust: the user is the trustee, also when the trust impersonates.
    #[must_use]
    pub fn trust(
        trust_id: KeystoneId,
        trustee_id: KeystoneId,
        project_id: KeystoneId,
        methods: &[&str],
    ) -> Self {
        let mut subject = Self::new(trustee_id, methods, Scope::Project(project_id));
        subject.trust_id = Some(trust_id);
        subject
    }

    /// The same, bound to a certificate by its thumbprint in Keystone's form.
    #[must_use]
    pub fn bound_to(mut self, thumbprint: &str) -> Self {
        self.thumbprint = Some(thumbprint.to_owned());
        self
    }
}

/// The name of a token, and of the first of its chain.
///
/// A token got for another one keeps the chain's name, so that revoking the chain ends both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "Keystone's list of one or two")]
pub struct AuditIds {
    /// The token's own.
    pub own: AuditId,
    /// The chain's: that of its first token; none in the first token itself.
    pub chain: Option<AuditId>,
}

impl From<AuditId> for AuditIds {
    fn from(own: AuditId) -> Self {
        Self { own, chain: None }
    }
}

/// Everything that a token says. Times are whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a token says, and nothing else")]
pub struct TokenClaims {
    /// Whom it speaks for, and where.
    pub subject: TokenSubject,
    /// Its name and its chain's.
    pub audit_ids: AuditIds,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// The first second at which it is not valid any more.
    pub expires_at: UnixTime,
}

/// What a reader lets pass at a time.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the two times of Keystone's own check")]
pub struct ReadAt {
    /// The time.
    pub now: UnixTime,
    /// How long after its end a token is still read: zero, or Keystone's `[token] allow_expired_window` for a
    /// service that finishes what a user began.
    pub expired_window: std::time::Duration,
}

impl From<UnixTime> for ReadAt {
    fn from(now: UnixTime) -> Self {
        Self {
            now,
            expired_window: std::time::Duration::ZERO,
        }
    }
}

impl ReadAt {
    #[inline]
    pub(crate) fn check_end(self, expires_at: UnixTime) -> Result<(), DecodeError> {
        let end = expires_at.as_secs().saturating_add(self.expired_window.as_secs());
        if self.now.as_secs() >= end {
            return Err(DecodeError::Expired);
        }
        Ok(())
    }
}

impl TokenClaims {
    /// What a reader would refuse, whatever the form.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let subject = &self.subject;
        let bad = |name: &String| name.is_empty() || name.len() > MAX_METHOD;
        if subject.methods.len() > MAX_METHODS || subject.methods.iter().any(bad) {
            return Err("methods");
        }
        let bad = |text: &String| text.is_empty() || text.len() > MAX_THUMBPRINT;
        if subject.thumbprint.as_ref().is_some_and(bad) {
            return Err("thumbprint");
        }
        if self.issued_at.as_secs() > MAX_TIME || self.expires_at.as_secs() > MAX_TIME {
            return Err("time");
        }
        Ok(())
    }

    pub(crate) fn check_times(&self, at: ReadAt) -> Result<(), DecodeError> {
        if self.issued_at > at.now {
            return Err(DecodeError::IssuedInTheFuture);
        }
        at.check_end(self.expires_at)
    }
}
