//! The accept loop: limits on everything a stranger can make it keep, and an orderly end.

mod connection;
mod handle;
mod local;
mod overload;
mod patience;
mod places;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::Service;

use crate::{PeerAddr, PeerCertificate, TlsHandle};
use connection::WithPeer;
pub use handle::{KeptOut, LimitsHandle};
pub use local::{LocalPeer, LocalSocket, serve_local};
use overload::{Pressure, Turn};
use places::{FreePlace, Place, Places};

/// Anything that a service or a body may fail with.
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What a listener lets its clients use. A [`LimitsHandle`] in its place lets it be changed while the listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeLimits {
    /// Connections at a time; more wait in the system's queue, and when that lasts are turned away. An idle one with a client
    /// certificate costs some 35 KiB, so that 1024 stay below 40 MiB.
    pub max_connections: usize,
    /// Of these, how many one IPv4 address or IPv6 /64 may hold: half, so that no single one keeps the others out. More
    /// are closed at once. Behind a proxy all connections are the proxy's: set it to `max_connections` there.
    pub max_connections_per_address: usize,
    /// How long there may be more connections than places before the longest waiting are told: `503`, `Retry-After`, and
    /// the connection closed. One second: a crowd that is served within it waits and is served.
    pub full_for: Duration,
    /// Of those that are told, how many at a time, by a listener from when it begins to serve; zero tells nobody, and all
    /// wait. Sixteen, and fifty a second at most, whatever is set here: each costs a handshake, and who opens connections
    /// for nothing should get no more of them than that.
    pub turned_away_at_once: usize,
    /// From the accepted connection to the end of its TLS handshake. Ten seconds cover three lost packets.
    pub handshake_timeout: Duration,
    /// From the end of an answer (or of the handshake) to the last octet of the next request's head. It is the
    /// keep-alive limit too: an idle connection is closed after it. 30 s.
    pub header_read_timeout: Duration,
    /// From a request's head to the head of its answer. 60 s, then the connection is cut: the last resort against a
    /// body that never ends; a service has its own, shorter limits.
    pub request_timeout: Duration,
    /// How long an answer may wait for its reader without any progress. 30 s.
    pub write_timeout: Duration,
    /// Octets of a request's head, and of what hyper reads at once. 64 KiB hold a forwarded certificate of the
    /// largest size; a longer head is answered 431.
    pub max_head_octets: usize,
    /// Header fields of a request. 100, as browsers behind three proxies stay below 50; more are answered 431.
    pub max_headers: usize,
    /// After the shutdown signal, how long requests under way may take. Ten seconds, a third of what service
    /// managers wait before they kill.
    pub drain_timeout: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_connections_per_address: 512,
            full_for: Duration::from_secs(1),
            turned_away_at_once: 16,
            handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            max_head_octets: 64 * 1024,
            max_headers: 100,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves HTTP/1.1 over TLS until `shutdown` is ready, then lets the requests under way finish.
///
/// Each request carries these extensions: [`PeerAddr`] always; `Arc<PeerCertificate>` and
/// [`ClientCertificate`](sealstone_mtls::ClientCertificate) when the client proved one. `service` is cloned for each
/// request; an `axum::Router` is such a service.
///
/// # Examples
/// See the crate's front page.
pub async fn serve<S, B>(
    listener: TcpListener,
    tls: TlsHandle,
    service: S,
    limits: impl Into<LimitsHandle>,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<AnyError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<AnyError>,
{
    let limits = limits.into();
    let turned_away = {
        let tls = tls.clone();
        move |stream, peer, limits| {
            let acceptor = TlsAcceptor::from(tls.current());
            async move {
                if let Some(stream) = shake_hands(acceptor, stream, peer, limits).await {
                    overload::tell(stream, limits).await;
                }
            }
        }
    };
    let served = move |stream, peer, limits, draining| {
        let (acceptor, service) = (TlsAcceptor::from(tls.current()), service.clone());
        async move {
            let Some(stream) = shake_hands(acceptor, stream, peer, limits).await else {
                return;
            };
            let certificate = match PeerCertificate::from_handshake(stream.get_ref().1.peer_certificates()) {
                Ok(certificate) => certificate.map(Arc::new),
                Err(error) => {
                    tracing::debug!(peer.address = %peer, %error, "client certificate refused");
                    return;
                }
            };
            let service = WithPeer::new(service, limits, PeerAddr(peer), certificate);
            connection::run(stream, service, limits, draining).await;
        }
    };
    accept_loop(listener, limits, shutdown, (served, turned_away)).await;
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    limits: ServeLimits,
) -> Option<TlsStream<TcpStream>> {
    match timeout(limits.handshake_timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(peer.address = %peer, %error, "TLS handshake refused");
            None
        }
        Err(_) => {
            tracing::debug!(peer.address = %peer, "TLS handshake took too long");
            None
        }
    }
}

/// Serves HTTP/1.1 without TLS, as [`serve`] does: behind a proxy, or for an administrator on the loopback address.
///
/// Requests carry [`PeerAddr`] only.
pub async fn serve_plain<S, B>(
    listener: TcpListener,
    service: S,
    limits: impl Into<LimitsHandle>,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<AnyError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<AnyError>,
{
    let limits = limits.into();
    let served = move |stream, peer, limits, draining| {
        let service = WithPeer::new(service.clone(), limits, PeerAddr(peer), None);
        connection::run(stream, service, limits, draining)
    };
    let turned_away = |stream, _peer, limits| overload::tell(stream, limits);
    accept_loop(listener, limits, shutdown, (served, turned_away)).await;
}

/// Accepts until `shutdown`, runs each connection as a task, and waits for the tasks. Those for whom there is no place are
/// run by `turned_away`.
async fn accept_loop<F, C, T, D>(
    listener: TcpListener,
    limits: LimitsHandle,
    shutdown: impl Future<Output = ()>,
    (served, turned_away): (F, T),
) where
    F: Fn(TcpStream, SocketAddr, ServeLimits, watch::Receiver<bool>) -> C,
    C: Future<Output = ()> + Send + 'static,
    T: Fn(TcpStream, SocketAddr, ServeLimits) -> D,
    D: Future<Output = ()> + Send + 'static,
{
    let mut changes = limits.follow();
    let first = limits.current();
    let places = Places::new(first.max_connections, first.max_connections_per_address);
    let mut pressure = Pressure::new(first);
    let (drain, draining) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => report(ended),
            Ok(()) = changes.changed() => resize(&places, limits.current()),
            (stream, peer, admission) = accept(&listener, &places, &limits, &mut pressure) => match admission {
                Admission::Seated(place) => {
                    let running = served(stream, peer, limits.current(), draining.clone());
                    tasks.spawn(async move {
                        running.await;
                        drop(place);
                    });
                }
                Admission::Told(turn) => {
                    limits.turned_away();
                    let telling = turned_away(stream, peer, limits.current());
                    tasks.spawn(async move {
                        // Whoever takes longer is cut off.
                        drop(timeout(overload::TOLD_WITHIN, telling).await);
                        drop(turn);
                    });
                }
            }
        }
    }
    drop(listener);
    drain.send_replace(true);
    let drained = timeout(limits.current().drain_timeout, async {
        while let Some(ended) = tasks.join_next().await {
            report(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(
            connections = tasks.len(),
            "connections cut off at shutdown: their requests took too long"
        );
        tasks.shutdown().await;
    }
}

/// What becomes of a connection.
enum Admission {
    Seated(Place),
    /// There is no place, and it is told so.
    Told(Turn),
}

/// The next connection, once there is a place for it, or a turn to be told that there is none.
async fn accept(
    listener: &TcpListener,
    places: &Places,
    limits: &LimitsHandle,
    pressure: &mut Pressure,
) -> (TcpStream, SocketAddr, Admission) {
    loop {
        if let Some(free) = places.try_free() {
            let (stream, peer) = next_for(listener, pressure).await;
            if let Some(place) = seat(free, peer, places, limits) {
                return (stream, peer, Admission::Seated(place));
            }
            continue;
        }
        pressure.begins();
        let current = limits.current();
        let beyond = async {
            if current.turned_away_at_once == 0 {
                return std::future::pending().await;
            }
            let turn = pressure.turn(current.full_for).await;
            (turn, next(listener).await)
        };
        let (turn, (stream, peer)) = tokio::select! {
            biased;
            // It is taken when the loop begins anew.
            _free = places.free() => continue,
            told = beyond => told,
        };
        pressure.told();
        // Its share is not for it to make handshakes of.
        if places.is_at_share(peer.ip()) {
            beyond_share(peer, limits);
            continue;
        }
        return (stream, peer, Admission::Told(turn));
    }
}

/// The next connection, for whom there is a place.
async fn next_for(listener: &TcpListener, pressure: &mut Pressure) -> (TcpStream, SocketAddr) {
    tokio::select! {
        biased;
        // Beyond the runtime's budget: else who is there would seem to be away.
        waiting = tokio::task::unconstrained(next(listener)) => return waiting,
        () = std::future::ready(()) => pressure.ends(),
    }
    next(listener).await
}

async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small: waiting to fill a packet only delays them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(peer.address = %peer, %error, "TCP_NODELAY not set");
                }
                return (stream, peer);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of file descriptors, most likely: some will be closed meanwhile.
                tracing::error!(%error, "cannot accept connections; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn seat(free: FreePlace, peer: SocketAddr, places: &Places, limits: &LimitsHandle) -> Option<Place> {
    // Who came after the limits were replaced meets the new ones, whichever of the two was heard of first.
    resize(places, limits.current());
    let place = free.seat(peer.ip());
    if place.is_none() {
        beyond_share(peer, limits);
    }
    place
}

fn beyond_share(peer: SocketAddr, limits: &LimitsHandle) {
    limits.beyond_share();
    tracing::debug!(peer.address = %peer, "connection refused: its address holds its share");
}

fn resize(places: &Places, limits: ServeLimits) {
    places.resize(limits.max_connections, limits.max_connections_per_address);
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended in a panic");
    }
}
