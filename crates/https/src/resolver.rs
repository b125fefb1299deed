//! Names to addresses, without those that may not be connected to.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

/// Which addresses may be connected to.
#[derive(Clone)]
pub(crate) struct Admitted(pub(crate) Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl fmt::Debug for Admitted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Admitted").finish_non_exhaustive()
    }
}

/// The system's resolver; an address that is not admitted is as if the name did not have it. It is asked for every
/// connection, so that a name that changes its addresses in between reaches nothing else.
#[derive(Clone)]
pub(crate) struct Resolver {
    system: GaiResolver,
    admitted: Option<Admitted>,
}

impl Resolver {
    pub(crate) fn new(admitted: Option<Admitted>) -> Self {
        Self {
            system: GaiResolver::new(),
            admitted,
        }
    }

    /// Whether an address that a URL names itself may be connected to: no resolver is asked for those.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        let admitted = self.admitted.as_ref();
        admitted.is_none_or(|Admitted(admits)| admits(address.to_canonical()))
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.system.call(name);
        let this = self.clone();
        Box::pin(async move {
            let mut addresses: Vec<SocketAddr> = found.await?.collect();
            addresses.retain(|address| this.admits(address.ip()));
            if addresses.is_empty() {
                return Err(io::Error::other(
                    "the name has no address that may be connected to",
                ));
            }
            Ok(addresses.into_iter())
        })
    }
}
