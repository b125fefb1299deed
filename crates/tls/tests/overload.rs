//! Connections beyond the limit: told so, a few at a time, by real ones.

#[path = "support/net.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod net;
#[path = "support/pki.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod pki;

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use net::{Client, Server, asking, router, server_identity};
use sealstone_tls::{KeptOut, LimitsHandle, ServeLimits, serve_plain};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const SOON: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_secs(20);

/// One place, and who comes then is told at once.
fn one() -> ServeLimits {
    ServeLimits {
        max_connections: 1,
        full_for: Duration::ZERO,
        ..ServeLimits::default()
    }
}

async fn started(limits: ServeLimits) -> (Client, Server, LimitsHandle) {
    let (root, server) = server_identity();
    let limits = LimitsHandle::new(limits);
    let server = Server::start_with(asking(&server), router(), limits.clone()).await;
    (Client::new(&root), server, limits)
}

/// Waits through the answers that there is no place, for one that there is.
async fn served(client: &Client, server: &Server) {
    let asking = async {
        loop {
            let mut connection = client.connect(server.address).await.unwrap();
            if connection.get("/").await.unwrap().status() == StatusCode::OK {
                return;
            }
        }
    };
    timeout(LATE, asking).await.unwrap();
}

#[tokio::test]
async fn who_finds_no_place_is_told_when_to_come_again() {
    let (client, server, limits) = started(one()).await;
    let mut first = client.connect(server.address).await.unwrap();
    first.ask().await.unwrap();
    for told in 1..4 {
        let mut beyond = client.connect(server.address).await.unwrap();
        let answer = beyond.get("/v4/oauth2/demo/token").await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("retry-after").parse::<u32>().unwrap() >= 1);
        assert_eq!(header("connection"), "close");
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("cache-control"), "no-store");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body = std::str::from_utf8(&body).unwrap();
        assert!(
            body.starts_with(r#"{"error":"temporarily_unavailable","error_description":""#),
            "{body}"
        );
        assert!(
            timeout(LATE, beyond.ended).await.unwrap().unwrap(),
            "closed in order"
        );
        let figures = KeptOut {
            turned_away: told,
            beyond_share: 0,
        };
        assert_eq!(limits.kept_out(), figures);
    }
    assert_eq!(first.ask().await.unwrap(), "nobody", "who has a place keeps it");
    drop(first);
    served(&client, &server).await;
}

/// A system resets a connection that is closed with something unread, and the answer is lost.
#[tokio::test]
async fn the_answer_arrives_whatever_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_plain(listener, router(), one(), std::future::pending()));
    let mut first = TcpStream::connect(address).await.unwrap();
    first
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    assert!(first.read(&mut [0; 64]).await.unwrap() > 0);
    for octets in [0, 1, 60 * 1024] {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let running = tokio::spawn(connection);
        let body = Full::new(bytes::Bytes::from(vec![b'x'; octets]));
        let request = Request::post("/token").header("host", "a").body(body).unwrap();
        let answer = timeout(LATE, sender.send_request(request))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{octets}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(body.ends_with(b"\"}"), "{octets}: whole");
        drop(running.await.unwrap());
    }
    // Nor is it sent while there is more to come, which would then meet a closed connection.
    let mut slow = TcpStream::connect(address).await.unwrap();
    let head = b"POST /token HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\nhalf";
    slow.write_all(head).await.unwrap();
    let mut answer = String::new();
    assert!(timeout(SOON, slow.read_to_string(&mut answer)).await.is_err());
    slow.write_all(b"half").await.unwrap();
    timeout(LATE, slow.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\"}"),
        "{answer}"
    );
}

/// CWE-400: whoever opens connections and says nothing takes turns from those who would be told, and nothing else.
#[tokio::test]
async fn few_are_told_at_a_time_and_the_rest_wait() {
    let (client, server, limits) = started(ServeLimits {
        turned_away_at_once: 1,
        ..one()
    })
    .await;
    let mut first = client.connect(server.address).await.unwrap();
    first.ask().await.unwrap();
    let silent = TcpStream::connect(server.address).await.unwrap();
    let told = async {
        while limits.kept_out().turned_away == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LATE, told).await.unwrap();
    let beyond = async || client.connect(server.address).await.unwrap().get("/").await;
    let mut waiting = Box::pin(beyond());
    assert!(timeout(SOON, &mut waiting).await.is_err(), "its turn is taken");
    assert_eq!(limits.kept_out().turned_away, 1);
    first.ask().await.unwrap();
    drop(silent);
    let answer = timeout(LATE, waiting).await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);

    // And who waits is served where a place comes free first.
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let mut waiting = Box::pin(beyond());
    assert!(timeout(SOON, &mut waiting).await.is_err());
    drop(first);
    assert_eq!(
        timeout(LATE, waiting).await.unwrap().unwrap().status(),
        StatusCode::OK
    );
}

/// CWE-400: an address that holds its share makes no handshakes by coming again.
#[tokio::test]
async fn an_address_that_holds_its_share_is_closed_and_not_told() {
    let (client, server, limits) = started(ServeLimits {
        max_connections_per_address: 1,
        ..one()
    })
    .await;
    let mut first = client.connect(server.address).await.unwrap();
    first.ask().await.unwrap();
    for again in 1..4 {
        assert!(client.connect(server.address).await.is_err());
        let figures = KeptOut {
            turned_away: 0,
            beyond_share: again,
        };
        assert_eq!(limits.kept_out(), figures);
    }
    first.ask().await.unwrap();
}

#[tokio::test]
async fn where_nobody_is_to_be_told_all_wait() {
    let (client, server, limits) = started(ServeLimits {
        turned_away_at_once: 0,
        ..one()
    })
    .await;
    let first = client.connect(server.address).await.unwrap();
    let mut waiting = Box::pin(client.ask(server.address));
    assert!(timeout(SOON, &mut waiting).await.is_err());
    drop(first);
    assert_eq!(timeout(LATE, waiting).await.unwrap().unwrap().1, "nobody");
    assert_eq!(limits.kept_out().turned_away, 0);
}

/// A listener that ends does not wait for those who are being told.
#[tokio::test]
async fn shutdown_ends_those_who_are_told_too() {
    let (client, mut server, limits) = started(one()).await;
    let mut first = client.connect(server.address).await.unwrap();
    first.ask().await.unwrap();
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let told = async {
        while limits.kept_out().turned_away == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LATE, told).await.unwrap();
    server.stop.take().unwrap().send(()).unwrap();
    timeout(LATE, server.running).await.unwrap().unwrap();
}
