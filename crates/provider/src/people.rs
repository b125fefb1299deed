//! People in the browser: the flows that need one, over ports of their own.

mod account;
mod authorize;
mod broker;
mod browser;
mod changed;
mod config;
mod device;
mod device_authorization;
mod error;
mod face;
mod inspect;
mod interaction;
mod logout;
mod notices;
mod persons;
mod ports;
mod sessions;
mod sign_in;
mod subject;
pub(crate) mod token;
mod turn;
mod underway;
mod userinfo;
mod view;
mod visit;

pub use broker::{AbsentEndpoint, ProfileRefusal};
pub use browser::{BrowserAnswer, BrowserContent, BrowserContext, FormPost, SessionCookie};
pub use config::{PeopleConfig, Profile};
pub use error::{BrowserError, UserinfoError};
pub use ports::{LogoutSendError, LogoutSender, PeoplePorts, Realm};
pub use userinfo::Userinfo;
pub use view::{
    AccountConsent, AccountDevice, AccountPasskey, AccountSession, AccountView, ClientView, CodeKind,
    CodeView, ConsentScope, ConsentView, DeviceConfirmView, DeviceDoneView, DeviceEnterView, EnrolChoiceView,
    EnrolPasskeyView, EnrolTotpView, Fault, LoggedOutView, LoginView, LogoutView, PageError, PageErrorKind,
    PageForm, PasskeyQuestion, PersonView, ProjectChoice, RecoveryCodesView, SelectAccountView, View,
    WaitView,
};
