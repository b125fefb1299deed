//! Where an answer may go.

use crate::{APP, native, register, web, with};
use proptest::prelude::*;
use sealstone_oauth_types::RedirectUri;
use sealstone_registry::{ApplicationType, RegistrationError};
use serde_json::json;

/// Whether a client with these redirect URIs is answered there.
fn answers(application_type: &str, registered: &[&str], asked: &str) -> bool {
    let base = if application_type == "native" {
        native()
    } else {
        web()
    };
    let client = register(&with(&base, &json!({"redirect_uris": registered}))).unwrap();
    let Ok(asked) = RedirectUri::parse(asked) else {
        return false;
    };
    let target = client.redirect_uri(Some(&asked));
    assert!(target.is_none() || target.as_ref() == Some(&asked));
    target.is_some()
}

/// Nothing but the registered text itself is answered, from a web client and from a native one.
#[track_caller]
fn only_itself(registered: &str, others: &[&str]) {
    for kind in ["web", "native"] {
        assert!(answers(kind, &[registered], registered), "{registered}");
        for other in others {
            assert!(
                !answers(kind, &[registered], other),
                "{kind}: {other:?} for {registered}"
            );
        }
    }
}

#[test]
fn g01_g02_only_what_is_registered_is_answered() {
    only_itself(
        APP,
        &[
            "https://evil.example/cb",
            "https://app.example",
            "https://app.example.evil.example/cb",
        ],
    );
    let one = register(&web()).unwrap();
    assert_eq!(one.redirect_uri(None).unwrap().as_str(), APP);
    let two = json!({"redirect_uris": [APP, "https://app.example/other"]});
    assert_eq!(register(&with(&web(), &two)).unwrap().redirect_uri(None), None);
}

#[test]
fn g05_path_appended_and_traversal() {
    only_itself(
        APP,
        &[
            "https://app.example/cb/",
            "https://app.example/cb/..",
            "https://app.example/cb/../evil",
            "https://app.example/cb/%2e%2e/evil",
            "https://app.example/cb/%2E%2e/evil",
            "https://app.example/cb/..;/x",
            "https://app.example/cb/./x",
            "https://app.example/cb%2fx",
            "https://app.example/cbevil",
            "https://app.example/x/../cb",
            "https://app.example//cb",
        ],
    );
}

#[test]
fn g06_query_added_or_reordered() {
    only_itself(
        APP,
        &[
            "https://app.example/cb?",
            "https://app.example/cb?x=1",
            "https://app.example/cb&x=1",
        ],
    );
    only_itself(
        "https://app.example/cb?a=1&b=2",
        &[
            APP,
            "https://app.example/cb?b=2&a=1",
            "https://app.example/cb?a=1",
            "https://app.example/cb?a=1&b=2&c=3",
            "https://app.example/cb?a=1&b=%32",
            "https://app.example/cb?a=1&amp;b=2",
        ],
    );
}

#[test]
fn g07_fragment() {
    let wrong = [
        "https://app.example/cb#x",
        "https://app.example/cb#",
        "https://app.example/cb%23x",
    ];
    only_itself(APP, &wrong);
    refused_at_registration(&wrong);
}

#[test]
fn g08_userinfo() {
    let wrong = [
        "https://app.example@evil.example/cb",
        "https://app.example:x@evil/",
        "https://x@app.example/cb",
        "https://@app.example/cb",
        "https://app.example%40evil.example/cb",
        "com.example.app://app.example@evil/cb",
    ];
    only_itself(APP, &wrong);
    refused_at_registration(&wrong);
}

#[test]
fn g09_backslash_and_mixed_slashes() {
    let wrong = [
        r"https://evil\@app.example/cb",
        r"https:/\evil",
        r"https:\\app.example/cb",
        "https:app.example/cb",
        "https:/app.example/cb",
        "https:///app.example/cb",
        "//app.example/cb",
        "/cb",
        r"https://app.example\.evil.example/cb",
        "https://app.example/%5c..%5cevil",
    ];
    only_itself(APP, &wrong);
    refused_at_registration(&wrong);
}

#[test]
fn g10_host_case_trailing_dot_default_port() {
    only_itself(
        APP,
        &[
            "https://APP.example/cb",
            "https://app.example./cb",
            "https://app.example:443/cb",
            "https://app.example:/cb",
            "https://app.example:0443/cb",
            "https://app.example:8443/cb",
        ],
    );
}

