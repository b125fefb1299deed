//! What Keystone said of one login.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use sealstone_identity::{Delegated, Refusal};

use crate::{AuditId, RevocationEvent, RoleId, Token, TokenScope, UserInToken, memory::Remembered};

/// What Keystone said, and what it takes to ask again cheaply and to know its revocations.
pub(super) struct Known {
    pub(super) delegated: Arc<Delegated>,
    /// The token that Keystone gave, which tells the same again at less cost, and until when that is done.
    pub(super) token: Option<(Token, UnixTime)>,
    pub(super) user: UserInToken,
    pub(super) scope: TokenScope,
    pub(super) audit_ids: Vec<AuditId>,
    pub(super) role_ids: Vec<RoleId>,
}

impl Remembered for Known {
    type Refusal = Refusal;

    fn read_at(&self) -> UnixTime {
        self.delegated.read_at
    }

    fn ends_at(&self) -> Option<UnixTime> {
        self.delegated.expires_at
    }

    fn is_meant(&self, event: &RevocationEvent) -> bool {
        let (project, domain) = match &self.scope {
            TokenScope::Project { project, .. } => (Some(&project.id), Some(&project.domain.id)),
            TokenScope::Domain(domain) => (None, Some(&domain.id)),
            TokenScope::System | TokenScope::Unscoped => (None, None),
        };
        let own_token = |id: &AuditId| self.token.is_some() && self.audit_ids.contains(id);
        event.user_id.as_ref().is_none_or(|id| *id == self.user.id)
            && event.project_id.as_ref().is_none_or(|id| Some(id) == project)
            && event
                .domain_id
                .as_ref()
                .is_none_or(|id| Some(id) == domain || *id == self.user.domain.id)
            && event.role_id.as_ref().is_none_or(|id| self.role_ids.contains(id))
            && event.audit_id.as_ref().is_none_or(own_token)
            && event.audit_chain_id.as_ref().is_none_or(own_token)
            && event.trust_id.is_none()
    }
}
