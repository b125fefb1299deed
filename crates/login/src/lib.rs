#![doc = include_str!("../README.md")]

mod acr;
mod denial;
mod factors;
mod flow;
mod policy;
mod progress;
mod second_factor;
mod session;
mod session_store;
mod store_error;
mod throttle;
mod upstream;

pub use acr::{Acr, Amr, MAX_UPSTREAM_AMR};
pub use denial::LoginDenial;
pub use factors::{FactorFault, FactorStore, Kept, MAX_PASSKEYS, PasskeyFactor, TotpFactor, UserFactors};
pub use flow::{Authenticated, LoginFlow, NextStep};
pub use policy::{AcrWish, Enrolment, FactorKind, FactorStanding, FirstFactors, LoginPolicy, SecondFactor};
pub use progress::{Counted, Enrolling, LoginProgress, MAX_CODES, MAX_PASSWORDS};
pub use second_factor::{
    Challenge, ChallengeMode, Due, Poll, SecondFactorAuthority, SecondFactorError, Verdict,
};
pub use session::{MAX_CLIENTS, Session, SessionEnd, SessionLimits, SessionSecrets, Sid};
pub use session_store::{MAX_SESSIONS_PAGE, SessionStore};
pub use store_error::{LoginStoreError, Swap};
pub use throttle::{Guess, Judged, MAX_THROTTLES, MustWait, Throttle, ThrottleKey, ThrottleStore};
pub use upstream::{
    PendingUpstream, UpstreamAsk, UpstreamCallback, UpstreamError, UpstreamIdentity, UpstreamLogin,
    UpstreamRedirect, UpstreamRefusal, UpstreamSecrets,
};
