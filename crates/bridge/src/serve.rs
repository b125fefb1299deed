//! A bridge at a listener.

use std::time::Duration;

use sealstone_tls::{ServeLimits, TlsHandle};
use tokio::net::TcpListener;

use crate::Bridge;

/// What a bridge may do after its own limits before the listener cuts the connection.
const MARGIN: Duration = Duration::from_secs(5);
/// How long a connection may idle: longer than balancers keep theirs, so that they end them, and send nothing on one that
/// ends here.
const IDLE: Duration = Duration::from_secs(75);
/// Connections at a time: what four busy balancer processes keep.
const CONNECTIONS: usize = 4096;

/// How a bridge is reached.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum BridgeListener {
    /// By HTTP. Whoever reads the network before it has every token: on the loopback address, or behind a balancer on a
    /// network of its own.
    Plain(TcpListener),
    /// By HTTPS.
    Tls(TcpListener, TlsHandle),
}

/// Serves HTTP/1.1 until `shutdown` is ready; then it accepts nothing more, and what is under way ends, for `drain` at
/// most.
///
/// A request that is not HTTP, or that two readers could take in two ways, is refused by the listener: see
/// [`sealstone_tls::serve`].
pub async fn serve(
    listener: BridgeListener,
    bridge: Bridge,
    drain: Duration,
    shutdown: impl Future<Output = ()>,
) {
    let of_bridge = bridge.limits();
    let request_timeout = of_bridge.answer.saturating_add(of_bridge.auth_body);
    let limits = ServeLimits {
        max_connections: CONNECTIONS,
        // A balancer is one address.
        max_connections_per_address: CONNECTIONS,
        header_read_timeout: IDLE,
        request_timeout: request_timeout.saturating_add(MARGIN),
        drain_timeout: drain,
        ..ServeLimits::default()
    };
    match listener {
        BridgeListener::Plain(listener) => {
            sealstone_tls::serve_plain(listener, bridge, limits, shutdown).await;
        }
        BridgeListener::Tls(listener, tls) => {
            sealstone_tls::serve(listener, tls, bridge, limits, shutdown).await;
        }
    }
}
