//! One TLS connection that stays open, and what is asked over it.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) struct Wire {
    stream: TlsStream<TcpStream>,
    answer: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(authority: &str, tls: Arc<ClientConfig>) -> Self {
        let stream = TcpStream::connect(authority).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket option");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(tls).connect(name, stream).await;
        Self {
            stream: stream.expect("a handshake"),
            answer: vec![0; 16 * 1024],
        }
    }

    /// One request, and its whole answer, which must be of status 200; and how long its body is.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> (&[u8], usize) {
        self.stream.write_all(request).await.expect("sent");
        self.stream.flush().await.expect("sent");
        let mut length = 0;
        loop {
            let read = self
                .stream
                .read(&mut self.answer[length..])
                .await
                .expect("an answer");
            assert!(read > 0, "the server closed the connection");
            length += read;
            let answer = &self.answer[..length];
            let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
                continue;
            };
            let body = content_length(&answer[..head]);
            if length == head + 4 + body {
                assert!(
                    answer.starts_with(b"HTTP/1.1 200"),
                    "{}",
                    String::from_utf8_lossy(answer)
                );
                return (&self.answer[..length], body);
            }
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).expect("text").to_ascii_lowercase();
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .expect("content-length");
    line.parse().expect("a number")
}
