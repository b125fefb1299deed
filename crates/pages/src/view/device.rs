use super::consent::lacks_project;
use super::{ProjectLine, ScopeLine, Trouble};

/// Asks for the code that a device shows. Posts `do` = `user_code` with `user_code`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceCodePage {
    /// What stands in the field: from the link, or what was typed before.
    pub user_code: String,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
}

/// Whether this device and application are meant. Posts `do` = `allow` with `project`, or `deny`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceConfirmPage {
    /// The application, by its name.
    pub client: String,
    /// Who would allow it.
    pub account: String,
    /// The code, to be compared with what the device shows.
    pub user_code: String,
    /// The address that asked.
    pub address: Option<String>,
    /// What asked, by its own words (`User-Agent`).
    pub device: Option<String>,
    /// When it asked, in seconds since 1970.
    pub asked_at: u64,
    /// What is asked for.
    pub scopes: Vec<ScopeLine>,
    /// Where the person may act, if the application asks for OpenStack.
    pub projects: Vec<ProjectLine>,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
}

impl DeviceConfirmPage {
    pub(crate) fn lacks_project(&self) -> bool {
        lacks_project(&self.scopes, &self.projects)
    }
}

/// The device goes on by itself, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceDonePage {
    /// The application, by its name.
    pub client: String,
    /// Whether it was allowed.
    pub allowed: bool,
}
