//! From the provider's views to pages: the same words under other names, and nothing decided.

use sealstone_oauth_types::Secret;
use sealstone_pages::{
    CodePage, ConsentPage, DeviceCodePage, DeviceConfirmPage, DeviceDonePage, EnrolPage, EnrolPasskeyPage,
    EnrolTotpPage, ErrorKind, ErrorPage, Form, LoggedOutPage, LoginPage, LogoutPage, Page, Picture,
    RecoveryCodesPage, SelectAccountPage, Trouble, WaitPage,
};
use sealstone_provider::people::{
    ClientView, CodeKind, CodeView, ConsentView, DeviceConfirmView, EnrolTotpView, Fault, LoginView,
    PageError, PageErrorKind, PageForm, PersonView, View, WaitView,
};

use super::{Typed, lines};

/// What the address of a waiting page has for those who type a code instead.
pub(super) const TYPING: &str = "typing=1";

/// The page of a view, and what its forms post.
pub(super) fn of(view: View, issuer_path: &str, typing: bool, typed: &Typed) -> (Page, Form) {
    let target = |form: &PageForm| Form {
        action: format!("{issuer_path}{}", form.action),
        hidden: form
            .hidden
            .iter()
            .map(|(name, value)| ((*name).to_owned(), text(value)))
            .collect(),
    };
    match view {
        View::Login(view) => (login(&view, typed), target(&view.form)),
        View::Code(view) => (code(&view), target(&view.form)),
        View::Wait(view) => (wait(&view, issuer_path, typing), target(&view.form)),
        View::EnrolChoice(view) => {
            let page = EnrolPage {
                account: view.person.user_name,
                totp: view.offers_totp,
                passkey: view.offers_passkey,
                may_skip: view.may_skip,
            };
            (Page::Enrol(page), target(&view.form))
        }
        View::EnrolTotp(view) => (enrol_totp(&view), target(&view.form)),
        View::RecoveryCodes(view) => {
            let codes = view.codes.iter().map(text).collect();
            (
                Page::RecoveryCodes(RecoveryCodesPage { codes }),
                target(&view.form),
            )
        }
        View::EnrolPasskey(view) => {
            let page = EnrolPasskeyPage {
                account: view.person.user_name,
                options: view.passkey.options,
                trouble: trouble(view.fault),
            };
            (Page::EnrolPasskey(page), target(&view.form))
        }
        View::SelectAccount(view) => {
            let page = SelectAccountPage {
                client: client_name(view.client.as_ref()),
                person: person(&view.person),
            };
            (Page::SelectAccount(page), target(&view.form))
        }
        View::Consent(view) => (consent(&view), target(&view.form)),
        View::DeviceEnter(view) => {
            let page = DeviceCodePage {
                user_code: view
                    .user_code
                    .or_else(|| typed.user_code.clone())
                    .unwrap_or_default(),
                trouble: trouble(view.fault),
            };
            (Page::DeviceCode(page), target(&view.form))
        }
        View::DeviceConfirm(view) => (device_confirm(&view), target(&view.form)),
        View::DeviceDone(view) => {
            let page = DeviceDonePage {
                client: view.client.name,
                allowed: view.allowed,
            };
            (Page::DeviceDone(page), Form::default())
        }
        View::Account(view) => (lines::account(&view), target(&view.form)),
        View::Logout(view) => {
            let page = LogoutPage {
                account: view.person.user_name,
                client: client_name(view.client.as_ref()),
            };
            (Page::Logout(page), target(&view.form))
        }
        View::LoggedOut(view) => (
            Page::LoggedOut(LoggedOutPage {
                ended: view.ended,
                everywhere: view.everywhere,
            }),
            Form::default(),
        ),
        View::Error(error) => (Page::Error(fault(error)), Form::default()),
    }
}

fn login(view: &LoginView, typed: &Typed) -> Page {
    // What the person typed stands in its field again, whoever was expected; there is no field for one who is known.
    let typed = typed.user_name.as_ref().filter(|_| !view.is_same_person);
    let name = typed.or(view.user_name.as_ref());
    Page::Login(LoginPage {
        client: client_name(view.client.as_ref()),
        user_name: name.cloned().unwrap_or_default(),
        again: view.is_same_person,
        password: view.asks_password,
        passkey: view.passkey.as_ref().map(|question| question.options.clone()),
        upstream: view.upstream.clone(),
        trouble: trouble(view.fault),
        can_cancel: view.may_cancel,
    })
}

