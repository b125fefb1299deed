//! A Keystone of raw sockets: it can do what a real one never would.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::{Notify, watch},
};
use tokio_rustls::TlsAcceptor;

use super::PATIENCE;

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query, beginning with `/v3`.
    pub(crate) target: String,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What the fake does about a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Sends these octets and closes.
    Octets(Vec<u8>),
    /// Sends these octets, one each 30 ms, and never ends.
    Slow(Vec<u8>),
    /// Sends these octets, and then chunks without end.
    Endless(Vec<u8>),
    /// Sends these octets and closes, once the test says so.
    Held(Arc<Notify>, Vec<u8>),
    /// Sends nothing, and keeps the connection.
    Silence,
    /// Closes at once.
    Close,
}

impl Reply {
    /// An answer of JSON with these further header lines.
    pub(crate) fn json(status: u16, headers: &str, body: &str) -> Self {
        Self::http(
            status,
            &format!("Content-Type: application/json\r\n{headers}"),
            body.as_bytes(),
        )
    }

    pub(crate) fn http(status: u16, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        Self::Octets([head.as_bytes(), body].concat())
    }

    /// The same, once the test says so.
    pub(crate) fn held(self, go: &Arc<Notify>) -> Self {
        match self {
            Self::Octets(octets) => Self::Held(Arc::clone(go), octets),
            other => other,
        }
    }

    /// A token, issued.
    pub(crate) fn issued(token: &str, document: &Value) -> Self {
        Self::json(
            201,
            &format!("X-Subject-Token: {token}\r\n"),
            &document.to_string(),
        )
    }

    /// A token, validated.
    pub(crate) fn valid(document: &Value) -> Self {
        Self::json(200, "", &document.to_string())
    }

    /// Keystone's own refusal.
    pub(crate) fn refused(status: u16) -> Self {
        let body = format!(r#"{{"error":{{"code":{status},"message":"No.","title":"No"}}}}"#);
        Self::json(status, "", &body)
    }
}

type Handler = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// Answers each request as its handler says, one request on a connection.
pub(crate) struct FakeKeystone {
    address: SocketAddr,
    scheme: &'static str,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: watch::Receiver<usize>,
    count: watch::Receiver<usize>,
}

impl FakeKeystone {
    pub(crate) async fn start(handler: Handler) -> Self {
        Self::listen(handler, None).await
    }

    pub(crate) async fn start_tls(handler: Handler, tls: rustls::ServerConfig) -> Self {
        Self::listen(handler, Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn listen(handler: Handler, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (connected, connections) = watch::channel(0);
        let (counted, count) = watch::channel(0);
        let counted = Arc::new(counted);
        let fake = Self {
            address,
            scheme,
            seen: Arc::clone(&seen),
            connections,
            count,
        };
        tokio::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                connected.send_modify(|count| *count += 1);
                let (handler, seen, counted) =
                    (Arc::clone(&handler), Arc::clone(&seen), Arc::clone(&counted));
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, handler, seen, counted).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, handler, seen, counted).await;
                            }
                        }
                    }
                });
            }
        });
        fake
    }

    /// Its address, ending in `/v3`.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}/v3", self.scheme, self.address)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests to paths that begin so.
    pub(crate) fn seen_at(&self, method: &str, path: &str) -> usize {
        let asked = |seen: &&Seen| seen.method == method && seen.target.starts_with(path);
        self.seen().iter().filter(asked).count()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.borrow()
    }

    /// Waits until that many requests have come.
    pub(crate) async fn came(&self, wanted: usize) {
        let mut count = self.count.clone();
        let waited = tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= wanted)).await;
        waited
            .unwrap_or_else(|_| panic!("{wanted} requests: {:?}", self.seen()))
            .unwrap();
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    handler: Handler,
    seen: Arc<Mutex<Vec<Seen>>>,
    counted: Arc<watch::Sender<usize>>,
) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    let reply = handler(&request);
    seen.lock().unwrap().push(request);
    counted.send_modify(|count| *count += 1);
    match reply {
        Reply::Octets(octets) => {
            let _sent = stream.write_all(&octets).await;
            let _closed = stream.shutdown().await;
        }
        Reply::Held(go, octets) => {
            go.notified().await;
            let _sent = stream.write_all(&octets).await;
            let _closed = stream.shutdown().await;
        }
        Reply::Slow(octets) => {
            for octet in octets.iter().cycle() {
                tokio::time::sleep(Duration::from_millis(30)).await;
                if stream.write_all(&[*octet]).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
        Reply::Endless(octets) => {
            let chunk = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
            let _sent = stream.write_all(&octets).await;
            while stream.write_all(&chunk).await.is_ok() {}
        }
        Reply::Silence => {
            let mut end = [0];
            let _closed = stream.read(&mut end).await;
        }
        Reply::Close => {}
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Seen> {
    let mut raw = Vec::new();
    let split = loop {
        if let Some(at) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        let mut some = [0; 4096];
        match stream.read(&mut some).await {
            Ok(count) if count > 0 => raw.extend_from_slice(&some[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8(raw[..split].to_vec()).unwrap();
    let mut body = raw[split + 4..].to_vec();
    let mut first = head.split(' ');
    let mut seen = Seen {
        method: first.next()?.to_owned(),
        target: first.next()?.to_owned(),
        head: head.clone(),
        body: Vec::new(),
    };
    let length: usize = seen
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        let mut some = [0; 4096];
        match stream.read(&mut some).await {
            Ok(count) if count > 0 => body.extend_from_slice(&some[..count]),
            _ => return None,
        }
    }
    seen.body = body;
    Some(seen)
}
