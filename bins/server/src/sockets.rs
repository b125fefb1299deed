//! Sockets that systemd has opened (`sd_listen_fds(3)`): they outlive a restart, so that no connection is refused
//! meanwhile.

use anyhow::{Context as _, bail};
use listenfd::ListenFd;
use tokio::net::TcpListener;

/// What a socket is for, by its `FileDescriptorName=`.
const NAMES: [&str; 3] = ["public", "mtls", "admin"];

/// The sockets that came with the process.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    sockets: Vec<(String, TcpListener)>,
}

impl Passed {
    /// Takes them. Without systemd there are none.
    ///
    /// # Errors
    /// A socket whose name says nothing to us, one of two with the same name, one that is no TCP listener, or one that does not
    /// listen.
    pub(crate) fn take() -> anyhow::Result<Self> {
        let mut found = ListenFd::from_env();
        let names = names();
        let mut sockets: Vec<(String, TcpListener)> = Vec::new();
        for index in 0..found.len() {
            let name = names.get(index).map(String::as_str).unwrap_or_default();
            if !NAMES.contains(&name) {
                bail!(
                    "systemd has passed a socket named {name:?}: set FileDescriptorName= of each to public, mtls or admin"
                );
            }
            if sockets.iter().any(|(known, _)| known == name) {
                bail!("systemd has passed two sockets named {name}: one each of public, mtls and admin");
            }
            let socket = found.take_tcp_listener(index);
            let socket =
                socket.with_context(|| format!("the socket {name} of systemd is no TCP listener"))?;
            let Some(socket) = socket else { continue };
            let listens = rustix::net::sockopt::socket_acceptconn(&socket);
            if !listens.with_context(|| format!("the socket {name} of systemd can't be used"))? {
                bail!(
                    "the socket {name} of systemd does not listen: give it by ListenStream= of a socket unit, as \
                     examples/deploy/systemd does"
                );
            }
            socket
                .set_nonblocking(true)
                .and_then(|()| TcpListener::from_std(socket))
                .map(|socket| sockets.push((name.to_owned(), socket)))
                .with_context(|| format!("the socket {name} of systemd can't be used"))?;
        }
        Ok(Self { sockets })
    }

    /// The socket of this name, once.
    pub(crate) fn named(&mut self, name: &str) -> Option<TcpListener> {
        let place = self.sockets.iter().position(|(known, _)| known == name)?;
        Some(self.sockets.swap_remove(place).1)
    }
}

#[expect(clippy::disallowed_methods, reason = "a binary reads its environment")]
fn names() -> Vec<String> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    names.split(':').map(str::to_owned).collect()
}
