//! CPU time of a proxy's own thread for one request, the bridge's beside that of a proxy that does nothing but pass on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::time::{ClockId, clock_gettime};
use sealstone_bridge::{Bridge, BridgeLimits, BridgeListener, Rules, Target, TokenForm, Upstream};
use sealstone_tls::ServeLimits;
use tokio::runtime::Handle;

use super::{NOW, Pool};
use crate::measure::effort;

/// What the bridge may cost beside a bare proxy, in microseconds a request.
const TARGET: f64 = 150.0;
/// The body of a validation, as Keystone answers it without a catalogue.
const BODY: usize = 1400;

/// Passes requests on, and nothing else.
#[derive(Clone)]
struct Bare {
    client: Client<HttpConnector, Incoming>,
    node: SocketAddr,
}

impl tower::Service<Request<Incoming>> for Bare {
    type Response = Response<Incoming>;
    type Error = hyper_util::client::legacy::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        let path = request.uri().path_and_query().expect("a path");
        let uri = format!("http://{}{path}", self.node);
        *request.uri_mut() = uri.parse().expect("a URI");
        Box::pin(self.client.request(request))
    }
}

/// A proxy on a thread of its own.
struct Proxy {
    name: &'static str,
    address: SocketAddr,
    handle: Handle,
}

impl Proxy {
    fn start(
        name: &'static str,
        serve: impl FnOnce(tokio::net::TcpListener) -> Serving + Send + 'static,
    ) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("a port");
                let address = listener.local_addr().expect("an address");
                sender.send((address, Handle::current())).expect("somebody waits");
                serve(listener).await;
            });
        });
        let (address, handle) = receiver.recv().expect("a proxy");
        Self {
            name,
            address,
            handle,
        }
    }

    /// What its thread has used so far.
    fn cpu(&self) -> Duration {
        let (sender, receiver) = channel();
        self.handle.spawn(async move {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            sender
                .send(Duration::try_from(time).expect("a time since the thread began"))
                .expect("somebody waits");
        });
        receiver.recv().expect("a time")
    }
}

type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// A node that answers every request alike, and names its subject token.
fn node() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || converse(stream.expect("a connection")));
        }
    });
    address
}

fn converse(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("an option");
    let mut buffer = Vec::new();
    while let Some(head) = read_head(&mut stream, &mut buffer) {
        let subject = field(&head, "x-subject-token").unwrap_or_default();
        let body = "x".repeat(BODY);
        let answer =
            format!("HTTP/1.1 200 OK\r\nx-subject-token: {subject}\r\ncontent-length: {BODY}\r\n\r\n{body}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            return String::from_utf8(buffer.drain(..end + 4).collect()).ok();
        }
        let mut some = [0; 8192];
        match stream.read(&mut some) {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&some[..count]),
        }
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(found, _value)| found.eq_ignore_ascii_case(name))
        .map(|(_found, value)| value)
}

