//! Who asks for passkeys: an id and the origins of its pages.

use std::net::IpAddr;

/// The longest DNS name.
const MAX_ID: usize = 253;
const MAX_NAME: usize = 64;

/// The relying party: its id is the host that passkeys are bound to, its origins are where its pages come from.
///
/// # Examples
/// ```
/// # use sealstone_factors::RelyingParty;
/// let party = RelyingParty::new("login.example.org", "Example Cloud", "https://login.example.org:8443")?;
/// assert_eq!(party.id(), "login.example.org");
/// assert!(RelyingParty::new("example.org", "Example", "https://example.com").is_err());
/// # Ok::<(), sealstone_factors::RelyingPartyFault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    name: String,
    origin: String,
}

impl RelyingParty {
    /// `id` is a host name in lower case; `origin` is `https://` with that host or one below it, and its port unless
    /// it is 443. `http://localhost` will do where browsers take it, on a developer's machine.
    ///
    /// Passkeys are lost when the id changes. They work at every host below it that is named here, so that an id that
    /// others have hosts under is none to choose.
    ///
    /// # Errors
    /// [`RelyingPartyFault`].
    pub fn new(id: &str, name: &str, origin: &str) -> Result<Self, RelyingPartyFault> {
        if !is_host_name(id) {
            return Err(RelyingPartyFault::Id);
        }
        let host = host_of(origin).ok_or(RelyingPartyFault::Origin)?;
        if host != id && !host.strip_suffix(id).is_some_and(|above| above.ends_with('.')) {
            return Err(RelyingPartyFault::OtherHost);
        }
        let shown: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        Ok(Self {
            name: if shown.is_empty() { id.to_owned() } else { shown },
            id: id.to_owned(),
            origin: origin.to_owned(),
        })
    }

    /// The relying party of one origin: its host is the id.
    ///
    /// # Errors
    /// [`RelyingPartyFault`], for an address instead of a host name above all.
    pub fn of_origin(origin: &str, name: &str) -> Result<Self, RelyingPartyFault> {
        let host = host_of(origin).ok_or(RelyingPartyFault::Origin)?;
        Self::new(host, name, origin)
    }

    /// The host that passkeys are bound to.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What authenticators show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the pages come from.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// Why a relying party cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "configuration says what to do about each")]
pub enum RelyingPartyFault {
    /// Not a host name in lower case: browsers take no address.
    #[error("passkeys are bound to a host name in lower case, not to an address or a URL")]
    Id,
    /// Not an origin that browsers let use passkeys.
    #[error(
        "passkeys work at an origin such as `https://login.example.org`, without a path, and with no port 443"
    )]
    Origin,
    /// The origin's host is not the id, nor below it.
    #[error("the origin's host is neither the host that passkeys are bound to nor one below it")]
    OtherHost,
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= MAX_ID && text.parse::<IpAddr>().is_err() && text.split('.').all(label)
}

/// The host of an origin in the form in which browsers write it (RFC 6454 §6.2).
fn host_of(origin: &str) -> Option<&str> {
    let (secure, rest) = match origin.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, origin.strip_prefix("http://")?),
    };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let default = if secure { 443 } else { 80 };
    let plain = port.is_none_or(|text| {
        let number = text.parse::<u16>().ok();
        number.is_some_and(|number| number != 0 && number != default && number.to_string() == text)
    });
    let local = host == "localhost" || host.ends_with(".localhost");
    (plain && is_host_name(host) && (secure || local)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relying_party_is_a_host_name_with_pages_at_it() {
        for (id, origin) in [
            ("example.org", "https://example.org"),
            ("example.org", "https://login.example.org"),
            ("login.example.org", "https://login.example.org:8443"),
            ("localhost", "http://localhost:8080"),
            ("localhost", "https://localhost:9443"),
            ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ] {
            assert!(RelyingParty::new(id, "x", origin).is_ok(), "{id} {origin}");
        }
        for (id, origin, want) in [
            ("", "https://example.org", RelyingPartyFault::Id),
            ("127.0.0.1", "https://127.0.0.1", RelyingPartyFault::Id),
            ("::1", "https://[::1]", RelyingPartyFault::Id),
            ("Example.org", "https://example.org", RelyingPartyFault::Id),
            (
                "https://example.org",
                "https://example.org",
                RelyingPartyFault::Id,
            ),
            ("example.org.", "https://example.org.", RelyingPartyFault::Id),
            ("example.org", "http://example.org", RelyingPartyFault::Origin),
            ("example.org", "https://example.org/", RelyingPartyFault::Origin),
            (
                "example.org",
                "https://example.org:443",
                RelyingPartyFault::Origin,
            ),
            (
                "example.org",
                "https://example.org:08443",
                RelyingPartyFault::Origin,
            ),
            ("example.org", "https://u@example.org", RelyingPartyFault::Origin),
            ("example.org", "HTTPS://example.org", RelyingPartyFault::Origin),
            (
                "example.org",
                "https://evilexample.org",
                RelyingPartyFault::OtherHost,
            ),
            (
                "login.example.org",
                "https://example.org",
                RelyingPartyFault::OtherHost,
            ),
        ] {
            assert_eq!(RelyingParty::new(id, "x", origin), Err(want), "{id} {origin}");
        }
        assert_eq!(
            RelyingParty::of_origin("https://127.0.0.1:8443", "x"),
            Err(RelyingPartyFault::Origin)
        );
    }
}
