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
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
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
    address: SocketAddr,
    handle: Handle,
}

impl Proxy {
    fn start(serve: impl FnOnce(tokio::net::TcpListener) -> Serving + Send + 'static) -> Self {
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
        Self { address, handle }
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

/// Sends each pair of caller's and subject's token over one connection; the answers must name the subject as it came, unless
/// no key proves it.
fn drive(address: SocketAddr, pairs: &[(String, String)], is_proved: bool) {
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
        let named = if is_proved { subject.as_str() } else { "" };
        assert_eq!(field(&head, "x-subject-token"), Some(named));
        while buffer.len() < BODY {
            let mut some = [0; 8192];
            let count = stream.read(&mut some).expect("the body");
            buffer.extend_from_slice(&some[..count]);
        }
        buffer.drain(..BODY);
    }
}

/// With the public keys of so many nodes.
fn bridge(pool: &Pool, node: SocketAddr, target: TokenForm, nodes: usize) -> Proxy {
    let translator = pool.translator(nodes);
    Proxy::start(move |listener| {
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

/// Everything on one processor: the time that a thread takes to wake one on another is not the proxy's.
fn stay_here() {
    let mut here = CpuSet::new();
    here.set(sched_getcpu());
    sched_setaffinity(None, &here).expect("a processor");
}

/// One line of the table: which requests, through which proxy.
struct Row<'a> {
    name: &'static str,
    proxy: &'a Proxy,
    /// The tokens of a round.
    pairs: Box<dyn FnMut() -> Vec<(String, String)> + 'a>,
    is_proved: bool,
    times: Vec<f64>,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, proxy: &'a Proxy, pairs: impl FnMut() -> Vec<(String, String)> + 'a) -> Self {
        Self {
            name,
            proxy,
            pairs: Box::new(pairs),
            is_proved: true,
            times: Vec::new(),
        }
    }

    fn run(&mut self) {
        let pairs = (self.pairs)();
        let before = self.proxy.cpu();
        drive(self.proxy.address, &pairs, self.is_proved);
        let micros = (self.proxy.cpu() - before).as_secs_f64() * 1e6;
        self.times
            .push(micros / f64::from(u32::try_from(pairs.len()).expect("a few")));
    }

    fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }
}

fn bare(node: SocketAddr) -> Proxy {
    Proxy::start(move |listener| {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let limits = ServeLimits::default();
        Box::pin(sealstone_tls::serve_plain(
            listener,
            Bare { client, node },
            limits,
            std::future::pending(),
        ))
    })
}

/// Tokens of the nodes that `of` names, one after the other, each by a caller whose token is known.
fn of_nodes<'a>(
    pool: &'a Pool,
    calls: usize,
    mut of: impl FnMut() -> usize + 'a,
) -> impl FnMut() -> Vec<(String, String)> + 'a {
    let service = pool.jws(0, 0);
    move || {
        (0..calls)
            .map(|_call| (service.clone(), pool.jws(1, of())))
            .collect()
    }
}

/// The nodes of a list, over and over.
fn over_and_over(nodes: &'static [usize]) -> impl FnMut() -> usize {
    let mut nodes = nodes.iter().cycle();
    move || *nodes.next().expect("a node")
}

/// Nodes in no order.
fn in_no_order(nodes: usize) -> impl FnMut() -> usize {
    let mut state: u32 = 7;
    move || {
        state = state.wrapping_mul(22_695_477).wrapping_add(1);
        usize::from(state.to_be_bytes()[0]) % nodes
    }
}

pub(super) fn measure(pool: &Pool) {
    stay_here();
    let (rounds, calls) = effort();
    let calls = usize::try_from(calls).expect("a few").min(500);
    let node = node();
    let bare = bare(node);
    let untouched = bridge(pool, node, TokenForm::Fernet, 1);
    let known = bridge(pool, node, TokenForm::Jws, 1);
    let to_jws = bridge(pool, node, TokenForm::Jws, 1);
    let to_fernet = bridge(pool, node, TokenForm::Fernet, 1);
    let two = bridge(pool, node, TokenForm::Fernet, 2);
    let three = bridge(pool, node, TokenForm::Fernet, 3);
    let five = bridge(pool, node, TokenForm::Fernet, 5);
    let service = pool.fernet(0);
    let same = || (0..calls).map(|_| (service.clone(), service.clone())).collect();
    let mut name = 0;
    let fernet = || {
        let mut new = || {
            name += 1;
            pool.fernet(name)
        };
        (0..calls).map(|_| (service.clone(), new())).collect()
    };
    let strangers = Pool::new();
    let (caller, stranger) = (pool.jws(0, 0), || strangers.jws(1, 0));
    let unproved = || (0..calls).map(|_| (caller.clone(), stranger())).collect();
    let known_forgery = stranger();
    let again = || {
        (0..calls)
            .map(|_| (caller.clone(), known_forgery.clone()))
            .collect()
    };
    let both = || (0..calls).map(|_| (stranger(), stranger())).collect();
    let nodes = |of: &'static [usize]| of_nodes(pool, calls, over_and_over(of));
    let mut rows = [
        Row::new("a bare proxy", &bare, same),
        Row::new("bridge, nothing to translate", &untouched, same),
        Row::new("bridge, two tokens that it knows", &known, same),
        Row::new("bridge, one new token to JWS, one known", &to_jws, fernet),
        Row::new(
            "bridge, one new token to Fernet, one known",
            &to_fernet,
            nodes(&[0]),
        ),
        Row::new("the same, of three nodes, tokens of one", &three, nodes(&[2])),
        Row::new("of three nodes in turn", &three, nodes(&[2, 1, 0])),
        Row::new(
            "of three nodes in no order",
            &three,
            of_nodes(pool, calls, in_no_order(3)),
        ),
        // No node after another twice, so that what is expected is always wrong.
        Row::new(
            "of three nodes, as unlucky as can be",
            &three,
            nodes(&[0, 0, 1, 1, 2, 2, 0, 2, 1]),
        ),
        // The one that did not sign comes first each time.
        Row::new("of two nodes, as unlucky as can be", &two, nodes(&[0, 0, 1, 1])),
        Row::new(
            "of five nodes in no order",
            &five,
            of_nodes(pool, calls, in_no_order(5)),
        ),
        Row {
            is_proved: false,
            ..Row::new("one that neither of two keys proves", &two, unproved)
        },
        Row {
            is_proved: false,
            ..Row::new("one that none of three keys proves", &three, unproved)
        },
        Row {
            is_proved: false,
            ..Row::new("one that none of five keys proves", &five, unproved)
        },
        Row {
            is_proved: false,
            ..Row::new("the same, another as the caller's, too", &three, both)
        },
        Row {
            is_proved: false,
            ..Row::new("one that none proves, over and over", &three, again)
        },
    ];
    for _round in 0..rounds {
        rows.iter_mut().for_each(Row::run);
    }
    println!("\nCPU time of the proxy's thread, median of {rounds} interleaved rounds of {calls} requests");
    let floor = rows[0].median();
    for row in &rows {
        let time = row.median();
        println!("{:<44} {time:8.1} us   {:+8.1} us", row.name, time - floor);
    }
    println!("(target: at most {TARGET} us beside a bare proxy)");
}
