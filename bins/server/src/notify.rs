//! What systemd is told (`Type=notify`, `sd_notify(3)`).

#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::{
    ffi::OsStr,
    os::unix::{
        ffi::OsStrExt as _,
        net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

/// The socket of `NOTIFY_SOCKET`, if there is one.
#[derive(Debug)]
pub(crate) struct Notify {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notify {
    pub(crate) fn of_environment() -> Self {
        Self {
            socket: socket(),
            watchdog: watchdog(),
        }
    }

    /// It serves.
    pub(crate) fn ready(&self) {
        self.tell("READY=1\nSTATUS=serving");
    }

    /// It finishes what is under way.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=finishing the requests under way");
    }

    /// Tells systemd again and again that this program lives, as long as its runtime does: one that is stuck is started
    /// anew. Ready when there is nobody to tell.
    pub(crate) async fn keep_alive(&self, stop: impl Future<Output = ()>) {
        let Some(every) = self.watchdog else { return };
        tokio::pin!(stop);
        loop {
            self.tell("WATCHDOG=1");
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    fn tell(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            // Who does not listen misses a line in `systemctl status`.
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

fn socket() -> Option<(UnixDatagram, SocketAddr)> {
    let name = std::env::var_os("NOTIFY_SOCKET")?;
    let name = name.as_bytes();
    let address = match name.split_first()? {
        // `@` stands for the NUL of an abstract name.
        #[cfg(target_os = "linux")]
        (b'@', rest) => SocketAddr::from_abstract_name(rest).ok()?,
        _ => SocketAddr::from_pathname(OsStr::from_bytes(name)).ok()?,
    };
    Some((UnixDatagram::unbound().ok()?, address))
}

/// Half of the time after which systemd loses patience (`WatchdogSec=`).
#[expect(clippy::disallowed_methods, reason = "a binary reads its environment")]
fn watchdog() -> Option<Duration> {
    let text = std::env::var("WATCHDOG_USEC").ok()?;
    let span = Duration::from_micros(text.parse().ok()?);
    span.checked_div(2).filter(|half| !half.is_zero())
}
