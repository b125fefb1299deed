use super::{NeedsPerson, PersonGranted, Refused};
use crate::{
    GrantDenial, IssuedToken,
    code::{self, Redemption},
    consent::{self, Consent},
    refresh::{self, FamilyKey, LastIssue, RefreshFamily, RefreshRotation, RefreshUse},
};
use rustls_pki_types::UnixTime;
use sealstone_login::Session;
use sealstone_oauth_types::{OpaqueToken, TokenHash};
use zeroize::Zeroize as _;

/// What the grant came from.
#[derive(Debug)]
pub(crate) enum Source {
    Code(TokenHash),
    Device(TokenHash),
    Refresh(Box<RefreshUse>),
}

/// Random octets for a family that may begin: from a cryptographic source, and used once.
pub struct FamilyRandom {
    token: [u8; 32],
    key: [u8; 32],
}

impl FamilyRandom {
    /// Takes 64 octets.
    #[must_use]
    pub const fn new(token: [u8; 32], key: [u8; 32]) -> Self {
        Self { token, key }
    }
}

impl Drop for FamilyRandom {
    fn drop(&mut self) {
        self.token.zeroize();
        self.key.zeroize();
    }
}

impl std::fmt::Debug for FamilyRandom {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("FamilyRandom([redacted])")
    }
}

/// What is left to do: one write, and then the answer.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the driver does each")]
pub enum Completion {
    /// [`CodeStore::redeem`](crate::code::CodeStore::redeem). Anything but `Done` is
    /// [`GrantDenial::CodeSpent`]. After `Done` session and consent are looked up once
    /// more: [`PersonGranted::with_session_after`], [`PersonGranted::with_consent_after`].
    Code {
        /// The hash of the code.
        hash: TokenHash,
        /// What is written.
        redemption: Box<Redemption>,
        /// The refresh token for the answer.
        refresh_token: Option<OpaqueToken>,
    },
    /// [`DeviceStore::redeem_device`](crate::device::DeviceStore::redeem_device). Anything but `Done` is
    /// [`GrantDenial::DeviceCodeSpent`].
    Device {
        /// The hash of the device code.
        hash: TokenHash,
        /// What is written.
        redemption: Box<Redemption>,
        /// The refresh token for the answer.
        refresh_token: Option<OpaqueToken>,
    },
    /// [`RefreshStore::rotate`](crate::refresh::RefreshStore::rotate). For `Changed` go on with
    /// [`PersonGranted::with_changed`], for `Ended` the answer is
    /// [`GrantDenial::UnknownRefreshToken`].
    Rotate {
        /// What is written.
        rotation: Box<RefreshRotation>,
        /// The refresh token for the answer.
        refresh_token: OpaqueToken,
    },
    /// Nothing: it was written a moment ago.
    Again {
        /// The refresh token for the answer: the one that was given then.
        refresh_token: OpaqueToken,
    },
}

impl Source {
    /// What follows when the person is refused. A code is given once, whatever comes of it; a family ends only if it can
    /// never be good again: who is disabled may be enabled, and a role may come back.
    pub(super) fn refused(&self, denial: GrantDenial) -> Refused {
        match self {
            Self::Code(hash) => Refused::spending(denial, *hash),
            Self::Refresh(used) if denial == GrantDenial::LoginOutdated => {
                Refused::ending(denial, used.family_id())
            }
            Self::Refresh(_) | Self::Device(_) => denial.into(),
        }
    }
}

pub(super) fn again(source: &Source) -> Option<&LastIssue> {
    match source {
        Source::Refresh(used) => used.again(),
        Source::Code(_) | Source::Device(_) => None,
    }
}

impl PersonGranted {
    /// What is left to do for an access token with this `jti` and `exp`, issued at `now`.
    #[must_use]
    pub fn complete(&self, token: IssuedToken, random: &FamilyRandom, now: UnixTime) -> Completion {
        match &self.source {
            Source::Code(hash) => {
                let (redemption, refresh_token) = self.redemption(token, random, now);
                Completion::Code {
                    hash: *hash,
                    redemption,
                    refresh_token,
                }
            }
            Source::Device(hash) => {
                let (redemption, refresh_token) = self.redemption(token, random, now);
                Completion::Device {
                    hash: *hash,
                    redemption,
                    refresh_token,
                }
            }
            Source::Refresh(used) => used.complete(self.last_issue(token, now), now),
        }
    }

    /// The same use of a refresh token, judged again on what the family is now: another use of it came before.
    ///
    /// # Errors
    /// As [`NeedsFamily::with_family`](crate::refresh::NeedsFamily::with_family).
    pub fn with_changed(self, family: Box<RefreshFamily>, now: UnixTime) -> Result<NeedsPerson, Refused> {
        match self.source {
            Source::Refresh(used) => used.with_changed(family, now),
            Source::Code(_) | Source::Device(_) => Err(GrantDenial::UnknownRefreshToken.into()),
        }
    }

    /// Whether the session of the code still stands now that the family is kept. Who signed out before this was written
    /// is seen here; who signs out after it ends the family that is there by then.
    ///
    /// # Errors
    /// [`Refused`] with [`GrantDenial::SessionEnded`]: what was written ends again, since the code is spent twice.
    pub fn with_session_after(&self, session: Option<&Session>, now: UnixTime) -> Result<(), Refused> {
        match &self.source {
            Source::Code(hash) => code::still_in_session(&self.facts.grant, session, now)
                .map_err(|denial| Refused::spending(denial, *hash)),
            Source::Device(_) | Source::Refresh(_) => Ok(()),
        }
    }

    /// Whether the person still lets the client have what the code stands for, now that the family is kept. Who took
    /// their consent back before this was written is seen here; who does so after it ends the family that is there by
    /// then.
    ///
    /// # Errors
    /// [`Refused`] with [`GrantDenial::ConsentEnded`]: what was written ends again, since the code is spent twice.
    pub fn with_consent_after(&self, consent: Option<&Consent>) -> Result<(), Refused> {
        match &self.source {
            Source::Code(hash) if !consent::still_lets(&self.facts.grant, &self.facts.client, consent) => {
                Err(Refused::spending(GrantDenial::ConsentEnded, *hash))
            }
            Source::Code(_) | Source::Device(_) | Source::Refresh(_) => Ok(()),
        }
    }

    fn last_issue(&self, token: IssuedToken, now: UnixTime) -> LastIssue {
        LastIssue {
            token,
            issued_at: now,
            scope: self.facts.scope.clone(),
            target: self.facts.target.clone(),
        }
    }

    fn redemption(
        &self,
        token: IssuedToken,
        random: &FamilyRandom,
        now: UnixTime,
    ) -> (Box<Redemption>, Option<OpaqueToken>) {
        let begun = refresh::begins(&self.facts.client).then(|| {
            let refresh_token = OpaqueToken::from_octets(random.token);
            let key = FamilyKey::from_octets(random.key);
            let last = self.last_issue(token.clone(), now);
            let family = refresh::first(&self.facts, &refresh_token, key, last, now);
            (family, refresh_token)
        });
        let (family, refresh_token) = begun.unzip();
        (Box::new(Redemption { token, family }), refresh_token)
    }
}
