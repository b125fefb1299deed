//! What is under way in one browser: from a request that needs a person to its answer.
//!
//! An interaction stays on the server. The browser has its id, and a cookie that it is bound to; the id alone, or in
//! another browser, opens nothing.

mod port;
mod record;

pub use port::{InteractionInsertion, InteractionStore, Interactions};
pub use record::{
    Answer, AuthorizePurpose, Given, INTERACTION_LIFETIME, Interaction, LoginDemand, LogoutPurpose,
    MAX_INTERACTIONS, Purpose,
};
