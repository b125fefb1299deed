//! What is under way in one browser: from a request that needs a person to its answer.
//!
//! An interaction stays on the server. The browser has its id, and a cookie that it is bound to; the id alone, or in
//! another browser, opens nothing.

mod approved;
mod csrf;
mod decide;
mod device;
mod login;
mod port;
mod project;
mod record;
mod steps;

pub use approved::Approved;
pub use csrf::{csrf_token, is_csrf_token};
pub use decide::{Authorizing, ConsentNeed, Next, decide};
pub use device::{DeviceNext, decide_device};
pub use login::{LoginCause, LoginNeed, SignedIn, login_due};
pub use port::{InteractionInsertion, InteractionStore, InteractionSwap};
pub use project::{ProjectNeed, Projects};
pub use record::{
    Answer, AuthorizePurpose, Given, INTERACTION_LIFETIME, Interaction, LoginDemand, LogoutPurpose,
    MAX_INTERACTIONS, MAX_INTERACTIONS_OF_PERSON, Purpose,
};
pub use steps::Steps;
