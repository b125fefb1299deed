//! Initial access tokens: made, listed, taken back.

use super::answer::initial_token;
use super::change::later;
use super::parts::{NewInitialToken, small};
use super::{Administration, AdministrationAnswer, AdministrationDenial, AdministrationError};
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_registry::{
    InitialToken, InitialTokenId, Insertion, MAX_INITIAL_TOKEN_LIFETIME, MAX_INITIAL_TOKEN_USES,
    MIN_INITIAL_TOKEN_LIFETIME, Removal,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A day, unless the request says how long.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

type Answered = Result<AdministrationAnswer, AdministrationError>;

impl Provider {
    pub(super) async fn create_initial_token(
        &self,
        administration: &Administration,
        domain: &DomainId,
        body: &[u8],
        now: UnixTime,
    ) -> Answered {
        if administration.policy(domain).is_none() {
            return Err(AdministrationDenial::RegistrationOff.into());
        }
        let new: NewInitialToken = small(body)?;
        let lifetime = new.expires_in_s.map_or(LIFETIME, Duration::from_secs);
        let uses = new.uses.unwrap_or(1);
        let fits = (MIN_INITIAL_TOKEN_LIFETIME..=MAX_INITIAL_TOKEN_LIFETIME).contains(&lifetime)
            && (1..=MAX_INITIAL_TOKEN_USES).contains(&uses);
        if !fits {
            return Err(AdministrationDenial::InitialToken.into());
        }
        let (text, mut id) = (self.draw_token()?, [0_u8; 8]);
        self.fill(&mut id)?;
        let token = InitialToken {
            id: InitialTokenId::from_random(id),
            domain: domain.clone(),
            hash: text.hash(),
            created_at: now,
            expires_at: later(now, lifetime),
            uses_left: uses,
        };
        match administration.registrations.insert_initial_token(&token).await? {
            Insertion::Inserted => {}
            Insertion::Exists => return Err(AdministrationDenial::TooManyInitialTokens.into()),
            Insertion::UnknownDomain => return Err(AdministrationError::UnknownIssuer),
        }
        let mut members = initial_token(&token);
        members.insert("initial_access_token".to_owned(), text.expose().into());
        let mut answer = AdministrationAnswer::plain(201, Some(members.into()));
        answer.location = Some(format!("initial-access-tokens/{}", token.id));
        Ok(answer)
    }

    pub(super) async fn list_initial_tokens(
        &self,
        administration: &Administration,
        domain: &DomainId,
    ) -> Answered {
        let tokens = administration.registrations.initial_tokens(domain).await?;
        let tokens: Vec<Value> = tokens.iter().map(|token| initial_token(token).into()).collect();
        let body = json!({ "initial_access_tokens": tokens });
        Ok(AdministrationAnswer::plain(200, Some(body)))
    }

    pub(super) async fn delete_initial_token(
        &self,
        administration: &Administration,
        domain: &DomainId,
        id: &str,
    ) -> Answered {
        let id = InitialTokenId::parse(id).ok_or(AdministrationDenial::UnknownInitialToken)?;
        match administration
            .registrations
            .remove_initial_token(domain, &id)
            .await?
        {
            Removal::Removed => Ok(AdministrationAnswer::plain(204, None)),
            Removal::Missing => Err(AdministrationDenial::UnknownInitialToken.into()),
        }
    }
}
