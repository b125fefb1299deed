/// A claim that the server alone sets: who issued the token, to whom, for whom, for what, until when, and who holds it.
///
/// Whatever writes a token or an introspection answer names its members by these constants, so that what it writes is
/// reserved; tests of `tokens` and `provider` hold the answers' types to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservedClaim(&'static str);

macro_rules! reserved {
    ($($(#[$doc:meta])* $constant:ident = $name:literal;)*) => {
        impl ReservedClaim {
            $(
                $(#[$doc])*
                pub const $constant: Self = Self($name);
            )*
        }

        const RESERVED: &[ReservedClaim] = &[$(ReservedClaim::$constant),*];
    };
}

reserved! {
    /// RFC 7519 §4.1.1.
    ISS = "iss";
    /// RFC 7519 §4.1.2.
    SUB = "sub";
    /// RFC 7519 §4.1.3.
    AUD = "aud";
    /// RFC 7519 §4.1.4.
    EXP = "exp";
    /// RFC 7519 §4.1.5.
    NBF = "nbf";
    /// RFC 7519 §4.1.6.
    IAT = "iat";
    /// RFC 7519 §4.1.7.
    JTI = "jti";
    /// RFC 8693 §4.3.
    CLIENT_ID = "client_id";
    /// Of which state of its client's registration a token is.
    CLIENT_VERSION = "client_version";
    /// RFC 8693 §4.2.
    SCOPE = "scope";
    /// OpenID Connect Core §2.
    AUTH_TIME = "auth_time";
    /// OpenID Connect Core §2.
    ACR = "acr";
    /// OpenID Connect Core §2.
    AMR = "amr";
    /// RFC 8693 §4.1.
    ACT = "act";
    /// RFC 8693 §4.4.
    MAY_ACT = "may_act";
    /// RFC 7800 §3.1.
    CNF = "cnf";
    /// RFC 7662 §2.2.
    ACTIVE = "active";
    /// RFC 7662 §2.2.
    TOKEN_TYPE = "token_type";
    /// RFC 7662 §2.2.
    USERNAME = "username";
    /// RFC 9396 §2.
    AUTHORIZATION_DETAILS = "authorization_details";
    /// OpenID Connect Core §2.
    AZP = "azp";
    /// OpenID Connect Core §2.
    NONCE = "nonce";
    /// OpenID Connect Core §3.1.3.6.
    AT_HASH = "at_hash";
    /// OpenID Connect Core §3.3.2.11.
    C_HASH = "c_hash";
    /// FAPI 1.0 part 2 §5.1.
    S_HASH = "s_hash";
    /// OpenID Connect Core §7.4.
    SUB_JWK = "sub_jwk";
    /// OpenID Connect Back-Channel Logout §2.4.
    SID = "sid";
    /// What was asked for by name at the userinfo endpoint.
    USERINFO_CLAIMS = "userinfo_claims";
    /// RFC 8417 §2.2.
    EVENTS = "events";
    /// RFC 8417 §2.2.
    TOE = "toe";
    /// RFC 8417 §2.2.
    TXN = "txn";
    /// OpenID Connect Core §5.6.2.
    CLAIM_NAMES = "_claim_names";
    /// OpenID Connect Core §5.6.2.
    CLAIM_SOURCES = "_claim_sources";
    /// RFC 9068 §2.2.3.1, and the introspection answer for OpenStack services.
    ROLES = "roles";
    /// Who acts in OpenStack, where and as what.
    OPENSTACK_CONTEXT = "openstack_context";
    /// On whose behalf, and by what.
    DELEGATION_CONTEXT = "delegation_context";
    /// Of `openstack_context`, and flat in the introspection answer.
    USER_ID = "user_id";
    /// Of `openstack_context`, and flat in the introspection answer.
    USER_NAME = "user_name";
    /// Of `openstack_context`, and flat in the introspection answer.
    USER_DOMAIN_ID = "user_domain_id";
    /// Of `openstack_context`, and flat in the introspection answer.
    USER_DOMAIN_NAME = "user_domain_name";
    /// Of `openstack_context`.
    SCOPE_TYPE = "scope_type";
    /// Of `openstack_context`, and flat in the introspection answer.
    PROJECT_ID = "project_id";
    /// Of `openstack_context`, and flat in the introspection answer.
    PROJECT_NAME = "project_name";
    /// Of `openstack_context`, and flat in the introspection answer.
    PROJECT_DOMAIN_ID = "project_domain_id";
    /// Of `openstack_context`, and flat in the introspection answer.
    PROJECT_DOMAIN_NAME = "project_domain_name";
    /// Of `openstack_context`.
    DOMAIN_ID = "domain_id";
    /// Of `openstack_context`.
    DOMAIN_NAME = "domain_name";
    /// Of `openstack_context`.
    ACCESS_RULES = "access_rules";
    /// Flat in the introspection answer.
    SYSTEM_SCOPE = "system_scope";
    /// Of `delegation_context`.
    AUTH_METHOD = "auth_method";
    /// Of `delegation_context`.
    DELEGATED_PROJECT_ID = "delegated_project_id";
}

impl ReservedClaim {
    /// The reserved claim of this name, if it is one. Letter case does not matter: readers that fold case exist.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|reserved| reserved.0.eq_ignore_ascii_case(name))
    }

    /// Every reserved claim.
    pub fn all() -> impl Iterator<Item = Self> {
        RESERVED.iter().copied()
    }

    /// The claim's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}
