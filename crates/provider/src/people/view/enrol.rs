use super::{ClientView, Fault, PageForm, PasskeyQuestion, PersonView};
use sealstone_oauth_types::Secret;

/// Which second factor to set up.
///
/// Buttons `do`: `totp` and `passkey`, as far as they are offered, `later` if [`may_skip`](Self::may_skip), `cancel`.
#[derive(Debug)]
pub struct EnrolChoiceView {
    /// What the form sends back.
    pub form: PageForm,
    /// Who asks; `None` on the way from the account page.
    pub client: Option<ClientView>,
    /// Who sets it up.
    pub person: PersonView,
    /// Whether an authenticator app is offered.
    pub offers_totp: bool,
    /// Whether a passkey is offered.
    pub offers_passkey: bool,
    /// Whether it can be left for later.
    pub may_skip: bool,
}

/// Setting up an authenticator app: it counts once a code of it was right.
///
/// Fields: `code`. Buttons `do`: `confirm` (first), `back`.
#[derive(Debug)]
pub struct EnrolTotpView {
    /// What the form sends back.
    pub form: PageForm,
    /// Who asks; `None` on the way from the account page.
    pub client: Option<ClientView>,
    /// Who sets it up.
    pub person: PersonView,
    /// The `otpauth://` address: a link for apps on the same device.
    pub uri: Secret,
    /// The same as a QR code: the modules of its side, and the `d` of the one SVG path of its dark ones.
    pub qr: (u32, Secret),
    /// The secret to type, in base32.
    pub secret: Secret,
    /// What went wrong the last time.
    pub fault: Option<Fault>,
}

/// Recovery codes, shown this once.
///
/// Buttons `do`: `continue`.
#[derive(Debug)]
pub struct RecoveryCodesView {
    /// What the form sends back.
    pub form: PageForm,
    /// Who sets it up.
    pub person: PersonView,
    /// The codes.
    pub codes: Vec<Secret>,
}

/// Setting up a passkey: needs the page's script.
///
/// Fields: `credential` (filled by the script), `name` (what the person calls it).
/// Buttons `do`: `confirm` (pressed by the script), `back`.
#[derive(Debug)]
pub struct EnrolPasskeyView {
    /// What the form sends back.
    pub form: PageForm,
    /// Who asks; `None` on the way from the account page.
    pub client: Option<ClientView>,
    /// Who sets it up.
    pub person: PersonView,
    /// The question to the browser.
    pub passkey: PasskeyQuestion,
    /// What went wrong the last time.
    pub fault: Option<Fault>,
}
