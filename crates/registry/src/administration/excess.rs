//! What an administrator may not give.

/// Why a client is more than its administrator may give. Each is refused with 403, and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the audit trail names each")]
pub enum Excess {
    /// A client of another domain.
    #[error("the client is of another domain than yours")]
    OtherDomain,
    /// A scope that administers clients or keys.
    #[error(
        "only an administrator of the cloud gives a client the scope `sealstone:clients` or `sealstone:keys`"
    )]
    Administration,
    /// Another scope that the administrator's token does not hold.
    #[error(
        "`scope` has a name that you do not hold yourself: ask for a token with it, or have somebody register the \
         client who holds it"
    )]
    Scope,
    /// Access to OpenStack by who has none.
    #[error(
        "`openstack:api` is given by who acts in OpenStack: come with a Keystone token, or with an access token that \
         has it"
    )]
    OpenstackApi,
    /// Claims of the registration's own making.
    #[error("only an administrator of the cloud registers `claims`: they say what nobody vouches for")]
    Claims,
    /// People are not asked.
    #[error(
        "only an administrator of the cloud registers `consent` `never`: leave it out, and people are asked"
    )]
    Consent,
    /// An authority of the registration's own making.
    #[error(
        "`authority` says more than your own token: name a user and project, or have somebody register it who may"
    )]
    Authority,
    /// Rules that may lead to any user.
    #[error(
        "only an administrator of the cloud registers `openstack_mapping`: rules may lead to any user. Name the one \
         user by `openstack_user_id`"
    )]
    Mapping,
    /// A credential that makes further ones.
    #[error(
        "the application credential is unrestricted, and makes further ones that outlive it: make a restricted one, \
         or have an administrator of the cloud register it"
    )]
    Unrestricted,
    /// Roles that the administrator does not hold.
    #[error(
        "the tie gives roles in its project that you do not hold there: have somebody register the client who holds \
         them, or take an application credential with fewer"
    )]
    Roles,
    /// A user or a project of another domain.
    #[error("the tie leads outside your domain: have an administrator of the cloud register the client")]
    TieElsewhere,
    /// Keystone cannot be asked in the administrator's name.
    #[error("a tie to Keystone is checked in your name: come with a Keystone token in `X-Auth-Token`")]
    TieUnknown,
}

impl Excess {
    /// Each of them.
    pub const ALL: [Self; 12] = [
        Self::OtherDomain,
        Self::Administration,
        Self::Scope,
        Self::OpenstackApi,
        Self::Claims,
        Self::Consent,
        Self::Authority,
        Self::Mapping,
        Self::Unrestricted,
        Self::Roles,
        Self::TieElsewhere,
        Self::TieUnknown,
    ];

    /// A stable word in snake case, for the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OtherDomain => "other_domain",
            Self::Administration => "administration_scope",
            Self::Scope => "scope_not_held",
            Self::OpenstackApi => "openstack_not_held",
            Self::Claims => "claims_reserved",
            Self::Consent => "consent_reserved",
            Self::Authority => "authority_not_held",
            Self::Mapping => "mapping_reserved",
            Self::Unrestricted => "unrestricted_credential",
            Self::Roles => "roles_not_held",
            Self::TieElsewhere => "tie_elsewhere",
            Self::TieUnknown => "tie_not_checked",
        }
    }
}
