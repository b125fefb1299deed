//! A local socket: for programs of this machine that the file's mode lets in.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokio::{
    net::UnixListener,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tower::{Service, ServiceExt as _};

use super::{
    AnyError, LimitsHandle,
    connection::{self, WithPeer},
    report,
};
use crate::PeerAddr;

/// Connections at a time: administrators and their programs, not the world.
const MAX_CONNECTIONS: usize = 64;

/// The user of the system at the other end of a local socket, as the kernel says; a request extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to tell")]
pub struct LocalPeer {
    /// The number of the user.
    pub user: u32,
}

/// A socket in the file system that only its owner may connect to; removed when it is dropped.
#[derive(Debug)]
pub struct LocalSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl LocalSocket {
    /// Binds it, in place of a socket that an earlier process left there. Needs a runtime.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::AlreadyExists`] for a file that is no socket, which is left alone.
    ///
    /// # Security
    /// It is made in a folder that nobody else can look into, gets mode 0600 there, and is moved to its place: at no
    /// moment could another user connect.
    pub fn bind(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::FileTypeExt as _;
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                let reason = "there is a file that is no socket: name another path";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let folder = path.with_file_name(name);
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let bound = bind_within(&folder.join("s"), path);
        let removed = fs::remove_dir_all(&folder);
        let listener = bound?;
        removed?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }
}

fn bind_within(inside: &Path, path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(inside)?;
    fs::set_permissions(inside, fs::Permissions::from_mode(0o600))?;
    fs::rename(inside, path)?;
    Ok(listener)
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        // Gone already, or replaced by the next process: nothing is lost.
        drop(fs::remove_file(&self.path));
    }
}

/// Serves HTTP/1.1 on a local socket until `shutdown` is ready, then lets the requests under way finish.
///
/// Each request carries [`LocalPeer`], and no [`PeerAddr`].
pub async fn serve_local<S, B>(
    socket: LocalSocket,
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
    let handle = limits.into();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (drain, draining) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, socket.listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                report(ended);
                continue;
            }
            (place, accepted) = accepted => match accepted {
                Ok((stream, _nameless)) => (place, stream),
                Err(error) => {
                    tracing::error!(%error, "cannot accept local connections; trying again in a second");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            },
        };
        let peer = match stream.peer_cred() {
            Ok(known) => LocalPeer { user: known.uid() },
            Err(error) => {
                tracing::warn!(%error, "the system does not say who connected locally; closed");
                continue;
            }
        };
        let service = service
            .clone()
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().remove::<PeerAddr>();
                request.extensions_mut().insert(peer);
                request
            });
        let limits = handle.current();
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let running = connection::run(
            stream,
            WithPeer::new(service, limits, PeerAddr(nowhere), None),
            limits,
            draining.clone(),
        );
        tasks.spawn(async move {
            running.await;
            drop(place);
        });
    }
    drain.send_replace(true);
    let drained = timeout(handle.current().drain_timeout, async {
        while let Some(ended) = tasks.join_next().await {
            report(ended);
        }
    });
    if drained.await.is_err() {
        tasks.shutdown().await;
    }
}
