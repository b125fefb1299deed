//! Group F: the token endpoint.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::Frame;
use sealstone_http::{HttpConfig, RateLimit};
use serde_json::json;

use crate::support::{Ask, GRANT, ISSUER, Log, TOKEN, World, basic, secret};

#[tokio::test]
async fn f01_get_and_every_other_method() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    let log = Log::capture();
    let uri = format!("{TOKEN}?{GRANT}&client_id=ci&client_secret={}", secret("ci"));
    for method in [
        "GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY",
    ] {
        let answer = world.send(Ask::new(method, &uri)).await;
        answer.is_refused(405, "invalid_request");
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    let log = log.text();
    assert!(log.contains("endpoint=\"token\""));
    assert!(!log.contains(&secret("ci")) && !log.contains("grant_type"));
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f02_wrong_content_type() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    let json = json!({"grant_type": "client_credentials"}).to_string();
    for (kind, body) in [
        (Some("application/json"), json.as_str()),
        (Some("application/json"), GRANT),
        (Some("multipart/form-data; boundary=x"), "--x--"),
        (Some("text/plain"), GRANT),
        (Some("application/x-www-form-urlencoded; charset=utf-16"), GRANT),
        (Some(""), GRANT),
        (None, GRANT),
    ] {
        let ask = Ask::post(TOKEN).basic("ci").body(Body::from(body.to_owned()));
        let ask = match kind {
            Some(kind) => ask.header("content-type", kind),
            None => ask,
        };
        world.send(ask).await.is_refused(400, "invalid_request");
    }
    let twice = Ask::post(TOKEN)
        .basic("ci")
        .form(GRANT)
        .header("content-type", "text/plain");
    world.send(twice).await.is_refused(400, "invalid_request");
    let packed = Ask::post(TOKEN)
        .basic("ci")
        .form(GRANT)
        .header("content-encoding", "gzip");
    world.send(packed).await.is_refused(400, "invalid_request");
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f03_case_and_charset_of_the_content_type() {
    let world = World::new().await;
    for kind in [
        "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded;charset=\"utf-8\"",
        "APPLICATION/X-WWW-FORM-URLENCODED",
    ] {
        let ask = Ask::post(TOKEN)
            .basic("ci")
            .header("content-type", kind)
            .body(Body::from(GRANT));
        world.send(ask).await.is_token();
    }
}

#[tokio::test]
async fn f04_repeated_parameter() {
    let world = World::new().await;
    let whole = format!(
        "{GRANT}&client_id=poster&client_secret={}&scope=read",
        secret("poster")
    );
    world.send(Ask::post(TOKEN).form(whole.as_str())).await.is_token();
    for again in [
        "grant_type=client_credentials",
        "grant_type=refresh_token",
        "client_id=poster",
        "client_id=ci",
        "client_secret=x",
        "scope=read",
        "scope=",
        "foo=1&foo=1",
    ] {
        let ask = Ask::post(TOKEN).form(format!("{whole}&{again}"));
        world.send(ask).await.is_refused(400, "invalid_request");
    }
    let two = "&resource=https://api.example&resource=https://api.example";
    world
        .send(Ask::post(TOKEN).form(format!("{whole}{two}")))
        .await
        .is_token();
    assert_eq!(world.issued(), 2);
}

#[tokio::test]
async fn f05_parameters_in_the_url_are_refused() {
    let world = World::new().await;
    let body = format!("{GRANT}&client_id=poster&client_secret={}", secret("poster"));
    world.send(Ask::post(TOKEN).form(body.as_str())).await.is_token();
    for query in ["client_id=ci", "scope=write", "x", "", "client_secret=x"] {
        let ask = Ask::post(&format!("{TOKEN}?{query}")).form(body.as_str());
        world.send(ask).await.is_refused(400, "invalid_request");
    }
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f06_f07_empty_is_absent_and_unknown_is_ignored() {
    let world = World::new().await;
    let plain = world.token(GRANT).await;
    for extra in ["&scope=", "&client_id=", "&code=", "&foo=bar", "&state=%00x"] {
        let answer = world.token(&format!("{GRANT}{extra}")).await;
        if extra.contains("%00") {
            answer.is_refused(400, "invalid_request");
        } else {
            answer.is_token();
            assert_eq!(answer.json()["scope"], plain.json()["scope"], "{extra}");
        }
    }
}

#[tokio::test]
async fn f08_missing_grant_type() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    for body in [
        "",
        "scope=read",
        "grant_type=",
        "grant_type",
        "Grant_Type=client_credentials",
        "&&&",
    ] {
        world.token(body).await.is_refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn f09_f10_grants_that_are_not_offered() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    for grant in [
        "password",
        "implicit",
        "urn:example:params:oauth:grant-type:other",
        "CLIENT_CREDENTIALS",
        "client_credentials%20",
        "authorization_code&code=x&redirect_uri=https://a.example/cb",
        "refresh_token&refresh_token=x",
        "urn:ietf:params:oauth:grant-type:device_code&device_code=x",
        "urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x",
        "urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=x",
    ] {
        world
            .token(&format!("grant_type={grant}"))
            .await
            .is_refused(400, "unsupported_grant_type");
    }
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f11_two_client_authentications() {
    let world = World::new().await;
    world
        .send(Ask::post(TOKEN).basic("ci").form(format!("{GRANT}&client_id=ci")))
        .await
        .is_token();
    let right = secret("ci");
    for extra in [
        format!("client_secret={right}"),
        format!("client_id=ci&client_secret={right}"),
        "client_assertion=x.y.z".to_owned(),
        "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
    ] {
        world
            .token(&format!("{GRANT}&{extra}"))
            .await
            .is_refused(400, "invalid_request");
    }
    let both = format!(
        "{GRANT}&client_id=poster&client_secret={}&client_assertion=x",
        secret("poster")
    );
    world
        .send(Ask::post(TOKEN).form(both))
        .await
        .is_refused(400, "invalid_request");
    let machine = format!("{GRANT}&client_id=machine");
    world
        .send(
            Ask::post(TOKEN)
                .certificate(&world.machine)
                .form(machine.as_str()),
        )
        .await
        .is_token();
    let secret_too = format!("{machine}&client_secret=x");
    let ask = Ask::post(TOKEN).certificate(&world.machine).form(secret_too);
    world.send(ask).await.is_refused(401, "invalid_client");
    assert_eq!(world.issued(), 2);
}

#[tokio::test]
async fn f12_other_method_than_registered() {
    let world = World::new().await;
    let posted = |client: &str| {
        Ask::post(TOKEN).form(format!(
            "{GRANT}&client_id={client}&client_secret={}",
            secret(client)
        ))
    };
    world.send(posted("poster")).await.is_token();
    world.send(posted("ci")).await.is_refused(401, "invalid_client");
    world
        .send(Ask::post(TOKEN).basic("poster").form(GRANT))
        .await
        .is_refused(401, "invalid_client");
    world
        .send(Ask::post(TOKEN).basic("machine").form(GRANT))
        .await
        .is_refused(401, "invalid_client");
    let certificate = Ask::post(TOKEN)
        .certificate(&world.machine)
        .form(format!("{GRANT}&client_id=ci"));
    world.send(certificate).await.is_refused(401, "invalid_client");
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f13_basic_with_odd_forms() {
    let world = World::new().await;
    let right = basic(&format!("ci:{}", secret("ci")));
    let encoded = right.strip_prefix("Basic ").unwrap().to_owned();
    let with = |value: &str| Ask::post(TOKEN).header("authorization", value).form(GRANT);
    for scheme in ["Basic", "basic", "BASIC", "bAsIc"] {
        world.send(with(&format!("{scheme} {encoded}"))).await.is_token();
    }
    for value in [
        basic("ci"),
        basic(&format!("ci:{}:", secret("ci"))),
        basic(&format!(":ci:{}", secret("ci"))),
        basic(":"),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
        format!("Basic {encoded}="),
        format!("Basic {encoded}, Basic {encoded}"),
        format!("Bearer {encoded}"),
        format!("Digest username=\"{encoded}\""),
        encoded.clone(),
        format!("Basic {}", "A".repeat(8192)),
    ] {
        world.send(with(&value)).await.is_refused(401, "invalid_client");
    }
    let twice = with(&right).header("authorization", &right);
    world.send(twice).await.is_refused(400, "invalid_request");
    let octets = Ask::post(TOKEN)
        .header("authorization", b"Basic \xff\xfe")
        .form(GRANT);
    world.send(octets).await.is_refused(401, "invalid_client");
    assert_eq!(world.issued(), 4);
}

#[tokio::test]
async fn f14_basic_is_form_encoded() {
    let world = World::new().await;
    let right = secret("ci");
    world
        .send(Ask::post(TOKEN).basic_with("ci", &right).form(GRANT))
        .await
        .is_token();
    let encoded: String = right.bytes().map(|byte| format!("%{byte:02x}")).collect();
    world
        .send(Ask::post(TOKEN).basic_with("%63%69", &encoded).form(GRANT))
        .await
        .is_token();
    let twice = encoded.replace('%', "%25");
    for wrong in [
        twice,
        format!("{right}%"),
        format!("{right}+"),
        format!("%zz{right}"),
        format!("{right}%00"),
    ] {
        world
            .send(Ask::post(TOKEN).basic_with("ci", &wrong).form(GRANT))
            .await
            .is_refused(401, "invalid_client");
    }
}

#[tokio::test]
async fn f15_another_client_in_the_body() {
    let world = World::new().await;
    world.token(&format!("{GRANT}&client_id=ci")).await.is_token();
    for other in ["other", "CI", "ci%20", "machine"] {
        world
            .token(&format!("{GRANT}&client_id={other}"))
            .await
            .is_refused(400, "invalid_request");
    }
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f16_secret_prefix_and_suffix() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    let right = secret("ci");
    for wrong in [
        right[..42].to_owned(),
        right[1..].to_owned(),
        format!("{right}x"),
        right.to_lowercase(),
        String::new(),
    ] {
        world
            .send(Ask::post(TOKEN).basic_with("ci", &wrong).form(GRANT))
            .await
            .is_refused(401, "invalid_client");
    }
    let right = secret("poster");
    let posted =
        |secret: &str| Ask::post(TOKEN).form(format!("{GRANT}&client_id=poster&client_secret={secret}"));
    world.send(posted(&right)).await.is_token();
    world
        .send(posted(&format!("{right}%00")))
        .await
        .is_refused(400, "invalid_request");
    world
        .send(posted(&"x".repeat(60_000)))
        .await
        .is_refused(401, "invalid_client");
    world
        .send(posted(&"x".repeat(1 << 20)))
        .await
        .is_refused(413, "invalid_request");
    assert_eq!(world.issued(), 2);
}

#[tokio::test]
async fn f17_confidential_client_without_secret() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    for client in ["ci", "poster", "machine", "alone", "both"] {
        let ask = Ask::post(TOKEN).form(format!("{GRANT}&client_id={client}"));
        world.send(ask).await.is_refused(401, "invalid_client");
    }
    world
        .send(Ask::post(TOKEN).form(GRANT))
        .await
        .is_refused(401, "invalid_client");
    assert_eq!(world.issued(), 1);
}

/// There are no public clients; a certificate client is the nearest: any secret on it is refused, never ignored.
#[tokio::test]
async fn f18_secret_of_a_client_that_has_none() {
    let world = World::new().await;
    for (client, certificate) in [("machine", &world.machine), ("alone", &world.alone)] {
        let ask = |body: String| Ask::post(TOKEN).certificate(certificate).form(body);
        world
            .send(ask(format!("{GRANT}&client_id={client}")))
            .await
            .is_token();
        let with_secret = format!("{GRANT}&client_id={client}&client_secret=x");
        world
            .send(ask(with_secret))
            .await
            .is_refused(401, "invalid_client");
    }
    assert_eq!(world.issued(), 2);
}

#[tokio::test]
async fn f19_scope_outside_the_allowed_set() {
    let world = World::new().await;
    let answer = world.token(&format!("{GRANT}&scope=write+read")).await;
    answer.is_token();
    assert_eq!(answer.json()["scope"], "write read");
    for scope in ["admin", "read+admin", "READ", "openstack:api", "openid"] {
        world
            .token(&format!("{GRANT}&scope={scope}"))
            .await
            .is_refused(400, "invalid_scope");
    }
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f20_scope_forms() {
    let world = World::new().await;
    let answer = world.token(&format!("{GRANT}&scope=read+read+write+read")).await;
    answer.is_token();
    assert_eq!(answer.json()["scope"], "read write");
    for scope in [
        "read%09write",
        "%22read%22",
        "re%5Cad",
        "read++write",
        "+read",
        "r%C3%A9ad",
        "read%0D%0Awrite",
    ] {
        world
            .token(&format!("{GRANT}&scope={scope}"))
            .await
            .is_refused(400, "invalid_scope");
    }
    world
        .token(&format!("{GRANT}&scope=read%00"))
        .await
        .is_refused(400, "invalid_request");
    world
        .token(&format!("{GRANT}&scope={}", "a".repeat(5_000)))
        .await
        .is_refused(400, "invalid_scope");
    world
        .token(&format!("{GRANT}&scope={}", "a".repeat(65_536)))
        .await
        .is_refused(413, "invalid_request");
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f21_omitted_scope_does_not_grant_the_api_scope() {
    let world = World::new().await;
    let operator = json!({
        "scope": "read openstack:api",
        "default_scope": "read",
        "authority": {
            "user": {"id": "u1", "name": "operator", "domain_id": "demo"},
            "scope": {"type": "project", "id": "p1", "name": "builds", "domain_id": "demo"},
            "roles": ["member"],
        },
    });
    world.register("demo", "operator", operator).await;
    let ask = |body: &str| Ask::post(TOKEN).basic("operator").form(body);
    let asked = world.send(ask(&format!("{GRANT}&scope=openstack:api"))).await;
    asked.is_token();
    assert_eq!(
        world.claims(&asked)["openstack_context"]["roles"],
        json!(["member"])
    );
    let omitted = world.send(ask(GRANT)).await;
    omitted.is_token();
    assert_eq!(omitted.json()["scope"], "read");
    let claims = world.claims(&omitted);
    assert!(claims.get("openstack_context").is_none());
    assert_eq!(claims["aud"], "operator");
}

#[tokio::test]
async fn f22_body_too_large() {
    let world = World::new().await;
    let padded = |size: usize| format!("{GRANT}&foo={}", "x".repeat(size - GRANT.len() - 5));
    world.token(&padded(65_536)).await.is_token();
    world
        .token(&padded(65_537))
        .await
        .is_refused(413, "invalid_request");
    world
        .token(&padded(10 << 20))
        .await
        .is_refused(413, "invalid_request");
    let announced = Ask::post(TOKEN)
        .basic("ci")
        .form(GRANT)
        .header("content-length", "10485760");
    world.send(announced).await.is_refused(413, "invalid_request");
    let many: String = (0..100_000).map(|n| format!("&p{n}")).collect();
    world
        .token(&format!("{GRANT}{many}"))
        .await
        .is_refused(413, "invalid_request");
    let many: String = (0..64).map(|n| format!("&p{n}=1")).collect();
    world
        .token(&format!("{GRANT}{many}"))
        .await
        .is_refused(400, "invalid_request");
    assert_eq!(world.issued(), 1);
}

/// Some octets, then nothing more; or, at the end, a broken connection.
struct Stalled {
    first: Option<Bytes>,
    breaks: bool,
}

impl http_body::Body for Stalled {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None if self.breaks => Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into()))),
            None => Poll::Pending,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f23_body_slower_or_shorter_than_announced() {
    let world = World::with(|config: HttpConfig| config.with_body_deadline(Duration::from_secs(5))).await;
    world.token(GRANT).await.is_token();
    let stalled = |breaks| {
        Body::new(Stalled {
            first: Some(Bytes::from_static(b"grant_type")),
            breaks,
        })
    };
    let ask = |body| {
        let kind = "application/x-www-form-urlencoded";
        Ask::post(TOKEN)
            .basic("ci")
            .header("content-type", kind)
            .header("content-length", "100")
            .body(body)
    };
    let answer = world.send(ask(stalled(false))).await;
    answer.is_refused(408, "invalid_request");
    assert_eq!(answer.header("connection"), Some("close"));
    world
        .send(ask(stalled(true)))
        .await
        .is_refused(400, "invalid_request");
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f24_percent_forms() {
    let world = World::new().await;
    world
        .token("grant%5Ftype=client%5fcredentials&scope=%72ead")
        .await
        .is_token();
    for odd in ["%", "%4", "%zz", "%C0%AF", "%00", "%E0%80%AF", "%ED%A0%80", "%FF"] {
        for body in [
            format!("{GRANT}&scope=read{odd}"),
            format!("{GRANT}&{odd}=1"),
            format!("{GRANT}&foo={odd}"),
        ] {
            world.token(&body).await.is_refused(400, "invalid_request");
        }
    }
    for raw in [&b"\0"[..], b"\n", b"\xff", b"\xc3\xa9"] {
        let body = [GRANT.as_bytes(), b"&foo=", raw].concat();
        world
            .send(Ask::post(TOKEN).basic("ci").form(body))
            .await
            .is_refused(400, "invalid_request");
    }
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn f25_unknown_client_and_wrong_secret_look_the_same() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    let ask = |client: &str, secret: &str| Ask::post(TOKEN).basic_with(client, secret).form(GRANT);
    let mut seen = Vec::new();
    for (client, secret) in [
        ("ci", "wrong".to_owned()),
        ("nobody", secret("ci")),
        ("off", secret("off")),
        ("foreign", secret("foreign")),
        ("no-such-client_", String::new()),
        ("not%2Fan%2Fid", "x".to_owned()),
        ("machine", "x".to_owned()),
    ] {
        let answer = world.send(ask(client, &secret)).await;
        answer.is_refused(401, "invalid_client");
        let mut headers = answer.headers.clone();
        headers.remove("x-request-id");
        seen.push((answer.text, headers));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn f26_guessing_secrets() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    let mut throttled = 0;
    for guess in 0..1_000 {
        let ask = Ask::post(TOKEN)
            .basic_with("ci", &format!("guess{guess}"))
            .form(GRANT);
        let answer = world.send(ask).await;
        if answer.status == 429 {
            throttled += 1;
            answer.is_refused(429, "temporarily_unavailable");
            assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        } else {
            answer.is_refused(401, "invalid_client");
        }
    }
    assert!(throttled >= 985, "{throttled}");
    // What is throttled reaches neither the secret nor the store: the provider did not see it.
    assert_eq!(world.requests(), 1 + 1_000 - throttled);
    world
        .token(GRANT)
        .await
        .is_refused(429, "temporarily_unavailable");
    world
        .send(Ask::post(TOKEN).basic("other").form(GRANT))
        .await
        .is_token();
    world
        .send(Ask::post(TOKEN).basic("ci").peer("192.0.2.11").form(GRANT))
        .await
        .is_token();
}

#[tokio::test]
async fn f26_one_address_cannot_take_everything() {
    let burst = std::num::NonZeroU32::new(20).unwrap();
    let limit =
        RateLimit::default().with_requests(sealstone_http::Allowance::new(burst, Duration::from_secs(3600)));
    let world = World::with(|config| config.with_rate_limit(limit)).await;
    let mut served = 0;
    for _ in 0..100 {
        let answer = world.token(GRANT).await;
        match answer.status.as_u16() {
            200 => served += 1,
            _ => answer.is_refused(429, "temporarily_unavailable"),
        }
    }
    assert_eq!(served, 20);
    world
        .send(Ask::post(TOKEN).basic("ci").peer("2001:db8::1").form(GRANT))
        .await;
    // Reading the keys stays possible.
    assert_eq!(world.send(Ask::get(&format!("{ISSUER}/jwks"))).await.status, 200);
}

#[tokio::test]
async fn f27_nothing_of_the_input_comes_back() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    let probes = [
        "\"><script>alert(1)</script>",
        "x\r\nSet-Cookie: a=b",
        "MARK\u{202e}",
        "MARK\\\"",
    ];
    let encode = |text: &str| {
        text.bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect::<String>()
    };
    for probe in probes {
        let value = encode(probe);
        for body in [
            format!("grant_type={value}"),
            format!("{GRANT}&scope={value}"),
            format!("{GRANT}&resource={value}"),
            format!("{GRANT}&client_id={value}"),
            format!("{value}={value}&{value}={value}"),
        ] {
            let answer = world.token(&body).await;
            answer.is_refused(400, answer.json()["error"].as_str().unwrap());
            let whole = format!("{:?}{}", answer.headers, answer.text);
            for mark in ["script>", "MARK", "Set-Cookie", "set-cookie"] {
                assert!(!whole.contains(mark), "{whole}");
            }
        }
    }
}

#[tokio::test]
async fn f28_nothing_is_cached() {
    let world = World::new().await;
    let good = world.token(GRANT).await;
    good.is_token();
    assert_eq!(good.header("pragma"), Some("no-cache"));
    world.token("").await.is_clean();
    world.send(Ask::post(TOKEN).form(GRANT)).await.is_clean();
    world.send(Ask::get(TOKEN)).await.is_clean();
}

#[tokio::test]
async fn f29_no_cross_origin_reading() {
    let world = World::new().await;
    let cross = |ask: Ask| {
        ask.header("origin", "https://evil.example")
            .header("cookie", "a=b")
    };
    world
        .send(cross(Ask::post(TOKEN).basic("ci").form(GRANT)))
        .await
        .is_token();
    let preflight = Ask::new("OPTIONS", TOKEN).header("access-control-request-method", "POST");
    world
        .send(cross(preflight))
        .await
        .is_refused(405, "invalid_request");
    for public in ["/jwks", "/.well-known/openid-configuration"] {
        let answer = world.send(cross(Ask::get(&format!("{ISSUER}{public}")))).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn f30_method_override_is_ignored() {
    let world = World::new().await;
    for (name, value) in [
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "GET"),
        ("x-method-override", "PUT"),
    ] {
        world
            .send(Ask::post(TOKEN).basic("ci").header(name, value).form(GRANT))
            .await
            .is_token();
        let other = Ask::get(TOKEN).header(name, "POST");
        world.send(other).await.is_refused(405, "invalid_request");
    }
}

/// One record for each refused request, with the client as it named itself, and no secret anywhere.
#[tokio::test]
async fn f_refusals_are_recorded_without_secrets() {
    let world = World::new().await;
    let log = Log::capture();
    world.token(GRANT).await.is_token();
    world
        .send(Ask::post(TOKEN).basic_with("ci", "guess-4711").form(GRANT))
        .await
        .is_refused(401, "invalid_client");
    world.token("scope=read").await.is_refused(400, "invalid_request");
    let odd = format!("{GRANT}&client_id=a%0Ab&client_secret=guess-4711");
    world
        .send(Ask::post(TOKEN).header("x-request-id", "trace-7").form(odd))
        .await
        .is_refused(401, "invalid_client");
    let log = log.text();
    let events = world.events();
    let last = events.last().unwrap();
    assert_eq!(last.request_id, "trace-7");
    assert!(
        last.initiator
            .client_id
            .as_deref()
            .is_some_and(|id| !id.contains('\n'))
    );
    let rules: Vec<_> = events
        .iter()
        .filter_map(|event| event.reason)
        .map(sealstone_audit::Reason::rule)
        .collect();
    assert_eq!(rules, ["wrong_secret", "malformed_request", "unknown_client"]);
    let everything = format!("{log}{events:?}");
    for hidden in ["guess-4711", &secret("ci")] {
        assert!(!everything.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn f_request_id_is_echoed() {
    let world = World::new().await;
    let ask = || Ask::post(TOKEN).basic("ci").form(GRANT);
    assert_eq!(
        world
            .send(ask().header("x-request-id", "trace-7"))
            .await
            .header("x-request-id"),
        Some("trace-7")
    );
    for odd in ["a b", "<x>", &"a".repeat(65)] {
        assert_ne!(
            world
                .send(ask().header("x-request-id", odd))
                .await
                .header("x-request-id"),
            Some(odd)
        );
    }
    let first = world.send(ask()).await;
    assert_ne!(
        first.header("x-request-id"),
        world.send(ask()).await.header("x-request-id")
    );
}
