use proptest::prelude::*;

use super::{BasicCredentials, BasicError, PresentedClient, PresentedCredential};
use crate::{Form, RequestError, Secret};

fn basic(halves: &str) -> String {
    format!("Basic {}", base64_simd::STANDARD.encode_to_string(halves))
}

fn read(header: &str) -> Result<(String, String), BasicError> {
    BasicCredentials::parse(header).map(|read| (read.client_id, read.secret.expose().to_owned()))
}

#[test]
fn f13_odd_forms() {
    let right = Ok(("ci".to_owned(), "s3cret".to_owned()));
    for header in [
        "Basic Y2k6czNjcmV0",
        "basic Y2k6czNjcmV0",
        "BASIC Y2k6czNjcmV0",
        "Basic   Y2k6czNjcmV0",
    ] {
        assert_eq!(read(header), right, "{header:?}");
    }
    assert_eq!(
        read(&basic("a:b:c")),
        Ok(("a".into(), "b:c".into())),
        "the second colon belongs to the secret"
    );
    assert_eq!(read(&basic("a:")), Ok(("a".into(), String::new())));
    for (header, want) in [
        ("", BasicError::Malformed),
        ("Basic", BasicError::Malformed),
        ("Basic ", BasicError::Malformed),
        ("Basic\tY2k6czNjcmV0", BasicError::Malformed),
        ("Basic Y2k6czNjcmV0 ", BasicError::Malformed),
        ("Basic Y2k6czNjcmV0,", BasicError::Malformed),
        ("Basic Y2k6 czNjcmV0", BasicError::Malformed),
        ("Basic Y2k6c2VjcmV", BasicError::Malformed),
        ("Basic Y2k6czNjcmU", BasicError::Malformed),
        ("Basic Y2k6czNjcmV=", BasicError::Malformed),
        ("Basic Y2k_czNjcmV0", BasicError::Malformed),
        ("Basic not base64!", BasicError::Malformed),
        ("Bearer Y2k6czNjcmV0", BasicError::Scheme),
        ("BasicX Y2k6czNjcmV0", BasicError::Scheme),
        (&basic("no colon"), BasicError::Malformed),
        (&basic(":secret"), BasicError::Malformed),
        (&basic("a%zz:b"), BasicError::Malformed),
        (&basic("a:b%"), BasicError::Malformed),
        (&basic("a:b%00"), BasicError::Malformed),
        (&basic("a:%C0%AF"), BasicError::Malformed),
        (&basic("a:\n"), BasicError::Malformed),
        (&basic("ä:b"), BasicError::Malformed),
        (&basic(&"a".repeat(4096)), BasicError::TooLarge),
    ] {
        assert_eq!(read(header), Err(want), "{header:?}");
    }
}

#[test]
fn f14_halves_are_form_decoded_once() {
    assert_eq!(
        read(&basic("a%2Db:p%25q%2Br")),
        Ok(("a-b".into(), "p%q+r".into()))
    );
    assert_eq!(
        read(&basic("a:p+r")).unwrap().1,
        "p r",
        "a raw plus is a space, not a plus"
    );
    assert_eq!(read(&basic("a:p%2525")).unwrap().1, "p%25");
    assert!(
        read(&basic("a:p%q+r")).is_err(),
        "a raw percent sign is no secret at all"
    );
}

