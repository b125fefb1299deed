//! Attack group Q, as far as the client alone is concerned.

use std::{sync::Arc, time::Duration};

use rustls::RootCertStore;
use sealstone_keystone::{
    Authentication, Fault, KeystoneClient, KeystoneConfig, KeystoneError, KeystoneRefusal, KeystoneSession,
    Login, Outage, Secret, TimeFault, UserFilter, UserKey,
};
use sealstone_testkit::{CertificateSpec, START, TestCa, TestCertificate};
use serde_json::json;

use crate::support::{
    FakeKeystone, Log, PASSWORD, Reply, Seen, TOKEN, a_token, always, by_credential, by_password, calls,
    client, clock, complete, config, credential_token, fault, iso, project_token, shown, token, user_id,
};

#[tokio::test]
async fn q01_what_is_no_json_is_an_error_of_each_call() {
    let html = "text/html";
    let faults: [(&str, &str, &[u8]); 8] = [
        ("empty", "application/json", b""),
        ("no JSON", "application/json", b"<html>"),
        (
            "truncated",
            "application/json",
            br#"{"token": {"user": {"id": "u1"#,
        ),
        ("no object", "application/json", b"[]"),
        ("null", "application/json", b"null"),
        ("no UTF-8", "application/json", b"{\"user\": \"\xff\"}"),
        ("HTML by its own account", html, br#"{"token": {}, "users": []}"#),
        ("two values", "application/json", b"{}{}"),
    ];
    for (what, content_type, body) in faults {
        for (name, status, call) in calls() {
            let headers = format!("Content-Type: {content_type}\r\nX-Subject-Token: {TOKEN}\r\n");
            let fake = always(move || Reply::http(status, &headers, body)).await;
            let outcome = call(client(&fake, &clock())).await;
            let fault = fault(outcome);
            assert!(
                matches!(fault, Fault::Json | Fault::Shape | Fault::ContentType),
                "{name}, {what}: {fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn q01_an_object_without_what_was_asked_for_is_an_error_of_each_call() {
    for (name, status, call) in calls() {
        let headers = format!("X-Subject-Token: {TOKEN}\r\n");
        let fake = always(move || Reply::json(status, &headers, r#"{"other": 1}"#)).await;
        assert_eq!(fault(call(client(&fake, &clock())).await), Fault::Shape, "{name}");
    }
}

#[tokio::test]
async fn q02_a_success_with_an_error_body_is_none() {
    let body = r#"{"error": {"code": 401, "message": "No.", "title": "Unauthorized"}}"#;
    for (name, status, call) in calls() {
        let headers = format!("X-Subject-Token: {TOKEN}\r\n");
        let fake = always(move || Reply::json(status, &headers, body)).await;
        assert_eq!(fault(call(client(&fake, &clock())).await), Fault::Shape, "{name}");
    }
}

#[tokio::test]
async fn q02_a_status_that_the_api_does_not_have_there_is_an_error() {
    let right = project_token(START).to_string();
    for status in [200, 202, 204, 206, 300, 304, 402, 405, 418, 451] {
        let body = right.clone();
        let headers = format!("X-Subject-Token: {TOKEN}\r\n");
        let fake = always(move || Reply::json(status, &headers, &body)).await;
        let outcome = client(&fake, &clock()).authenticate(&by_password()).await;
        assert_eq!(fault(outcome), Fault::Status(status), "{status}");
    }
}

#[tokio::test]
async fn q02_a_refusal_is_keystones_only_in_keystones_form() {
    let cases = [
        (400, KeystoneRefusal::BadRequest),
        (401, KeystoneRefusal::Unauthenticated),
        (403, KeystoneRefusal::Forbidden),
        (404, KeystoneRefusal::NotFound),
        (409, KeystoneRefusal::Conflict),
        (413, KeystoneRefusal::TooMuch),
    ];
    for (status, want) in cases {
        let own = always(move || Reply::refused(status)).await;
        let error = client(&own, &clock())
            .authenticate(&by_password())
            .await
            .unwrap_err();
        assert_eq!(error.refusal(), Some(want), "{status}");
        for (headers, body) in [
            ("Content-Type: text/html\r\n", "<h1>Unauthorized</h1>"),
            ("Content-Type: application/json\r\n", r#"{"message": "no route"}"#),
            (
                "Content-Type: application/json\r\n",
                r#"{"error": {"code": 499}}"#,
            ),
            ("", ""),
        ] {
            let front = always(move || Reply::http(status, headers, body.as_bytes())).await;
            let outcome = client(&front, &clock()).authenticate(&by_password()).await;
            assert_eq!(fault(outcome), Fault::Status(status), "{status} {body}");
        }
    }
}

#[tokio::test]
async fn q02_a_token_refused_in_the_middle_is_renewed_once() {
    for (refused, want_logins) in [(vec!["t1"], 2), (vec!["t1", "t2"], 2)] {
        let is_hopeless = refused.len() == 2;
        let logins = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = Arc::clone(&logins);
        let fake = FakeKeystone::start(Arc::new(move |seen: &Seen| {
            if seen.method == "POST" {
                let serial = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                Reply::issued(&format!("t{serial}"), &credential_token(START))
            } else if refused.contains(&seen.header("x-auth-token").unwrap()) {
                Reply::refused(401)
            } else {
                Reply::json(200, "", r#"{"users": [], "links": {"next": null}}"#)
            }
        }))
        .await;
        let session = KeystoneSession::login(client(&fake, &clock()), by_credential());
        let outcome = session.users(&UserFilter::default()).await;
        if is_hopeless {
            assert_eq!(
                outcome.unwrap_err().refusal(),
                Some(KeystoneRefusal::Unauthenticated)
            );
        } else {
            assert!(outcome.unwrap().is_empty());
        }
        assert_eq!(logins.load(std::sync::atomic::Ordering::SeqCst), want_logins);
        assert_eq!(fake.seen_at("GET", "/v3/users"), 2);
    }
}

#[tokio::test]
async fn q03_redirects_are_not_followed() {
    let other = always(|| Reply::issued(TOKEN, &project_token(START))).await;
    for status in [301, 302, 303, 307, 308] {
        let port = other.port();
        for to in [
            format!("http://127.0.0.1:{port}/v3/auth/tokens"),
            "https://evil.example/v3/auth/tokens".to_owned(),
            "/v3/auth/tokens".to_owned(),
            "file:///etc/passwd".to_owned(),
        ] {
            let headers = format!("Location: {to}\r\nX-Subject-Token: {TOKEN}\r\n");
            let fake = always(move || Reply::json(status, &headers, "{}")).await;
            let outcome = client(&fake, &clock()).authenticate(&by_password()).await;
            assert_eq!(fault(outcome), Fault::Redirect, "{status}");
            assert_eq!(fake.seen().len(), 1);
        }
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn q03_the_next_page_is_asked_of_the_same_keystone() {
    let other = always(|| Reply::json(200, "", r#"{"users": []}"#)).await;
    let port = other.port();
    let fake = FakeKeystone::start(Arc::new(move |seen: &Seen| {
        if seen.target == "/v3/users" {
            let next = format!("http://127.0.0.1:{port}/stolen?marker=a");
            let user = json!({"id": "u1", "name": "alice", "domain_id": "d1", "enabled": true});
            Reply::json(
                200,
                "",
                &json!({"users": [user], "links": {"next": next}}).to_string(),
            )
        } else {
            Reply::json(200, "", r#"{"users": [], "links": {"next": null}}"#)
        }
    }))
    .await;
    let session = KeystoneSession::with_token(client(&fake, &clock()), a_token());
    assert_eq!(session.users(&UserFilter::default()).await.unwrap().len(), 1);
    assert_eq!(fake.seen()[1].target, "/v3/users?marker=a");
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn q03_q04_pages_that_do_not_end_are_an_error() {
    let looping = r#"{"users": [], "links": {"next": "http://127.0.0.1/v3/users?marker=a"}}"#;
    let aimless = r#"{"users": [], "links": {"next": "nowhere"}}"#;
    let cut = r#"{"users": [], "links": {"next": null}, "truncated": true}"#;
    for (body, want, requests) in [
        (looping, Fault::Pages, 3),
        (aimless, Fault::Pages, 1),
        (cut, Fault::Truncated, 1),
    ] {
        let fake = always(move || Reply::json(200, "", body)).await;
        let session = KeystoneSession::with_token(client(&fake, &clock()), a_token());
        assert_eq!(fault(session.users(&UserFilter::default()).await), want);
        assert_eq!(fake.seen().len(), requests, "{body}");
    }
}

#[tokio::test]
async fn q04_an_answer_without_end_is_cut_off() {
    let head =
        format!("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Subject-Token: {TOKEN}\r\n");
    let stated = format!("{head}Content-Length: 104857600\r\n\r\n");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let heads = format!(
        "HTTP/1.1 201 Created\r\n{}",
        format!("X-Filler: {}\r\n", "a".repeat(900)).repeat(200)
    );
    for (reply, is_cut) in [
        (Reply::Endless(stated.into_bytes()), true),
        (Reply::Endless(chunked.into_bytes()), true),
        (Reply::Octets(heads.into_bytes()), false),
    ] {
        let fake = always(move || reply.clone()).await;
        let outcome = client(&fake, &clock()).authenticate(&by_password()).await;
        if is_cut {
            assert_eq!(fault(outcome), Fault::TooLarge(1024 * 1024));
        } else {
            assert!(matches!(outcome, Err(KeystoneError::Unavailable { .. })));
        }
    }
    // A list may be larger than a token, and has its end, too.
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let fake = always(move || Reply::Endless(head.as_bytes().to_vec())).await;
    let session = KeystoneSession::with_token(client(&fake, &clock()), a_token());
    let outcome = session.users(&UserFilter::default()).await;
    assert_eq!(fault(outcome), Fault::TooLarge(16 * 1024 * 1024));
}

#[tokio::test]
async fn q05_deep_or_ambiguous_json_is_refused() {
    let right = project_token(START).to_string();
    let inner = right.strip_prefix('{').unwrap();
    let deep = "[".repeat(100_000);
    let nested = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    for (name, body) in [
        ("deep", deep),
        ("deep and whole", format!("{{\"x\": {nested}, {inner}")),
        ("token twice", format!("{{\"token\": {{}}, {inner}")),
        (
            "token twice by an escape",
            format!("{{\"tok\\u0065n\": {{}}, {inner}"),
        ),
        (
            "user twice",
            right.replacen("\"user\":", "\"user\":{\"id\":\"u2\"},\"user\":", 1),
        ),
    ] {
        let headers = format!("X-Subject-Token: {TOKEN}\r\n");
        let fake = always(move || Reply::json(201, &headers, &body)).await;
        let outcome = client(&fake, &clock()).authenticate(&by_password()).await;
        assert_eq!(fault(outcome), Fault::Json, "{name}");
    }
}

#[tokio::test]
async fn q05_lists_are_read_as_strictly() {
    let deep = format!("{{\"users\": [], \"x\": {}1{}}}", "[".repeat(40), "]".repeat(40));
    for (name, body) in [
        ("users twice", r#"{"users": [], "users": []}"#),
        (
            "a member twice",
            r#"{"users": [{"id": "u1", "id": "u2", "name": "a", "domain_id": "d"}]}"#,
        ),
        (
            "links twice",
            r#"{"users": [], "links": {}, "links": {"next": null}}"#,
        ),
        ("a name by an escape", r#"{"users": [], "us\u0065rs": []}"#),
        ("deep", deep.as_str()),
    ] {
        let body = body.to_owned();
        let fake = always(move || Reply::json(200, "", &body)).await;
        let session = KeystoneSession::with_token(client(&fake, &clock()), a_token());
        let outcome = session.users(&UserFilter::default()).await;
        assert_eq!(fault(outcome), Fault::Json, "{name}");
    }
}

#[tokio::test]
async fn q06_slow_answers_meet_the_deadline_and_then_the_breaker() {
    let slow = b"HTTP/1.1 201 Created\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_vec();
    for reply in [Reply::Silence, Reply::Slow(slow)] {
        let clock = clock();
        let fake = always(move || reply.clone()).await;
        let config = config(&fake, &clock)
            .with_call_deadline(Duration::from_millis(200))
            .with_breaker(3, Duration::from_secs(5));
        let client = KeystoneClient::new(&config).unwrap();
        for _ in 0..3 {
            let error = client.authenticate(&by_password()).await.unwrap_err();
            assert!(
                matches!(
                    error,
                    KeystoneError::Unavailable {
                        outage: Outage::Exchange(_),
                        ..
                    }
                ),
                "{error:?}"
            );
        }
        let error = client.authenticate(&by_password()).await.unwrap_err();
        let KeystoneError::Unavailable {
            outage: Outage::LeftAlone { retry_after },
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(retry_after, Duration::from_secs(5));
        assert_eq!(fake.connections(), 3, "the fourth call makes no connection");
        clock.advance(Duration::from_secs(5));
        assert!(client.authenticate(&by_password()).await.is_err());
        assert_eq!(fake.connections(), 4, "one trial after the pause");
        assert!(client.authenticate(&by_password()).await.is_err());
        assert_eq!(fake.connections(), 4, "and then none");
    }
}

#[tokio::test]
async fn q06_waiting_calls_are_bounded() {
    let fake = always(|| Reply::Silence).await;
    let config = config(&fake, &clock())
        .with_max_calls(2)
        .with_call_deadline(Duration::from_millis(400))
        .with_breaker(100, Duration::from_secs(5));
    let client = KeystoneClient::new(&config).unwrap();
    let calls = (0..10).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.authenticate(&by_password()).await })
    });
    let calls: Vec<_> = calls.collect();
    let mut crowded = 0;
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        crowded += usize::from(matches!(
            error,
            KeystoneError::Unavailable {
                outage: Outage::Crowded,
                ..
            }
        ));
    }
    assert_eq!((crowded, fake.connections()), (8, 2));
}

#[tokio::test]
async fn q07_no_connection_is_an_outage_and_a_broken_one_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let nobody = KeystoneClient::new(&KeystoneConfig::new(&url).unwrap()).unwrap();
    let error = nobody.authenticate(&by_password()).await.unwrap_err();
    assert!(matches!(error, KeystoneError::Unavailable { .. }), "{error:?}");
    let cut = format!(
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Subject-Token: {TOKEN}\r\nContent-Length: 900\r\n\r\n{{"
    );
    for (reply, status) in [
        (Reply::Close, None),
        (Reply::Octets(cut.into_bytes()), None),
        (Reply::refused(503), Some(503)),
    ] {
        let fake = always(move || reply.clone()).await;
        let client = client(&fake, &clock());
        let error = client.authenticate(&by_password()).await.unwrap_err();
        match error {
            KeystoneError::Unavailable {
                outage: Outage::Status(found),
                ..
            } => assert_eq!(Some(found), status),
            KeystoneError::Unavailable {
                outage: Outage::Exchange(_),
                ..
            } => assert_eq!(status, None),
            other => panic!("{other:?}"),
        }
        assert_eq!(fake.seen().len(), 1, "a login is not repeated");
        let _outage = client.validate(&a_token(), &a_token()).await.unwrap_err();
        let repeated = if status.is_some() { 1 } else { 2 };
        assert_eq!(
            fake.seen_at("GET", "/v3/auth/tokens"),
            repeated,
            "a question is, once"
        );
    }
}

/// A TLS server with this certificate.
fn tls(certificate: &TestCertificate) -> rustls::ServerConfig {
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificate.chain(), certificate.private_key_der())
        .unwrap()
}

#[tokio::test]
async fn q07_another_name_an_ended_certificate_or_a_strange_authority_is_no_keystone() {
    let (ca, stranger) = (TestCa::new("Servers"), TestCa::new("Servers"));
    let ended = sealstone_testkit::unix_time(1_000_000_000);
    let begun = sealstone_testkit::unix_time(900_000_000);
    let elsewhere =
        CertificateSpec::client("elsewhere").usages(&[sealstone_testkit::ExtendedKeyUsage::ServerAuth]);
    let cases = [
        ("right", ca.server(), true),
        (
            "another name",
            ca.issue(elsewhere.san_dns("elsewhere.example")),
            false,
        ),
        (
            "ended",
            ca.issue(CertificateSpec::server().not_before(begun).not_after(ended)),
            false,
        ),
        ("strange authority", stranger.server(), false),
        ("of its own", CertificateSpec::server().self_signed(), false),
    ];
    for (name, certificate, is_right) in cases {
        let handler = Arc::new(|_seen: &Seen| Reply::issued(TOKEN, &project_token(START)));
        let fake = FakeKeystone::start_tls(handler, tls(&certificate)).await;
        let clock = clock();
        let config = config(&fake, &clock)
            .with_authorities(ca.pem().as_bytes())
            .unwrap();
        let outcome = KeystoneClient::new(&config)
            .unwrap()
            .authenticate(&by_password())
            .await;
        assert_eq!(outcome.is_ok(), is_right, "{name}: {outcome:?}");
        if !is_right {
            assert!(fake.seen().is_empty(), "{name}: nothing was sent");
            assert_eq!(fake.connections(), 1, "{name}: no second try without TLS");
        }
    }
    // A server that speaks no TLS is not spoken to without it.
    let plain = always(|| Reply::issued(TOKEN, &project_token(START))).await;
    let url = plain.url().replace("http:", "https:");
    let config = KeystoneConfig::new(&url)
        .unwrap()
        .with_roots(RootCertStore::empty())
        .with_call_deadline(Duration::from_millis(300));
    assert!(
        KeystoneClient::new(&config)
            .unwrap()
            .authenticate(&by_password())
            .await
            .is_err()
    );
    assert!(plain.seen().is_empty());
}

#[test]
fn q07_plain_http_to_another_host_and_https_without_authorities_are_refused_at_the_start() {
    let plain = KeystoneConfig::new("http://keystone.example:5000/v3").unwrap();
    assert!(KeystoneClient::new(&plain).is_err());
    let dangerous = KeystoneConfig::dangerous_with_plain_http("http://keystone.example:5000/v3").unwrap();
    assert!(KeystoneClient::new(&dangerous).is_ok());
    let untrusting = KeystoneConfig::new("https://keystone.example:5000/v3").unwrap();
    assert!(KeystoneClient::new(&untrusting).is_err());
}

#[tokio::test]
async fn q08_a_token_comes_in_one_good_header() {
    let body = project_token(START).to_string();
    let long = format!("X-Subject-Token: {}\r\n", "a".repeat(9000));
    for (name, headers) in [
        ("missing", ""),
        ("empty", "X-Subject-Token: \r\n"),
        ("two", "X-Subject-Token: a\r\nX-Subject-Token: b\r\n"),
        ("a space", "X-Subject-Token: a b\r\n"),
        ("two in one", "X-Subject-Token: a,b\r\n"),
        ("no ASCII", "X-Subject-Token: \u{e4}\r\n"),
        ("too long", long.as_str()),
    ] {
        let (headers, body) = (headers.to_owned(), body.clone());
        let fake = always(move || Reply::json(201, &headers, &body)).await;
        let outcome = client(&fake, &clock()).authenticate(&by_password()).await;
        assert_eq!(fault(outcome), Fault::SubjectToken, "{name}");
    }
    for headers in [
        "X-Subject-Token: a\r\n b\r\n",
        "X-Subject-Token: a\0b\r\n",
        "X-Subject-Token: a\rb\r\n",
    ] {
        let body = body.clone();
        let fake = always(move || Reply::json(201, headers, &body)).await;
        let outcome = client(&fake, &clock()).authenticate(&by_password()).await;
        assert!(outcome.is_err(), "{headers:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn q09_times_of_tokens_are_believed_within_reason() {
    let hour = START + 3600;
    let year_9999 = "9999-12-31T23:59:59.999999Z".to_owned();
    let time = |fault| Err(Fault::Time(fault));
    let cases = [
        ("an hour", iso(START), iso(hour), Ok(hour)),
        ("year 9999", iso(START), year_9999, Ok(START + 24 * 3600)),
        (
            "ends as it begins",
            iso(START),
            iso(START),
            time(TimeFault::Backwards),
        ),
        (
            "ends before it begins",
            iso(START),
            iso(START - 1),
            time(TimeFault::Backwards),
        ),
        (
            "long past",
            iso(START - 7200),
            iso(START - 3600),
            time(TimeFault::Skew),
        ),
        (
            "no zone",
            iso(START),
            iso(hour).replace('Z', ""),
            Err(Fault::Shape),
        ),
        ("no time", iso(START), "soon".to_owned(), Err(Fault::Shape)),
        ("a number", iso(START), "1800003600".to_owned(), Err(Fault::Shape)),
        (
            "before 1970",
            iso(START),
            "1960-01-01T00:00:00Z".to_owned(),
            Err(Fault::Shape),
        ),
        ("empty", iso(START), String::new(), Err(Fault::Shape)),
    ];
    for (name, issued, expires, want) in cases {
        let mut document = project_token(START);
        document["token"]["issued_at"] = json!(issued);
        document["token"]["expires_at"] = json!(expires);
        let fake = always(move || Reply::issued(TOKEN, &document)).await;
        let outcome = client(&fake, &clock()).authenticate(&by_password()).await;
        match want {
            Ok(end) => assert_eq!(complete(outcome).ends_at.as_secs(), end, "{name}"),
            Err(want) => assert_eq!(fault(outcome), want, "{name}"),
        }
    }
    let mut ended = project_token(START - 7200);
    ended["token"]["expires_at"] = json!(iso(START - 3600));
    let fake = always(move || Reply::valid(&ended)).await;
    let outcome = client(&fake, &clock()).validate(&a_token(), &a_token()).await;
    assert_eq!(
        fault(outcome),
        Fault::Time(TimeFault::Ended),
        "an ended token is not valid, whatever is said"
    );
}

#[tokio::test]
async fn q10_an_answer_about_another_is_refused() {
    use sealstone_keystone::{LoginScope, ProjectKey};
    let project = || LoginScope::Project(ProjectKey::Id(crate::support::project_id("p1")));
    let mut other_user = project_token(START);
    other_user["token"]["user"]["id"] = json!("u2");
    let mut other_project = project_token(START);
    other_project["token"]["project"]["id"] = json!("p2");
    let mut other_credential = credential_token(START);
    other_credential["token"]["application_credential"]["id"] = json!("ac2");
    let mut unasked_trust = project_token(START);
    unasked_trust["token"]["OS-TRUST:trust"] = json!({"id": "t1", "trustor_user": {"id": "u9"}, "trustee_user": {"id": "u1"}, "impersonation": true});
    let mut system = token(START);
    system["token"]["system"] = json!({"all": true});
    system["token"]["roles"] = json!([{"id": "r1", "name": "admin"}]);
    let cases = [
        (by_password(), other_user, "user"),
        (by_password().with_scope(project()), other_project, "project"),
        (by_password().with_scope(project()), token(START), "scope"),
        (by_password().with_scope(project()), system.clone(), "scope"),
        (by_password().with_scope(LoginScope::Unscoped), system, "scope"),
        (
            by_password().with_scope(LoginScope::Unscoped),
            project_token(START),
            "scope",
        ),
        (by_password().with_scope(project()), unasked_trust, "trust"),
        (by_credential(), other_credential, "application credential"),
        (by_credential(), project_token(START), "application credential"),
    ];
    for (authentication, document, what) in cases {
        let fake = always(move || Reply::issued(TOKEN, &document)).await;
        let outcome = client(&fake, &clock()).authenticate(&authentication).await;
        assert_eq!(fault(outcome), Fault::Mismatch(what));
    }
    let body = project_token(START).to_string();
    let fake = always(move || Reply::json(200, "X-Subject-Token: another\r\n", &body)).await;
    let outcome = client(&fake, &clock()).validate(&a_token(), &a_token()).await;
    assert_eq!(fault(outcome), Fault::Mismatch("token"));
}

#[tokio::test]
async fn q11_odd_role_names_are_kept_and_print_escaped() {
    let log = Log::capture();
    let odd = "a\"b'c\nINFO forged\r\u{1b}[2J\u{202e}";
    let mut document = project_token(START);
    document["token"]["roles"] = json!([{"id": "r1", "name": odd}]);
    let fake = always(move || Reply::issued(TOKEN, &document)).await;
    let issued = complete(client(&fake, &clock()).authenticate(&by_password()).await);
    let name = &issued.info.roles[0].name;
    assert_eq!(name.as_str(), odd);
    tracing::info!(role = %name, roles = ?issued.info.roles, "printed");
    assert!(!log.text().contains("\nINFO forged"));
    for count in [1_001, 10_000] {
        let mut document = project_token(START);
        let roles = (0..count).map(|at| json!({"id": format!("r{at}"), "name": "x"}));
        document["token"]["roles"] = roles.collect();
        let fake = always(move || Reply::issued(TOKEN, &document)).await;
        let outcome = client(&fake, &clock()).authenticate(&by_password()).await;
        assert_eq!(
            fault(outcome),
            Fault::TooMany {
                what: "roles",
                limit: 1_000
            }
        );
    }
}

#[tokio::test]
async fn q12_addresses_of_the_catalog_are_texts_that_nobody_calls() {
    let other = always(|| Reply::json(200, "", "{}")).await;
    let urls = [
        "file:///etc/passwd".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://127.0.0.1:{}/", other.port()),
        "gopher://127.0.0.1/".to_owned(),
        "not an address".to_owned(),
    ];
    let mut document = project_token(START);
    let endpoints: Vec<_> = urls
        .iter()
        .map(|url| json!({"interface": "public", "url": url}))
        .collect();
    document["token"]["catalog"] = json!([{"type": "identity", "name": "keystone", "endpoints": endpoints}]);
    let fake = FakeKeystone::start(Arc::new(move |seen: &Seen| match seen.method.as_str() {
        "POST" => Reply::issued(TOKEN, &document),
        _ => Reply::json(200, "", r#"{"users": [], "links": {"next": null}}"#),
    }))
    .await;
    let client = client(&fake, &clock());
    let issued = complete(client.authenticate(&by_password().with_catalog()).await);
    let catalog = issued.info.catalog.unwrap();
    assert_eq!(
        catalog
            .urls("identity", "public")
            .map(|url| url.as_str())
            .collect::<Vec<_>>(),
        urls
    );
    let session = KeystoneSession::login(client, by_password());
    assert!(session.users(&UserFilter::default()).await.is_ok());
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn q13_clocks_ten_minutes_apart_change_no_lifetime_and_twenty_are_told() {
    for skew in [-1_200_i64, -600, -61, 0, 61, 600, 1_200] {
        let issued = START.checked_add_signed(skew).unwrap();
        let fake = always(move || Reply::issued(TOKEN, &project_token(issued))).await;
        let outcome = client(&fake, &clock()).authenticate(&by_password()).await;
        if skew.unsigned_abs() > 900 {
            assert_eq!(fault(outcome), Fault::Time(TimeFault::Skew), "{skew}");
        } else {
            assert_eq!(complete(outcome).ends_at.as_secs(), START + 3600, "{skew}");
        }
    }
}

#[tokio::test]
async fn q14_what_keystone_repeats_is_not_shown() {
    let log = Log::capture();
    let echo = format!(r#"{{"error":{{"code":CODE,"message":"{PASSWORD} {TOKEN}","title":"{PASSWORD}"}}}}"#);
    for status in [
        200_u16, 201, 300, 302, 400, 401, 403, 404, 409, 413, 418, 429, 500, 502, 503,
    ] {
        let headers = format!(
            "x-openstack-request-id: {PASSWORD}\r\nLocation: http://127.0.0.1/{PASSWORD}\r\nRetry-After: {PASSWORD}\r\n\
             WWW-Authenticate: {PASSWORD}\r\n"
        );
        let body = echo.replace("CODE", &status.to_string());
        let fake = always(move || Reply::json(status, &headers, &body)).await;
        let client = client(&fake, &clock());
        let session = KeystoneSession::with_token(client.clone(), a_token());
        let errors = [
            client.authenticate(&by_password()).await.map(drop).unwrap_err(),
            client
                .validate(&a_token(), &a_token())
                .await
                .map(drop)
                .unwrap_err(),
            session.users(&UserFilter::default()).await.map(drop).unwrap_err(),
        ];
        for error in &errors {
            let text = shown(error);
            tracing::error!(?error, "{error}");
            assert!(
                !text.contains(PASSWORD) && !text.contains(TOKEN),
                "{status}: {text}"
            );
        }
    }
    let everything = format!("{:?} {:?} {:?}", by_password(), by_credential(), a_token());
    assert!(
        !everything.contains(PASSWORD) && !everything.contains(TOKEN),
        "{everything}"
    );
    let right = always(|| Reply::issued(TOKEN, &project_token(START))).await;
    let client = client(&right, &clock());
    let issued = complete(client.authenticate(&by_password()).await);
    tracing::info!(?issued, ?client, "done");
    let log = log.text();
    assert!(
        log.contains("done") && !log.contains(PASSWORD) && !log.contains(TOKEN),
        "{log}"
    );
}

#[tokio::test]
async fn q14_the_request_id_leads_to_keystones_own_log() {
    let id = "req-1c9e6fc2-046d-4c28-a2a7-e24748e74f17";
    let headers = format!("x-openstack-request-id: {id}\r\n");
    let fake = always(move || Reply::json(401, &headers, r#"{"error":{"code":401}}"#)).await;
    let error = client(&fake, &clock())
        .authenticate(&by_password())
        .await
        .unwrap_err();
    assert!(error.to_string().ends_with(&format!("[{id}]")), "{error}");
}

#[tokio::test]
async fn a_receipt_carries_the_first_factor_to_the_second() {
    let receipt = json!({
        "receipt": {
            "methods": ["password"],
            "user": {"id": "u1", "name": "bob", "domain": {"id": "d1", "name": "acme"}},
            "expires_at": iso(START + 300), "issued_at": iso(START),
        },
        "required_auth_methods": [["totp", "password"]],
    });
    let fake = FakeKeystone::start(Arc::new(move |seen: &Seen| {
        if seen.header("openstack-auth-receipt") == Some("receipt1") {
            return Reply::issued(TOKEN, &project_token(START));
        }
        let headers = "Openstack-Auth-Receipt: receipt1\r\n";
        Reply::json(401, headers, &receipt.to_string())
    }))
    .await;
    let client = client(&fake, &clock());
    let Login::Incomplete(receipt) = client.authenticate(&by_password()).await.unwrap() else {
        panic!("more is due");
    };
    assert_eq!(receipt.required_methods()[0].len(), 2);
    let code = sealstone_keystone::Factor::Totp {
        user: UserKey::Id(user_id("u1")),
        passcode: Secret::from("123456"),
    };
    let second = Authentication::continuing(receipt, code);
    assert_eq!(
        complete(client.authenticate(&second).await).info.user.id,
        user_id("u1")
    );
    let sent = fake.seen()[1].json();
    assert_eq!(sent["auth"]["identity"]["methods"], json!(["totp"]));
    // A receipt for somebody else is of no use to us.
    let refused = always(|| {
        Reply::json(
            401,
            "Openstack-Auth-Receipt: a b\r\n",
            r#"{"error":{"code":401}}"#,
        )
    })
    .await;
    let outcome = crate::support::client(&refused, &clock())
        .authenticate(&by_password())
        .await;
    assert_eq!(fault(outcome), Fault::SubjectToken);
}
