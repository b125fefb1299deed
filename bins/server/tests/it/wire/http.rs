use super::{exchange, statuses};
use crate::harness::{Ask, GRANT, INTROSPECT, ISSUER, REVOKE, TOKEN, World, secret};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A world with the client `basic`.
async fn world() -> World {
    let world = World::with(|setup| {
        setup.set("limits", "body_deadline_s", "1");
        setup.set("limits", "idle_timeout_s", "2");
    })
    .await;
    world.register("basic", json!({})).await;
    good(&world).await;
    world
}

/// What succeeds as long as the server is well.
async fn good(world: &World) {
    let ask = Ask::post(TOKEN).basic("basic", &secret("basic")).form(GRANT);
    world.https().send(world.public, ask).await.token();
}

/// The head of a good token request without what says how long its body is.
fn head() -> String {
    let ask = Ask::post(TOKEN).basic("basic", &secret("basic"));
    let (_, authorization) = &ask.headers[0];
    let authorization = String::from_utf8(authorization.clone()).unwrap();
    format!(
        "POST {TOKEN} HTTP/1.1\r\nHost: id.example.test\r\nAuthorization: {authorization}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n"
    )
}

#[tokio::test]
async fn f22_body_too_large() {
    let world = world().await;
    let https = world.https();
    let large = vec![b'a'; 10 * 1024 * 1024];
    let many = "a=&".repeat(100_000);
    let more = (0..65).map(|at| format!("a{at}=b&")).collect::<String>();
    for (body, status) in [
        (large, 413),
        (many.into_bytes(), 413),
        (format!("{more}{GRANT}").into_bytes(), 400),
    ] {
        let length = body.len();
        // Announced, and in chunks.
        let announced = format!("{}Content-Length: {length}\r\n\r\n", head());
        let chunked = format!("{}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n", head());
        for head in [announced, chunked] {
            let mut stream = https.open(world.public).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            // The answer may come, and the connection go, before all is sent.
            let sent = async {
                let _ = stream.write_all(&body).await;
                let _ = stream.write_all(b"\r\n0\r\n\r\n").await;
                let mut first = [0; 12];
                let _ = stream.read_exact(&mut first).await;
                String::from_utf8_lossy(&first).into_owned()
            };
            let first = tokio::time::timeout(Duration::from_secs(20), sent).await.unwrap();
            assert_eq!(first, format!("HTTP/1.1 {status}"), "{length}");
        }
    }
    let issued = world.issued();
    good(&world).await;
    assert_eq!(world.issued(), issued + 1);
    world.end().await;
}

