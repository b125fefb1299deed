//! Whatever comes, no answer is a fault of the server's, and the server stands.

use crate::harness::{Ask, Connection, DEADLINE, GRANT, INTROSPECT, ISSUER, REVOKE, TOKEN, World, secret};
use sealstone_testkit::SeededBytes;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const BLOBS: usize = 2_000;

struct Random(SeededBytes);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.0.next_u64() >> 1).unwrap() % limit
    }

    fn blob(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most);
        self.0.bytes(length)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// Good bytes with some of them changed, doubled or lost.
    fn spoiled(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match self.below(3) {
                0 if !bytes.is_empty() => bytes[at] = self.0.array::<1>()[0],
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ => bytes.insert(at, self.0.array::<1>()[0]),
            }
        }
        bytes
    }

    /// What a header can hold.
    fn value(&mut self) -> Vec<u8> {
        let mut value = self.blob(200);
        value.retain(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f));
        value
    }

    fn ask(&mut self) -> Ask {
        let paths = [TOKEN, INTROSPECT, REVOKE, "/v4/oauth2/demo/jwks", ISSUER, "/"];
        let path = paths[self.below(paths.len())];
        let method = self.one(&["POST", "POST", "POST", "GET", "HEAD", "PUT"]);
        let good = format!("{GRANT}&client_id=basic&scope=a+b&token=a.b.c&resource=https%3A%2F%2Fa");
        let body = match self.below(3) {
            0 => self.blob(2_000),
            1 => self.spoiled(good.as_bytes()),
            _ => good.into_bytes(),
        };
        let mut ask = Ask::new(method, path);
        ask = match self.below(3) {
            0 => ask.header("content-type", self.value()),
            _ => ask.header("content-type", "application/x-www-form-urlencoded"),
        };
        ask.body = body;
        let pair = [b"basic:".to_vec(), secret("basic").into_bytes()].concat();
        let pair = base64_simd::STANDARD.encode_to_string(self.spoiled(&pair));
        ask = match self.below(4) {
            0 => ask.header("authorization", self.value()),
            1 => ask.header("authorization", format!("Basic {pair}")),
            2 => ask.header("authorization", [b"Basic ".to_vec(), self.value()].concat()),
            _ => ask,
        };
        for _ in 0..self.below(3) {
            let name = self.one(&[
                "x-request-id",
                "client-cert",
                "x-forwarded-for",
                "forwarded",
                "if-none-match",
                "content-encoding",
                "accept",
                "origin",
                "expect",
                "cookie",
                "x-proxy-secret",
            ]);
            ask = ask.header(name, self.value());
        }
        ask
    }
}

/// A world in which headers of proxies are read, too.
async fn world() -> World {
    let world = World::with(|setup| {
        setup.write_private("proxy.secret", "0123456789abcdef0123456789abcdef");
        setup.set("proxy", "trusted_networks", "['127.0.0.9']");
        setup.set("proxy", "form", "'rfc9440'");
        setup.set("proxy", "secret_header", "'X-Proxy-Secret'");
        setup.set("proxy", "secret_file", "'proxy.secret'");
        setup.set("log", "level", "'info'");
    })
    .await;
    world
        .register("basic", json!({"introspection": "domain", "scope": "a b"}))
        .await;
    world
}

async fn stands(world: &mut World) {
    let ask = Ask::post(TOKEN).basic("basic", &secret("basic")).form(GRANT);
    world.https().send(world.public, ask).await.token();
    assert!(world.process.is_alive());
    let log = world.process.log();
    assert!(!log.contains("panic") && !log.contains("\"ERROR\""), "{log}");
}

#[tokio::test]
async fn no_request_makes_a_fault() {
    let mut world = world().await;
    let mut random = Random(SeededBytes::new(9_431));
    let https = world
        .https()
        .from("127.0.0.9")
        .presenting(&world.setup.ca.client("x"));
    let mut connection: Option<Connection> = None;
    for number in 0..BLOBS {
        let mut ask = random.ask();
        if number % 2 == 0 {
            ask = ask.header("x-proxy-secret", "0123456789abcdef0123456789abcdef");
        }
        let to = if number % 50 < 25 {
            world.public
        } else {
            world.mtls
        };
        if number % 25 == 0 {
            connection = None;
        }
        let mut kept = match connection.take() {
            Some(kept) => kept,
            None => https.connect(to).await.unwrap(),
        };
        match kept.try_send(ask.clone()).await {
            Ok(answer) => {
                assert!(answer.status.as_u16() < 500, "{number}: {ask:?} {answer:?}");
                answer.is_hardened();
                connection = Some(kept);
            }
            // Closed after the answer before; what is asked again gets an answer.
            Err(_) => {
                let answer = https.send(to, ask.clone()).await;
                assert!(answer.status.as_u16() < 500, "{number}: {ask:?} {answer:?}");
            }
        }
    }
    stands(&mut world).await;
    world.end().await;
}

/// The same below HTTP: octets in the TLS connection, and in the socket.
#[tokio::test]
async fn no_octets_make_a_fault() {
    let mut world = world().await;
    let mut random = Random(SeededBytes::new(17));
    let https = world.https();
    let good = format!(
        "POST {TOKEN} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{GRANT}",
        GRANT.len()
    );
    for number in 0..300 {
        let octets = match number % 3 {
            0 => random.blob(500),
            _ => random.spoiled(good.as_bytes()),
        };
        let mut stream = https.open(world.public).await.unwrap();
        let mut answer = Vec::new();
        let exchange = async {
            let _ = stream.write_all(&octets).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut answer).await;
        };
        tokio::time::timeout(DEADLINE, exchange).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.starts_with("HTTP/1.1 5"), "{octets:?} {text}");
        let mut socket = tokio::net::TcpStream::connect(world.mtls).await.unwrap();
        let exchange = async {
            let _ = socket.write_all(&octets).await;
            let _ = socket.shutdown().await;
            let _ = socket.read_to_end(&mut answer).await;
        };
        tokio::time::timeout(DEADLINE, exchange).await.unwrap();
    }
    stands(&mut world).await;
    world.end().await;
}
