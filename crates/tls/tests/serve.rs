//! The accept loop: its limits, and its end.

#[path = "support/net.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod net;
#[path = "support/pki.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod pki;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use http::StatusCode;
use http_body_util::BodyExt;
use net::{Client, Server, asking, router, server_identity};
use pki::Draft;
use sealstone_tls::{LimitsHandle, ServeLimits, serve_plain};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

const SOON: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_secs(20);

/// A router whose `/slow` says when it began and ends when told.
fn slow(begun: &Arc<Notify>, end: &Arc<Notify>) -> Router {
    let (begun, end) = (Arc::clone(begun), Arc::clone(end));
    let handler = move || async move {
        begun.notify_one();
        end.notified().await;
        "done"
    };
    router().route("/slow", get(handler))
}

#[tokio::test]
async fn shutdown_lets_requests_finish_and_closes_idle_connections() {
    let (root, server) = server_identity();
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let mut server = Server::start_with(asking(&server), slow(&begun, &end), ServeLimits::default()).await;
    let client = Client::new(&root);
    let mut idle = client.connect(server.address).await.unwrap();
    idle.ask().await.unwrap();
    let mut busy = client.connect(server.address).await.unwrap();
    let answer = tokio::spawn(async move { busy.get("/slow").await.unwrap().status() });
    begun.notified().await;

    server.stop.take().unwrap().send(()).unwrap();
    assert!(
        timeout(LATE, idle.ended).await.unwrap().unwrap(),
        "the idle connection is closed in order"
    );
    assert!(!server.running.is_finished());
    assert!(
        client.connect(server.address).await.is_err(),
        "nobody new is let in"
    );
    end.notify_one();
    assert_eq!(answer.await.unwrap(), StatusCode::OK);
    timeout(LATE, server.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let (root, server) = server_identity();
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let limits = ServeLimits {
        drain_timeout: SOON,
        ..ServeLimits::default()
    };
    let mut server = Server::start_with(asking(&server), slow(&begun, &end), limits).await;
    let mut busy = Client::new(&root).connect(server.address).await.unwrap();
    let answer = tokio::spawn(async move { busy.get("/slow").await.is_err() });
    begun.notified().await;
    server.stop.take().unwrap().send(()).unwrap();
    timeout(LATE, server.running).await.unwrap().unwrap();
    assert!(answer.await.unwrap(), "the request was cut off");
}

#[tokio::test]
async fn silence_is_not_waited_for() {
    let (root, server) = server_identity();
    let limits = ServeLimits {
        handshake_timeout: SOON,
        ..ServeLimits::default()
    };
    let hasty = Server::start_with(asking(&server), router(), limits).await;
    let mut silent = TcpStream::connect(hasty.address).await.unwrap();
    assert_eq!(
        timeout(LATE, silent.read(&mut [0])).await.unwrap().unwrap(),
        0,
        "before the handshake"
    );
    let mut partial = TcpStream::connect(hasty.address).await.unwrap();
    partial.write_all(&[0x16, 3, 1]).await.unwrap();
    assert!(
        matches!(
            timeout(LATE, partial.read(&mut [0])).await.unwrap(),
            Ok(0) | Err(_)
        ),
        "within it"
    );

    let limits = ServeLimits {
        header_read_timeout: SOON,
        ..ServeLimits::default()
    };
    let hasty = Server::start_with(asking(&server), router(), limits).await;
    let idle = Client::new(&root).connect(hasty.address).await.unwrap();
    timeout(LATE, idle.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn e15_oversized_heads_are_answered_431() {
    let (root, server) = server_identity();
    let limits = ServeLimits {
        max_head_octets: 16 * 1024,
        max_headers: 20,
        ..ServeLimits::default()
    };
    let server = Server::start_with(asking(&server), router(), limits).await;
    let client = Client::new(&root);
    let answered = async |fields: Vec<(String, String)>| {
        let mut connection = client.connect(server.address).await.unwrap();
        let mut request = http::Request::get("/").header("host", "localhost");
        for (name, value) in fields {
            request = request.header(name, value);
        }
        let request = request
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .unwrap();
        connection
            .sender
            .send_request(request)
            .await
            .map(|response| response.status())
    };
    let field = |name: &str, length: usize| (name.to_owned(), "x".repeat(length));
    assert_eq!(
        answered(vec![field("client-cert", 8 * 1024)]).await.unwrap(),
        StatusCode::OK
    );
    let too_long = answered(vec![field("client-cert", 1024 * 1024)]).await;
    assert!(too_long.is_err() || too_long.unwrap() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let many = (0..30).map(|at| field(&format!("x-{at}"), 1)).collect();
    assert_eq!(
        answered(many).await.unwrap(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let (root, server) = server_identity();
    let limits = ServeLimits {
        max_connections: 1,
        full_for: LATE,
        ..ServeLimits::default()
    };
    let server = Server::start_with(asking(&server), router(), limits).await;
    let client = Client::new(&root);
    let mut first = client.connect(server.address).await.unwrap();
    first.ask().await.unwrap();
    let mut second = Box::pin(client.ask(server.address));
    assert!(timeout(SOON, &mut second).await.is_err(), "no place yet");
    first.ask().await.unwrap();
    drop(first);
    assert_eq!(timeout(LATE, second).await.unwrap().unwrap().1, "nobody");
}

#[tokio::test]
async fn one_address_holds_its_share_only() {
    let (root, server) = server_identity();
    let limits = ServeLimits {
        max_connections_per_address: 1,
        ..ServeLimits::default()
    };
    let server = Server::start_with(asking(&server), router(), limits).await;
    let client = Client::new(&root);
    let mut first = client.connect(server.address).await.unwrap();
    first.ask().await.unwrap();
    assert!(client.connect(server.address).await.is_err());
    assert_eq!(first.ask().await.unwrap(), "nobody");
}

/// Whoever waits is let in by a change, and connections that stand are left alone by it.
#[tokio::test]
async fn limits_are_replaced_while_it_serves() {
    let (root, server) = server_identity();
    let one = ServeLimits {
        max_connections: 1,
        full_for: LATE,
        ..ServeLimits::default()
    };
    let limits = LimitsHandle::new(one);
    let server = Server::start_with(asking(&server), router(), limits.clone()).await;
    let client = Client::new(&root);
    let mut first = client.connect(server.address).await.unwrap();
    first.ask().await.unwrap();
    let mut second = Box::pin(client.connect(server.address));
    assert!(timeout(SOON, &mut second).await.is_err(), "no place yet");
    limits.replace(ServeLimits::default());
    let mut second = timeout(LATE, second).await.unwrap().unwrap();
    second.ask().await.unwrap();

    limits.replace(ServeLimits {
        max_connections_per_address: 1,
        ..ServeLimits::default()
    });
    assert!(
        client.ask(server.address).await.is_err(),
        "its address holds more than its share"
    );
    first.ask().await.unwrap();
    second.ask().await.unwrap();

    limits.replace(ServeLimits {
        header_read_timeout: SOON,
        ..ServeLimits::default()
    });
    let idle = client.connect(server.address).await.unwrap();
    timeout(LATE, idle.ended).await.unwrap().unwrap();
    first.ask().await.unwrap();
    second.ask().await.unwrap();
}

#[tokio::test]
async fn a_request_does_not_take_for_ever() {
    let (root, server) = server_identity();
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let limits = ServeLimits {
        request_timeout: SOON,
        ..ServeLimits::default()
    };
    let server = Server::start_with(asking(&server), slow(&begun, &end), limits).await;
    let mut connection = Client::new(&root).connect(server.address).await.unwrap();
    assert!(timeout(LATE, connection.get("/slow")).await.unwrap().is_err());
}

#[tokio::test]
async fn a_peer_that_does_not_read_loses_its_place() {
    async fn big() -> Vec<u8> {
        vec![0; 64 * 1024 * 1024]
    }
    let (root, server) = server_identity();
    let client = Client::new(&root);
    let started =
        async |limits| Server::start_with(asking(&server), router().route("/big", get(big)), limits).await;
    let patient = started(ServeLimits::default()).await;
    let mut reader = client.connect(patient.address).await.unwrap();
    let whole = reader
        .get("/big")
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    assert_eq!(whole.to_bytes().len(), 64 * 1024 * 1024);

    let limits = ServeLimits {
        max_connections: 1,
        full_for: LATE,
        write_timeout: SOON,
        ..ServeLimits::default()
    };
    let impatient = started(limits).await;
    let mut lazy = client.connect(impatient.address).await.unwrap();
    let unread = lazy.get("/big").await.unwrap();
    assert_eq!(
        timeout(LATE, client.ask(impatient.address))
            .await
            .unwrap()
            .unwrap()
            .1,
        "nobody"
    );
    drop(unread);
}

#[tokio::test]
async fn a_panic_ends_its_own_connection_only() {
    let (root, server) = server_identity();
    async fn fails() -> &'static str {
        panic!("on purpose")
    }
    let router = router().route("/panic", get(fails));
    let mut server = Server::start_with(asking(&server), router, ServeLimits::default()).await;
    let client = Client::new(&root);
    let mut other = client.connect(server.address).await.unwrap();
    assert!(
        client
            .connect(server.address)
            .await
            .unwrap()
            .get("/panic")
            .await
            .is_err()
    );
    assert_eq!(other.ask().await.unwrap(), "nobody");
    server.stop.take().unwrap().send(()).unwrap();
    timeout(LATE, server.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn many_clients_at_once_each_see_themselves() {
    let (root, server) = server_identity();
    let server = Server::start(asking(&server)).await;
    let mut asked = tokio::task::JoinSet::new();
    for at in 0..16 {
        let holder = Draft::client(&format!("client {at}")).self_signed();
        let client = Client::new(&root).holding(&holder);
        let address = server.address;
        asked.spawn(async move {
            let mut connection = client.connect(address).await.unwrap();
            for _ in 0..8 {
                let expected = format!("{} +0", holder.certificate().thumbprint());
                assert_eq!(connection.ask().await.unwrap(), expected);
            }
        });
    }
    asked.join_all().await;
}

#[tokio::test]
async fn without_tls_there_is_an_address_and_no_certificate() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_plain(
        listener,
        router(),
        ServeLimits::default(),
        std::future::pending(),
    ));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("nobody"),
        "{answer}"
    );
}
