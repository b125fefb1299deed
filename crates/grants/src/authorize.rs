//! `/authorize` before a person takes part (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2): one check a file, in this
//! order.
//!
//! ```text
//! NeedsClient ──with_client──▶ NeedsRequest ──with_request──▶ NeedsHint ──with_hint──▶ AuthorizePurpose
//!      └▶ Displayed: a page          └▶ Redirected: to the client   └▶ Redirected
//! ```
//!
//! A fault is told on a page until client and redirect URI are known to belong together, and to the client from then
//! on. The two are different types: no page can redirect, and no redirect goes to a URI that was not checked.

mod acr;
mod answer;
mod client;
mod denial;
mod flow;
mod grant;
mod max_age;
mod pkce;
mod redirect_uri;
mod scope;
mod subject;

pub use answer::{AuthorizationAnswer, Redirected};
pub use denial::{AuthorizationDenial, Displayed};
pub use flow::{Hint, NeedsClient, NeedsHint, NeedsRequest};
