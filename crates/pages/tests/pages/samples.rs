//! Every page, filled as a person would meet it.

use sealstone_pages::{
    AccountPage, CodeKind, CodePage, ConsentLine, ConsentPage, DeviceCodePage, DeviceConfirmPage,
    DeviceDonePage, EnrolPage, EnrolPasskeyPage, EnrolTotpPage, ErrorKind, ErrorPage, FormPostPage,
    GrantLine, LoggedOutPage, LoginPage, LogoutPage, Page, PasskeyLine, Person, Picture, ProjectLine,
    RecoveryCodesPage, ScopeLine, SelectAccountPage, SessionLine, Trouble, WaitPage,
};

fn text(text: &str) -> String {
    text.to_owned()
}

fn some(content: &str) -> Option<String> {
    Some(text(content))
}

/// When all of it happens.
const NOW: u64 = 1_792_000_000;

/// A page's name and the page.
pub(crate) fn samples() -> Vec<(String, Page)> {
    let mut samples: Vec<(&str, Page)> = logins();
    samples.extend(codes());
    samples.extend(factors());
    samples.extend(access());
    samples.push(("account", Page::Account(account())));
    samples.push(("account_empty", Page::Account(empty_account())));
    samples.extend(ends());
    let samples = samples.into_iter().map(|(name, page)| (text(name), page));
    let errors = ErrorKind::ALL.map(|kind| {
        let page = ErrorPage {
            kind,
            client: (kind == ErrorKind::Request).then(|| text("Grafana")),
            code: (kind == ErrorKind::Request).then_some("invalid_request"),
            description: (kind == ErrorKind::Request).then_some("redirect_uri is not registered"),
            request_id: text("7f3c0a2e9b1d4c58"),
        };
        (format!("error_{kind:?}").to_lowercase(), Page::Error(page))
    });
    samples.chain(errors).collect()
}

fn alice() -> Person {
    Person {
        account: text("alice"),
        name: some("Alice Ansel"),
    }
}

fn logins() -> Vec<(&'static str, Page)> {
    let login = LoginPage {
        client: some("Grafana"),
        password: true,
        can_cancel: true,
        ..LoginPage::default()
    };
    vec![
        ("login", Page::Login(login.clone())),
        (
            "login_wrong",
            Page::Login(LoginPage {
                user_name: text("alice"),
                trouble: Some(Trouble::WrongPassword),
                ..login.clone()
            }),
        ),
        (
            "login_all",
            Page::Login(LoginPage {
                passkey: some(GET),
                upstream: some("Example Corp"),
                trouble: Some(Trouble::TooMany),
                ..login.clone()
            }),
        ),
        (
            "login_again",
            Page::Login(LoginPage {
                user_name: text("alice"),
                again: true,
                ..login.clone()
            }),
        ),
        (
            "login_broker",
            Page::Login(LoginPage {
                password: false,
                upstream: some("Example Corp"),
                ..login
            }),
        ),
        (
            "select_account",
            Page::SelectAccount(SelectAccountPage {
                client: some("Grafana"),
                person: alice(),
            }),
        ),
    ]
}

fn codes() -> Vec<(&'static str, Page)> {
    let code = CodePage {
        account: text("alice"),
        client: some("Grafana"),
        kinds: vec![CodeKind::Totp],
        ..CodePage::default()
    };
    let wait = WaitPage {
        account: text("alice"),
        client: some("Grafana"),
        refresh_s: 3,
        address: text("/v4/oauth2/demo/interaction?id=AAAA"),
        typing_address: some("/v4/oauth2/demo/interaction?id=AAAA&typing=1"),
        ..WaitPage::default()
    };
    vec![
        ("code_totp", Page::Code(code.clone())),
        (
            "code_all",
            Page::Code(CodePage {
                kinds: vec![CodeKind::Totp, CodeKind::Recovery],
                passkey: some(GET),
                trouble: Some(Trouble::WrongCode),
                ..code.clone()
            }),
        ),
        (
            "code_recovery",
            Page::Code(CodePage {
                kinds: vec![CodeKind::Recovery],
                ..code.clone()
            }),
        ),
        (
            "code_other",
            Page::Code(CodePage {
                kinds: vec![CodeKind::Other],
                message: some("Please enter the OTP value that was sent to +49 170 ****67"),
                ..code.clone()
            }),
        ),
        (
            "code_passkey",
            Page::Code(CodePage {
                kinds: Vec::new(),
                passkey: some(GET),
                ..code.clone()
            }),
        ),
        (
            "code_passkey_or_recovery",
            Page::Code(CodePage {
                kinds: vec![CodeKind::Recovery],
                passkey: some(GET),
                ..code
            }),
        ),
        ("wait", Page::Wait(wait.clone())),
        (
            "wait_typing",
            Page::Wait(WaitPage {
                typing: true,
                trouble: Some(Trouble::WrongCode),
                ..wait
            }),
        ),
    ]
}

