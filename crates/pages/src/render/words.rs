//! What templates ask of texts, settings and views.

use std::borrow::Cow;

use super::Setting;
use crate::agent::Agent;
use crate::date::Moment;
use crate::texts::{Rich, Texts, emphasized, fill};
use crate::view::{ErrorKind, ScopeLine, Trouble};

impl Setting<'_> {
    pub(super) fn name(&self) -> &str {
        self.brand.name().unwrap_or(self.site)
    }

    /// The address of one of the brand's files, which changes with the file.
    pub(super) fn asset(&self, name: &str) -> String {
        let version = self.brand.asset(name).map_or("", |asset| asset.version());
        format!("{}/assets/{name}?v={version}", self.issuer_path)
    }

    pub(super) fn logo(&self) -> Option<String> {
        self.brand.logo().map(|logo| self.asset(logo.name()))
    }

    /// For dark backgrounds; the other one if there is none.
    pub(super) fn dark_logo(&self) -> Option<String> {
        self.brand.dark_logo().map(|logo| self.asset(logo.name()))
    }

    /// What the foot of each page leads to.
    pub(super) fn links(&self) -> Vec<(&str, &str)> {
        let (links, texts) = (self.brand.links(), self.texts);
        [
            (&links.support, &texts.support),
            (&links.privacy, &texts.privacy),
            (&links.imprint, &texts.imprint),
        ]
        .into_iter()
        .filter_map(|(link, text)| Some((link.as_deref()?, &**text)))
        .collect()
    }
}

impl Texts {
    /// A text with what was filled in set apart.
    pub(super) fn with(&self, text: &str, name: &str, value: &str) -> Rich {
        emphasized(text, &[(name, value)])
    }

    pub(super) fn with_client_and_account(&self, text: &str, client: &str, account: &str) -> Rich {
        emphasized(text, &[("client", client), ("account", account)])
    }

    /// As plain text, for attributes and labels.
    pub(super) fn plain(&self, text: &str, name: &str, value: &str) -> String {
        fill(text, name, value)
    }

    /// What a button does, and to what, for those who hear only buttons.
    pub(super) fn action(&self, action: &str, what: &str) -> String {
        fill(&fill(&self.account_line, "action", action), "what", what)
    }

    /// A browser or a program, by what it says of itself.
    pub(super) fn agent(&self, agent: Option<&str>) -> String {
        match agent.map(Agent::of) {
            Some(Agent::Known(browser, system)) => fill(
                &fill(&self.account_browser_on, "browser", browser),
                "system",
                system,
            ),
            Some(Agent::Other(other)) => other.to_owned(),
            None => self.account_unknown_device.clone().into_owned(),
        }
    }

    /// A text with a moment in it.
    pub(super) fn when(&self, text: &str, seconds: &u64) -> Rich {
        emphasized(text, &[]).with_moment("when", &Moment::of(*seconds))
    }

    pub(super) fn scope(&self, scope: &ScopeLine) -> Rich {
        let text = match scope {
            ScopeLine::Identity => &self.scope_identity,
            ScopeLine::Profile => &self.scope_profile,
            ScopeLine::Email => &self.scope_email,
            ScopeLine::Groups => &self.scope_groups,
            ScopeLine::Offline => &self.scope_offline,
            ScopeLine::OpenStack => &self.scope_openstack,
            ScopeLine::Other(name) => return emphasized(&self.scope_other, &[("scope", name)]),
        };
        emphasized(text, &[])
    }

    pub(super) const fn trouble(&self, trouble: &Trouble) -> &Cow<'static, str> {
        match *trouble {
            Trouble::WrongPassword => &self.trouble_password,
            Trouble::WrongCode => &self.trouble_code,
            Trouble::TooMany => &self.trouble_too_many,
            Trouble::WrongPasskey => &self.trouble_passkey,
            Trouble::Declined => &self.trouble_declined,
            Trouble::OtherPerson => &self.trouble_other_person,
            Trouble::WrongUserCode => &self.trouble_device_code,
            Trouble::NoProject => &self.trouble_project,
            Trouble::PasswordExpired => &self.trouble_password_expired,
            Trouble::FactorNeeded => &self.trouble_factor_needed,
        }
    }

    pub(super) fn error_title(&self, kind: &ErrorKind) -> &str {
        self.error(*kind).0
    }

    pub(super) fn error_text(&self, kind: &ErrorKind) -> &str {
        self.error(*kind).1
    }

    fn error(&self, kind: ErrorKind) -> (&str, &str) {
        match kind {
            ErrorKind::Request => (&self.error_request_title, &self.error_request),
            ErrorKind::Expired => (&self.error_expired_title, &self.error_expired),
            ErrorKind::NoCookie => (&self.error_cookies_title, &self.error_cookies),
            ErrorKind::NotAllowed => (&self.error_not_allowed_title, &self.error_not_allowed),
            ErrorKind::Forged => (&self.error_forged_title, &self.error_forged),
            ErrorKind::TooMany => (&self.error_many_title, &self.error_many),
            ErrorKind::Upstream => (&self.error_upstream_title, &self.error_upstream),
            ErrorKind::Unavailable => (&self.error_unavailable_title, &self.error_unavailable),
            ErrorKind::Server => (&self.error_server_title, &self.error_server),
            ErrorKind::NotFound => (&self.error_missing_title, &self.error_missing),
        }
    }
}
