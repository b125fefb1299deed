use askama::Template;

use super::Setting;
use crate::date::Moment;
use crate::texts::Texts;
use crate::view::{
    AccountPage, CodePage, ConsentPage, DeviceCodePage, DeviceConfirmPage, DeviceDonePage, EnrolPage,
    EnrolPasskeyPage, EnrolTotpPage, ErrorPage, FormPostPage, LoggedOutPage, LoginPage, LogoutPage, Page,
    RecoveryCodesPage, SelectAccountPage, WaitPage,
};

/// The one script within a page. Its hash is part of the content security policy.
pub(super) const FORM_POST: &str = "document.forms[0].submit()";

/// A template with its own name: `s` is where it is shown, `t` the texts, `v` the page.
macro_rules! templates {
    ($($name:ident, $page:ty, $path:tt;)*) => {
        $(
            #[derive(Template)]
            #[template(path = $path, whitespace = "minimize")]
            struct $name<'a> {
                s: &'a Setting<'a>,
                t: &'a Texts,
                v: &'a $page,
            }
        )*
    };
}

templates! {
    Login, LoginPage, "login.html";
    SelectAccount, SelectAccountPage, "select_account.html";
    Code, CodePage, "code.html";
    Wait, WaitPage, "wait.html";
    Enrol, EnrolPage, "enrol.html";
    EnrolTotp, EnrolTotpPage, "enrol_totp.html";
    EnrolPasskey, EnrolPasskeyPage, "enrol_passkey.html";
    RecoveryCodes, RecoveryCodesPage, "recovery_codes.html";
    Consent, ConsentPage, "consent.html";
    DeviceCode, DeviceCodePage, "device_code.html";
    DeviceConfirm, DeviceConfirmPage, "device_confirm.html";
    DeviceDone, DeviceDonePage, "device_done.html";
    Account, AccountPage, "account.html";
    Logout, LogoutPage, "logout.html";
    LoggedOut, LoggedOutPage, "logged_out.html";
    FormPost, FormPostPage, "form_post.html";
    Error, ErrorPage, "error.html";
}

/// The document of a page.
pub(super) fn html(page: &Page, s: &Setting<'_>) -> askama::Result<String> {
    let t = s.texts;
    match page {
        Page::Login(v) => Login { s, t, v }.render(),
        Page::SelectAccount(v) => SelectAccount { s, t, v }.render(),
        Page::Code(v) => Code { s, t, v }.render(),
        Page::Wait(v) => Wait { s, t, v }.render(),
        Page::Enrol(v) => Enrol { s, t, v }.render(),
        Page::EnrolTotp(v) => EnrolTotp { s, t, v }.render(),
        Page::EnrolPasskey(v) => EnrolPasskey { s, t, v }.render(),
        Page::RecoveryCodes(v) => RecoveryCodes { s, t, v }.render(),
        Page::Consent(v) => Consent { s, t, v }.render(),
        Page::DeviceCode(v) => DeviceCode { s, t, v }.render(),
        Page::DeviceConfirm(v) => DeviceConfirm { s, t, v }.render(),
        Page::DeviceDone(v) => DeviceDone { s, t, v }.render(),
        Page::Account(v) => Account { s, t, v }.render(),
        Page::Logout(v) => Logout { s, t, v }.render(),
        Page::LoggedOut(v) => LoggedOut { s, t, v }.render(),
        Page::FormPost(v) => FormPost { s, t, v }.render(),
        Page::Error(v) => Error { s, t, v }.render(),
    }
}