#[test]
fn g11_scheme_change() {
    only_itself(
        APP,
        &[
            "http://app.example/cb",
            "HTTPS://app.example/cb",
            "Https://app.example/cb",
        ],
    );
    let wrong = [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "javascript.example%3aalert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "blob:https://app.example/x",
        "about:blank",
        "ftp://app.example/cb",
        "ws://app.example/cb",
        "myapp://cb",
        "myapp:/cb",
        "http://app.example/cb",
        "HTTPS://app.example/cb",
        "COM.example.app:/cb",
        ".example:/cb",
        "example.:/cb",
    ];
    only_itself(APP, &wrong);
    refused_at_registration(&wrong);
}

#[test]
fn g12_percent_encoding_variants() {
    only_itself(
        APP,
        &[
            "https://app.example/%63b",
            "https://app.example/c%62",
            "https://app.example%2Fcb",
            "https://app.example/%2Fcb",
            "https://app.example/%2563b",
            "https://%61pp.example/cb",
            "https://app.example/cb%",
            "https://app.example/cb%zz",
        ],
    );
    // Case of the triplets' digits is compared too.
    only_itself(
        "https://app.example/a%c3%a9",
        &["https://app.example/a%C3%A9", "https://app.example/aé"],
    );
}

#[test]
fn g13_unicode() {
    let wrong = [
        "https://аpp.example/cb",
        "https://app\u{2024}example/cb",
        "https://app.example\u{ff0f}cb",
        "https://app.example/c\u{200d}b",
        "https://app.example/\u{202e}bc",
        "https://app.example\u{3002}evil.example/cb",
        "https://app.example/cb\u{feff}",
    ];
    only_itself(APP, &wrong);
    refused_at_registration(&wrong);
}

#[test]
fn g14_white_space_and_control_characters() {
    let wrong = [
        " https://app.example/cb",
        "https://app.example/cb ",
        "\thttps://app.example/cb",
        "https://app.example/\tcb",
        "https://app.example/cb\n",
        "https://app.example/cb\0",
        "https://app.example/cb%0a",
        "https://app.example/cb%0d%0aLocation:x",
        "https://app.example/cb%00",
        "https://app.example/cb%7f",
        "ht\ntps://app.example/cb",
    ];
    only_itself(APP, &wrong);
    refused_at_registration(&wrong);
}

#[test]
fn g15_loopback_another_port() {
    for (registered, asked) in [
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
        ("http://127.0.0.1:8080/cb", "http://127.0.0.1:51004/cb"),
        ("http://127.0.0.1:8080/cb", "http://127.0.0.1/cb"),
        ("http://[::1]/cb", "http://[::1]:51004/cb"),
        ("http://127.0.0.1:8080/cb?x=1", "http://127.0.0.1:1/cb?x=1"),
        ("http://127.0.0.1", "http://127.0.0.1:51004"),
        ("http://localhost/cb", "http://localhost:51004/cb"),
    ] {
        assert!(
            answers("native", &[registered], asked),
            "{asked} for {registered}"
        );
    }
}

#[test]
fn g16_loopback_other_forms() {
    for (registered, others) in [
        (
            "http://127.0.0.1/cb",
            &[
                "http://localhost/cb",
                "http://localhost:51004/cb",
                "http://127.0.0.2/cb",
                "http://0.0.0.0/cb",
                "http://[::1]/cb",
                "http://[::ffff:127.0.0.1]/cb",
                "http://[0:0:0:0:0:0:0:1]/cb",
                "http://2130706433/cb",
                "http://127.1/cb",
                "http://0x7f000001/cb",
                "http://0177.0.0.1/cb",
                "http://127.0.0.1.evil.example/cb",
                "https://127.0.0.1/cb",
                "http://127.0.0.1:0/cb",
                "http://127.0.0.1:65536/cb",
                "http://127.0.0.1:51004@evil.example/cb",
            ][..],
        ),
        (
            "http://[::1]/cb",
            &["http://127.0.0.1/cb", "http://localhost/cb", "http://[::2]:1/cb"][..],
        ),
        // With its port registered, a name is that port and no other.
        (
            "http://localhost:8080/cb",
            &[
                "http://localhost:51004/cb",
                "http://localhost/cb",
                "http://127.0.0.1:8080/cb",
            ][..],
        ),
        (
            "http://localhost/cb",
            &[
                "http://127.0.0.1/cb",
                "http://LOCALHOST/cb",
                "http://localhost.:1/cb",
            ][..],
        ),
    ] {
        for asked in others {
            assert!(
                !answers("native", &[registered], asked),
                "{asked} for {registered}"
            );
        }
    }
}

