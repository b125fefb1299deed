//! The port of `login`, by privacyIDEA.

use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{AuthMethod, Passcode, Person};
use sealstone_login::{
    Challenge, ChallengeMode, Due, Poll, SecondFactorAuthority, SecondFactorError, Verdict,
};
use zeroize::Zeroizing;

use crate::{
    Demand, Fault, PrivacyIdea, PrivacyIdeaError, PrivacyIdeaRefusal,
    client::AskedUser,
    wire::{Mode, OpenToken, Polled, Triggered},
};

#[async_trait]
impl SecondFactorAuthority for PrivacyIdea {
    async fn due(&self, person: &Person) -> Result<Due, SecondFactorError> {
        match self.config().demand {
            Demand::Everybody => Ok(Due::Yes),
            Demand::WhoeverHasAToken => {
                let tokens = self.tokens(asked(person)?).await.map_err(told)?;
                // Whatever their state: ten wrong codes lock a token, and would else switch the factor off.
                Ok(if tokens.count == 0 { Due::No } else { Due::Yes })
            }
        }
    }

    async fn trigger(&self, person: &Person) -> Result<Challenge, SecondFactorError> {
        let user = asked(person)?;
        let own = self.tokens(user).await.map_err(told)?;
        if own.count == 0 {
            return Err(SecondFactorError::NoFactor);
        }
        let now = (self.clock())();
        let Some((open, message)) = self.trigger_tokens(user, &own).await.map_err(told)? else {
            return Err(if own.all_locked {
                SecondFactorError::Locked
            } else {
                SecondFactorError::NoFactor
            });
        };
        let lifetime = self.config().challenge_lifetime;
        let ends_at = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()).saturating_add(lifetime));
        let modes = open.tokens.values().map(|token| match token.mode {
            Mode::Code => ChallengeMode::Code,
            Mode::Push => ChallengeMode::Push,
        });
        let modes = modes.collect();
        let kept = serde_json::to_string(&open).map_err(SecondFactorError::malformed)?;
        let challenge = Challenge::new(person.user.id().clone(), Zeroizing::new(kept), modes, ends_at);
        Ok(match message {
            Some(message) => challenge.with_message(&message),
            None => challenge,
        })
    }

    async fn answer(
        &self,
        person: &Person,
        challenge: &Challenge,
        code: &Passcode,
    ) -> Result<Verdict, SecondFactorError> {
        let (user, open) = self.opened(person, challenge)?;
        let now = (self.clock())();
        if now >= challenge.ends_at() {
            return Ok(Verdict::Ended);
        }
        // Counted before it is asked: a thousand at once are counted like a thousand in a row.
        if !self.wrong_codes().admit(person.user.id(), now) {
            return Ok(Verdict::Locked);
        }
        let answered = self.check(user, &open, code.expose()).await;
        if answered.as_ref().is_err_and(PrivacyIdeaError::is_unsent) {
            self.wrong_codes().forgive(person.user.id());
        }
        match answered.map_err(told)? {
            Some(token) => {
                self.wrong_codes().forget(person.user.id());
                Ok(Verdict::Accepted {
                    method: method(token)?,
                })
            }
            None => Ok(Verdict::Wrong),
        }
    }

    async fn poll(&self, person: &Person, challenge: &Challenge) -> Result<Poll, SecondFactorError> {
        let (user, open) = self.opened(person, challenge)?;
        // privacyIDEA says of a transaction that it no longer knows that it is pending.
        if (self.clock())() >= challenge.ends_at() {
            return Ok(Poll::Ended);
        }
        match self.ask_again(&open).await.map_err(told)? {
            Polled::Pending => Ok(Poll::Pending),
            Polled::Declined => Ok(Poll::Declined),
            // That it was agreed is nobody's word about this person yet: the answer to the transaction is.
            Polled::Agreed => match self.check(user, &open, "").await.map_err(told)? {
                Some(token) => Ok(Poll::Accepted {
                    method: method(token)?,
                }),
                None => Ok(Poll::Ended),
            },
        }
    }
}

impl PrivacyIdea {
    /// The challenge as it was triggered, for the person it was triggered for.
    fn opened<'a>(
        &self,
        person: &'a Person,
        challenge: &Challenge,
    ) -> Result<(AskedUser<'a>, Triggered), SecondFactorError> {
        if challenge.user() != person.user.id() {
            return Err(SecondFactorError::malformed(Fault::Mismatch("user")));
        }
        let open: Triggered = serde_json::from_str(challenge.expose_transaction())
            .map_err(|_foreign| SecondFactorError::malformed(Fault::Shape))?;
        if open.user != *person.user.name() {
            return Err(SecondFactorError::malformed(Fault::Mismatch("user")));
        }
        Ok((asked(person)?, open))
    }
}

fn asked(person: &Person) -> Result<AskedUser<'_>, SecondFactorError> {
    AskedUser::of(person.user.name()).map_err(|_odd_name| SecondFactorError::NoFactor)
}

/// What a token showed. Types that show nothing that somebody has are not among those that are triggered.
fn method(token: &OpenToken) -> Result<AuthMethod, SecondFactorError> {
    token
        .shows()
        .ok_or_else(|| SecondFactorError::malformed(Fault::Mismatch("type of token")))
}

fn told(error: PrivacyIdeaError) -> SecondFactorError {
    use PrivacyIdeaRefusal::{
        AdapterPassword, AdapterRights, AdapterToken, AdapterWaits, Other, UnknownUser, UserName,
    };
    match error {
        PrivacyIdeaError::Refused { refusal, .. } => match refusal {
            UnknownUser | UserName => SecondFactorError::NoFactor,
            AdapterPassword | AdapterWaits => SecondFactorError::NotConfigured {
                needs: "the adapter's user name and password as privacyIDEA has them",
            },
            AdapterToken => SecondFactorError::NotConfigured {
                needs: "an administrator of privacyIDEA whose logins are accepted there",
            },
            AdapterRights => SecondFactorError::NotConfigured {
                needs: "the rights `triggerchallenge` and `tokenlist` in the realm, for the adapter's administrator",
            },
            Other { .. } => SecondFactorError::malformed(error),
        },
        PrivacyIdeaError::Unavailable { .. } => SecondFactorError::unavailable(error),
        PrivacyIdeaError::Malformed { .. } => SecondFactorError::malformed(error),
    }
}
