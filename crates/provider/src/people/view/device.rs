use super::{ClientView, ConsentScope, Fault, PageForm, PersonView, ProjectChoice};

/// Where to type the code that a device shows.
///
/// Fields: `user_code`. Buttons `do`: `user_code`.
#[derive(Debug)]
pub struct DeviceEnterView {
    /// What the form sends back.
    pub form: PageForm,
    /// What to put into the field.
    pub user_code: Option<String>,
    /// What went wrong the last time.
    pub fault: Option<Fault>,
}

/// Which device and which client ask. The page warns: only who has the device at hand and started this there goes on.
///
/// Fields: `project` (one of [`projects`](Self::projects) by id), if there are any.
/// Buttons `do`: `allow` (not pressed by the Enter key), `deny`.
#[derive(Debug)]
pub struct DeviceConfirmView {
    /// What the form sends back.
    pub form: PageForm,
    /// The client that asks.
    pub client: ClientView,
    /// Who is asked.
    pub person: PersonView,
    /// The code, to compare with the device's screen: `XXXX-XXXX`.
    pub user_code: String,
    /// The address that the device asked from.
    pub address: Option<String>,
    /// What the device says it is.
    pub agent: Option<String>,
    /// When it asked.
    pub asked_at: u64,
    /// What for.
    pub scopes: Vec<ConsentScope>,
    /// For `openstack:api`: where the person may act. Exactly one is chosen.
    pub projects: Vec<ProjectChoice>,
    /// What went wrong the last time.
    pub fault: Option<Fault>,
}

/// The end: the person goes back to the device.
#[derive(Debug)]
pub struct DeviceDoneView {
    /// Whether the device may go on.
    pub allowed: bool,
    /// The client on it.
    pub client: ClientView,
}