fn factors() -> Vec<(&'static str, Page)> {
    vec![
        (
            "enrol",
            Page::Enrol(EnrolPage {
                account: text("alice"),
                totp: true,
                passkey: true,
                may_skip: false,
            }),
        ),
        (
            "enrol_optional",
            Page::Enrol(EnrolPage {
                account: text("alice"),
                totp: true,
                passkey: false,
                may_skip: true,
            }),
        ),
        (
            "enrol_totp",
            Page::EnrolTotp(EnrolTotpPage {
                account: text("alice"),
                secret: text("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"),
                uri: text(
                    "otpauth://totp/Example%20Cloud:alice@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                     &issuer=Example%20Cloud&algorithm=SHA1&digits=6&period=30",
                ),
                picture: picture(),
                trouble: None,
            }),
        ),
        (
            "enrol_passkey",
            Page::EnrolPasskey(EnrolPasskeyPage {
                account: text("alice"),
                options: text(CREATE),
                trouble: None,
            }),
        ),
        (
            "recovery_codes",
            Page::RecoveryCodes(RecoveryCodesPage {
                codes: (0..10).map(|number| format!("k7p{number}-m2xq-9w4t")).collect(),
            }),
        ),
    ]
}

const GET: &str = r#"{"challenge":"AAECAwQFBgcICQoLDA0ODw","rpId":"id.example","userVerification":"required","timeout":300000}"#;
const CREATE: &str = r#"{"rp":{"id":"id.example","name":"Example"},"user":{"id":"AAECAw","name":"alice","displayName":"Alice"},"challenge":"AAECAwQFBgcICQoLDA0ODw","pubKeyCredParams":[{"type":"public-key","alg":-7}]}"#;

fn access() -> Vec<(&'static str, Page)> {
    let project = |id: &str, name: &str, roles: &[&str]| ProjectLine {
        id: text(id),
        name: text(name),
        domain: text("example"),
        roles: roles.iter().map(|role| text(role)).collect(),
        chosen: false,
    };
    let consent = ConsentPage {
        client: text("Grafana"),
        client_uri: some("https://grafana.example.org"),
        account: text("alice"),
        scopes: vec![
            ScopeLine::Identity,
            ScopeLine::Profile,
            ScopeLine::Email,
            ScopeLine::Groups,
        ],
        projects: Vec::new(),
        resources: Vec::new(),
        destination: some("grafana.example.org"),
        trouble: None,
    };
    let projects = vec![
        project("p1", "web-production", &["member", "reader"]),
        project("p2", "web-staging", &["admin", "load-balancer_member", "member"]),
        ProjectLine {
            domain: text("partners"),
            ..project("p3", "shared-images", &["reader"])
        },
    ];
    let confirm = DeviceConfirmPage {
        client: text("OpenStack CLI"),
        account: text("alice"),
        user_code: text("BCDF-GHJK"),
        address: some("203.0.113.17"),
        device: some("python-openstackclient"),
        asked_at: NOW,
        scopes: vec![ScopeLine::OpenStack, ScopeLine::Offline],
        projects: projects.clone(),
        trouble: Some(Trouble::NoProject),
    };
    let done = |allowed| DeviceDonePage {
        client: text("OpenStack CLI"),
        allowed,
    };
    vec![
        ("consent", Page::Consent(consent.clone())),
        (
            "consent_openstack",
            Page::Consent(ConsentPage {
                client: text("OpenStack CLI"),
                client_uri: None,
                scopes: vec![
                    ScopeLine::Identity,
                    ScopeLine::OpenStack,
                    ScopeLine::Offline,
                    ScopeLine::Other(text("metrics:write")),
                ],
                projects,
                resources: vec![text("https://compute.example.org")],
                destination: some("127.0.0.1"),
                ..consent.clone()
            }),
        ),
        (
            "consent_no_project",
            Page::Consent(ConsentPage {
                scopes: vec![ScopeLine::OpenStack],
                trouble: Some(Trouble::NoProject),
                ..consent
            }),
        ),
        ("device_code", Page::DeviceCode(DeviceCodePage::default())),
        (
            "device_code_wrong",
            Page::DeviceCode(DeviceCodePage {
                user_code: text("BCDF-GHJX"),
                trouble: Some(Trouble::WrongUserCode),
            }),
        ),
        ("device_confirm", Page::DeviceConfirm(confirm)),
        ("device_done", Page::DeviceDone(done(true))),
        ("device_denied", Page::DeviceDone(done(false))),
    ]
}

