//! A server of raw sockets on loopback: it can do what a real one never would.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// The gap between two octets of [`HttpReply::Slow`]: a peer that is alive, and never done.
const SLOW: Duration = Duration::from_millis(30);

/// A request that came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpAsk {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Request line and headers.
    pub head: String,
    /// The body, as text.
    pub body: String,
}

impl HttpAsk {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The path, without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What the server does about a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum HttpReply {
    /// Sends these octets and closes.
    Octets(Vec<u8>),
    /// Sends these octets over and over, one at a time, and never ends.
    Slow(Vec<u8>),
    /// Sends these octets, and then chunks without end.
    Endless(Vec<u8>),
    /// Sends these octets and closes, once the sender says so or is dropped.
    Held(mpsc::Receiver<()>, Vec<u8>),
    /// Sends nothing, and keeps the connection.
    Silence,
    /// Closes at once.
    Close,
}

impl HttpReply {
    /// An answer of this status and content type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: &str) -> Self {
        let length = body.len();
        Self::Octets(
            format!(
                "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }

    /// An answer of JSON.
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        Self::new(status, "application/json", body)
    }

    /// An answer that sends the client elsewhere.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        let head = format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        Self::Octets(head.into_bytes())
    }

    /// The same, once the sender says so or is dropped.
    #[must_use]
    pub fn held(self, go: mpsc::Receiver<()>) -> Self {
        if let Self::Octets(octets) = self {
            Self::Held(go, octets)
        } else {
            self
        }
    }
}

type Handler = dyn Fn(&HttpAsk) -> HttpReply + Send + Sync;

/// Answers each request as its handler says, one request on a connection, in plain HTTP on a loopback port of its own.
#[derive(Debug)]
pub struct FakeHttp {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<HttpAsk>>>,
}

impl FakeHttp {
    /// Starts a server; it ends with the process.
    #[must_use]
    pub fn start(handler: impl Fn(&HttpAsk) -> HttpReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (handler, kept): (Arc<Handler>, _) = (Arc::new(handler), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, kept) = (Arc::clone(&handler), Arc::clone(&kept));
                thread::spawn(move || serve(stream, &*handler, &kept));
            }
        });
        Self { address, seen }
    }

    /// `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that came so far.
    #[must_use]
    pub fn seen(&self) -> Vec<HttpAsk> {
        self.seen.lock().expect("not poisoned").clone()
    }

    /// How many requests to this path came so far.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|ask| ask.path() == path).count()
    }
}

fn serve(mut stream: TcpStream, handler: &Handler, seen: &Mutex<Vec<HttpAsk>>) {
    let Some(ask) = read(&mut stream) else {
        return;
    };
    seen.lock().expect("not poisoned").push(ask.clone());
    match handler(&ask) {
        HttpReply::Octets(octets) => {
            let _sent = stream.write_all(&octets);
        }
        HttpReply::Held(go, octets) => {
            let _told = go.recv();
            let _sent = stream.write_all(&octets);
        }
        HttpReply::Slow(octets) => {
            for octet in octets.iter().cycle() {
                // Not to wait for anything: slowness is what is tested.
                let (_never, slowly) = mpsc::channel::<()>();
                let _elapsed = slowly.recv_timeout(SLOW);
                if stream.write_all(&[*octet]).is_err() {
                    return;
                }
            }
        }
        HttpReply::Endless(octets) => {
            let chunk = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
            let _sent = stream.write_all(&octets);
            while stream.write_all(&chunk).is_ok() {}
        }
        HttpReply::Silence => {
            let _closed = stream.read(&mut [0]);
        }
        HttpReply::Close => {}
    }
}

fn read(stream: &mut TcpStream) -> Option<HttpAsk> {
    let mut raw = Vec::new();
    let split = loop {
        if let Some(at) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        more(stream, &mut raw)?;
    };
    let (head, rest) = raw.split_at_checked(split)?;
    let mut body = rest.strip_prefix(b"\r\n\r\n")?.to_vec();
    let head = String::from_utf8(head.to_vec()).ok()?;
    let mut first = head.split(' ');
    let mut ask = HttpAsk {
        method: first.next()?.to_owned(),
        target: first.next()?.to_owned(),
        head: head.clone(),
        body: String::new(),
    };
    let length = ask.header("content-length");
    let length = length.map_or(Some(0), |length| length.parse::<usize>().ok())?;
    while body.len() < length {
        more(stream, &mut body)?;
    }
    ask.body = String::from_utf8(body).ok()?;
    Some(ask)
}

fn more(stream: &mut TcpStream, all: &mut Vec<u8>) -> Option<()> {
    let mut some = [0; 4096];
    let count = stream.read(&mut some).ok().filter(|count| *count > 0)?;
    all.extend_from_slice(some.get(..count)?);
    Some(())
}
