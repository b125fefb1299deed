use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, ProjectId, UserId, unix_seconds};
use sealstone_login::{Acr, Amr, Sid};
use sealstone_oauth_types::{ClaimsRequest, ClientId, ResourceUri, ScopeSet};
use serde::{Deserialize, Serialize};

/// What a person let a client have: the content of a code, of an approved device request, and of a refresh family.
///
/// It is written once and only ever narrowed; who the person is *now*, and what they may do, is asked each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored record: a new member is decided where grants are made"
)]
pub struct PersonGrant {
    /// The domain whose issuer it was given at; nothing of it counts at another.
    pub domain: DomainId,
    /// The client.
    pub client_id: ClientId,
    /// When that client was registered: one that was registered anew under the same id gets nothing of the old one's.
    #[serde(with = "unix_seconds")]
    pub client_created_at: UnixTime,
    /// The person.
    pub user_id: UserId,
    /// The session in which it was given, by its name in tokens; `None` for one without a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Sid>,
    /// When that session ends at the latest; present exactly if there is one. What lives with it ends then.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "unix_seconds::option"
    )]
    pub session_ends_at: Option<UnixTime>,
    /// When the person last proved who they are: `auth_time`.
    #[serde(with = "unix_seconds")]
    pub authenticated_at: UnixTime,
    /// How: what `amr` says.
    pub amr: Amr,
    /// How well: `acr`.
    pub acr: Acr,
    /// What was let.
    pub scope: ScopeSet,
    /// The resources that were named (RFC 8707); a token may name fewer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceUri>,
    /// The project of `openstack:api`: present exactly if that is in the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// The claims that were asked for by name (OpenID Connect Core §5.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsRequest>,
}
