//! The grants in which a person takes part, at the token endpoint: a code, a refresh token, a device code.

mod mint;
mod replay;
mod standing;

use crate::error::{BackendError, TokenError};
use crate::issuer::IssuerState;
use crate::people::PeoplePorts;
use crate::provider::Provider;
use mint::Issue;
pub(crate) use mint::{groups, person_claims, roles};
pub(crate) use replay::Refusal;
use replay::Replayed;
use rustls_pki_types::UnixTime;
use sealstone_grants::code::{NeedsCode, Redeemed};
use sealstone_grants::device::NeedsDevice;
use sealstone_grants::person::{
    Aftermath, Completion, FamilyRandom, NeedsPerson, PersonGranted, PersonStep, Refused,
};
use sealstone_grants::refresh::{Ending, NeedsFamily, RefreshFamily, RefreshRotation, Rotation};
use sealstone_grants::{Denial, GrantDenial, IssuedToken};
use sealstone_identity::UserId;
use sealstone_login::{Session, Sid};
use sealstone_oauth_types::{OpaqueToken, TokenId, TokenResponse};

/// How often a use of a refresh token is judged again because another use came before: the second one finds the first,
/// and gets what it got.
const TRIES: usize = 4;

/// What a client asks for on a person's behalf.
pub(crate) enum OfPerson {
    Code(NeedsCode),
    Family(NeedsFamily),
    Device(NeedsDevice),
}

/// What is given.
pub(crate) struct Given {
    pub(crate) response: TokenResponse,
    /// For a person: whose token it is.
    pub(crate) of: Option<Box<Of>>,
}

/// Whose token was given, and its `jti`: that of before, if an answer was repeated.
pub(crate) struct Of {
    pub(crate) token_id: TokenId,
    pub(crate) user_id: UserId,
}

impl Given {
    pub(crate) const fn new(response: TokenResponse) -> Self {
        Self { response, of: None }
    }
}

impl Provider {
    pub(crate) fn people(&self) -> Result<&PeoplePorts, TokenError> {
        let people = self.0.ports.people.as_ref();
        people.ok_or_else(|| Denial::UnsupportedGrantType.into())
    }

    /// From what was sent to the answer. Nothing is given before it is written that it was.
    pub(crate) async fn for_person(
        &self,
        issuer: &IssuerState,
        asked: OfPerson,
        token_id: &str,
        now: UnixTime,
    ) -> Result<Given, Refusal> {
        let people = self.people()?;
        let mut step = match self.found(people, issuer, asked, now).await? {
            Ok(step) => step,
            Err(refused) => return Err(self.refused(people, issuer, refused, now).await),
        };
        for _try in 0..TRIES {
            let granted = match self.granted(issuer, step, now).await? {
                Ok(granted) => granted,
                Err(refused) => return Err(self.refused(people, issuer, refused, now).await),
            };
            let issue = Issue::of(self, issuer, &granted, token_id, now)?;
            match self.complete(people, issuer, granted, issue, now).await? {
                Ok(given) => return Ok(given),
                Err(Again::Changed(next)) => step = *next,
                Err(Again::Refused(refused)) => {
                    return Err(self.refused(people, issuer, refused, now).await);
                }
            }
        }
        Err(Denial::from(GrantDenial::RefreshTokenBusy).into())
    }

    /// What was sent, looked up and judged.
    async fn found(
        &self,
        people: &PeoplePorts,
        issuer: &IssuerState,
        asked: OfPerson,
        now: UnixTime,
    ) -> Result<Result<NeedsPerson, Refused>, BackendError> {
        Ok(match asked {
            OfPerson::Code(step) => {
                let stored = people.codes.code(step.hash()).await?;
                match step.with_code(stored, now) {
                    Ok(step) => {
                        let session = session_of(people, issuer, step.sid()).await?;
                        step.with_session(session.as_ref(), now)
                    }
                    Err(refused) => Err(refused),
                }
            }
            OfPerson::Family(step) => {
                let family = people.refresh.family(&step.family_id()).await?;
                step.with_family(family, now)
            }
            OfPerson::Device(step) => {
                let stored = people.devices.device(step.hash()).await?;
                match step.with_device(stored) {
                    Ok(step) => {
                        let poll = people.devices.poll(step.hash(), now).await?;
                        step.with_poll(poll).map_err(Refused::from)
                    }
                    Err(denial) => Err(denial.into()),
                }
            }
        })
    }

