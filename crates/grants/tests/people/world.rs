//! The ports as a model, and the driver over them: what a provider and a store do, without waiting for either.

use super::support::{authenticate, delegated, person, session, user};
use rustls_pki_types::UnixTime;
use sealstone_grants::code::{CodeRecord, CodeState, Produced, Redeemed, Redemption, Spending, StoredCode};
use sealstone_grants::consent::Consent;
use sealstone_grants::device::{DeviceRequest, DeviceState};
use sealstone_grants::person::{
    Aftermath, Completion, FamilyRandom, NeedsPerson, PersonGranted, PersonStep, Refused,
};
use sealstone_grants::refresh::{EndedFamily, FamilyId, RefreshFamily, RefreshRotation, Rotation};
use sealstone_grants::token::{self, Target, TokenStep};
use sealstone_grants::{Denial, GrantDenial, IssuedToken, PresentedCertificate, scopes};
use sealstone_identity::{LoginRefusal, Person, UserId};
use sealstone_login::Session;
use sealstone_oauth_types::{ClientId, OpaqueToken, TokenHash, TokenId};
use sealstone_registry::Client;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long the access tokens of these tests live.
pub(crate) const TOKEN_LIFETIME: u64 = 900;

/// What a client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) token: IssuedToken,
    pub(crate) issued_at: u64,
    pub(crate) scope: String,
    pub(crate) target: Target,
    pub(crate) refresh_token: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) is_bound: bool,
}

/// A request whose person was asked about, before its one write.
pub(crate) struct Ready {
    pub(crate) granted: PersonGranted,
    token: IssuedToken,
    random: FamilyRandom,
}

/// Everything that is kept.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) clients: BTreeMap<ClientId, Arc<Client>>,
    pub(crate) codes: BTreeMap<TokenHash, StoredCode>,
    pub(crate) devices: BTreeMap<TokenHash, DeviceRequest>,
    pub(crate) families: BTreeMap<FamilyId, RefreshFamily>,
    pub(crate) revoked: BTreeSet<String>,
    pub(crate) people: BTreeMap<UserId, Result<Person, LoginRefusal>>,
    /// The session in which `ada` is signed in.
    pub(crate) session: Option<Session>,
    /// Whether people still let clients have what they let them have.
    pub(crate) lets: bool,
    /// The roles of everybody in `p1`; none is a refusal.
    pub(crate) roles: Vec<&'static str>,
    drawn: u8,
}

/// What was let when the code was given.
fn consent_of(granted: &PersonGranted, now: UnixTime) -> Consent {
    let grant = granted.grant();
    Consent {
        domain: grant.domain.clone(),
        user_id: grant.user_id.clone(),
        client_id: grant.client_id.clone(),
        client_created_at: grant.client_created_at,
        scope: scopes::with_claims(&grant.scope, grant.claims.as_ref(), granted.client()),
        project: grant.project.clone(),
        granted_at: now,
    }
}

impl World {
    pub(crate) fn new(clients: &[Arc<Client>]) -> Self {
        let clients = clients
            .iter()
            .map(|client| (client.id().clone(), Arc::clone(client)));
        Self {
            clients: clients.collect(),
            people: BTreeMap::from([(user("ada"), Ok(person("ada")))]),
            session: Some(session("ada")),
            lets: true,
            roles: vec!["member", "reader"],
            ..Self::default()
        }
    }

    pub(crate) fn draw(&mut self) -> [u8; 32] {
        self.drawn = self.drawn.wrapping_add(1);
        [self.drawn.wrapping_add(100); 32]
    }

    pub(crate) fn put_code(&mut self, record: CodeRecord) {
        let state = CodeState::Fresh;
        self.codes.insert(record.hash, StoredCode { record, state });
    }

    pub(crate) fn ask(&mut self, form: &str, now: UnixTime) -> Result<Answer, Denial> {
        self.ask_with(form, None, now)
    }

    pub(crate) fn ask_with(
        &mut self,
        form: &str,
        certificate: Option<PresentedCertificate>,
        now: UnixTime,
    ) -> Result<Answer, Denial> {
        let ready = self.prepare(form, certificate, now)?;
        self.write(ready, now)
    }

