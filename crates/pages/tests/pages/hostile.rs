//! Markup in every field of every page: it is shown, and never read.

use sealstone_pages::{
    AccountPage, Brand, CodeKind, CodePage, ConsentLine, ConsentPage, DeviceCodePage, DeviceConfirmPage,
    DeviceDonePage, EnrolPage, EnrolPasskeyPage, EnrolTotpPage, ErrorKind, ErrorPage, Form, FormPostPage,
    GrantLine, LoginPage, LogoutPage, Page, PasskeyLine, Person, Picture, ProjectLine, RecoveryCodesPage,
    ScopeLine, SelectAccountPage, SessionLine, Setting, Trouble, WaitPage, render,
};

use crate::document::Document;

const HOSTILE: &[&str] = &[
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "</title></textarea></style><svg onload=alert(1)>",
    "{client}{account}{when}{{7*7}}",
    "&lt;script&gt;&#60;script&#62;",
    "javascript:alert(1)",
    "--><!--",
    "\u{202e}gnp.exe\u{2066}\u{200b}",
];

/// Every field that is text holds `m`.
#[expect(clippy::too_many_lines, reason = "one list of all pages")]
fn pages(m: &str) -> Vec<Page> {
    let text = || m.to_owned();
    let some = || Some(m.to_owned());
    let person = || Person {
        account: text(),
        name: some(),
    };
    let scopes = || vec![ScopeLine::OpenStack, ScopeLine::Other(text())];
    let projects = || {
        vec![ProjectLine {
            id: text(),
            name: text(),
            domain: text(),
            roles: vec![text(), text()],
            chosen: true,
        }]
    };
    vec![
        Page::Login(LoginPage {
            client: some(),
            user_name: text(),
            again: false,
            password: true,
            passkey: some(),
            upstream: some(),
            trouble: Some(Trouble::WrongPassword),
            can_cancel: true,
        }),
        Page::Login(LoginPage {
            client: some(),
            user_name: text(),
            again: true,
            password: true,
            ..LoginPage::default()
        }),
        Page::SelectAccount(SelectAccountPage {
            client: some(),
            person: person(),
        }),
        Page::Code(CodePage {
            account: text(),
            client: some(),
            kinds: vec![CodeKind::Totp, CodeKind::Recovery, CodeKind::Other],
            message: some(),
            passkey: some(),
            trouble: Some(Trouble::WrongCode),
        }),
        Page::Wait(WaitPage {
            account: text(),
            client: some(),
            message: some(),
            refresh_s: 3,
            address: text(),
            typing_address: some(),
            typing: false,
            trouble: None,
        }),
        Page::Enrol(EnrolPage {
            account: text(),
            totp: true,
            passkey: true,
            may_skip: true,
        }),
        Page::EnrolTotp(EnrolTotpPage {
            account: text(),
            secret: text(),
            uri: text(),
            picture: Picture {
                side: 53,
                path: text(),
            },
            trouble: None,
        }),
        Page::EnrolPasskey(EnrolPasskeyPage {
            account: text(),
            options: text(),
            trouble: None,
        }),
        Page::RecoveryCodes(RecoveryCodesPage { codes: vec![text()] }),
        Page::Consent(ConsentPage {
            client: text(),
            client_uri: some(),
            account: text(),
            scopes: scopes(),
            resources: vec![text()],
            projects: projects(),
            destination: some(),
            trouble: Some(Trouble::NoProject),
        }),
        Page::DeviceCode(DeviceCodePage {
            user_code: text(),
            trouble: Some(Trouble::WrongUserCode),
        }),
        Page::DeviceConfirm(DeviceConfirmPage {
            client: text(),
            account: text(),
            user_code: text(),
            address: some(),
            device: some(),
            asked_at: u64::MAX,
            scopes: scopes(),
            projects: projects(),
            trouble: None,
        }),
        Page::DeviceDone(DeviceDonePage {
            client: text(),
            allowed: true,
        }),
        Page::Account(AccountPage {
            person: person(),
            email: some(),
            sessions: vec![SessionLine {
                id: text(),
                device: some(),
                ..SessionLine::default()
            }],
            grants: vec![GrantLine {
                id: text(),
                client: text(),
                scopes: scopes(),
                project: some(),
                ..GrantLine::default()
            }],
            consents: vec![ConsentLine {
                id: text(),
                client: text(),
                scopes: scopes(),
                project: some(),
                since: 0,
            }],
            takes_totp: true,
            takes_passkey: true,
            passkeys: vec![PasskeyLine {
                id: text(),
                name: text(),
                since: 0,
                last_used_at: Some(0),
            }],
            totp_since: Some(0),
            recovery_codes_left: Some(0),
            trouble: None,
        }),
        Page::Logout(LogoutPage {
            account: text(),
            client: some(),
        }),
        Page::FormPost(FormPostPage {
            action: "https://app.example/cb".to_owned(),
            fields: vec![("state".to_owned(), text())],
        }),
        Page::Error(ErrorPage {
            kind: ErrorKind::Request,
            client: some(),
            code: None,
            description: None,
            request_id: text(),
        }),
    ]
}

