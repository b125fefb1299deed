//! A proxy before Keystone that tells which calls went through.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct CountingProxy {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<String>>>,
}

impl CountingProxy {
    /// Before `http://127.0.0.1:port/v3`. It runs until the process ends.
    pub(crate) fn before(url: &str) -> Self {
        let upstream = url
            .trim_start_matches("http://")
            .trim_end_matches("/v3")
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let counted = Arc::clone(&calls);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&upstream).unwrap();
                let counted = Arc::clone(&counted);
                let (back_from, back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pass(client, server, |read| count(read, &counted)));
                thread::spawn(move || pass(back_from, back_to, |_| ()));
            }
        });
        Self { address, calls }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v3", self.address)
    }

    /// Method and path of each call so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

/// Every request line begins what is sent at once: one request is under way on a connection.
fn count(read: &[u8], calls: &Mutex<Vec<String>>) {
    let text = String::from_utf8_lossy(read);
    let lines = text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1"));
    calls.lock().unwrap().extend(lines.map(str::to_owned));
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut seen: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        seen(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
