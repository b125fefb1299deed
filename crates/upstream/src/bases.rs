//! The addresses of one provider: what it calls itself, where browsers find it, where we do.

use http::{Uri, uri::Scheme};

use crate::{ConfigError, error::FaultKind};

/// `scheme://authority[/path]`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base(String);

impl Base {
    pub(crate) fn parse(text: &str, name: &'static str) -> Result<Self, ConfigError> {
        let uri: Uri = text.parse().map_err(|_not_a_uri| ConfigError::Url(name))?;
        let odd = uri.query().is_some() || text.contains(['#', '@', '\\', '%']) || text.contains("..");
        let web = uri.scheme() == Some(&Scheme::HTTPS) || uri.scheme() == Some(&Scheme::HTTP);
        let host = uri.host().is_some_and(|host| !host.is_empty());
        if !web || !host || odd {
            return Err(ConfigError::Url(name));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows this base in an address below it.
    fn rest<'a>(&self, url: &'a str) -> Option<&'a str> {
        let rest = url.strip_prefix(self.0.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }
}

/// All three.
#[derive(Debug, Clone)]
pub(crate) struct Bases {
    pub(crate) issuer: Base,
    pub(crate) browser: Base,
    pub(crate) back_channel: Base,
}

impl Bases {
    /// Where a browser finds what the provider says is at `url`.
    pub(crate) fn for_browsers(&self, url: &str, name: &'static str) -> Result<String, FaultKind> {
        self.below(url, &self.browser, name)
    }

    /// Where we find it.
    pub(crate) fn for_us(&self, url: &str, name: &'static str) -> Result<String, FaultKind> {
        self.below(url, &self.back_channel, name)
    }

    /// A provider names its addresses by whatever name it was asked under: each of the three stands for the others.
    ///
    /// One elsewhere is taken only where nothing is kept apart: an address of its own choosing would else leave the
    /// network that it shall stay in.
    fn below(&self, url: &str, wanted: &Base, name: &'static str) -> Result<String, FaultKind> {
        let elsewhere = FaultKind::Elsewhere(name);
        let uri: Uri = url.parse().map_err(|_not_a_uri| elsewhere)?;
        if url.contains(['#', '@', '\\']) || url.contains("..") || uri.host().is_none_or(str::is_empty) {
            return Err(elsewhere);
        }
        let all = [&self.back_channel, &self.browser, &self.issuer];
        if let Some(rest) = all.iter().find_map(|base| base.rest(url)) {
            return Ok(format!("{}{rest}", wanted.as_str()));
        }
        let is_one = self.issuer == self.browser && self.issuer == self.back_channel;
        if is_one && uri.scheme() == Some(&Scheme::HTTPS) {
            Ok(url.to_owned())
        } else {
            Err(elsewhere)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Base {
        Base::parse(text, "issuer").unwrap()
    }

    #[test]
    fn each_side_sees_its_own_host() {
        let bases = Bases {
            issuer: base("https://login.example/idp"),
            browser: base("https://login.example/idp"),
            back_channel: base("https://authelia.internal:9091"),
        };
        for (said, browser, ours) in [
            (
                "https://login.example/idp/auth",
                "https://login.example/idp/auth",
                "https://authelia.internal:9091/auth",
            ),
            (
                "https://authelia.internal:9091/token?x=1",
                "https://login.example/idp/token?x=1",
                "https://authelia.internal:9091/token?x=1",
            ),
        ] {
            assert_eq!(bases.for_browsers(said, "x").unwrap(), browser);
            assert_eq!(bases.for_us(said, "x").unwrap(), ours);
        }
        for elsewhere in [
            "https://login.example/other",
            "https://login.example/idpx",
            "https://login.example.evil.test/idp/token",
            "https://authelia.internal:9091.evil.test/token",
            "https://authelia.internal:90911/token",
            "https://login.example/idp@evil.test/",
            "https://login.example/idp/../../token",
            "http://login.example/idp/token",
            "http://169.254.169.254/latest",
            "/token",
            "",
        ] {
            let want = Err(FaultKind::Elsewhere("x"));
            assert_eq!(bases.for_us(elsewhere, "x"), want, "{elsewhere}");
            assert_eq!(bases.for_browsers(elsewhere, "x"), want, "{elsewhere}");
        }
    }

    #[test]
    fn one_address_for_all_may_send_elsewhere_by_https_alone() {
        let one = base("https://accounts.example");
        let bases = Bases {
            issuer: one.clone(),
            browser: one.clone(),
            back_channel: one,
        };
        let token = "https://oauth2.example/token";
        assert_eq!(bases.for_us(token, "x").unwrap(), token);
        assert!(bases.for_us("http://oauth2.example/token", "x").is_err());
        assert!(bases.for_us("file:///etc/passwd", "x").is_err());
    }
}
