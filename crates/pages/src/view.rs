//! What each page shows, as plain text: markup in any field is shown, never read.

mod account;
mod consent;
mod device;
mod factor;
mod login;

pub use account::{AccountPage, ConsentLine, GrantLine, PasskeyLine, SessionLine};
pub use consent::{ConsentPage, ProjectLine, ScopeLine};
pub use device::{DeviceCodePage, DeviceConfirmPage, DeviceDonePage};
pub use factor::{
    CodeKind, CodePage, EnrolPage, EnrolPasskeyPage, EnrolTotpPage, Picture, RecoveryCodesPage, WaitPage,
};
pub use login::{LoginPage, SelectAccountPage};

/// Everything that a person may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the edge makes each of them, and a page more is a change of both"
)]
pub enum Page {
    /// Name and password, or another way in.
    Login(LoginPage),
    /// Whether to go on with the account that is signed in.
    SelectAccount(SelectAccountPage),
    /// A second factor: a code, a passkey, or either.
    Code(CodePage),
    /// Waiting for a confirmation on the person's own device.
    Wait(WaitPage),
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

/// A person, as the page names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// The user name.
    pub account: String,
    /// The full name, where it is known.
    pub name: Option<String>,
}

impl Person {
    /// The full name, or the user name.
    pub(crate) fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.account)
    }

    /// The user name, where the title does not say it.
    pub(crate) fn detail(&self) -> Option<&str> {
        self.name.is_some().then_some(self.account.as_str())
    }
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
    TooMany,
    /// The passkey was not accepted.
    WrongPasskey,
    /// Declined on the person's other device.
    Declined,
    /// Another person signed in than the one who was to.
    OtherPerson,
    /// No device waits with this code.
    WrongUserCode,
    /// No project was chosen.
    NoProject,
    /// The password has to be changed where it is kept.
    PasswordExpired,
    /// The factor is needed and cannot be removed.
    FactorNeeded,
}

impl Trouble {
    /// Each of them.
    pub const ALL: [Self; 10] = [
        Self::WrongPassword,
        Self::WrongCode,
        Self::TooMany,
        Self::WrongPasskey,
        Self::Declined,
        Self::OtherPerson,
        Self::WrongUserCode,
        Self::NoProject,
        Self::PasswordExpired,
        Self::FactorNeeded,
    ];
}

/// Asks whether to sign out. Posts `do` = `logout` or `stay`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogoutPage {
    /// Who is signed in.
    pub account: String,
    /// The application that asks, by its name.
    pub client: Option<String>,
}

/// Signed out, or left signed in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoggedOutPage {
    /// Whether the session ended.
    pub ended: bool,
    /// Whether all others of the person ended with it.
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
    /// The application, where it is known.
    pub client: Option<String>,
    /// For whoever develops the application: OAuth's error code.
    pub code: Option<&'static str>,
    /// For whoever develops the application: a fixed text.
    pub description: Option<&'static str>,
    /// What the person may tell whoever runs the service.
    pub request_id: String,
}

impl ErrorPage {
    pub(crate) fn for_developers(&self) -> Option<String> {
        match (self.code, self.description) {
            (Some(code), Some(description)) => Some(format!("{code}: {description}")),
            (only, None) | (None, only) => only.map(str::to_owned),
        }
    }
}

/// What a person is told. Nothing of what was sent is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each has its text")]
pub enum ErrorKind {
    /// The application's request is wrong, and there is no checked address to send the answer to.
    Request,
    /// Took too long, was sent before, or belongs to another browser.
    Expired,
    /// The page came without the cookie that it belongs to: another browser, a private window, one that was closed in
    /// between, or one that takes no cookies.
    NoCookie,
    /// The person may not do this.
    NotAllowed,
    /// The form did not come from a page of ours.
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
    pub const ALL: [Self; 10] = [
        Self::Request,
        Self::Expired,
        Self::NoCookie,
        Self::NotAllowed,
        Self::Forged,
        Self::TooMany,
        Self::Upstream,
        Self::Unavailable,
        Self::Server,
        Self::NotFound,
    ];
}