#[tokio::test]
async fn f23_body_shorter_or_slower_than_announced() {
    let world = world().await;
    let https = world.https();
    let issued = world.issued();
    let request = format!("{}Content-Length: 100\r\n\r\ngrant_type", head());
    // Silence: closed within the deadline.
    let answer = exchange(&https, world.public, request.as_bytes()).await;
    assert_eq!(statuses(&answer), [408], "{answer}");
    // An octet now and then does not help.
    let mut stream = https.open(world.public).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(stream);
    let dripping = tokio::spawn(async move {
        while writing.write_all(b"=").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = reading.read_to_end(&mut answer).await;
    assert_eq!(statuses(&String::from_utf8_lossy(&answer)), [408]);
    dripping.abort();
    // The end before the announced length.
    let mut stream = https.open(world.public).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(statuses(&answer).iter().all(|status| *status == 400), "{answer}");
    // A head that does not end.
    let answer = exchange(
        &https,
        world.public,
        b"POST /v4/oauth2/demo/token HTTP/1.1\r\nHost: ",
    )
    .await;
    assert!(statuses(&answer).iter().all(|status| *status == 408), "{answer}");
    assert_eq!(world.issued(), issued);
    good(&world).await;
    world.end().await;
}

#[tokio::test]
async fn s16_request_smuggling_shapes() {
    let world = world().await;
    let https = world.https();
    let length = GRANT.len();
    let fine = format!(
        "{}Content-Length: {length}\r\nConnection: close\r\n\r\n{GRANT}",
        head()
    );
    assert_eq!(
        statuses(&exchange(&https, world.public, fine.as_bytes()).await),
        [200]
    );
    let chunked = format!(
        "{}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{length:x}\r\n{GRANT}\r\n0\r\n\r\n",
        head()
    );
    assert_eq!(
        statuses(&exchange(&https, world.public, chunked.as_bytes()).await),
        [200]
    );

    let issued = world.issued();
    // What a confused server would take for a request of its own.
    let hidden = fine.as_str();
    let bodied = |fields: &str, body: &str| format!("{}{fields}\r\n\r\n{body}", head());
    let chunks = format!("{length:x}\r\n{GRANT}\r\n0\r\n\r\n");
    let shapes = [
        (
            "two CL",
            bodied(&format!("Content-Length: {length}\r\nContent-Length: 0"), GRANT),
        ),
        (
            "CL as a list",
            bodied(&format!("Content-Length: {length}, 0"), GRANT),
        ),
        ("signed CL", bodied(&format!("Content-Length: +{length}"), GRANT)),
        ("hexadecimal CL", bodied("Content-Length: 0x1d", GRANT)),
        ("huge CL", bodied("Content-Length: 18446744073709551617", GRANT)),
        ("empty CL", bodied("Content-Length: ", GRANT)),
        ("unknown TE", bodied("Transfer-Encoding: xchunked", &chunks)),
        (
            "TE that does not end chunked",
            bodied("Transfer-Encoding: chunked, identity", &chunks),
        ),
        (
            "two TE",
            bodied(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
                &chunks,
            ),
        ),
        (
            "space before the colon",
            bodied("Transfer-Encoding : chunked", &chunks),
        ),
        (
            "folded line",
            bodied(&format!("Content-Length:\r\n {length}"), GRANT),
        ),
        ("folded TE", bodied("Transfer-Encoding:\r\n chunked", &chunks)),
        (
            "bare CR",
            bodied(&format!("Content-Length: {length}\rX: y"), GRANT),
        ),
        (
            "NUL",
            bodied(&format!("Content-Length: {length}\r\nX: a\0b"), GRANT),
        ),
        (
            "chunk size overflow",
            bodied(
                "Transfer-Encoding: chunked",
                &format!("ffffffffffffffff1\r\n{GRANT}\r\n0\r\n\r\n"),
            ),
        ),
        (
            "chunk size of nothing",
            bodied("Transfer-Encoding: chunked", &format!("\r\n{GRANT}\r\n0\r\n\r\n")),
        ),
        (
            "signed chunk size",
            bodied(
                "Transfer-Encoding: chunked",
                &format!("+{length:x}\r\n{GRANT}\r\n0\r\n\r\n"),
            ),
        ),
        (
            "chunk without its end",
            bodied(
                "Transfer-Encoding: chunked",
                &format!("{length:x}\r\n{GRANT}X\r\n0\r\n\r\n"),
            ),
        ),
        (
            "chunk ended by LF",
            bodied(
                "Transfer-Encoding: chunked",
                &format!("{length:x}\n{GRANT}\n0\n\n"),
            ),
        ),
        (
            "HTTP/1.0 with TE",
            bodied("Transfer-Encoding: chunked", &chunks).replacen("HTTP/1.1", "HTTP/1.0", 1),
        ),
        (
            "another version",
            bodied(&format!("Content-Length: {length}"), GRANT).replacen("HTTP/1.1", "HTTP/1.2", 1),
        ),
        (
            "space in the target",
            bodied(&format!("Content-Length: {length}"), GRANT).replacen("/token", "/tok en", 1),
        ),
        (
            "two Host",
            bodied(&format!("Host: evil.example\r\nContent-Length: {length}"), GRANT),
        ),
        (
            "no Host",
            bodied(&format!("Content-Length: {length}"), GRANT).replacen("Host: id.example.test\r\n", "", 1),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, shape) in shapes {
        let text = format!("{shape}{hidden}");
        let answer = exchange(&https, world.public, text.as_bytes()).await;
        if statuses(&answer) != [400] || world.issued() != issued {
            wrong.push(format!(
                "{name}: {:?}, {} issued",
                statuses(&answer),
                world.issued() - issued
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // Read by the transfer coding, as RFC 9112 §6.3 allows, and closed, as it demands: one answer, never two.
    let coding = "Transfer-Encoding: chunked";
    for (nth, fields) in [
        format!("{coding}\r\nContent-Length: 4"),
        format!("Content-Length: {length}\r\n{coding}"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("{}{hidden}", bodied(&fields, &chunks));
        let answer = exchange(&https, world.public, text.as_bytes()).await;
        let seen = (statuses(&answer), world.issued());
        assert_eq!(seen, (vec![200], issued + nth + 1), "{fields}");
    }
    // A bare LF ends a line, as RFC 9112 §2.2 allows: the field behind it counts as one of its own.
    let text = bodied(&format!("Content-Length: {length}\nHost: evil.example"), GRANT);
    let answer = exchange(&https, world.public, format!("{text}{hidden}").as_bytes()).await;
    let seen = (statuses(&answer), world.issued());
    assert_eq!(seen, (vec![400], issued + 2), "{answer}");
    good(&world).await;
    world.end().await;
}

#[tokio::test]
async fn s17_methods_and_paths() {
    let world = world().await;
    let https = world.https();
    let issued = world.issued();
    let mut connection = https.connect(world.public).await.unwrap();
    for (method, target, status) in [
        ("TRACE", TOKEN, 405),
        ("PUT", TOKEN, 405),
        ("GET", TOKEN, 405),
        ("DELETE", TOKEN, 405),
        ("OPTIONS", TOKEN, 405),
        ("PROPFIND", TOKEN, 405),
        ("post", TOKEN, 405),
        ("POST", "//v4/oauth2/demo/token", 404),
        ("POST", "/v4/oauth2/demo//token", 404),
        ("POST", "/v4/oauth2/demo/token/", 404),
        ("POST", "/v4/oauth2/demo/TOKEN", 404),
        ("POST", "/v4/oauth2/demo/token%2f", 404),
        ("POST", "/v4/oauth2/demo/%74oken", 404),
        ("POST", "/v4/oauth2/demo/token;a=b", 404),
        ("POST", "/v4/oauth2/demo/../demo/token", 404),
        ("POST", "/v4/oauth2/demo/./token", 404),
        ("POST", "/v4/oauth2/%64emo/token", 404),
        ("POST", "/v4/oauth2/nobody/token", 404),
        ("POST", "/v4/oauth2/global/token", 404),
        ("POST", "/", 404),
        ("POST", "/v4/oauth2/demo/jwks", 405),
        ("TRACE", "/v4/oauth2/demo/jwks", 405),
    ] {
        let ask = Ask::new(method, target)
            .basic("basic", &secret("basic"))
            .form(GRANT);
        let answer = connection.send(ask).await;
        assert_eq!(answer.status, status, "{method} {target} {answer:?}");
        answer.is_hardened();
        assert_eq!(answer.header("allow").is_some(), status == 405, "{answer:?}");
    }
    // What a client library would not write.
    let length = GRANT.len();
    for (line, want) in [
        ("CONNECT id.example.test:443 HTTP/1.1", [404]),
        (&format!("POST https://other.example{TOKEN} HTTP/1.1"), [404]),
        (&format!("POST https://id.example.test{TOKEN} HTTP/1.1"), [404]),
        ("OPTIONS * HTTP/1.1", [404]),
    ] {
        let rest = head();
        let rest = rest.split_once("\r\n").unwrap().1;
        let text = format!("{line}\r\n{rest}Content-Length: {length}\r\nConnection: close\r\n\r\n{GRANT}");
        let answer = exchange(&https, world.public, text.as_bytes()).await;
        assert_eq!(statuses(&answer), want, "{line}: {answer}");
    }
    let long = format!("/v4/oauth2/{}/token", "a".repeat(1024 * 1024));
    let text = format!("POST {long} HTTP/1.1\r\nHost: id.example.test\r\n\r\n");
    let answer = exchange(&https, world.public, text.as_bytes()).await;
    assert!(
        matches!(statuses(&answer)[..], [] | [400 | 404 | 414 | 431]),
        "{answer}"
    );
    assert_eq!(world.issued(), issued);
    good(&world).await;
    world.end().await;
}

/// S18: the headers of every endpoint, of successes and refusals, on both listeners.
#[tokio::test]
async fn s18_headers_of_every_answer() {
    let world = world().await;
    let document = |path: &str| Ask::get(&format!("{ISSUER}{path}"));
    let token = |body: &str| Ask::post(TOKEN).basic("basic", &secret("basic")).form(body);
    let with = |path: &str, body: &str| Ask::post(path).basic("basic", &secret("basic")).form(body);
    // What is asked, its status, its Cache-Control, and whether other origins may read it.
    let rows = [
        (token(GRANT), 200, Some("no-store"), false),
        (token(""), 400, Some("no-store"), false),
        (Ask::post(TOKEN).form(GRANT), 401, Some("no-store"), false),
        (Ask::get(TOKEN), 405, Some("no-store"), false),
        (with(INTROSPECT, "token=x"), 403, Some("no-store"), false),
        (with(INTROSPECT, ""), 400, Some("no-store"), false),
        (with(REVOKE, "token=x"), 200, Some("no-store"), false),
        (Ask::post(REVOKE).form("token=x"), 401, Some("no-store"), false),
        (document("/jwks"), 200, Some("public, max-age=300"), true),
        (document("/jwks/revocation"), 200, Some("no-cache"), true),
        (
            document("/.well-known/openid-configuration"),
            200,
            Some("public, max-age=300"),
            true,
        ),
        (
            Ask::get(&format!("/.well-known/oauth-authorization-server{ISSUER}")),
            200,
            Some("public, max-age=300"),
            true,
        ),
        (document("/nothing"), 404, Some("no-store"), false),
        (Ask::get("/health/ready"), 404, Some("no-store"), false),
        (Ask::get("/metrics"), 404, Some("no-store"), false),
    ];
    for (ask, status, caching, shared) in rows {
        for to in [world.public, world.mtls] {
            let what = format!("{} {}", ask.method, ask.target);
            let ask = ask.clone().header("origin", "https://evil.example");
            let answer = world.https().send(to, ask).await;
            assert_eq!(answer.status, status, "{what}: {answer:?}");
            assert_eq!(answer.header("cache-control"), caching, "{what}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
            let origin = answer.header("access-control-allow-origin");
            assert_eq!(origin, shared.then_some("*"), "{what}");
            answer.is_hardened();
        }
    }
    world.end().await;
}

/// S13, E22: what the metadata says follows from the configuration and from nothing that a client sends.
#[tokio::test]
async fn s13_e22_forged_hosts_change_nothing() {
    let world = world().await;
    let path = format!("{ISSUER}/.well-known/openid-configuration");
    let https = world.https();
    let plain = https.send(world.public, Ask::get(&path)).await;
    assert_eq!(plain.json()["issuer"], format!("https://id.example.test{ISSUER}"));
    let inserted = format!("/.well-known/oauth-authorization-server{ISSUER}");
    let inserted = https.send(world.public, Ask::get(&inserted)).await;
    assert_eq!(inserted.json()["issuer"], plain.json()["issuer"]);
    let evil = "evil.example";
    for headers in [
        &[("host", evil)][..],
        &[("host", "")],
        &[("host", "id.example.test:1")],
        &[
            ("x-forwarded-host", evil),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-port", "80"),
        ],
        &[("forwarded", "for=1.2.3.4;host=evil.example;proto=http")],
        &[("forwarded", "for=\"_x\";host=\"evil\\\"\"")],
        &[
            ("x-original-url", "/v4/oauth2/other"),
            ("x-rewrite-url", "/v4/oauth2/other"),
        ],
        &[("x-forwarded-prefix", "/evil")],
    ] {
        let ask = headers
            .iter()
            .fold(Ask::get(&path), |ask, (name, value)| ask.header(name, value));
        for to in [world.public, world.mtls] {
            let answer = https.send(to, ask.clone()).await;
            assert_eq!(answer.status, 200, "{headers:?} {answer:?}");
            assert_eq!(answer.text, plain.text, "{headers:?}");
        }
    }
    world.end().await;
}

/// S14: what is advertised is served, at the address advertised.
#[tokio::test]
async fn s14_what_is_advertised_is_served() {
    let world = world().await;
    let path = format!("{ISSUER}/.well-known/openid-configuration");
    let metadata = world.https().send(world.public, Ask::get(&path)).await.json();
    let endpoints = |base: &str, of: &serde_json::Value| -> Vec<(String, String)> {
        let members = of.as_object().unwrap().iter();
        let named = members.filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri");
        named
            .map(|(name, url)| {
                let path = url
                    .as_str()
                    .unwrap()
                    .strip_prefix(base)
                    .unwrap_or_else(|| panic!("{url}"));
                (name.clone(), path.to_owned())
            })
            .collect()
    };
    let public = endpoints("https://id.example.test", &metadata);
    let aliases = endpoints("https://mtls.id.example.test", &metadata["mtls_endpoint_aliases"]);
    assert!(public.len() >= 4 && aliases.len() >= 3, "{metadata}");
    for (to, endpoints) in [(world.public, public), (world.mtls, aliases)] {
        for (name, path) in endpoints {
            let method = if name == "jwks_uri" { "GET" } else { "POST" };
            let answer = world.https().send(to, Ask::new(method, &path)).await;
            assert!(!matches!(answer.status.as_u16(), 404 | 405), "{name}: {answer:?}");
        }
    }
    world.end().await;
}

/// Health and metrics: on the admin listener only, without TLS.
#[tokio::test]
async fn health_and_metrics() {
    let world = world().await;
    for (path, words) in [
        ("/health/live", "200 OK"),
        ("/health/ready", "200 OK"),
        ("/metrics", "token"),
        (TOKEN, "404 Not Found"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(world.admin).await.unwrap();
        let text = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(words), "{path}: {answer}");
        assert!(!answer.contains(&secret("basic")), "{answer}");
    }
    world.end().await;
}

#[tokio::test]
async fn the_admin_listener_can_be_off() {
    let world = World::with(|setup| setup.set("server", "admin_listen", "'off'")).await;
    assert_eq!(world.admin.port(), 0);
    world.register("basic", json!({})).await;
    let ask = Ask::post(TOKEN).basic("basic", &secret("basic")).form(GRANT);
    world.https().send(world.public, ask).await.token();
    world.end().await;
}
