//! What an administrator may give: a client's rights, held against their own.

use super::caller::Acting;
use super::{AdministrationDenial, AdministrationError};
use crate::identity::refusal;
use crate::provider::Provider;
use sealstone_grants::identity;
use sealstone_registry::{Client, TieVerdict};

/// What came with a request that may prove who sent it.
#[derive(Clone, Copy, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the edge; each member is decided there"
)]
pub struct Credentials<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `X-Auth-Token` header.
    pub keystone_token: Option<&'a str>,
    /// The user of the system at the other end of the local socket.
    pub local_user: Option<u32>,
    /// Whether a page in a browser sent it: such a request counts for nobody, for the browser adds its certificate to
    /// requests of every page.
    pub is_of_a_page: bool,
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials")
    }
}

impl Provider {
    /// Holds all that a client is against what its administrator may give, and asks Keystone where that takes it.
    pub(super) async fn check_rights(
        &self,
        acting: &Acting<'_>,
        client: &Client,
    ) -> Result<(), AdministrationError> {
        let verdict = self.tie_verdict(acting, client).await?;
        acting
            .administrator
            .may_give(client, &verdict)
            .map_err(|excess| AdministrationDenial::Beyond(excess).into())
    }

    async fn tie_verdict(
        &self,
        acting: &Acting<'_>,
        client: &Client,
    ) -> Result<TieVerdict, AdministrationError> {
        let Some((source, token)) = acting
            .keystone
            .filter(|_| acting.administrator.must_ask_about(client.tie()))
        else {
            return Ok(TieVerdict::Unknown);
        };
        let Some(question) = identity::tie_question(client.tie()) else {
            return Ok(TieVerdict::Unknown);
        };
        let login = self.login(client, question)?;
        match source.tie(token, &login).await {
            Ok(facts) => Ok(TieVerdict::Known {
                user_domain: facts.user_domain,
                project_domain: facts.project_domain,
                within_roles: facts.within_roles,
                unrestricted: facts.unrestricted,
            }),
            Err(error) => {
                let refused = refusal(error)?;
                Err(AdministrationDenial::Tie(refused).into())
            }
        }
    }
}
