//! A token's JSON, and its limits.

use std::collections::BTreeMap;

use rustls_pki_types::UnixTime;
use sealstone_identity::{ApplicationCredentialId, UserId};
use serde::Deserialize;

use super::{
    CredentialInToken, DomainRef, Federation, ProjectInToken, Receipt, RoleRef, RuleInToken, TokenInfo,
    TokenScope, TrustInToken, UserInToken,
};
use crate::{AuditId, Catalog, Fault, GroupId, Label, Token, TrustId, moment};

/// Keystone has eight methods; rules may name others.
const MAX_METHODS: usize = 16;
/// Far more than any policy tells apart; a token's bodies are read whole before they are counted.
const MAX_ITEMS: usize = 1_000;
/// A base64 text of 32 octets, with room for other digests.
const MAX_THUMBPRINT: usize = 128;

#[derive(Deserialize)]
pub(crate) struct TokenDocument {
    token: Wire,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    methods: Vec<Label>,
    user: UserWire,
    #[serde(default)]
    audit_ids: Vec<AuditId>,
    #[serde(deserialize_with = "moment::zoned")]
    issued_at: UnixTime,
    #[serde(deserialize_with = "moment::zoned")]
    expires_at: UnixTime,
    project: Option<ProjectInToken>,
    is_domain: Option<bool>,
    domain: Option<DomainRef>,
    system: Option<BTreeMap<String, bool>>,
    #[serde(default)]
    roles: Vec<RoleRef>,
    catalog: Option<Catalog>,
    application_credential: Option<CredentialWire>,
    #[serde(rename = "OS-TRUST:trust")]
    trust: Option<TrustWire>,
    oauth2_credential: Option<ThumbprintWire>,
}

#[derive(Deserialize)]
struct UserWire {
    id: UserId,
    name: Label,
    domain: DomainRef,
    #[serde(default, deserialize_with = "moment::optional")]
    password_expires_at: Option<UnixTime>,
    #[serde(rename = "OS-FEDERATION")]
    federation: Option<FederationWire>,
}

#[derive(Deserialize)]
struct FederationWire {
    #[serde(default)]
    groups: Vec<Id<GroupId>>,
    identity_provider: Id<Label>,
    protocol: Id<Label>,
}

#[derive(Deserialize)]
struct Id<T> {
    id: T,
}

#[derive(Deserialize)]
struct CredentialWire {
    id: ApplicationCredentialId,
    name: Label,
    restricted: bool,
    access_rules: Option<Vec<RuleInToken>>,
}

#[derive(Deserialize)]
struct TrustWire {
    id: TrustId,
    trustor_user: Id<UserId>,
    trustee_user: Id<UserId>,
    impersonation: bool,
}

#[derive(Deserialize)]
struct ThumbprintWire {
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

impl TokenDocument {
    /// What it says, held to the limits.
    pub(crate) fn into_info(self) -> Result<TokenInfo, Fault> {
        let wire = self.token;
        at_most("methods", MAX_METHODS, wire.methods.len())?;
        at_most("audit ids", MAX_METHODS, wire.audit_ids.len())?;
        at_most("roles", MAX_ITEMS, wire.roles.len())?;
        let groups = wire
            .user
            .federation
            .as_ref()
            .map_or(0, |federation| federation.groups.len());
        at_most("groups", MAX_ITEMS, groups)?;
        let rules = wire
            .application_credential
            .as_ref()
            .and_then(|used| used.access_rules.as_ref());
        at_most("access rules", MAX_ITEMS, rules.map_or(0, Vec::len))?;
        let scope = match (wire.project, wire.domain, wire.system) {
            (Some(project), None, None) => TokenScope::Project {
                project,
                is_domain: wire.is_domain.unwrap_or(false),
            },
            (None, Some(domain), None) => TokenScope::Domain(domain),
            (None, None, Some(system)) if system.get("all") == Some(&true) => TokenScope::System,
            (None, None, None) if wire.roles.is_empty() => TokenScope::Unscoped,
            _ => return Err(Fault::Shape),
        };
        let thumbprint = wire.oauth2_credential.map(|credential| credential.thumbprint);
        if thumbprint
            .as_ref()
            .is_some_and(|text| text.is_empty() || text.len() > MAX_THUMBPRINT)
        {
            return Err(Fault::Shape);
        }
        Ok(TokenInfo {
            methods: wire.methods,
            user: wire.user.into(),
            scope,
            roles: wire.roles,
            audit_ids: wire.audit_ids,
            issued_at: wire.issued_at,
            expires_at: wire.expires_at,
            application_credential: wire.application_credential.map(Into::into),
            trust: wire.trust.map(Into::into),
            certificate_thumbprint: thumbprint,
            catalog: wire.catalog,
        })
    }
}

const fn at_most(what: &'static str, limit: usize, count: usize) -> Result<(), Fault> {
    if count <= limit {
        Ok(())
    } else {
        Err(Fault::TooMany { what, limit })
    }
}

impl From<UserWire> for UserInToken {
    fn from(wire: UserWire) -> Self {
        Self {
            id: wire.id,
            name: wire.name,
            domain: wire.domain,
            password_expires_at: wire.password_expires_at,
            federation: wire.federation.map(|federation| Federation {
                groups: federation.groups.into_iter().map(|group| group.id).collect(),
                identity_provider: federation.identity_provider.id,
                protocol: federation.protocol.id,
            }),
        }
    }
}

impl From<CredentialWire> for CredentialInToken {
    fn from(wire: CredentialWire) -> Self {
        Self {
            id: wire.id,
            name: wire.name,
            restricted: wire.restricted,
            access_rules: wire.access_rules,
        }
    }
}

impl From<TrustWire> for TrustInToken {
    fn from(wire: TrustWire) -> Self {
        Self {
            id: wire.id,
            trustor_user_id: wire.trustor_user.id,
            trustee_user_id: wire.trustee_user.id,
            impersonation: wire.impersonation,
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct ReceiptDocument {
    receipt: ReceiptWire,
    required_auth_methods: Vec<Vec<Label>>,
}

#[derive(Deserialize)]
struct ReceiptWire {
    methods: Vec<Label>,
    user: ReceiptUser,
    #[serde(deserialize_with = "moment::zoned")]
    expires_at: UnixTime,
}

#[derive(Deserialize)]
struct ReceiptUser {
    id: UserId,
    name: Label,
    domain: DomainRef,
}

impl ReceiptDocument {
    pub(crate) fn into_receipt(self, token: Token) -> Result<Receipt, Fault> {
        at_most("methods", MAX_METHODS, self.receipt.methods.len())?;
        at_most("rules", MAX_METHODS, self.required_auth_methods.len())?;
        for rule in &self.required_auth_methods {
            at_most("methods", MAX_METHODS, rule.len())?;
        }
        Ok(Receipt {
            token,
            user_id: self.receipt.user.id,
            user_name: self.receipt.user.name,
            domain: self.receipt.user.domain,
            methods: self.receipt.methods,
            required: self.required_auth_methods,
            expires_at: self.receipt.expires_at,
        })
    }
}
