//! One HTTP/1.1 connection, and what each of its requests carries.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, watch},
    time::sleep,
};
use tower::{Service, ServiceExt, timeout::Timeout, util::Oneshot};

use super::{AnyError, ServeLimits, patience::Patience};
use crate::{PeerAddr, PeerCertificate};

/// How long a connection that came at the last moment may take to its first request, once the listener is closed: it
/// was accepted, and nothing tells its client to come again.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// A service whose requests know their peer.
#[derive(Clone)]
pub(super) struct WithPeer<S> {
    service: Timeout<S>,
    address: PeerAddr,
    certificate: Option<Arc<PeerCertificate>>,
    heard: Arc<Heard>,
}

/// Whether a connection has had a request.
#[derive(Debug, Default)]
struct Heard {
    any: AtomicBool,
    first: Notify,
}

impl<S> WithPeer<S> {
    pub(super) fn new(
        service: S,
        limits: ServeLimits,
        address: PeerAddr,
        certificate: Option<Arc<PeerCertificate>>,
    ) -> Self {
        Self {
            service: Timeout::new(service, limits.request_timeout),
            address,
            certificate,
            heard: Arc::default(),
        }
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for WithPeer<S>
where
    S: Service<Request<Incoming>> + Clone,
    S::Error: Into<AnyError>,
{
    type Response = S::Response;
    type Error = AnyError;
    type Future = Oneshot<Timeout<S>, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if !self.heard.any.load(Ordering::Relaxed) {
            self.heard.any.store(true, Ordering::Relaxed);
            self.heard.first.notify_one();
        }
        let extensions = request.extensions_mut();
        extensions.insert(self.address);
        if let Some(certificate) = &self.certificate {
            extensions.insert(certificate.certificate().clone());
            extensions.insert(Arc::clone(certificate));
        }
        self.service.clone().oneshot(request)
    }
}

/// Runs the connection to its end, which comes after the request under way once `draining` turns true.
pub(super) async fn run<I, S, B>(
    io: I,
    service: WithPeer<S>,
    limits: ServeLimits,
    mut draining: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    S::Error: Into<AnyError>,
    B: Body + 'static,
    B::Error: Into<AnyError>,
{
    let peer = service.address.0;
    let heard = Arc::clone(&service.heard);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        // hyper panics below 8 KiB.
        .max_buf_size(limits.max_head_octets.max(8 * 1024))
        .max_headers(limits.max_headers)
        .serve_connection(TokioIo::new(Patience::new(io, limits.write_timeout)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = end(&mut draining, &heard) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer.address = %peer, %error, "connection ended early");
    }
}

/// Ready when the connection may end after the request under way: the server drains, and has heard this client once.
async fn end(draining: &mut watch::Receiver<bool>, heard: &Heard) {
    // An error means that the listener is gone: the server is ending too.
    drop(draining.wait_for(|draining| *draining).await);
    if !heard.any.load(Ordering::Relaxed) {
        tokio::select! {
            () = heard.first.notified() => {}
            () = sleep(LAST_MOMENT) => {}
        }
    }
}
