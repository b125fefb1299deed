//! What a login says: factors, scope, and the receipt of the factors before.

mod body;

use sealstone_identity::{ApplicationCredentialId, DomainId, ProjectId, UserId};

use crate::{Fault, Receipt, Secret, Token, TokenInfo, TokenScope, TrustId};

/// A domain, by id or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Keystone takes these two")]
pub enum DomainKey {
    /// By id.
    Id(DomainId),
    /// By name.
    Name(String),
}

/// A user, by id or by name and domain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Keystone takes these two")]
pub enum UserKey {
    /// By id.
    Id(UserId),
    /// By name, in a domain.
    Name {
        /// The user's name.
        name: String,
        /// The domain that owns the user.
        domain: DomainKey,
    },
}

/// A project, by id or by name and domain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Keystone takes these two")]
pub enum ProjectKey {
    /// By id.
    Id(ProjectId),
    /// By name, in a domain.
    Name {
        /// The project's name.
        name: String,
        /// The domain that owns the project.
        domain: DomainKey,
    },
}

/// One thing that proves who logs in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Factor {
    /// A password.
    Password {
        /// Whose.
        user: UserKey,
        /// The password.
        password: Secret,
    },
    /// A one-time code of RFC 6238.
    Totp {
        /// Whose.
        user: UserKey,
        /// The code.
        passcode: Secret,
    },
    /// An application credential.
    ApplicationCredential {
        /// Which.
        id: ApplicationCredentialId,
        /// Its secret.
        secret: Secret,
    },
    /// An application credential by the name that its owner gave it.
    NamedApplicationCredential {
        /// Its name.
        name: String,
        /// Whose it is.
        user: UserKey,
        /// Its secret.
        secret: Secret,
    },
    /// A token that stands for an earlier login.
    Token(Token),
}

impl Factor {
    /// Keystone's name of the method.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Password { .. } => "password",
            Self::Totp { .. } => "totp",
            Self::ApplicationCredential { .. } | Self::NamedApplicationCredential { .. } => {
                "application_credential"
            }
            Self::Token(_) => "token",
        }
    }
}

/// For where a token is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LoginScope {
    /// What Keystone chooses: the credential's own project, or the user's default project, or nothing.
    #[default]
    Default,
    /// Nothing.
    Unscoped,
    /// One project.
    Project(ProjectKey),
    /// One domain.
    Domain(DomainKey),
    /// The whole deployment.
    System,
    /// What a trust lends.
    Trust(TrustId),
}

/// One attempt to log in.
///
/// # Examples
/// ```
/// use sealstone_identity::UserId;
/// use sealstone_keystone::{Authentication, Factor, LoginScope, Secret, UserKey};
///
/// let bob = UserKey::Id(UserId::parse("fbc02ff4dbf54503994be71ba3bb33eb")?);
/// let both = Authentication::password(bob.clone(), Secret::from("correct horse"))
///     .and(Factor::Totp { user: bob, passcode: Secret::from("123456") })
///     .with_scope(LoginScope::System);
/// assert!(!format!("{both:?}").contains("horse"));
/// # Ok::<(), sealstone_identity::IdentityError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Authentication {
    factors: Vec<Factor>,
    scope: LoginScope,
    receipt: Option<Receipt>,
    catalog: bool,
}

impl Authentication {
    /// By one factor, for what Keystone chooses.
    #[must_use]
    pub fn new(factor: Factor) -> Self {
        Self {
            factors: vec![factor],
            scope: LoginScope::Default,
            receipt: None,
            catalog: false,
        }
    }

    /// By a password.
    #[must_use]
    pub fn password(user: UserKey, password: Secret) -> Self {
        Self::new(Factor::Password { user, password })
    }

    /// By an application credential. Its scope is its project: Keystone refuses any other.
    #[must_use]
    pub fn application_credential(id: ApplicationCredentialId, secret: Secret) -> Self {
        Self::new(Factor::ApplicationCredential { id, secret })
    }

    /// By a token, for another scope.
    #[must_use]
    pub fn token(token: Token) -> Self {
        Self::new(Factor::Token(token))
    }

    /// By one factor more, after those that a receipt vouches for. The scope is not in the receipt: say it again.
    #[must_use]
    pub fn continuing(receipt: Receipt, factor: Factor) -> Self {
        Self {
            receipt: Some(receipt),
            ..Self::new(factor)
        }
    }