    /// Up to the one write.
    pub(crate) fn prepare(
        &mut self,
        form: &str,
        certificate: Option<PresentedCertificate>,
        now: UnixTime,
    ) -> Result<Ready, Denial> {
        let id = form
            .split("client_id=")
            .nth(1)
            .and_then(|rest| rest.split('&').next());
        let client = id.and_then(|id| self.clients.get(id).cloned());
        let (client, request) = authenticate(client, form, certificate, now)?;
        let judged = match token::decide(client, request, now)? {
            TokenStep::NeedsCode(step) => {
                let stored = self.codes.get(step.hash()).cloned().map(Box::new);
                step.with_code(stored, now)
                    .and_then(|step| step.with_session(self.session.as_ref(), now))
            }
            TokenStep::NeedsFamily(step) => {
                let family = self.families.get(&step.family_id()).cloned().map(Box::new);
                step.with_family(family, now)
            }
            TokenStep::NeedsDevice(step) => {
                let hash = *step.hash();
                let step = step.with_device(self.devices.get(&hash).cloned().map(Box::new))?;
                let poll = self.devices.remove(&hash).map(|request| {
                    let (poll, request) = request.polled(now);
                    self.devices.insert(hash, request);
                    poll
                });
                step.with_poll(poll).map_err(Refused::from)
            }
            step @ (TokenStep::Granted(_) | TokenStep::NeedsIdentity(_)) => panic!("{step:?}"),
        };
        let step = judged.map_err(|refused| self.follow(refused, now))?;
        let granted = self
            .about_person(step, now)
            .map_err(|refused| self.follow(refused, now))?;
        let number = self.draw();
        let token = granted.again().map_or_else(
            || IssuedToken {
                token_id: TokenId::parse(&format!("jti-{}", number[0])).unwrap(),
                expires_at: UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + TOKEN_LIFETIME)),
            },
            |last| last.token.clone(),
        );
        let random = FamilyRandom::new(self.draw(), self.draw());
        Ok(Ready {
            granted,
            token,
            random,
        })
    }

    fn about_person(&self, step: NeedsPerson, now: UnixTime) -> Result<PersonGranted, Refused> {
        let found = self.people.get(step.user_id()).cloned();
        let found = found.unwrap_or(Err(LoginRefusal::Person)).map(Arc::new);
        match step.with_person(found)? {
            PersonStep::Granted(granted) => Ok(granted),
            PersonStep::NeedsAuthority(step) => {
                let answer = if self.roles.is_empty() {
                    Err(LoginRefusal::NoRole)
                } else {
                    let (user, project) = (step.user_id().as_str(), step.project_id().as_str());
                    Ok(Arc::new(delegated(user, project, &self.roles)))
                };
                step.with_authority(answer, now)
            }
        }
    }

    /// The one write, and the answer.
    pub(crate) fn write(&mut self, ready: Ready, now: UnixTime) -> Result<Answer, Denial> {
        let Ready {
            granted,
            token,
            random,
        } = ready;
        let refresh_token = match granted.complete(token.clone(), &random, now) {
            Completion::Code {
                hash,
                redemption,
                refresh_token,
            } => match self.redeem(&hash, &redemption, now) {
                Redeemed::Done => {
                    let after = granted.with_session_after(self.session.as_ref(), now);
                    after.map_err(|refused| self.follow(refused, now))?;
                    let consent = self.lets.then(|| consent_of(&granted, now));
                    let after = granted.with_consent_after(consent.as_ref());
                    after.map_err(|refused| self.follow(refused, now))?;
                    refresh_token
                }
                Redeemed::Spent(_) | Redeemed::Unknown => return Err(GrantDenial::CodeSpent.into()),
            },
            Completion::Device {
                hash,
                redemption,
                refresh_token,
            } => match self.redeem_device(&hash, &redemption, now) {
                Redeemed::Done => refresh_token,
                Redeemed::Spent(_) | Redeemed::Unknown => return Err(GrantDenial::DeviceCodeSpent.into()),
            },
            Completion::Again { refresh_token } => Some(refresh_token),
            Completion::Rotate {
                rotation,
                refresh_token,
            } => match self.rotate(&rotation) {
                Rotation::Rotated => Some(refresh_token),
                Rotation::Ended => return Err(GrantDenial::UnknownRefreshToken.into()),
                Rotation::Changed(family) => {
                    let step = granted
                        .with_changed(family, now)
                        .map_err(|refused| self.follow(refused, now))?;
                    let granted = self
                        .about_person(step, now)
                        .map_err(|refused| self.follow(refused, now))?;
                    let token = granted.again().map_or(token, |last| last.token.clone());
                    return self.write(
                        Ready {
                            granted,
                            token,
                            random,
                        },
                        now,
                    );
                }
            },
        };
        Ok(answer(&granted, token, refresh_token, now))
    }

    fn follow(&mut self, refused: Refused, now: UnixTime) -> Denial {
        match refused.then {
            Aftermath::Nothing => {}
            Aftermath::SpendCode(hash) => self.spend(&hash, now),
            Aftermath::EndFamily(id) => {
                self.end(&id, now);
            }
        }
        refused.denial
    }

    fn redeem(&mut self, hash: &TokenHash, redemption: &Redemption, now: UnixTime) -> Redeemed {
        let Some(stored) = self.codes.get_mut(hash) else {
            return Redeemed::Unknown;
        };
        if let CodeState::Spent(produced) = stored.state.clone() {
            return Redeemed::Spent(self.end_produced(&produced, now));
        }
        stored.state = CodeState::Spent(produced(redemption));
        self.begin(redemption);
        Redeemed::Done
    }

    fn redeem_device(&mut self, hash: &TokenHash, redemption: &Redemption, now: UnixTime) -> Redeemed {
        let Some(request) = self.devices.get_mut(hash) else {
            return Redeemed::Unknown;
        };
        match request.state.clone() {
            DeviceState::Redeemed(produced) => Redeemed::Spent(self.end_produced(&produced, now)),
            DeviceState::Approved(_) => {
                request.state = DeviceState::Redeemed(produced(redemption));
                self.begin(redemption);
                Redeemed::Done
            }
            DeviceState::Pending | DeviceState::Denied => Redeemed::Unknown,
        }
    }

    fn begin(&mut self, redemption: &Redemption) {
        if let Some(family) = &redemption.family {
            assert!(
                self.families.insert(family.id, family.clone()).is_none(),
                "two families of one id"
            );
        }
    }

    fn spend(&mut self, hash: &TokenHash, now: UnixTime) {
        let Some(stored) = self.codes.get_mut(hash) else {
            return;
        };
        match stored.state.clone() {
            CodeState::Fresh => stored.state = CodeState::Spent(Produced::default()),
            CodeState::Spent(produced) => {
                self.end_produced(&produced, now);
            }
        }
    }

    fn end_produced(&mut self, produced: &Produced, now: UnixTime) -> Spending {
        let family = produced.family.and_then(|id| self.end(&id, now));
        let revoked = produced.token.clone().filter(|token| token.is_live(now));
        if let Some(token) = &revoked {
            self.revoked.insert(token.token_id.to_string());
        }
        Spending { family, revoked }
    }

    pub(crate) fn rotate(&mut self, rotation: &RefreshRotation) -> Rotation {
        let Some(family) = self.families.get_mut(&rotation.next.id) else {
            return Rotation::Ended;
        };
        let Some((next, revoked)) = rotation.onto(family) else {
            return Rotation::Changed(Box::new(family.clone()));
        };
        *family = next;
        for token in revoked {
            self.revoked.insert(token.token_id.to_string());
        }
        Rotation::Rotated
    }

    pub(crate) fn end(&mut self, id: &FamilyId, now: UnixTime) -> Option<EndedFamily> {
        let family = self.families.remove(id)?;
        let live = family.live.into_iter().filter(|token| token.is_live(now));
        let revoked: Vec<IssuedToken> = live.collect();
        for token in &revoked {
            self.revoked.insert(token.token_id.to_string());
        }
        Some(EndedFamily {
            id: *id,
            user_id: family.grant.user_id,
            client_id: family.grant.client_id,
            revoked,
        })
    }

    pub(crate) fn is_revoked(&self, answer: &Answer) -> bool {
        self.revoked.contains(answer.token.token_id.as_str())
    }

    pub(crate) fn family_of(&self, refresh_token: &str) -> Option<&RefreshFamily> {
        let token = OpaqueToken::parse(refresh_token).unwrap();
        self.families.get(&FamilyId::of(&token))
    }
}

fn produced(redemption: &Redemption) -> Produced {
    Produced {
        family: redemption.family.as_ref().map(|family| family.id),
        token: Some(redemption.token.clone()),
    }
}

fn answer(
    granted: &PersonGranted,
    token: IssuedToken,
    refresh_token: Option<OpaqueToken>,
    now: UnixTime,
) -> Answer {
    let roles = granted
        .authority()
        .map(|authority| authority.roles())
        .unwrap_or_default();
    Answer {
        token,
        issued_at: granted.again().map_or(now, |last| last.issued_at).as_secs(),
        scope: granted.scope().to_string(),
        target: granted.target().clone(),
        refresh_token: refresh_token.map(|token| token.expose().to_owned()),
        roles: roles.iter().map(ToString::to_string).collect(),
        is_bound: granted.bound_to().is_some(),
    }
}
