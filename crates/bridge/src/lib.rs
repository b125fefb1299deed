#![doc = include_str!("../README.md")]

mod answer;
mod auth_body;
mod body;
mod bridge;
mod counts;
mod echo;
mod fields;
mod limits;
mod memo;
mod serve;
mod shape;
mod translate;
mod upstream;

pub use body::AnswerBody;
pub use bridge::{Bridge, Clock, Forwarded, Rules, Target};
pub use counts::Totals;
pub use limits::BridgeLimits;
pub use serve::{BridgeListener, serve};
pub use translate::{InvalidForm, Refusal, TokenForm, Translated, Translator, TranslatorError};
pub use upstream::{Upstream, UpstreamError};