    /// With this factor too; one of the same method takes the place of the earlier one.
    #[must_use]
    pub fn and(mut self, factor: Factor) -> Self {
        self.factors.retain(|earlier| earlier.method() != factor.method());
        self.factors.push(factor);
        self
    }

    /// For this scope.
    #[must_use]
    pub fn with_scope(mut self, scope: LoginScope) -> Self {
        self.scope = scope;
        self
    }

    /// With the catalog in the answer; it is left out by default, for it is the largest part.
    #[must_use]
    pub const fn with_catalog(mut self) -> Self {
        self.catalog = true;
        self
    }

    pub(crate) const fn wants_catalog(&self) -> bool {
        self.catalog
    }

    pub(crate) fn receipt(&self) -> Option<&Token> {
        self.receipt.as_ref().map(Receipt::token)
    }

    /// Whether the answer is about whom and what was asked, as far as ids tell.
    pub(crate) fn answered_by(&self, info: &TokenInfo) -> Result<(), Fault> {
        let asked = self.factors.iter().filter_map(Self::asked_user);
        let receipt_user = self.receipt.as_ref().map(|receipt| receipt.user_id());
        for user_id in asked.chain(receipt_user) {
            // With a trust that impersonates, the token is the trustor's, and names who asked as the trustee.
            let who = info
                .trust
                .as_ref()
                .map_or(&info.user.id, |trust| &trust.trustee_user_id);
            expect(who == user_id, "user")?;
        }
        for factor in &self.factors {
            match factor {
                Factor::ApplicationCredential { id, .. } => {
                    let used = info.application_credential.as_ref();
                    expect(used.is_some_and(|used| used.id == *id), "application credential")?;
                    expect(matches!(info.scope, TokenScope::Project { .. }), "scope")?;
                }
                Factor::NamedApplicationCredential { .. } => {
                    expect(info.application_credential.is_some(), "application credential")?;
                    expect(matches!(info.scope, TokenScope::Project { .. }), "scope")?;
                }
                Factor::Password { .. } | Factor::Totp { .. } | Factor::Token(_) => {}
            }
        }
        self.scope_answered_by(info)
    }

    fn scope_answered_by(&self, info: &TokenInfo) -> Result<(), Fault> {
        expect(
            matches!(self.scope, LoginScope::Trust(_)) == info.trust.is_some()
                || matches!(self.scope, LoginScope::Default),
            "trust",
        )?;
        let (right, what) = match (&self.scope, &info.scope) {
            (LoginScope::Default, _) => (true, "scope"),
            (LoginScope::Unscoped, got) => (matches!(got, TokenScope::Unscoped), "scope"),
            (LoginScope::System, got) => (matches!(got, TokenScope::System), "scope"),
            (LoginScope::Project(ProjectKey::Id(id)), TokenScope::Project { project, .. }) => {
                (project.id == *id, "project")
            }
            (LoginScope::Project(ProjectKey::Name { .. }), got) => {
                (matches!(got, TokenScope::Project { .. }), "scope")
            }
            (LoginScope::Domain(DomainKey::Id(id)), TokenScope::Domain(domain)) => {
                (domain.id == *id, "domain")
            }
            (LoginScope::Domain(DomainKey::Name(_)), got) => (matches!(got, TokenScope::Domain(_)), "scope"),
            (LoginScope::Trust(id), TokenScope::Project { .. }) => {
                (info.trust.as_ref().is_some_and(|trust| trust.id == *id), "trust")
            }
            (LoginScope::Project(_) | LoginScope::Domain(_) | LoginScope::Trust(_), _) => (false, "scope"),
        };
        expect(right, what)
    }

    const fn asked_user(factor: &Factor) -> Option<&UserId> {
        match factor {
            Factor::Password { user, .. }
            | Factor::Totp { user, .. }
            | Factor::NamedApplicationCredential { user, .. } => match user {
                UserKey::Id(id) => Some(id),
                UserKey::Name { .. } => None,
            },
            Factor::ApplicationCredential { .. } | Factor::Token(_) => None,
        }
    }
}

const fn expect(right: bool, what: &'static str) -> Result<(), Fault> {
    if right { Ok(()) } else { Err(Fault::Mismatch(what)) }
}