/// Sends each pair of caller's and subject's token over one connection; the answers must name the subject as it came.
fn drive(address: SocketAddr, pairs: &[(String, String)]) {
    let mut stream = TcpStream::connect(address).expect("a proxy");
    stream.set_nodelay(true).expect("an option");
    let mut buffer = Vec::new();
    for (caller, subject) in pairs {
        let request = format!(
            "GET /v3/auth/tokens HTTP/1.1\r\nhost: keystone\r\nuser-agent: python-keystoneclient\r\n\
             accept: application/json\r\nx-auth-token: {caller}\r\nx-subject-token: {subject}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let head = read_head(&mut stream, &mut buffer).expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(field(&head, "x-subject-token"), Some(subject.as_str()));
        while buffer.len() < BODY {
            let mut some = [0; 8192];
            let count = stream.read(&mut some).expect("the body");
            buffer.extend_from_slice(&some[..count]);
        }
        buffer.drain(..BODY);
    }
}

/// With the public keys of so many nodes.
fn bridge(pool: &Pool, node: SocketAddr, name: &'static str, target: TokenForm, nodes: usize) -> Proxy {
    let translator = pool.translator(nodes);
    Proxy::start(name, move |listener| {
        let limits = BridgeLimits::default();
        let uri = format!("http://{node}").parse().expect("a URI");
        let upstream = Upstream::new(&uri, None, &limits).expect("a node");
        let target = Target::Fixed(target);
        let bridge = Bridge::new(Rules::new(translator), upstream, target, limits, Arc::new(|| NOW));
        let end = std::future::pending();
        Box::pin(sealstone_bridge::serve(
            BridgeListener::Plain(listener),
            bridge,
            Duration::from_secs(1),
            end,
        ))
    })
}

pub(super) fn measure(pool: &Pool) {
    let node = node();
    let bare = Proxy::start("a bare proxy", move |listener| {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let limits = ServeLimits::default();
        Box::pin(sealstone_tls::serve_plain(
            listener,
            Bare { client, node },
            limits,
            std::future::pending(),
        ))
    });
    let untouched = bridge(pool, node, "bridge, nothing to translate", TokenForm::Fernet, 1);
    let known = bridge(pool, node, "bridge, two tokens that it knows", TokenForm::Jws, 1);
    let to_jws = bridge(
        pool,
        node,
        "bridge, one new token to JWS, one known",
        TokenForm::Jws,
        1,
    );
    let to_fernet = bridge(
        pool,
        node,
        "bridge, one new token to Fernet, one known",
        TokenForm::Fernet,
        1,
    );
    let (in_a_row, worst) = (
        bridge(
            pool,
            node,
            "the same, of three nodes, by the third's key",
            TokenForm::Fernet,
            3,
        ),
        bridge(
            pool,
            node,
            "the same, each by the key tried last",
            TokenForm::Fernet,
            3,
        ),
    );
    let proxies = [&bare, &untouched, &known, &to_jws, &to_fernet, &in_a_row, &worst];
    let (rounds, calls) = effort();
    let calls = u64::from(calls).min(500);
    let mut times = vec![Vec::new(); proxies.len()];
    let (service, service_jws) = (pool.fernet(0), pool.jws(0, 0));
    for round in 0..rounds {
        let name = |call: u64| 1 + call + calls * u64::try_from(round).expect("a few rounds");
        let same: Vec<_> = (0..calls)
            .map(|_call| (service.clone(), service.clone()))
            .collect();
        let fernet: Vec<_> = (0..calls)
            .map(|call| (service.clone(), pool.fernet(name(call))))
            .collect();
        let jws = |node: fn(usize) -> usize| -> Vec<_> {
            (0..calls)
                .zip((0..3).cycle())
                .map(|(call, turn)| (service_jws.clone(), pool.jws(name(call), node(turn))))
                .collect()
        };
        let (first, third) = (jws(|_turn| 0), jws(|_turn| 2));
        // The last one comes first, then those after it: the one before it comes last.
        let backwards = jws(|turn| 2 - turn);
        for (place, (proxy, pairs)) in proxies
            .iter()
            .zip([&same, &same, &same, &fernet, &first, &third, &backwards])
            .enumerate()
        {
            let before = proxy.cpu();
            drive(proxy.address, pairs);
            let micros = (proxy.cpu() - before).as_secs_f64() * 1e6;
            times[place].push(micros / f64::from(u32::try_from(calls).expect("a few")));
        }
    }
    println!("\nCPU time of the proxy's thread, median of {rounds} interleaved rounds of {calls} requests");
    let median = |times: &Vec<f64>| {
        let mut times = times.clone();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let floor = median(&times[0]);
    for (proxy, times) in proxies.iter().zip(&times) {
        let time = median(times);
        println!("{:<44} {time:8.1} us   {:+8.1} us", proxy.name, time - floor);
    }
    println!("(target: at most {TARGET} us beside a bare proxy)");
}
