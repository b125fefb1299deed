//! The pages, as plain data: what each shows, and the fields that its form sends.
//!
//! Every form goes by POST to the issuer's `/interaction` and sends [`PageForm::hidden`] back unchanged. Buttons are
//! named `do`; the value is told by each page, and the first button listed is the one that the Enter key presses. No
//! text here is markup: whoever renders it escapes it. Times are seconds since 1970.
#![expect(
    clippy::exhaustive_structs,
    clippy::exhaustive_enums,
    reason = "whoever renders a page shows all of it, and each of them"
)]

mod account;
mod device;
mod enrol;
mod fault;
mod logout;
mod sign_in;

pub use account::{AccountConsent, AccountDevice, AccountPasskey, AccountSession, AccountView};
pub use device::{DeviceConfirmView, DeviceDoneView, DeviceEnterView};
pub use enrol::{EnrolChoiceView, EnrolPasskeyView, EnrolTotpView, RecoveryCodesView};
pub use fault::{Fault, PageError, PageErrorKind};
pub use logout::{LoggedOutView, LogoutView};
pub use sign_in::{
    CodeKind, CodeView, ConsentScope, ConsentView, LoginView, ProjectChoice, SelectAccountView, WaitView,
};

use sealstone_oauth_types::Secret;

/// A page.
#[derive(Debug)]
pub enum View {
    /// User name and password, a passkey, or the way to the upstream provider.
    Login(LoginView),
    /// A code of a second factor, or a passkey.
    Code(CodeView),
    /// The person is to confirm on another device: the page asks again by itself.
    Wait(WaitView),
    /// Which second factor to set up.
    EnrolChoice(EnrolChoiceView),
    /// Setting up an authenticator app.
    EnrolTotp(EnrolTotpView),
    /// Recovery codes, shown this once.
    RecoveryCodes(RecoveryCodesView),
    /// Setting up a passkey.
    EnrolPasskey(EnrolPasskeyView),
    /// Go on as the person who is signed in, or as another.
    SelectAccount(SelectAccountView),
    /// What the client will be allowed, and in which project.
    Consent(ConsentView),
    /// Where to type the code that a device shows.
    DeviceEnter(DeviceEnterView),
    /// Which device and which client ask, before anything is allowed.
    DeviceConfirm(DeviceConfirmView),
    /// The device may go on, or not.
    DeviceDone(DeviceDoneView),
    /// What the person has: sessions, devices, consents, factors.
    Account(AccountView),
    /// Whether to sign out.
    Logout(LogoutView),
    /// Signed out.
    LoggedOut(LoggedOutView),
    /// The request can't go on, and nobody is told but the person.
    Error(PageError),
}

impl View {
    /// The HTTP status of the page.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Error(error) => error.kind.status(),
            Self::Login(_)
            | Self::Code(_)
            | Self::Wait(_)
            | Self::EnrolChoice(_)
            | Self::EnrolTotp(_)
            | Self::RecoveryCodes(_)
            | Self::EnrolPasskey(_)
            | Self::SelectAccount(_)
            | Self::Consent(_)
            | Self::DeviceEnter(_)
            | Self::DeviceConfirm(_)
            | Self::DeviceDone(_)
            | Self::Account(_)
            | Self::Logout(_)
            | Self::LoggedOut(_) => 200,
        }
    }
}

/// What every form sends back unchanged.
#[derive(Debug, Clone)]
pub struct PageForm {
    /// Where the form goes, behind the issuer's address: `/interaction`.
    pub action: &'static str,
    /// Hidden fields, names and values: which interaction this is, and the anti-forgery token. The values are secret.
    pub hidden: Vec<(&'static str, Secret)>,
}

/// The client that a page is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientView {
    /// Its registered name.
    pub name: String,
    /// Its registered home page, `https`.
    pub uri: Option<String>,
    /// The host that the person goes back to: where a name can lie, this can't.
    pub host: Option<String>,
}

/// The person that a page is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonView {
    /// The user name.
    pub user_name: String,
    /// The full name, where it is known.
    pub full_name: Option<String>,
}

/// A question to the browser's authenticator (WebAuthn): given to the page's script, which puts the answer as JSON into
/// the field `credential` and sends the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyQuestion {
    /// `PublicKeyCredentialRequestOptionsJSON` or `PublicKeyCredentialCreationOptionsJSON`, as JSON text.
    pub options: String,
}
