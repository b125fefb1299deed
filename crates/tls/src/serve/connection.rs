//! One HTTP/1.1 connection, and what each of its requests carries.

use std::sync::Arc;

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};
use tower::{Service, ServiceExt, timeout::Timeout, util::Oneshot};

use super::{AnyError, ServeLimits, patience::Patience};
use crate::{PeerAddr, PeerCertificate};

/// A service whose requests know their peer.
#[derive(Clone)]
pub(super) struct WithPeer<S> {
    service: Timeout<S>,
    address: PeerAddr,
    certificate: Option<Arc<PeerCertificate>>,
}

impl<S> WithPeer<S> {
    pub(super) const fn new(
        service: S,
        limits: ServeLimits,
        address: PeerAddr,
        certificate: Option<Arc<PeerCertificate>>,
    ) -> Self {
        Self {
            service: Timeout::new(service, limits.request_timeout),
            address,
            certificate,
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
        _ = draining.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer.address = %peer, %error, "connection ended early");
    }
}
