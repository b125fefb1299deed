//! The way from a node to the database, which a test can cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long a look at the wire takes at most.
const LOOK: Duration = Duration::from_millis(50);

/// Passes on what comes, until it is cut: then nothing comes through, and nobody is told.
#[derive(Debug)]
pub(crate) struct Wire {
    port: u16,
    is_cut: Arc<AtomicBool>,
    ends: Arc<AtomicBool>,
}

impl Wire {
    pub(crate) fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let wire = Self {
            port: listener.local_addr().unwrap().port(),
            is_cut: Arc::default(),
            ends: Arc::default(),
        };
        let (is_cut, ends) = (Arc::clone(&wire.is_cut), Arc::clone(&wire.ends));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else {
                    continue;
                };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let is_cut = Arc::clone(&is_cut);
                    thread::spawn(move || pass(from, to, &is_cut));
                }
            }
        });
        wire
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// What was open when it was cut is lost; what is opened from now on goes through.
    pub(crate) fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // The listener looks when somebody comes.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    from.set_read_timeout(Some(LOOK)).unwrap();
    let mut octets = vec![0; 16_384];
    let mut was_cut = false;
    loop {
        let came = from.read(&mut octets);
        if is_cut.load(Ordering::Relaxed) {
            was_cut = true;
            if !matches!(came, Ok(0)) {
                thread::sleep(LOOK);
                continue;
            }
        }
        let lost = match came {
            Ok(0) => true,
            Ok(count) if !was_cut => to.write_all(&octets[..count]).is_err(),
            Ok(_) => true,
            Err(error) => {
                let waits = matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                );
                !waits || was_cut
            }
        };
        if lost {
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return;
        }
    }
}
