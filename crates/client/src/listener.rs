//! The loopback listener: what a browser brings back, and nothing else.

pub(crate) mod page;
pub(crate) mod request;

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

use self::{
    page::Page,
    request::{Request, Step},
};
use crate::{LoginError, RefusedRequest};

/// Browsers open connections that they do not use; a program on this machine may open many. The oldest goes first.
const MAX_CONNECTIONS: usize = 16;
/// What a browser on the same machine needs for a request, many times over.
const READ_DEADLINE: Duration = Duration::from_secs(10);
/// The same for the page that it gets.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// How long what is left of a refused request is read, so that the page arrives before the connection is reset.
const DRAIN_DEADLINE: Duration = Duration::from_millis(500);
/// Ports that are tried until one is free on both stacks.
const MAX_PORTS: usize = 16;
/// After a failed `accept`, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Whether a request is the one that is waited for.
pub(crate) trait Judge: Send + Sync + 'static {
    type Accepted: Send + 'static;

    fn judge(&self, request: &Request) -> Result<Self::Accepted, RefusedRequest>;
}

/// Sockets of this machine alone, at one port.
#[derive(Debug)]
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    port: u16,
}

/// A browser that waits for its page.
#[derive(Debug)]
pub(crate) struct Visitor(TcpStream);

impl Listener {
    /// Listens at this port of `127.0.0.1` and `[::1]`, or at one that is free on both.
    ///
    /// A machine without IPv6 is listened at by IPv4 alone. A port that is another program's on one of both is not
    /// ours: what is meant for us could go there.
    pub(crate) async fn bind(port: Option<u16>) -> Result<Self, LoginError> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _try in 0..MAX_PORTS {
            match Self::bind_both(port.unwrap_or(0)).await {
                Ok(listener) => return Ok(listener),
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    return Err(LoginError::Listen(error));
                }
                Err(error) => match port {
                    Some(port) => return Err(LoginError::PortTaken(port)),
                    None => last = error,
                },
            }
        }
        Err(LoginError::Listen(last))
    }

    async fn bind_both(port: u16) -> io::Result<Self> {
        let first = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let port = first.local_addr()?.port();
        let mut sockets = vec![first];
        match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
            Ok(second) => sockets.push(second),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // No IPv6 here.
            Err(_other) => {}
        }
        Ok(Self { sockets, port })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Waits for a request that is accepted; all others are told, and get their refusal.
    pub(crate) async fn accept<J: Judge>(
        &self,
        judge: &Arc<J>,
        told: &mut (dyn FnMut(RefusedRequest) + Send),
    ) -> (J::Accepted, Visitor) {
        let mut served: JoinSet<Option<Served<J::Accepted>>> = JoinSet::new();
        let mut open: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let task = tokio::select! {
                stream = self.stream() => served.spawn(serve(stream, Arc::clone(judge))),
                Some(ended) = served.join_next() => match ended {
                    Ok(Some(Served::Accepted(accepted, visitor))) => return (accepted, visitor),
                    Ok(Some(Served::Refused(refused, stream))) => {
                        told(refused);
                        served.spawn(refuse(stream, refused))
                    }
                    // It left without a word, has its page, or was aborted.
                    Ok(None) | Err(_) => continue,
                },
            };
            open.retain(|task| !task.is_finished());
            if open.len() >= MAX_CONNECTIONS
                && let Some(oldest) = open.pop_front()
            {
                oldest.abort();
            }
            open.push_back(task);
        }
    }

    async fn stream(&self) -> TcpStream {
        loop {
            let accepted = match self.sockets.as_slice() {
                [one, other] => tokio::select! {
                    accepted = one.accept() => accepted,
                    accepted = other.accept() => accepted,
                },
                [one, ..] => one.accept().await,
                [] => std::future::pending().await,
            };
            match accepted {
                Ok((stream, _peer)) => return stream,
                Err(_transient) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

/// What came of one connection.
enum Served<T> {
    Accepted(T, Visitor),
    Refused(RefusedRequest, TcpStream),
}

/// One request of one connection; `None` if none came.
async fn serve<J: Judge>(mut stream: TcpStream, judge: Arc<J>) -> Option<Served<J::Accepted>> {
    let read = tokio::time::timeout(READ_DEADLINE, read(&mut stream)).await;
    let refused = match read {
        Ok(Ok(None) | Err(Broken::Gone)) => return None,
        Ok(Err(Broken::Refused(refused))) => refused,
        Err(_elapsed) => RefusedRequest::Slow,
        Ok(Ok(Some(request))) => match judge.judge(&request) {
            Ok(accepted) => return Some(Served::Accepted(accepted, Visitor(stream))),
            Err(refused) => refused,
        },
    };
    Some(Served::Refused(refused, stream))
}

async fn refuse<T>(mut stream: TcpStream, refused: RefusedRequest) -> Option<Served<T>> {
    let page = Page::refused(refused);
    let answered = async {
        stream.write_all(&page.to_http()).await?;
        stream.shutdown().await
    };
    if tokio::time::timeout(WRITE_DEADLINE, answered).await.is_ok() {
        let _left = tokio::time::timeout(DRAIN_DEADLINE, drain(&mut stream)).await;
    }
    None
}

enum Broken {
    Gone,
    Refused(RefusedRequest),
}

async fn read(stream: &mut TcpStream) -> Result<Option<Request>, Broken> {
    let mut seen = Vec::with_capacity(2048);
    loop {
        match request::read(&seen) {
            Ok(Step::Whole(request)) => return Ok(Some(request)),
            Ok(Step::More) => {}
            Err(refused) => return Err(Broken::Refused(refused)),
        }
        let count = stream.read_buf(&mut seen).await.map_err(|_gone| Broken::Gone)?;
        if count == 0 {
            return Ok(None);
        }
    }
}

async fn drain(stream: &mut TcpStream) {
    let mut nowhere = [0; 4096];
    for _block in 0..MAX_CONNECTIONS {
        if !matches!(stream.read(&mut nowhere).await, Ok(1..)) {
            break;
        }
    }
}

impl Visitor {
    /// Shows the page, and ends the connection. A browser that is gone by now is not missed.
    pub(crate) async fn show(mut self, page: &Page) {
        let shown = async {
            self.0.write_all(&page.to_http()).await?;
            self.0.shutdown().await
        };
        let _gone = tokio::time::timeout(WRITE_DEADLINE, shown).await;
    }
}
