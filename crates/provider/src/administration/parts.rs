//! What requests of administrators hold, read.

use super::AdministrationDenial;
use sealstone_oauth_types::{ClientId, Form};
use sealstone_registry::{Client, MAX_PAGE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The clients of a page, unless the request says how many.
const PAGE: usize = 100;

/// What must hold of a client before it is changed (RFC 9110 §13.1).
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the edge; each member is decided there"
)]
pub struct Preconditions {
    /// `If-None-Match: *`: there is no such client yet.
    pub only_new: bool,
    /// `If-Match`, as sent.
    pub if_match: Option<String>,
}

/// What a client that registers itself asks for.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "the edge has a route for each")]
pub enum RegistrationRequest<'a> {
    /// To be registered (RFC 7591 §3.1); its metadata.
    Register(&'a [u8]),
    /// Its own registration (RFC 7592 §2.1).
    Read(&'a str),
    /// Another registration (RFC 7592 §2.2).
    Update(&'a str, &'a [u8]),
    /// Its end (RFC 7592 §2.3).
    Delete(&'a str),
}

/// The entity tag of this state of a client. A client made anew under its id has others.
pub(super) fn tag(client: &Client) -> String {
    format!("\"{}-{}\"", client.created_at().as_secs(), client.version())
}

impl Preconditions {
    /// Whether `If-Match` lets the change through; without one it is `needed` or not.
    pub(super) fn check(&self, client: &Client, needed: bool) -> Result<(), AdministrationDenial> {
        let Some(tags) = &self.if_match else {
            return if needed {
                Err(AdministrationDenial::PreconditionMissing)
            } else {
                Ok(())
            };
        };
        let own = tag(client);
        let matches = |given: &str| given == own || given == "*";
        if tags.split(',').map(str::trim).any(matches) {
            Ok(())
        } else {
            Err(AdministrationDenial::PreconditionFailed)
        }
    }
}

/// A page of a list.
pub(super) struct Page {
    pub(super) after: Option<ClientId>,
    pub(super) limit: usize,
}

impl Page {
    pub(super) fn parse(query: &str) -> Result<Self, AdministrationDenial> {
        let malformed = AdministrationDenial::Query;
        let form = Form::parse(query.as_bytes()).map_err(|_malformed| malformed.clone())?;
        let known = ["after", "limit"];
        if form.names().any(|name| !known.contains(&name)) {
            return Err(malformed);
        }
        let after = form.get("after").map(ClientId::parse).transpose();
        let limit = form.get("limit").map(str::parse::<usize>).transpose();
        let limit = limit.map_err(|_malformed| malformed.clone())?.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(malformed);
        }
        Ok(Self {
            after: after.map_err(|_malformed| malformed)?,
            limit,
        })
    }
}

/// What a rotation may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    overlap_s: Option<u64>,
    expires_in_s: Option<u64>,
}

impl Rotation {
    /// A day: whoever holds the old secret is told within it.
    const OVERLAP: Duration = Duration::from_secs(24 * 3600);

    pub(super) fn overlap(&self) -> Duration {
        self.overlap_s.map_or(Self::OVERLAP, Duration::from_secs)
    }

    pub(super) fn expires_in(&self) -> Option<Duration> {
        self.expires_in_s.map(Duration::from_secs)
    }
}

/// What a new initial access token may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInitialToken {
    pub(super) expires_in_s: Option<u64>,
    pub(super) uses: Option<u32>,
}

/// A small JSON document; an empty body is one without members.
pub(super) fn small<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, AdministrationDenial> {
    if body.is_empty() {
        return Ok(T::default());
    }
    sealstone_jose::json::check(body).map_err(|_malformed| AdministrationDenial::Body)?;
    serde_json::from_slice(body).map_err(|_malformed| AdministrationDenial::Body)
}
