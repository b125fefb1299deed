use crate::harness::{Ask, DEADLINE, GRANT, Https, TOKEN, World, eventually, secret};
use rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedCipherSuite};
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

async fn world() -> World {
    let world = World::start().await;
    world.register("basic", json!({})).await;
    world
}

fn ask() -> Ask {
    Ask::post(TOKEN).basic("basic", &secret("basic")).form(GRANT)
}

fn name(suite: &SupportedCipherSuite) -> &'static str {
    suite.suite().as_str().unwrap()
}

fn versions_of(suite: &SupportedCipherSuite) -> &'static rustls::SupportedProtocolVersion {
    match suite.version().version {
        ProtocolVersion::TLSv1_3 => &TLS13,
        _ => &TLS12,
    }
}

/// Whether the server speaks with a client that has only this suite.
async fn speaks(world: &World, to: SocketAddr, suite: SupportedCipherSuite) -> bool {
    let root = world.setup.server_ca.certificate_der();
    let https = Https::with(&root, &[suite], &[versions_of(&suite)]);
    match https.try_send(to, ask()).await {
        Ok(answer) => {
            answer.token();
            true
        }
        Err(_) => false,
    }
}

/// A `ClientHello` as a library of another time wrote it.
fn client_hello(version: [u8; 2], suites: &[u16]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([0x42; 32]);
    body.push(0);
    body.extend(u16::try_from(suites.len() * 2).unwrap().to_be_bytes());
    body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    body.extend([1, 0]);
    // supported_groups x25519, P-256; ec_point_formats; signature_algorithms; extended_master_secret
    let extensions: &[u8] = &[
        0, 10, 0, 6, 0, 4, 0, 29, 0, 23, //
        0, 11, 0, 2, 1, 0, //
        0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1, //
        0, 23, 0, 0,
    ];
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let mut message = vec![1, length[1], length[2], length[3]];
    message.extend(body);
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let mut record = vec![22, 3, 1, length[0], length[1]];
    record.extend(message);
    record
}

/// The first record of the answer: its type, and the description if it is an alert.
async fn first_record(to: SocketAddr, octets: &[u8]) -> (u8, u8) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(octets).await.unwrap();
    let mut record = [0; 7];
    let read = tokio::time::timeout(DEADLINE, stream.read_exact(&mut record)).await;
    read.expect("an answer in time").unwrap();
    (record[0], record[6])
}

#[tokio::test]
async fn old_versions_and_weak_suites_are_refused() {
    const HANDSHAKE: u8 = 22;
    const ALERT: u8 = 21;
    const HANDSHAKE_FAILURE: u8 = 40;
    const PROTOCOL_VERSION: u8 = 70;
    const ECDHE_ECDSA_AES_128_GCM: u16 = 0xc02b;
    let world = world().await;
    for to in [world.public, world.mtls] {
        let good = client_hello([3, 3], &[ECDHE_ECDSA_AES_128_GCM]);
        assert_eq!(first_record(to, &good).await.0, HANDSHAKE);
        for version in [[3, 0], [3, 1], [3, 2]] {
            let old = client_hello(version, &[ECDHE_ECDSA_AES_128_GCM, 0xc009, 0x002f]);
            assert_eq!(
                first_record(to, &old).await,
                (ALERT, PROTOCOL_VERSION),
                "{version:?}"
            );
        }
        for weak in [
            0x0000, 0x0004, 0x000a, 0x002f, 0x0035, 0x009c, 0x009e, 0xc008, 0xc009, 0xc00a, 0xc013, 0xc023,
        ] {
            let hello = client_hello([3, 3], &[weak]);
            let refused = first_record(to, &hello).await;
            assert_eq!(refused, (ALERT, HANDSHAKE_FAILURE), "{weak:#06x}");
        }
        for nonsense in [
            &b"GET / HTTP/1.1\r\nHost: id.example.test\r\n\r\n"[..],
            &[0xff; 512],
        ] {
            let mut stream = TcpStream::connect(to).await.unwrap();
            stream.write_all(nonsense).await.unwrap();
            let mut answer = Vec::new();
            let closed = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
            assert!(closed.is_ok());
            assert!(!answer.starts_with(b"HTTP"));
        }
    }
    world.end().await;
}

