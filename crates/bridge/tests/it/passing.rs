//! Everything but tokens goes through as it came, and what two readers could take in two ways does not go through.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::pool::{Pool, claims};
use crate::wire::{Answering, Options, Seen, World, answering, echoing, unchunked};
use sealstone_bridge::{BridgeLimits, Forwarded, Target, TokenForm, Upstream, UpstreamError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

const TO_JWS: Target = Target::Fixed(TokenForm::Jws);

async fn world(node: Answering) -> World {
    World::start(Pool::new().translator(), Options::to(TO_JWS), node).await
}

/// Octets that repeat nowhere soon.
fn large(length: usize) -> Vec<u8> {
    let mut state: u32 = 12345;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

#[tokio::test]
async fn large_bodies_go_both_ways_unchanged() {
    let body = large(8 * 1024 * 1024);
    let node: Answering = Arc::new(|seen: &Seen| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            seen.body.len()
        );
        Some([head.as_bytes(), &seen.body].concat())
    });
    let mut world = world(node).await;
    let head = format!(
        "PUT /v3/large?a=%20b HTTP/1.1\r\nHost: k\r\nX-Id: 7\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut client = world.connect().await;
    let request = [head.as_bytes(), &body].concat();
    let (mut reading, mut writing) = client.stream.split();
    let sent = async move { writing.write_all(&request).await.unwrap() };
    let mut buffer = Vec::new();
    let read = crate::wire::read_message(&mut reading, &mut buffer, false);
    let ((), got) = tokio::join!(sent, read);
    assert_eq!(got.unwrap().1, body);
    let seen = world.node.next().await;
    assert!(
        seen.head.starts_with("PUT /v3/large?a=%20b HTTP/1.1\r\n"),
        "{}",
        seen.head
    );
    assert_eq!(
        (seen.fields("x-id"), seen.fields("host")),
        (vec!["7".to_owned()], vec!["k".to_owned()])
    );
    assert_eq!(seen.body, body);
    world.ended().await;
}

#[tokio::test]
async fn chunks_and_trailers_go_both_ways() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n";
    let mut world = world(answering(answer)).await;
    let got = world
        .ask(
            "PATCH /v3/x HTTP/1.1\r\nHost: k\r\nTE: trailers\r\nConnection: te\r\nTrailer: X-Of\r\n\
             Transfer-Encoding: chunked\r\n\r\n4\r\nwxyz\r\n1\r\n!\r\n0\r\nX-Of: 5\r\n\r\n",
        )
        .await;
    let seen = world.node.next().await;
    let (content, trailers) = unchunked(&seen.body);
    assert_eq!(
        (content.as_slice(), trailers.to_lowercase().trim_end()),
        (b"wxyz!".as_slice(), "x-of: 5")
    );
    let (content, trailers) = unchunked(&got.body);
    assert_eq!(
        (content.as_slice(), trailers.to_lowercase().trim_end()),
        (b"abcde".as_slice(), "x-sum: 5")
    );
    world.ended().await;
}

