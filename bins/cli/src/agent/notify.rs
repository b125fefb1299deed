//! What systemd is told (`Type=notify`, `sd_notify(3)`).

#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::{
    env,
    ffi::OsStr,
    os::unix::{
        ffi::OsStrExt as _,
        net::{SocketAddr, UnixDatagram},
    },
};

/// The socket of `NOTIFY_SOCKET`, if there is one.
#[derive(Debug)]
pub(super) struct Notify(Option<(UnixDatagram, SocketAddr)>);

impl Notify {
    pub(super) fn of_environment() -> Self {
        Self(env::var_os("NOTIFY_SOCKET").and_then(|name| {
            let name = name.as_bytes();
            let address = match name.split_first()? {
                // `@` stands for the NUL of an abstract name.
                #[cfg(target_os = "linux")]
                (b'@', rest) => SocketAddr::from_abstract_name(rest).ok()?,
                _ => SocketAddr::from_pathname(OsStr::from_bytes(name)).ok()?,
            };
            Some((UnixDatagram::unbound().ok()?, address))
        }))
    }

    pub(super) fn tell(&self, text: &str) {
        if let Some((socket, address)) = &self.0 {
            // Who does not listen misses a line in `systemctl status`.
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}