fn code(view: &CodeView) -> Page {
    let kind = |kind: &CodeKind| match kind {
        CodeKind::Totp => sealstone_pages::CodeKind::Totp,
        CodeKind::Recovery => sealstone_pages::CodeKind::Recovery,
        CodeKind::Source | CodeKind::Authority => sealstone_pages::CodeKind::Other,
    };
    Page::Code(CodePage {
        account: view.person.user_name.clone(),
        client: client_name(view.client.as_ref()),
        kinds: view.kinds.iter().map(kind).collect(),
        message: view.message.clone(),
        passkey: view.passkey.as_ref().map(|question| question.options.clone()),
        trouble: trouble(view.fault),
    })
}

fn wait(view: &WaitView, issuer_path: &str, typing: bool) -> Page {
    let address = format!("{issuer_path}{}", view.path);
    let mark = if view.path.contains('?') { '&' } else { '?' };
    Page::Wait(WaitPage {
        account: view.person.user_name.clone(),
        client: client_name(view.client.as_ref()),
        message: view.message.clone(),
        refresh_s: view.refresh_s,
        typing_address: view.takes_code.then(|| format!("{address}{mark}{TYPING}")),
        address,
        typing: view.takes_code && (typing || view.fault == Some(Fault::WrongCode)),
        trouble: trouble(view.fault),
    })
}

fn enrol_totp(view: &EnrolTotpView) -> Page {
    Page::EnrolTotp(EnrolTotpPage {
        account: view.person.user_name.clone(),
        secret: grouped(view.secret.expose()),
        uri: text(&view.uri),
        picture: Picture {
            side: view.qr.0,
            path: text(&view.qr.1),
        },
        trouble: trouble(view.fault),
    })
}

/// In groups of four, as people type.
fn grouped(secret: &str) -> String {
    let mut text = String::with_capacity(secret.len().saturating_mul(2));
    for (index, character) in secret.chars().filter(|character| *character != ' ').enumerate() {
        if index > 0 && index.is_multiple_of(4) {
            text.push(' ');
        }
        text.push(character);
    }
    text
}

fn consent(view: &ConsentView) -> Page {
    Page::Consent(ConsentPage {
        client: view.client.name.clone(),
        client_uri: view.client.uri.clone(),
        account: view.person.user_name.clone(),
        scopes: view.scopes.iter().map(lines::scope).collect(),
        resources: view.resources.clone(),
        projects: view.projects.iter().map(lines::project).collect(),
        destination: view.client.host.clone(),
        trouble: trouble(view.fault),
    })
}

fn device_confirm(view: &DeviceConfirmView) -> Page {
    Page::DeviceConfirm(DeviceConfirmPage {
        client: view.client.name.clone(),
        account: view.person.user_name.clone(),
        user_code: view.user_code.clone(),
        address: view.address.clone(),
        device: view.agent.clone(),
        asked_at: view.asked_at,
        scopes: view.scopes.iter().map(lines::scope).collect(),
        projects: view.projects.iter().map(lines::project).collect(),
        trouble: trouble(view.fault),
    })
}

fn fault(error: PageError) -> ErrorPage {
    ErrorPage {
        kind: match error.kind {
            PageErrorKind::Request => ErrorKind::Request,
            PageErrorKind::Expired => ErrorKind::Expired,
            PageErrorKind::NoCookie => ErrorKind::NoCookie,
            PageErrorKind::NotAllowed => ErrorKind::NotAllowed,
            PageErrorKind::TooMany => ErrorKind::TooMany,
            PageErrorKind::Upstream | PageErrorKind::UpstreamRefused => ErrorKind::Upstream,
            PageErrorKind::Unavailable => ErrorKind::Unavailable,
        },
        client: error.client,
        code: error.code,
        description: error.description,
        request_id: error.request_id,
    }
}

pub(super) fn trouble(fault: Option<Fault>) -> Option<Trouble> {
    Some(match fault? {
        Fault::WrongPassword => Trouble::WrongPassword,
        Fault::WrongCode => Trouble::WrongCode,
        Fault::TooManyAttempts => Trouble::TooMany,
        Fault::WrongPasskey => Trouble::WrongPasskey,
        Fault::Declined => Trouble::Declined,
        Fault::OtherPerson => Trouble::OtherPerson,
        Fault::UnknownUserCode => Trouble::WrongUserCode,
        Fault::NoProject => Trouble::NoProject,
        Fault::PasswordExpired => Trouble::PasswordExpired,
        Fault::FactorDemanded => Trouble::FactorNeeded,
    })
}

pub(super) fn person(view: &PersonView) -> sealstone_pages::Person {
    sealstone_pages::Person {
        account: view.user_name.clone(),
        name: view.full_name.clone(),
    }
}

fn client_name(client: Option<&ClientView>) -> Option<String> {
    client.map(|client| client.name.clone())
}

fn text(secret: &Secret) -> String {
    secret.expose().to_owned()
}