#[tokio::test]
async fn profiles_offer_their_suites_only() {
    let fapi = |suite: &SupportedCipherSuite| suite.tls13().is_some() || name(suite).contains("_GCM_");
    // The server's key is ECDSA: a suite with RSA has nothing to sign with.
    let fits = |suite: &SupportedCipherSuite| !name(suite).contains("_RSA_");
    let tls13_alone = |suite: &SupportedCipherSuite| name(suite) == "TLS13_AES_256_GCM_SHA384";
    let modern = World::start().await;
    let strict = World::with(|setup| setup.set("tls", "profile", "'fapi'")).await;
    let custom = World::with(|setup| {
        setup.set("tls", "profile", "'custom'");
        setup.set("tls", "versions", "['1.3']");
        setup.set("tls", "cipher_suites", "['TLS_AES_256_GCM_SHA384']");
    })
    .await;
    for world in [&modern, &strict, &custom] {
        world.register("basic", json!({})).await;
    }
    for suite in ALL_CIPHER_SUITES {
        for (world, wanted) in [
            (&modern, fits(suite)),
            (&strict, fits(suite) && fapi(suite)),
            (&custom, tls13_alone(suite)),
        ] {
            for to in [world.public, world.mtls] {
                assert_eq!(speaks(world, to, *suite).await, wanted, "{}", name(suite));
            }
        }
    }
    for world in [modern, strict, custom] {
        world.end().await;
    }
}

#[tokio::test]
async fn a_client_that_names_no_server_is_served() {
    let world = world().await;
    let https = world.https().without_server_name();
    https.send(world.public, ask()).await.token();
    let certificate = world.setup.ca.client("x");
    let https = world.holder(&certificate).without_server_name();
    https.send(world.mtls, ask()).await.token();
    world.end().await;
}

#[tokio::test]
async fn three_hundred_connections_at_a_time() {
    let world = world().await;
    let https = world.holder(&world.setup.ca.client("x"));
    let mut connecting = JoinSet::new();
    for _ in 0..300 {
        let (https, to) = (https.clone(), world.mtls);
        connecting.spawn(async move { https.connect(to).await.unwrap() });
    }
    let connections = connecting.join_all().await;
    let mut asking = JoinSet::new();
    for mut connection in connections {
        asking.spawn(async move {
            connection.send(ask()).await.token();
            connection
        });
    }
    let connections = asking.join_all().await;
    assert_eq!((connections.len(), world.issued()), (300, 300));
    drop(connections);
    world.end().await;
}

/// Peers that say nothing, or stop in the midst of it, keep nobody waiting.
#[tokio::test]
async fn idle_peers_block_nobody() {
    let world = world().await;
    let https = world.https();
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(TcpStream::connect(world.public).await.unwrap());
        let mut started = TcpStream::connect(world.public).await.unwrap();
        started
            .write_all(&client_hello([3, 3], &[0xc02b])[..20])
            .await
            .unwrap();
        idle.push(started);
    }
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(https.connect(world.public).await.unwrap());
    }
    https.send(world.public, ask()).await.token();
    https.send(world.mtls, ask()).await.token();
    drop((idle, silent));
    world.end().await;
}

/// One address gets its share of the connections and no more; when it lets go, it is served again.
#[tokio::test]
async fn connections_of_one_address_are_bounded() {
    let world = World::with(|setup| setup.set("limits", "max_connections_per_address", "4")).await;
    world.register("basic", json!({})).await;
    let https = world.https();
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut connection = https.connect(world.public).await.unwrap();
        connection.send(ask()).await.token();
        held.push(connection);
    }
    assert!(https.connect(world.public).await.is_err());
    // Neither another address nor the other listener is concerned.
    let mut other = https.from("127.0.0.2").connect(world.public).await.unwrap();
    other.send(ask()).await.token();
    https.send(world.mtls, ask()).await.token();
    held.clear();
    eventually("a place", || async {
        https.try_send(world.public, ask()).await.is_ok()
    })
    .await;
    world.end().await;
}
