//! What each page shows, as plain text: markup in any field is shown, never read.

mod account;
mod consent;
mod device;
mod factor;
mod login;

pub use account::{AccountPage, ConsentLine, GrantLine, Notice, PasskeyLine, SessionLine};
pub use consent::{ConsentPage, ProjectLine, ScopeLine};
pub use device::{DeviceCodePage, DeviceConfirmPage, DeviceDonePage};
pub use factor::{
    CodeKind, CodePage, EnrolPage, EnrolPasskeyPage, EnrolTotpPage, FactorKind, PasskeyPage, PushPage,
    RecoveryCodesPage,
};
pub use login::{AccountLine, LoginPage, SelectAccountPage, Upstream};

/// Everything that a person may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the edge makes each of them, and a page more is a change of both"
)]
pub enum Page {
    /// Name and password, or another way in.
    Login(LoginPage),
    /// With which of the accounts that are signed in here.
    SelectAccount(SelectAccountPage),
    /// A code as second factor.
    Code(CodePage),
    /// Waiting for a confirmation on the person's own device.
    Push(PushPage),
    /// A passkey as second factor.
    Passkey(PasskeyPage),
    /// Which second factor to set up.
    Enrol(EnrolPage),
    /// Setting up an authenticator app.
    EnrolTotp(EnrolTotpPage),
    /// Setting up a passkey.
    EnrolPasskey(EnrolPasskeyPage),
    /// Recovery codes, shown once.
    RecoveryCodes(RecoveryCodesPage),
    /// What an application would get.
    Consent(ConsentPage),
    /// Asks for the code that a device shows.
    DeviceCode(DeviceCodePage),
    /// Whether this device and application are meant.
    DeviceConfirm(DeviceConfirmPage),
    /// The device goes on by itself.
    DeviceDone(DeviceDonePage),
    /// Sessions, applications and factors of the person.
    Account(AccountPage),
    /// Whether to sign out.
    Logout(LogoutPage),
    /// Signed out.
    LoggedOut(LoggedOutPage),
    /// An answer that the browser posts to the application (OAuth 2.0 Form Post Response Mode).
    FormPost(FormPostPage),
    /// Nothing can be done here.
    Error(ErrorPage),
}

/// What went wrong with what the person sent; the page is shown again with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each has its text")]
pub enum Trouble {
    /// Wrong name or password: which of them is not said.
    WrongPassword,
    /// A wrong code, or one that was used before.
    WrongCode,
    /// Too many attempts.
    TooMany {
        /// Seconds to wait.
        wait_s: u64,
    },
    /// The passkey was not accepted, or the browser ended the dialogue.
    WrongPasskey,
    /// Declined on the person's device.
    Declined,
    /// What judges the password or the code cannot be reached.
    Unavailable,
    /// The upstream provider refused, or the person went back.
    Upstream,
    /// No project was chosen.
    NoProject,
    /// No device waits with this code.
    WrongUserCode,
    /// A field was left empty or cannot be read.
    Unreadable,
}

/// Asks whether to sign out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogoutPage {
    /// Who is signed in.
    pub account: String,
    /// The application that asks, by its name.
    pub client: Option<String>,
}

/// Signed out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoggedOutPage {
    /// Every session of the person was ended, not only this browser's.
    pub everywhere: bool,
}

/// A form that goes to the application by itself, or by its button where scripts are off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormPostPage {
    /// The application's registered redirect URI.
    pub action: String,
    /// Names and values, in order.
    pub fields: Vec<(String, String)>,
}

/// A fault that no redirect may carry, or that leaves nowhere to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// What it was.
    pub kind: ErrorKind,
    /// What the person may tell whoever runs the service.
    pub request_id: String,
}

/// What a person is told. Nothing of what was sent is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each has its text")]
pub enum ErrorKind {
    /// No such application, or it is switched off.
    UnknownClient,
    /// The application's address for the answer is not registered.
    RedirectUri,
    /// The request cannot be understood.
    BadRequest,
    /// Took too long, was finished before, or belongs to another browser.
    Expired,
    /// The browser keeps no cookies.
    NoCookies,
    /// The form did not come from our page.
    Forged,
    /// Too many requests.
    TooMany,
    /// The upstream provider failed.
    Upstream,
    /// Something that is needed cannot be reached.
    Unavailable,
    /// A fault of ours.
    Server,
    /// No such page.
    NotFound,
}

impl ErrorKind {
    /// Each of them.
    pub const ALL: [Self; 11] = [
        Self::UnknownClient,
        Self::RedirectUri,
        Self::BadRequest,
        Self::Expired,
        Self::NoCookies,
        Self::Forged,
        Self::TooMany,
        Self::Upstream,
        Self::Unavailable,
        Self::Server,
        Self::NotFound,
    ];
}