fn ends() -> Vec<(&'static str, Page)> {
    vec![
        (
            "logout",
            Page::Logout(LogoutPage {
                account: text("alice"),
                client: some("Grafana"),
            }),
        ),
        (
            "logged_out",
            Page::LoggedOut(LoggedOutPage {
                ended: true,
                everywhere: false,
            }),
        ),
        (
            "logged_out_everywhere",
            Page::LoggedOut(LoggedOutPage {
                ended: true,
                everywhere: true,
            }),
        ),
        ("stayed", Page::LoggedOut(LoggedOutPage::default())),
        (
            "form_post",
            Page::FormPost(FormPostPage {
                action: text("https://grafana.example.org/login/callback"),
                fields: ["code", "state", "iss"]
                    .map(|name| (text(name), text("x")))
                    .into(),
            }),
        ),
    ]
}

fn empty_account() -> AccountPage {
    AccountPage {
        person: Person {
            account: text("alice"),
            name: None,
        },
        sessions: account().sessions.into_iter().take(1).collect(),
        takes_totp: true,
        takes_passkey: true,
        trouble: Some(Trouble::FactorNeeded),
        ..AccountPage::default()
    }
}

fn account() -> AccountPage {
    let session = |id: &str, device, current| SessionLine {
        id: text(id),
        device,
        since: NOW - 90_000,
        last_used_at: NOW - 300,
        current,
    };
    AccountPage {
        person: alice(),
        email: some("alice@example.org"),
        sessions: vec![
            session(
                "s1",
                some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
                true,
            ),
            session(
                "s2",
                some("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1"),
                false,
            ),
            session("s3", None, false),
        ],
        grants: vec![GrantLine {
            id: text("g1"),
            client: text("OpenStack CLI"),
            scopes: vec![ScopeLine::OpenStack, ScopeLine::Offline],
            project: some("web-production"),
            since: NOW - 90_000,
            last_used_at: NOW - 60,
        }],
        consents: vec![
            ConsentLine {
                id: text("c1"),
                client: text("Grafana"),
                scopes: vec![ScopeLine::Identity, ScopeLine::Email, ScopeLine::Groups],
                project: None,
                since: NOW - 90_000,
            },
            ConsentLine {
                id: text("c2"),
                client: text("OpenStack CLI"),
                scopes: vec![ScopeLine::OpenStack, ScopeLine::Offline],
                project: some("web-production"),
                since: NOW - 90_000,
            },
        ],
        takes_totp: true,
        takes_passkey: true,
        passkeys: vec![PasskeyLine {
            id: text("k1"),
            name: text("Work laptop"),
            since: NOW - 900_000,
            last_used_at: Some(NOW - 90_000),
        }],
        totp_since: Some(NOW - 900_000),
        recovery_codes_left: Some(8),
        trouble: None,
    }
}

/// The QR code of the address above, as `sealstone-factors` draws it.
fn picture() -> Picture {
    Picture {
        side: 57,
        path: include_str!("picture.txt").trim_end().to_owned(),
    }
}