    /// The person as they are now, and what they may do now.
    async fn granted(
        &self,
        issuer: &IssuerState,
        step: NeedsPerson,
        now: UnixTime,
    ) -> Result<Result<PersonGranted, Refused>, BackendError> {
        let person = self.person_now(issuer, step.grant(), now).await?;
        match step.with_person(person) {
            Ok(PersonStep::Granted(granted)) => Ok(Ok(granted)),
            Ok(PersonStep::NeedsAuthority(step)) => {
                let authority = self
                    .authority_now(issuer, step.user_id(), step.project_id())
                    .await?;
                Ok(step.with_authority(authority, now))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// The one write, and then the answer.
    async fn complete(
        &self,
        people: &PeoplePorts,
        issuer: &IssuerState,
        granted: PersonGranted,
        issue: Issue,
        now: UnixTime,
    ) -> Result<Result<Given, Again>, Refusal> {
        let random = self.family_random()?;
        let refresh_token = match granted.complete(issue.issued(), &random, now) {
            Completion::Code {
                hash,
                redemption,
                refresh_token,
            } => {
                let redeemed = people.codes.redeem(&hash, &redemption, now).await?;
                spent(issuer, redeemed, GrantDenial::CodeSpent)?;
                let session = session_of(people, issuer, granted.grant().sid.as_ref()).await?;
                if let Err(refused) = granted.with_session_after(session.as_ref(), now) {
                    return Ok(Err(Again::Refused(refused)));
                }
                let grant = granted.grant();
                let consents = &people.consents;
                let consent = consents
                    .consent(&issuer.domain, &grant.user_id, &grant.client_id)
                    .await?;
                if let Err(refused) = granted.with_consent_after(consent.as_ref()) {
                    return Ok(Err(Again::Refused(refused)));
                }
                refresh_token
            }
            Completion::Device {
                hash,
                redemption,
                refresh_token,
            } => {
                let redeemed = people.devices.redeem_device(&hash, &redemption, now).await?;
                spent(issuer, redeemed, GrantDenial::DeviceCodeSpent)?;
                refresh_token
            }
            Completion::Rotate {
                rotation,
                refresh_token,
            } => match rotated(people, issuer, &rotation).await? {
                None => Some(refresh_token),
                Some(family) => return Ok(Err(judged_again(granted, family, now))),
            },
            Completion::Again { refresh_token } => Some(refresh_token),
        };
        Ok(Ok(issue.answer(refresh_token.as_ref())))
    }

    fn family_random(&self) -> Result<FamilyRandom, BackendError> {
        let mut octets = [[0_u8; 32]; 2];
        self.0.ports.entropy.fill(octets.as_flattened_mut())?;
        let [token, key] = octets;
        Ok(FamilyRandom::new(token, key))
    }

    /// Does what follows a refusal before it is told: a code is spent, a family ends.
    async fn refused(
        &self,
        people: &PeoplePorts,
        issuer: &IssuerState,
        refused: Refused,
        now: UnixTime,
    ) -> Refusal {
        match self.follow(people, issuer, refused.then, now).await {
            Ok(ended) => Refusal::ending(refused.denial, ended),
            Err(error) => error.into(),
        }
    }

    /// What ended.
    async fn follow(
        &self,
        people: &PeoplePorts,
        issuer: &IssuerState,
        then: Aftermath,
        now: UnixTime,
    ) -> Result<Option<Replayed>, BackendError> {
        Ok(match then {
            Aftermath::Nothing => None,
            Aftermath::SpendCode(hash) => {
                let redeemed = people.codes.spend(&hash, now).await?;
                ended(issuer, redeemed)
            }
            Aftermath::EndFamily(family) => {
                let families = people.refresh.end(Ending::Family(&family), now).await?;
                let ended = families.first().map(Replayed::family);
                issuer.add_ended(families);
                ended
            }
        })
    }
}

/// Writes the use of a family; the family as it is now, if another use came before.
async fn rotated(
    people: &PeoplePorts,
    issuer: &IssuerState,
    rotation: &RefreshRotation,
) -> Result<Option<Box<RefreshFamily>>, TokenError> {
    match people.refresh.rotate(rotation).await? {
        Rotation::Rotated => {
            for token in &rotation.revoked {
                issuer.add_issued(token.clone());
            }
            Ok(None)
        }
        Rotation::Changed(family) => Ok(Some(family)),
        Rotation::Ended => Err(Denial::from(GrantDenial::UnknownRefreshToken).into()),
    }
}

fn judged_again(granted: PersonGranted, family: Box<RefreshFamily>, now: UnixTime) -> Again {
    match granted.with_changed(family, now) {
        Ok(step) => Again::Changed(Box::new(step)),
        Err(refused) => Again::Refused(refused),
    }
}

async fn session_of(
    people: &PeoplePorts,
    issuer: &IssuerState,
    sid: Option<&Sid>,
) -> Result<Option<Session>, BackendError> {
    Ok(match sid {
        Some(sid) => people.sessions.session_by_sid(&issuer.domain, sid).await?,
        None => None,
    })
}

/// Why a use of a refresh token is not answered yet.
enum Again {
    /// Another use came before: this is judged anew.
    Changed(Box<NeedsPerson>),
    Refused(Refused),
}

/// Of two exchanges of one code the second ends what the first gave.
fn spent(issuer: &IssuerState, redeemed: Redeemed, denial: GrantDenial) -> Result<(), Refusal> {
    match redeemed {
        Redeemed::Done => Ok(()),
        Redeemed::Spent(_) | Redeemed::Unknown => {
            Err(Refusal::ending(denial.into(), ended(issuer, redeemed)))
        }
    }
}

/// What a second use ended counts no more here from now on.
fn ended(issuer: &IssuerState, redeemed: Redeemed) -> Option<Replayed> {
    let Redeemed::Spent(spending) = redeemed else {
        return None;
    };
    let ended = Replayed::spending(&spending);
    issuer.add_ended(spending.family.into_iter().collect());
    let token: Option<IssuedToken> = spending.revoked;
    token.into_iter().for_each(|token| issuer.add_issued(token));
    ended
}

impl Issue {
    fn answer(self, refresh_token: Option<&OpaqueToken>) -> Given {
        let response = self.response;
        Given {
            response: match refresh_token {
                Some(token) => response.with_refresh_token(token),
                None => response,
            },
            of: Some(Box::new(Of {
                token_id: self.token.token_id,
                user_id: self.user_id,
            })),
        }
    }

    fn issued(&self) -> IssuedToken {
        self.token.clone()
    }
}