/// The elements of a page and the names of their attributes.
fn bones(html: &str) -> Vec<(String, Vec<String>)> {
    let document = Document::parse(html);
    let names = |attributes: &[(String, String)]| attributes.iter().map(|(name, _)| name.clone()).collect();
    document
        .elements()
        .map(|element| (element.name.clone(), names(&element.attributes)))
        .collect()
}

fn written(page: &Page, site: &str, form: &Form) -> String {
    let brand = Brand::plain();
    let setting = Setting {
        brand: &brand,
        texts: brand.texts(&[]),
        site,
        issuer_path: "/v4/oauth2/demo",
        form,
    };
    render(page, &setting).unwrap().html
}

#[test]
fn g32_markup_in_any_field_changes_no_element_and_no_attribute() {
    let form = |value: &str| Form {
        action: "/v4/oauth2/demo/interaction".to_owned(),
        hidden: vec![("id".to_owned(), value.to_owned())],
    };
    for hostile in HOSTILE {
        for (attacked, plain) in pages(hostile).into_iter().zip(pages("Grafana")) {
            let html = written(&attacked, hostile, &form(hostile));
            assert_eq!(
                bones(&html),
                bones(&written(&plain, "Grafana", &form("Grafana"))),
                "{hostile}"
            );
        }
    }
}

#[test]
fn g32_what_was_typed_stands_in_the_field_as_it_was_typed() {
    for hostile in HOSTILE {
        let page = Page::Login(LoginPage {
            user_name: (*hostile).to_owned(),
            password: true,
            ..LoginPage::default()
        });
        let html = written(&page, "Example", &Form::default());
        let document = Document::parse(&html);
        let field = document
            .all("input")
            .find(|input| input.attribute("name") == Some("user_name"));
        assert_eq!(field.unwrap().attribute("value"), Some(*hostile));
    }
}

#[test]
fn g22_markup_in_state_is_posted_back_unchanged() {
    for hostile in HOSTILE {
        let page = Page::FormPost(FormPostPage {
            action: "https://app.example/cb?a=1&b=2".to_owned(),
            fields: vec![("state".to_owned(), (*hostile).to_owned())],
        });
        let html = written(&page, "Example", &Form::default());
        let document = Document::parse(&html);
        assert_eq!(
            document.one("form").attribute("action"),
            Some("https://app.example/cb?a=1&b=2")
        );
        assert_eq!(document.one("input").attribute("value"), Some(*hostile));
        assert_eq!(document.all("script").count(), 1);
    }
}

#[test]
fn names_that_look_like_placeholders_are_not_filled_in() {
    let page = Page::Consent(ConsentPage {
        client: "{account}".to_owned(),
        account: "{client}".to_owned(),
        ..ConsentPage::default()
    });
    let html = written(&page, "Example", &Form::default());
    assert!(
        html.contains(
            "<b><bdi>{account}</bdi></b> asks for access to your account <b><bdi>{client}</bdi></b>"
        )
    );
}