#[test]
fn vectors_of_client_basic() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/vectors/client_basic.json")).unwrap();
    let text = |case: &serde_json::Value, name: &str| case[name].as_str().map(ToOwned::to_owned);
    let mut seen = 0;
    for case in vectors["cases"].as_array().unwrap() {
        if let Some(header) = text(case, "authorization") {
            let id = text(case, "client_id").or_else(|| text(case, "user")).unwrap();
            let secret = text(case, "client_secret")
                .or_else(|| text(case, "password"))
                .unwrap();
            assert_eq!(read(&header), Ok((id, secret)), "{}", case["id"]);
        } else {
            let halves = format!("id:{}", text(case, "form_encoded").unwrap());
            assert_eq!(
                read(&basic(&halves)).unwrap().1,
                text(case, "utf8").unwrap(),
                "{}",
                case["id"]
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 4);
}

fn client(authorization: Option<&str>, body: &str) -> Result<PresentedClient, RequestError> {
    PresentedClient::parse(authorization, &Form::parse(body.as_bytes()).unwrap())
}

#[test]
fn each_way_of_client_authentication() {
    let secret = || Secret::from("s");
    for (authorization, body, id, credential) in [
        (
            Some(basic("a:s")),
            "",
            Some("a"),
            PresentedCredential::SecretBasic(secret()),
        ),
        (
            Some(basic("a:s")),
            "client_id=a",
            Some("a"),
            PresentedCredential::SecretBasic(secret()),
        ),
        (
            None,
            "client_id=a&client_secret=s",
            Some("a"),
            PresentedCredential::SecretPost(secret()),
        ),
        (
            None,
            "client_secret=s",
            None,
            PresentedCredential::SecretPost(secret()),
        ),
        (
            None,
            "client_id=a&client_secret=",
            Some("a"),
            PresentedCredential::None,
        ),
        (None, "client_id=a", Some("a"), PresentedCredential::None),
        (None, "", None, PresentedCredential::None),
        (
            None,
            "client_assertion=x.y.z&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            None,
            PresentedCredential::Assertion(Secret::from("x.y.z")),
        ),
        (
            None,
            "client_id=a&client_assertion=x.y.z&client_assertion_type=\
             urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            Some("a"),
            PresentedCredential::Assertion(Secret::from("x.y.z")),
        ),
        // {"sub":"b"}
        (
            None,
            "client_assertion=e30.eyJzdWIiOiJiIn0.c2ln&client_assertion_type=\
             urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
            Some("b"),
            PresentedCredential::Assertion(Secret::from("e30.eyJzdWIiOiJiIn0.c2ln")),
        ),
        (
            None,
            "client_id=a&client_assertion=e30.eyJzdWIiOiJiIn0.c2ln&client_assertion_type=\
             urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            Some("a"),
            PresentedCredential::Assertion(Secret::from("e30.eyJzdWIiOiJiIn0.c2ln")),
        ),
    ] {
        let read = client(authorization.as_deref(), body).unwrap();
        assert_eq!(read.used_authorization_header(), authorization.is_some());
        assert_eq!((read.id.as_deref(), read.credential), (id, credential), "{body}");
    }
}

#[test]
fn f11_two_client_authentications() {
    let header = basic("a:s");
    assert!(client(Some(&header), "client_id=a").is_ok());
    for (authorization, body) in [
        (Some(&header), "client_secret=s"),
        (Some(&header), "client_id=a&client_secret=s"),
        (Some(&header), "client_assertion=x"),
        (Some(&header), "client_assertion_type=urn:x"),
        (None, "client_secret=s&client_assertion=x"),
        (None, "client_secret=s&client_assertion_type=urn:x"),
    ] {
        let read = client(authorization.map(String::as_str), body);
        assert_eq!(read, Err(RequestError::TwoAuthentications), "{body}");
    }
}

#[test]
fn c15_an_assertion_is_of_the_one_type() {
    for (body, fault) in [
        ("client_assertion=x.y.z", RequestError::IncompleteAssertion),
        (
            "client_assertion=x.y.z&client_assertion_type=",
            RequestError::IncompleteAssertion,
        ),
        (
            "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            RequestError::IncompleteAssertion,
        ),
        (
            "client_assertion=x&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
            RequestError::AssertionType,
        ),
        (
            "client_assertion=x&client_assertion_type=URN:ietf:params:oauth:client-assertion-type:jwt-bearer",
            RequestError::AssertionType,
        ),
    ] {
        assert_eq!(client(None, body), Err(fault), "{body}");
    }
}

#[test]
fn f15_another_client_in_the_body() {
    let header = basic("a:s");
    for body in ["client_id=b", "client_id=A", "client_id=a%20", "client_id=a%2F"] {
        assert_eq!(
            client(Some(&header), body),
            Err(RequestError::ClientIdMismatch),
            "{body}"
        );
    }
}

#[test]
fn an_id_that_no_client_has_is_kept_short() {
    let long = "ä".repeat(1000);
    let read = client(None, &format!("client_id={}", "%C3%A4".repeat(1000))).unwrap();
    assert!(
        read.id
            .as_deref()
            .is_some_and(|id| id.len() <= 128 && long.starts_with(id))
    );
    assert_eq!(read.client_id(), None);
    let read = client(Some(&basic(&format!("{}:s", "a".repeat(200)))), "").unwrap();
    assert_eq!(read.id.as_deref().map(str::len), Some(128));
    assert_eq!(read.client_id(), None);
    let read = client(None, "client_id=ci&client_secret=hunter2").unwrap();
    assert_eq!(read.client_id().unwrap().as_str(), "ci");
    assert!(!format!("{read:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn printed_credentials_read_back(id in "[^\0]{1,20}", secret in "[^\0]{0,40}") {
        let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
            .to_string();
        let header = basic(&format!("{}:{}", encode(&id), encode(&secret)));
        prop_assert_eq!(read(&header), Ok((id, secret)));
    }

    #[test]
    fn any_header_is_read_or_refused(header in "\\PC{0,200}", halves in prop::collection::vec(any::<u8>(), 0..64)) {
        drop(read(&header));
        drop(read(&format!("Basic {}", base64_simd::STANDARD.encode_to_string(halves))));
    }
}
