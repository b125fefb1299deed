//! A node of a few lines that shows what reached it, and a bridge before it, over real sockets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_bridge::{
    Bridge, BridgeLimits, BridgeListener, Forwarded, Rules, Target, Translator, Upstream,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::pool::{NOW, at};

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it reached the node.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub(crate) connection: usize,
}

impl Seen {
    /// The values of a field, in order.
    pub(crate) fn fields(&self, name: &str) -> Vec<String> {
        fields(&self.head, name)
    }
}

pub(crate) fn fields(head: &str, name: &str) -> Vec<String> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(found, _value)| found.eq_ignore_ascii_case(name))
        .map(|(_found, value)| value.trim().to_owned())
        .collect()
}

/// What the node answers to a request; `None` closes the connection without a word.
pub(crate) type Answering = Arc<dyn Fn(&Seen) -> Option<Vec<u8>> + Send + Sync>;

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    seen: mpsc::UnboundedReceiver<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    pub(crate) async fn start(answering: Answering) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _peer) = listener.accept().await.unwrap();
                tokio::spawn(converse(
                    stream,
                    connection,
                    sender.clone(),
                    Arc::clone(&answering),
                ));
            }
        });
        Self { address, seen, task }
    }

    /// The next request that reached it.
    pub(crate) async fn next(&mut self) -> Seen {
        timeout(PATIENCE, self.seen.recv()).await.unwrap().unwrap()
    }

    /// Whether nothing more has reached it.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }
}

async fn converse(
    mut stream: TcpStream,
    connection: usize,
    seen: mpsc::UnboundedSender<Seen>,
    answering: Answering,
) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = read_message(&mut stream, &mut buffer, false).await {
        let request = Seen {
            head,
            body,
            connection,
        };
        let answer = answering(&request);
        // Whoever made the node may have gone.
        let _gone = seen.send(request);
        let Some(answer) = answer else { return };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Head and body as they stand on the wire: the chunks of a chunked one with their sizes and trailers.
pub(crate) async fn read_message(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    is_head: bool,
) -> Option<(String, Vec<u8>)> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if more(stream, buffer).await == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
    let length = fields(&head, "content-length")
        .first()
        .map(|text| text.parse::<usize>().unwrap());
    let body = if is_head {
        Vec::new()
    } else if fields(&head, "transfer-encoding")
        .iter()
        .any(|coding| coding == "chunked")
    {
        read_chunked(stream, buffer).await?
    } else {
        while buffer.len() < length.unwrap_or_default() {
            if more(stream, buffer).await == 0 {
                return None;
            }
        }
        buffer.drain(..length.unwrap_or_default()).collect()
    };
    Some((head, body))
}

async fn read_chunked(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Option<Vec<u8>> {
    let mut at = 0;
    loop {
        let line = loop {
            match find(&buffer[at..], b"\r\n") {
                Some(end) => break at + end + 2,
                None if more(stream, buffer).await == 0 => return None,
                None => {}
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&buffer[at..line - 2]).unwrap(), 16).unwrap();
        if size == 0 {
            // Trailers, to the empty line.
            let end = loop {
                match find(&buffer[line - 2..], b"\r\n\r\n") {
                    Some(end) => break line - 2 + end + 4,
                    None if more(stream, buffer).await == 0 => return None,
                    None => {}
                }
            };
            return Some(buffer.drain(..end).collect());
        }
        at = line + size + 2;
        while buffer.len() < at {
            if more(stream, buffer).await == 0 {
                return None;
            }
        }
    }
}

/// The content of a chunked body, and its trailers.
pub(crate) fn unchunked(body: &[u8]) -> (Vec<u8>, String) {
    let (mut content, mut rest) = (Vec::new(), body);
    loop {
        let line = find(rest, b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return (content, String::from_utf8(rest[line + 2..].to_vec()).unwrap());
        }
        content.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
}

fn find(octets: &[u8], what: &[u8]) -> Option<usize> {
    octets.windows(what.len()).position(|window| window == what)
}

async fn more(stream: &mut (impl tokio::io::AsyncRead + Unpin), buffer: &mut Vec<u8>) -> usize {
    let mut some = vec![0; 64 * 1024];
    let count = timeout(PATIENCE, stream.read(&mut some))
        .await
        .unwrap()
        .unwrap_or_default();
    buffer.extend_from_slice(&some[..count]);
    count
}

pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) bridge: Bridge,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<Mutex<UnixTime>>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) limits: BridgeLimits,
    pub(crate) forwarded: Forwarded,
}