#[tokio::test]
async fn an_answer_to_head_keeps_the_length_that_it_tells_of() {
    let token = Pool::new();
    let mut world = World::start(
        token.translator(),
        Options::to(TO_JWS),
        Arc::new(|seen: &Seen| {
            let subject = seen.fields("x-subject-token")[0].clone();
            let status = if seen.head.contains("/gone") {
                "404 NOT FOUND"
            } else {
                "200 OK"
            };
            Some(
                format!(
                    "HTTP/1.1 {status}\r\nX-Subject-Token: {subject}\r\nContent-Type: application/json\r\n\
                     Content-Length: 5000\r\n\r\n"
                )
                .into_bytes(),
            )
        }),
    )
    .await;
    let subject = token.fernet(&claims(1));
    let mut client = world.connect().await;
    for path in ["/v3/auth/tokens", "/gone", "/v3/auth/tokens"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: k\r\nX-Subject-Token: {subject}\r\n\r\n");
        let got = client.ask(request).await;
        assert_eq!(got.fields("content-length"), ["5000"]);
        assert_eq!(got.fields("x-subject-token"), std::slice::from_ref(&subject));
        assert!(world.node.next().await.head.starts_with("HEAD "));
    }
    drop(client);
    world.ended().await;
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let mut world = world(echoing()).await;
    for path in ["/v3/auth/tokens", "/v3/users"] {
        let mut client = world.connect().await;
        client
            .send(format!(
                "POST {path} HTTP/1.1\r\nHost: k\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            ))
            .await;
        let mut line = vec![0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
        client.stream.read_exact(&mut line).await.unwrap();
        assert_eq!(line, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.send("{}").await;
        assert_eq!(client.answer(false).await.status, 200);
        let seen = world.node.next().await;
        assert_eq!(
            (seen.body.as_slice(), seen.fields("expect").len()),
            (b"{}".as_slice(), 0)
        );
    }
    world.ended().await;
}

#[tokio::test]
async fn connections_are_kept_on_both_sides_and_their_fields_are_theirs() {
    let answer = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: X-Hop, keep-alive\r\nX-Hop: a\r\n\
                  Vary: X-Auth-Token\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n";
    let mut world = world(answering(answer)).await;
    let mut client = world.connect().await;
    for _turn in 0..3 {
        let got = client
            .ask(
                "GET /v3 HTTP/1.1\r\nHost: k\r\nConnection: keep-alive, Upgrade\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\n\
                 Proxy-Connection: x\r\nX-Forwarded-For: 192.0.2.9\r\nSSL-Client-Cert: pem\r\nAccept: a\r\n\
                 Accept: b\r\n\r\n",
            )
            .await;
        assert!(
            got.fields("keep-alive").is_empty() && got.fields("x-hop").is_empty(),
            "{}",
            got.head
        );
        assert_eq!(got.fields("set-cookie"), ["a=1", "b=2"]);
        assert_eq!(got.fields("vary"), ["X-Auth-Token"]);
        let seen = world.node.next().await;
        assert_eq!(seen.connection, 0, "one connection to the node");
        for gone in ["connection", "keep-alive", "upgrade", "proxy-connection"] {
            assert!(seen.fields(gone).is_empty(), "{gone}: {}", seen.head);
        }
        assert_eq!(seen.fields("accept"), ["a", "b"]);
        assert_eq!(seen.fields("x-forwarded-for"), ["192.0.2.9"]);
        assert_eq!(seen.fields("ssl-client-cert"), ["pem"]);
    }
    // What must not happen twice has a connection of its own.
    let got = client
        .ask("DELETE /v3/auth/tokens HTTP/1.1\r\nHost: k\r\n\r\n")
        .await;
    assert_eq!(got.status, 200);
    let seen = world.node.next().await;
    assert_eq!(
        (seen.connection, seen.fields("connection")),
        (1, vec!["close".to_owned()])
    );
    drop(client);
    world.ended().await;
}

#[tokio::test]
async fn where_a_request_comes_from_may_be_the_bridges_to_say() {
    let mut options = Options::to(TO_JWS);
    options.forwarded = Forwarded::Replace(http::uri::Scheme::HTTPS);
    let mut world = World::start(Pool::new().translator(), options, echoing()).await;
    world
        .get(&[
            ("X-Forwarded-For", "10.0.0.1"),
            ("X-Forwarded-Proto", "http"),
            ("Forwarded", "for=10.0.0.1"),
        ])
        .await;
    let seen = world.node.next().await;
    assert_eq!(seen.fields("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.fields("x-forwarded-proto"), ["https"]);
    assert!(seen.fields("forwarded").is_empty());
    world.ended().await;
}

/// S16: refused, and what follows on the connection is not read as a request of its own.
#[tokio::test]
async fn s16_request_smuggling_shapes() {
    let mut world = world(echoing()).await;
    let hidden = "GET /v3/hidden HTTP/1.1\r\nHost: k\r\n\r\n";
    let post = "POST /v3/users HTTP/1.1\r\nHost: k\r\n";
    let shapes = [
        (
            "two lengths",
            format!("{post}Content-Length: 2\r\nContent-Length: 0\r\n\r\n{{}}"),
        ),
        (
            "a list of lengths",
            format!("{post}Content-Length: 2, 0\r\n\r\n{{}}"),
        ),
        ("a signed length", format!("{post}Content-Length: +2\r\n\r\n{{}}")),
        (
            "another coding",
            format!("{post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "chunks not last",
            format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ),
        (
            "a folded line",
            format!("{post}Content-Length:\r\n 2\r\n\r\n{{}}"),
        ),
        (
            "a space before the colon",
            format!("{post}Content-Length : 2\r\n\r\n{{}}"),
        ),
        (
            "two hosts",
            format!("{post}Host: other\r\nContent-Length: 0\r\n\r\n"),
        ),
        ("no host", "GET /v3 HTTP/1.1\r\n\r\n".to_owned()),
        (
            "a whole URL",
            "GET http://other/v3 HTTP/1.1\r\nHost: k\r\n\r\n".to_owned(),
        ),
        (
            "an underscore",
            "GET /v3 HTTP/1.1\r\nHost: k\r\nX_Auth_Token: a\r\n\r\n".to_owned(),
        ),
        (
            "a token twice",
            "GET /v3 HTTP/1.1\r\nHost: k\r\nX-Auth-Token: a\r\nX-Auth-Token: a\r\n\r\n".to_owned(),
        ),
        (
            "a field to be taken away",
            "GET /v3 HTTP/1.1\r\nHost: k\r\nX-Auth-Token: a\r\nConnection: x-auth-token\r\n\r\n".to_owned(),
        ),
    ];
    for (name, shape) in shapes {
        let mut client = world.connect().await;
        client.send(format!("{shape}{hidden}")).await;
        let rest = client.rest().await;
        let answers = rest.matches("HTTP/1.1 ").count();
        assert!(
            rest.starts_with("HTTP/1.1 400 ") && answers == 1,
            "{name}: {rest}"
        );
        assert!(world.node.is_quiet(), "{name} reached the node");
    }
    // Chunks that are none: the body ends there, and the connection with it.
    for chunks in [
        "ffffffffffffffff1\r\nx\r\n0\r\n\r\n",
        "\r\nx\r\n0\r\n\r\n",
        "+1\r\nx\r\n0\r\n\r\n",
    ] {
        for path in ["/v3/users", "/v3/auth/tokens"] {
            let mut client = world.connect().await;
            client
                .send(format!(
                    "POST {path} HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{hidden}"
                ))
                .await;
            let rest = client.rest().await;
            assert!(
                !rest.contains(" 200 ") && rest.matches("HTTP/1.1 ").count() <= 1,
                "{chunks}: {rest}"
            );
            assert!(world.node.is_quiet(), "{chunks} reached the node whole");
        }
    }
    // Read by its coding, as RFC 9112 §6.3 allows, and closed, as it demands; the node sees the coding alone.
    let mut client = world.connect().await;
    client
        .send(format!(
            "{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{hidden}"
        ))
        .await;
    assert_eq!(client.rest().await.matches("HTTP/1.1 ").count(), 1);
    let seen = world.node.next().await;
    assert!(
        seen.fields("content-length").is_empty() && unchunked(&seen.body).0 == b"{}",
        "{}",
        seen.head
    );
    assert!(world.node.is_quiet());
    // One length said twice is one length, as RFC 9110 §8.6 allows.
    let got = world
        .ask(format!(
            "{post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}"
        ))
        .await;
    assert_eq!(got.status, 200);
    assert_eq!(world.node.next().await.fields("content-length"), ["2"]);
    for (method, status) in [("TRACE", 405), ("CONNECT", 400)] {
        let got = world
            .ask(format!("{method} /v3 HTTP/1.1\r\nHost: k\r\n\r\n"))
            .await;
        assert!([status, 405].contains(&got.status), "{method}: {}", got.head);
        assert!(world.node.is_quiet());
    }
    world.ended().await;
}

#[tokio::test]
async fn what_is_too_long_is_told_so() {
    let mut world = world(echoing()).await;
    let head = "POST /v3/auth/tokens HTTP/1.1\r\nHost: k\r\n";
    let got = world.ask(format!("{head}Content-Length: 114689\r\n\r\n")).await;
    assert_eq!(
        (got.status, got.fields("connection")),
        (413, vec!["close".to_owned()])
    );
    let body = " ".repeat(114_688);
    assert_eq!(world.login(&body).await.status, 200);
    world.node.next().await;
    let chunk = format!("1c001\r\n{}\r\n0\r\n\r\n", " ".repeat(0x1c001));
    let mut client = world.connect().await;
    client
        .send(format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}"))
        .await;
    assert_eq!(client.answer(false).await.status, 413);
    let got = world
        .ask(format!(
            "GET /v3 HTTP/1.1\r\nHost: k\r\nX: {}\r\n\r\n",
            "a".repeat(200_000)
        ))
        .await;
    assert_eq!(got.status, 431);
    let many: String = (0..101).map(|number| format!("X-{number}: a\r\n")).collect();
    assert_eq!(
        world
            .ask(format!("GET /v3 HTTP/1.1\r\nHost: k\r\n{many}\r\n"))
            .await
            .status,
        431
    );
    assert!(world.node.is_quiet());
    world.ended().await;
}

#[tokio::test]
async fn a_node_that_ends_the_connection_is_asked_once_more_and_only_where_nothing_can_happen_twice() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let node: Answering = Arc::new(move |seen: &Seen| {
        let turn = counted.fetch_add(1, Ordering::SeqCst);
        let refuses = seen.head.contains("/never") || (seen.head.contains("/once") && turn == 0);
        (!refuses).then(|| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let world = world(node).await;
    for (method, path, status, turns) in [
        ("GET", "/once", 200, 2),
        ("GET", "/never", 502, 2),
        ("HEAD", "/once", 200, 2),
        ("DELETE", "/once", 502, 1),
        ("POST", "/once", 502, 1),
    ] {
        asked.store(0, Ordering::SeqCst);
        let got = world
            .ask(format!(
                "{method} {path} HTTP/1.1\r\nHost: k\r\nContent-Length: 0\r\n\r\n"
            ))
            .await;
        assert_eq!(
            (got.status, asked.load(Ordering::SeqCst)),
            (status, turns),
            "{method} {path}"
        );
    }
    // Nobody there at all.
    let mut options = Options::to(TO_JWS);
    options.limits.connect = Duration::from_secs(1);
    let gone = World::start(Pool::new().translator(), options, echoing()).await;
    let address = gone.node.address;
    let World { node, .. } = gone;
    drop(node);
    let uri = format!("http://{address}").parse().unwrap();
    assert!(Upstream::new(&uri, None, &BridgeLimits::default()).is_ok());
    world.ended().await;
}

#[tokio::test]
async fn slow_ones_are_not_waited_for() {
    let mut options = Options::to(TO_JWS);
    options.limits.answer = Duration::from_millis(300);
    options.limits.auth_body = Duration::from_millis(300);
    options.limits.pause = Duration::from_millis(300);
    let node: Answering = Arc::new(|seen: &Seen| {
        if seen.head.contains("/part") {
            return Some(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart".to_vec());
        }
        Some(Vec::new())
    });
    let world = World::start(Pool::new().translator(), options, node).await;
    let got = world.ask("GET /silent HTTP/1.1\r\nHost: k\r\n\r\n").await;
    assert_eq!(got.status, 504);
    assert!(got.text().contains(r#""code":504"#), "{}", got.text());
    // A login that never comes whole.
    let mut client = world.connect().await;
    client
        .send("POST /v3/auth/tokens HTTP/1.1\r\nHost: k\r\nContent-Length: 9\r\n\r\n{")
        .await;
    assert_eq!(client.answer(false).await.status, 408);
    // An answer that stops is cut, not ended.
    let mut client = world.connect().await;
    client.send("GET /part HTTP/1.1\r\nHost: k\r\n\r\n").await;
    let rest = client.rest().await;
    assert!(
        rest.contains("content-length: 9") && rest.ends_with("part"),
        "{rest}"
    );
    world.ended().await;
}

#[tokio::test]
async fn requests_under_way_end_before_the_bridge_does() {
    let (asked, was_asked) = oneshot::channel();
    let asked = std::sync::Mutex::new(Some(asked));
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let node: Answering = Arc::new(move |_seen: &Seen| {
        if let Some(asked) = asked.lock().unwrap().take() {
            asked.send(()).unwrap();
        }
        tokio::task::block_in_place(|| released.lock().unwrap().recv().unwrap());
        Some(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate".to_vec())
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let done = runtime.spawn(async move {
        let mut world = world(node).await;
        let mut client = world.connect().await;
        client.send("GET /v3 HTTP/1.1\r\nHost: k\r\n\r\n").await;
        was_asked.await.unwrap();
        world.stop();
        release.send(()).unwrap();
        let got = client.answer(false).await;
        assert_eq!((got.status, got.text()), (200, "late"));
        assert_eq!(client.rest().await, "", "and the connection ends");
        world.ended().await;
    });
    done.await.unwrap();
    runtime.shutdown_background();
}

#[test]
fn a_node_is_an_address_and_tokens_do_not_cross_a_network_readable() {
    let limits = BridgeLimits::default();
    let new = |text: &str| Upstream::new(&text.parse().unwrap(), None, &limits).err();
    for (text, want) in [
        ("http://127.0.0.1:5000", None),
        ("http://[::1]:5000/", None),
        ("http://localhost", None),
        ("http://10.0.0.1:5000", Some(UpstreamError::PlainHttp)),
        ("http://localhost.evil.test", Some(UpstreamError::PlainHttp)),
        ("http://127.0.0.1.evil.test", Some(UpstreamError::PlainHttp)),
        ("https://keystone.test", Some(UpstreamError::Tls)),
        ("http://127.0.0.1:5000/v3", Some(UpstreamError::Address)),
        ("http://127.0.0.1:5000/?a", Some(UpstreamError::Address)),
        ("http://user:password@127.0.0.1/", Some(UpstreamError::Address)),
        ("ftp://127.0.0.1/", Some(UpstreamError::Address)),
        ("/v3", Some(UpstreamError::Address)),
    ] {
        assert_eq!(new(text), want, "{text}");
    }
    let far = "http://10.0.0.1:5000".parse().unwrap();
    assert!(Upstream::dangerous_with_plain_http(&far, None, &limits).is_ok());
}
