//! Bytes on the wire: HTTP and TLS as nobody should speak them.

mod http;
mod tls;

use crate::harness::{DEADLINE, Https};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Sends octets and reads until the server closes the connection.
async fn exchange(https: &Https, to: SocketAddr, octets: &[u8]) -> String {
    let mut stream = https.open(to).await.unwrap();
    let mut answer = Vec::new();
    let exchange = async {
        // However early and however it is closed: what had come before counts.
        let _ = stream.write_all(octets).await;
        let _ = stream.read_to_end(&mut answer).await;
    };
    let closed = tokio::time::timeout(DEADLINE, exchange).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(closed.is_ok(), "not closed: {text}");
    text
}

/// The statuses of all answers in a text.
fn statuses(text: &str) -> Vec<u16> {
    let lines = text.split("HTTP/1.1 ").skip(1);
    lines.map(|line| line[..3].parse().unwrap()).collect()
}
