use super::{RedirectUri, RedirectUriKind};
use proptest::prelude::*;

#[test]
fn kinds() {
    use RedirectUriKind::{Http, Https, Loopback, PrivateUse};
    for (text, kind, origin) in [
        ("https://app.example/cb", Https, "https://app.example"),
        (
            "https://APP.example:8443/cb?a=1&b=2",
            Https,
            "https://APP.example:8443",
        ),
        (
            "https://[2001:db8::1]:8443/cb",
            Https,
            "https://[2001:db8::1]:8443",
        ),
        ("https://[2001:db8::1]/cb", Https, "https://[2001:db8::1]"),
        ("https://app.example", Https, "https://app.example"),
        ("https://app.example?x=//y", Https, "https://app.example"),
        (
            "https://my_app.example/%C3%A9/~x?y=%2F..%2F",
            Https,
            "https://my_app.example",
        ),
        ("http://app.example/cb", Http, "http://app.example"),
        ("http://127.0.0.2/cb", Http, "http://127.0.0.2"),
        ("http://127.1/cb", Http, "http://127.1"),
        ("http://LOCALHOST/cb", Http, "http://LOCALHOST"),
        ("http://[0:0:0:0:0:0:0:1]/cb", Http, "http://[0:0:0:0:0:0:0:1]"),
        (
            "http://localhost.evil.example/cb",
            Http,
            "http://localhost.evil.example",
        ),
        ("http://127.0.0.1/cb", Loopback, "http://127.0.0.1"),
        ("http://127.0.0.1:51004/cb", Loopback, "http://127.0.0.1:51004"),
        ("http://[::1]:1/cb", Loopback, "http://[::1]:1"),
        ("http://localhost", Loopback, "http://localhost"),
        ("com.example.app:/cb", PrivateUse, "com.example.app:"),
        ("com.example.app://cb/x", PrivateUse, "com.example.app:"),
        ("com.example.app:cb", PrivateUse, "com.example.app:"),
    ] {
        let uri = RedirectUri::parse(text).expect(text);
        assert_eq!((uri.kind(), uri.origin(), uri.as_str()), (kind, origin, text));
        assert_eq!(uri.is_loopback(), kind == Loopback);
    }
    let uri = RedirectUri::parse("http://[::1]:51004/cb?x=1").unwrap();
    let parts = uri.loopback().unwrap();
    assert_eq!(
        (parts.host, parts.port, parts.rest),
        ("[::1]", Some(51004), "/cb?x=1")
    );
}

#[test]
fn g07_to_g14_what_two_programs_read_differently_is_no_redirect_uri() {
    let long = format!("https://app.example/{}", "a".repeat(1024));
    for wrong in [
        "",
        "cb",
        "/cb",
        "//app.example/cb",
        "https:",
        "https:/app.example",
        "https:app.example/cb",
        "https://",
        "https:///cb",
        "https://:443/cb",
        "https://app.example:/cb",
        "https://app.example:x/cb",
        "https://app.example:0/cb",
        "https://app.example:080/cb",
        "https://app.example:+1/cb",
        "https://app.example:65536/cb",
        "https://app.example./cb",
        "https://.app.example/cb",
        "https://a..b/cb",
        "https://[::1/cb",
        "https://[::g]/cb",
        "https://[::1]x/cb",
        "https://::1/cb",
        "https://[]/cb",
        "HTTPS://app.example/cb",
        "hTtp://127.0.0.1/cb",
        "https://app.example/cb#",
        "https://app.example/cb#x",
        "https://app.example/cb%23x",
        "https://u@app.example/",
        "https://u:p@app.example/",
        "https://app.example:x@evil/",
        "https://app.example%40evil.example/",
        "https://ex%61mple.com/",
        r"https://evil\@app.example/cb",
        r"https://app.example\cb",
        "https://app.example/%5Cevil",
        "https://app.example/../x",
        "https://app.example/x/..",
        "https://app.example/./x",
        "https://app.example/..;/x",
        "https://app.example/.;x/y",
        "https://app.example/%2e%2E/x",
        "https://app.example/x%2Fy",
        " https://app.example/",
        "https://app.example/ ",
        "https://app.example/a b",
        "https://app.example/a%20b\t",
        "https://app.example/%0a",
        "https://app.example/%0D%0Ax:y",
        "https://app.example/%00",
        "https://app.example/%7f",
        "https://app.example/%",
        "https://app.example/%4",
        "https://app.example/%zz",
        "https://аpp.example/",
        "https://app.example/é",
        "https://app\u{ff0e}example/",
        "https://app.example/\u{200d}",
        "https://app.example/\"",
        "https://app.example/<x>",
        "https://app.example/`",
        "https://app.example/{x}",
        "https://app.example/|",
        "https://app.example/^",
        "https://*.example/cb",
        "https://app.example/cb\0",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "about:blank",
        "blob:https://a.example/",
        "vbscript:x",
        "ftp://a.example/",
        "ws://a.example/",
        "mailto:a@b.example",
        "urn:x:y",
        "myapp:/cb",
        "myapp://cb",
        "com.example.app:",
        "Com.example.app:/cb",
        "com..app:/cb",
        ".com:/cb",
        "com.:/cb",
        "1com.app:/cb",
        "com.a_b:/cb",
        "com.example.app://u@x/cb",
        "com.example.app:/cb#x",
        "com.example.app:/../x",
        &long,
    ] {
        assert!(RedirectUri::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn parameters_go_behind_those_that_are_there() {
    let with =
        |uri: &str, parameters: &[(&str, &str)]| RedirectUri::parse(uri).unwrap().with_parameters(parameters);
    let answer = [("code", "a-b_c"), ("state", "\"><&=?#+ é")];
    let encoded = "code=a-b_c&state=%22%3E%3C%26%3D%3F%23%2B%20%C3%A9";
    for (uri, want) in [
        (
            "https://app.example/cb",
            format!("https://app.example/cb?{encoded}"),
        ),
        ("https://app.example", format!("https://app.example?{encoded}")),
        (
            "https://app.example/cb?",
            format!("https://app.example/cb?{encoded}"),
        ),
        (
            "https://app.example/cb?a=1",
            format!("https://app.example/cb?a=1&{encoded}"),
        ),
        ("com.example.app:/cb", format!("com.example.app:/cb?{encoded}")),
    ] {
        assert_eq!(with(uri, &answer), want);
    }
    assert_eq!(with("https://app.example/cb", &[]), "https://app.example/cb");
}

proptest! {
    #[test]
    fn what_is_taken_is_kept_as_it_came(text in "(https|http|com\\.example|[a-z.]{1,9}):(//)?[!-~]{0,60}") {
        if let Ok(uri) = RedirectUri::parse(&text) {
            prop_assert_eq!(uri.as_str(), &text);
            prop_assert!(!text.contains('#') && !text.contains('\\') && text.is_ascii());
            prop_assert!(text.starts_with(uri.origin()));
        }
    }

    /// No value of a parameter can begin another, end the query, or leave the line.
    #[test]
    fn a_value_stays_within_its_parameter(value in "\\PC{0,40}") {
        let uri = RedirectUri::parse("https://app.example/cb").unwrap();
        let url = uri.with_parameters(&[("state", &value), ("iss", "x")]);
        let encoded = url.strip_prefix("https://app.example/cb?state=").unwrap().strip_suffix("&iss=x").unwrap();
        prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        let decoded = percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap();
        prop_assert_eq!(decoded, value);
    }

    #[test]
    fn any_text_is_taken_or_refused(text in "\\PC{0,80}") {
        let _taken = RedirectUri::parse(&text);
    }
}