impl Options {
    pub(crate) fn to(target: Target) -> Self {
        Self {
            target,
            limits: BridgeLimits::default(),
            forwarded: Forwarded::Pass,
        }
    }
}

impl World {
    pub(crate) async fn start(translator: Translator, options: Options, answering: Answering) -> Self {
        let node = Node::start(answering).await;
        let uri = format!("http://{}", node.address).parse().unwrap();
        let upstream = Upstream::new(&uri, None, &options.limits).unwrap();
        let clock = Arc::new(Mutex::new(at(NOW)));
        let told = Arc::clone(&clock);
        let now = Arc::new(move || *told.lock().unwrap());
        let bridge = Bridge::new(
            Rules::new(translator),
            upstream,
            options.target,
            options.limits,
            now,
        )
        .with_forwarded(options.forwarded);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = bridge.clone();
        let serving = tokio::spawn(async move {
            let until = async { drop(stopped.await) };
            sealstone_bridge::serve(BridgeListener::Plain(listener), served, PATIENCE, until).await;
        });
        Self {
            node,
            bridge,
            address,
            clock,
            stop: Some(stop),
            serving,
        }
    }

    /// Tells it to end; done when it has ended.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) async fn ended(mut self) {
        self.stop();
        timeout(PATIENCE, &mut self.serving).await.unwrap().unwrap();
    }

    pub(crate) async fn connect(&self) -> Client {
        Client {
            stream: TcpStream::connect(self.address).await.unwrap(),
            buffer: Vec::new(),
        }
    }

    /// One request over a connection of its own.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Got {
        self.connect().await.ask(request).await
    }

    /// A `GET /v3/auth/tokens` with these fields.
    pub(crate) async fn get(&self, fields: &[(&str, &str)]) -> Got {
        let mut request = "GET /v3/auth/tokens HTTP/1.1\r\nHost: keystone.test\r\n".to_owned();
        for (name, value) in fields {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        self.ask(format!("{request}\r\n")).await
    }

    /// A login with this body.
    pub(crate) async fn login(&self, body: &str) -> Got {
        let length = body.len();
        self.ask(format!(
            "POST /v3/auth/tokens HTTP/1.1\r\nHost: keystone.test\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
}

/// An answer as it came to the client.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn fields(&self, name: &str) -> Vec<String> {
        fields(&self.head, name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Got {
        let is_head = request.as_ref().starts_with(b"HEAD ");
        self.send(request).await;
        self.answer(is_head).await
    }

    pub(crate) async fn answer(&mut self, is_head: bool) -> Got {
        let (head, body) = read_message(&mut self.stream, &mut self.buffer, is_head)
            .await
            .unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Got { status, head, body }
    }

    /// Everything until the connection ends.
    pub(crate) async fn rest(&mut self) -> String {
        while more(&mut self.stream, &mut self.buffer).await > 0 {}
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

/// 200 with the token that it was asked about.
pub(crate) fn echoing() -> Answering {
    Arc::new(|seen| {
        let subject = seen
            .fields("x-subject-token")
            .first()
            .cloned()
            .unwrap_or_default();
        Some(
            format!("HTTP/1.1 200 OK\r\nX-Subject-Token: {subject}\r\nContent-Length: 2\r\n\r\n{{}}")
                .into_bytes(),
        )
    })
}

pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Answering {
    let answer = answer.into();
    Arc::new(move |_seen| Some(answer.clone()))
}