#[test]
fn g17_loopback_another_path_or_query() {
    for asked in [
        "http://127.0.0.1:51004/evil",
        "http://127.0.0.1:51004/cb/",
        "http://127.0.0.1:51004/cb?x=1",
        "http://127.0.0.1:51004/",
        "http://127.0.0.1:51004",
        "http://127.0.0.1:51004/%63b",
    ] {
        assert!(!answers("native", &["http://127.0.0.1/cb"], asked), "{asked}");
    }
}

/// A broker's applications have their ports registered one by one, and nothing else is answered.
#[test]
fn g18_loopback_port_rule_is_not_for_a_web_client() {
    let registered = ["http://127.0.0.1:8080/cb", "http://localhost:8876/oidc/callback"];
    for (asked, want) in [
        ("http://127.0.0.1:8080/cb", true),
        ("http://localhost:8876/oidc/callback", true),
        ("http://127.0.0.1:8081/cb", false),
        ("http://127.0.0.1/cb", false),
        ("http://localhost:8080/cb", false),
        ("http://127.0.0.1:8876/oidc/callback", false),
        ("http://localhost:8877/oidc/callback", false),
        ("http://localhost:8876/oidc/callback/", false),
    ] {
        assert_eq!(answers("web", &registered, asked), want, "{asked}");
    }
}

#[test]
fn g19_private_use_scheme() {
    for (registered, other) in [
        ("com.example.app:/cb", "com.example.app://cb"),
        ("com.example.app://cb", "com.example.app:/cb"),
        ("com.example.app:/cb", "com.example.app:cb"),
        ("com.example.app:/cb", "com.example.app2:/cb"),
        ("com.example.app:/cb", "Com.example.app:/cb"),
    ] {
        assert!(answers("native", &[registered], registered), "{registered}");
        assert!(
            !answers("native", &[registered], other),
            "{other} for {registered}"
        );
    }
    let of_web = with(&web(), &json!({"redirect_uris": ["com.example.app:/cb"]}));
    assert!(matches!(
        register(&of_web),
        Err(RegistrationError::RedirectUriKind {
            member: "redirect_uris",
            index: 0,
            application_type: ApplicationType::Web
        })
    ));
}

#[track_caller]
fn refused_at_registration(uris: &[&str]) {
    for uri in uris {
        for (base, member) in [
            (web(), "redirect_uris"),
            (native(), "redirect_uris"),
            (web(), "post_logout_redirect_uris"),
        ] {
            let error = register(&with(&base, &json!({member: [uri]}))).expect_err(uri);
            assert!(
                matches!(
                    error,
                    RegistrationError::RedirectUri { .. } | RegistrationError::RedirectUriKind { .. }
                ),
                "{uri:?}: {error:?}"
            );
            assert!(!error.to_string().contains(uri), "{error}");
        }
    }
}

proptest! {
    /// Whatever is asked for: only a registered text is answered, but for the port of a loopback address.
    #[test]
    fn an_answer_goes_where_it_was_registered(
        asked in "(https|http|com\\.example\\.app)://(127\\.0\\.0\\.1|\\[::1\\]|localhost|app\\.example)(:[0-9]{1,5})?/(cb|evil)?(\\?x=1)?",
        web_client: bool,
    ) {
        let registered = ["http://127.0.0.1:8080/cb", "http://[::1]/cb", "http://localhost:8080/cb", APP];
        let kind = if web_client { "web" } else { "native" };
        if answers(kind, &registered, &asked) && !registered.contains(&asked.as_str()) {
            prop_assert!(!web_client);
            let host = asked.strip_prefix("http://").unwrap();
            prop_assert!(host.starts_with("127.0.0.1") || host.starts_with("[::1]"));
            prop_assert!(asked.ends_with("/cb"));
        }
    }
}
