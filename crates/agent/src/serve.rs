//! Connections of local programs: who they are, how many, and how long they may dawdle.

use std::{
    convert::Infallible,
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener, UnixStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    FileError,
    body::Body,
    files::{self, check_folder},
};

/// Connections at a time: one program with a generous pool, and few enough that the agent's descriptors suffice for as
/// many towards the service.
const MAX_CONNECTIONS: usize = 256;
/// From accepting a connection, or the end of the request before, to the end of a head: longer than a pause between
/// polls, so that a kept connection is not lost at every one.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);
/// Twice the largest token that services accept, and the program's own headers.
const MAX_HEAD: usize = 64 * 1024;
/// As many as servers behind two proxies see.
const MAX_HEADERS: usize = 100;
/// What is under way at the end has this long.
const DRAIN: Duration = Duration::from_secs(10);

/// Answers one request. It never fails: a failure is an answer too.
pub(crate) trait Answering: Send + Sync + 'static {
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// Accepts, until it is told to stop.
pub(crate) enum Listening {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

/// A Unix socket at a path, and the users who may connect.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    users: Vec<u32>,
}

impl UnixSocket {
    /// Listens at `path`, for these users (numeric) besides the agent's own. Its mode is 0600 when there are none
    /// besides, and 0666 else; either way the user of each connection is asked of the kernel.
    ///
    /// What a killed agent left is replaced; a socket that is answered at is not.
    ///
    /// # Errors
    /// [`FileError::Unsafe`] for anything but a socket of this user in its place, or a folder that others may write to;
    /// [`FileError::Taken`]; [`FileError::Io`].
    pub fn bind(path: &Path, users: &[u32]) -> Result<Self, FileError> {
        let folder = files::parent(path);
        check_folder(folder)?;
        if let Ok(found) = fs::symlink_metadata(path) {
            if !found.file_type().is_socket() || found.uid() != files::own_uid() {
                return Err(FileError::Unsafe {
                    path: path.to_owned(),
                    reason: "is there already and no socket of this user: remove it, or use another name",
                });
            }
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(FileError::Taken(path.to_owned()));
            }
        }
        // Under another name until it has its mode, then in one step in its place.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = folder.join(format!(".{name}.agent"));
        let _ = fs::remove_file(&beside);
        let failed = |error| FileError::io(path, "listened at", error);
        let listener = UnixListener::bind(&beside).map_err(failed)?;
        let mode = if users.is_empty() { 0o600 } else { 0o666 };
        fs::set_permissions(&beside, fs::Permissions::from_mode(mode)).map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            users: users.iter().copied().chain([files::own_uid()]).collect(),
        })
    }

    async fn accept(&self) -> std::io::Result<Option<UnixStream>> {
        let (stream, _unnamed) = self.listener.accept().await?;
        let user = stream.peer_cred()?.uid();
        if self.users.contains(&user) {
            return Ok(Some(stream));
        }
        tracing::warn!(user, path = %self.path.display(), "another user's program was sent away");
        Ok(None)
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Serves until `stop` changes; then what is under way is brought to its end.
pub(crate) async fn serve<A: Answering>(
    listening: Listening,
    answering: Arc<A>,
    stop: watch::Receiver<bool>,
) {
    let mut told = stop.clone();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            () = stopped(&mut told) => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        tokio::select! {
            () = stopped(&mut told) => break,
            Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listening) => match accepted {
                Ok(Some(Accepted::Tcp(stream))) => {
                    connections.spawn(connection(stream, Arc::clone(&answering), stop.clone(), place));
                }
                Ok(Some(Accepted::Unix(stream))) => {
                    connections.spawn(connection(stream, Arc::clone(&answering), stop.clone(), place));
                }
                Ok(None) => {}
                Err(error) => {
                    // No descriptors left, mostly: some come back when connections end.
                    tracing::warn!(reason = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listening);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Who could tell is gone: that is an end too.
    let _ = stop.wait_for(|stop| *stop).await;
}

enum Accepted {
    Tcp(tokio::net::TcpStream),
    Unix(UnixStream),
}

async fn accept(listening: &Listening) -> std::io::Result<Option<Accepted>> {
    match listening {
        Listening::Tcp(listener) => {
            let (stream, peer) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // Bound to a loopback address nobody else gets here; it costs nothing to look.
            Ok(peer.ip().is_loopback().then_some(Accepted::Tcp(stream)))
        }
        Listening::Unix(socket) => Ok(socket.accept().await?.map(Accepted::Unix)),
    }
}

async fn connection<A: Answering>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answering: Arc<A>,
    mut stop: watch::Receiver<bool>,
    _place: tokio::sync::OwnedSemaphorePermit,
) {
    let service = service_fn(move |request| {
        let answering = Arc::clone(&answering);
        async move { Ok::<_, Infallible>(answering.answer(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ended = connection.as_mut() => return,
        () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
