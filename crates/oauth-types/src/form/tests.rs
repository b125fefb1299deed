use proptest::prelude::*;

use super::{Form, FormError, form_content_type};

fn error(body: &[u8]) -> FormError {
    Form::parse(body).unwrap_err()
}

#[test]
fn f02_f03_content_type() {
    for right in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded;charset=utf-8",
        "application/x-www-form-urlencoded; charset=\"utf-8\"",
        "application/x-www-form-urlencoded ; boundary=x;",
    ] {
        assert!(form_content_type(right), "{right:?}");
    }
    for wrong in [
        "",
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/x-www-form-urlencoded2",
        "xapplication/x-www-form-urlencoded",
        "application/x-www-form-urlencoded, text/plain",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset",
        "text/plain; application/x-www-form-urlencoded",
    ] {
        assert!(!form_content_type(wrong), "{wrong:?}");
    }
}

#[test]
fn f04_repeated_parameter() {
    assert!(Form::parse(b"grant_type=a&scope=b").is_ok());
    for body in [
        &b"grant_type=a&grant_type=a"[..],
        b"grant_type=a&grant_type=b",
        b"scope=&scope=a",
        b"scope=a&x=1&scope=",
        b"a&a",
        b"foo=1&foo=2",
        b"client%5Fid=a&client_id=b",
        b"=a&=b",
    ] {
        assert_eq!(error(body), FormError::Repeated, "{body:?}");
    }
    let form = Form::parse(b"resource=urn:a&resource=urn:b&resource=").unwrap();
    assert_eq!(form.get_all("resource").collect::<Vec<_>>(), ["urn:a", "urn:b"]);
}

#[test]
fn f06_f07_empty_is_absent_and_unknown_is_ignored() {
    let form = Form::parse(b"&scope=&client_id&foo=bar&&code=%20&").unwrap();
    assert_eq!(form.get("scope"), None);
    assert_eq!(form.get("client_id"), None);
    assert_eq!(form.get("missing"), None);
    assert_eq!(form.get("code"), Some(" "));
    assert!(Form::parse(b"").unwrap().get("").is_none());
}

#[test]
fn f22_bounded() {
    let mut body = vec![b'a'; Form::MAX_LENGTH];
    assert!(Form::parse(&body).is_ok());
    body.push(b'a');
    assert_eq!(error(&body), FormError::TooLarge);
    let many = |count: usize| {
        (0..count)
            .map(|n| format!("p{n}=1"))
            .collect::<Vec<_>>()
            .join("&")
    };
    assert!(Form::parse(many(64).as_bytes()).is_ok());
    assert_eq!(error(many(65).as_bytes()), FormError::TooManyParameters);
}

#[test]
fn f24_percent_forms() {
    let form = Form::parse(b"a=%41%6a%6A+%2B%25&b=%E2%82%AC&c=x%0d%0ay&d=raw space").unwrap();
    assert_eq!(form.get("a"), Some("Ajj +%"));
    assert_eq!(form.get("b"), Some("\u{20ac}"));
    assert_eq!(form.get("c"), Some("x\r\ny"));
    assert_eq!(form.get("d"), Some("raw space"));
    for body in [
        &b"a=%"[..],
        b"a=%4",
        b"a=%zz",
        b"a=%4z",
        b"a=%%41",
        b"a=%u0041",
        b"a=%+1",
        b"a=%00",
        b"%00=a",
        b"a=%C0%AF",
        b"a=%E0%80%AF",
        b"a=%ED%A0%80",
        b"a=%F4%90%80%80",
        b"a=%FF",
        b"a%C3=%A9",
        b"a=%C3&b=%A9",
        b"a=\0",
        b"a=\n",
        b"a=\x7f",
        b"a=\xc3\xa9",
        b"a=%4&1=b",
    ] {
        assert_eq!(error(body), FormError::Encoding, "{body:?}");
    }
}

#[test]
fn debug_shows_no_value() {
    assert_eq!(
        format!("{:?}", Form::parse(b"client_secret=hunter2").unwrap()),
        "Form(1 parameters)"
    );
}

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

proptest! {
    #[test]
    fn printed_forms_read_back(pairs in prop::collection::btree_map("[^\0]{1,12}", "[^\0]{0,24}", 0..20)) {
        let body = pairs.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect::<Vec<_>>().join("&");
        let form = Form::parse(body.as_bytes()).unwrap();
        for (name, value) in &pairs {
            prop_assert_eq!(form.get(name), (!value.is_empty()).then_some(value.as_str()));
        }
    }

    /// A body without escapes is read by its own way, and as the other would.
    #[test]
    fn both_ways_read_the_same(body in "[ac=& ]{0,40}") {
        let read = |form: Form| {
            let part = |range: &std::ops::Range<usize>| form.text[range.clone()].to_owned();
            let parts = form.parameters.iter().map(|one| (part(&one.name), part(&one.value)));
            parts.collect::<Vec<_>>()
        };
        let plain = Form::plain(body.as_bytes()).unwrap();
        prop_assert_eq!(read(plain), read(Form::decoded(body.as_bytes()).unwrap()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(form) = Form::parse(&body) {
            prop_assert!(form.parameters.len() <= Form::MAX_PARAMETERS);
            prop_assert!(!form.text.trim_end_matches('\0').is_empty() || form.get("a").is_none());
        }
    }
}
