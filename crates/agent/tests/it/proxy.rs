//! The proxy, as a program and a service see it.

use std::sync::{Arc, atomic::Ordering};

use sealstone_agent::{
    Agent, ForeignToken, Handle, Keeper, LocalSecret, ProxySettings, StateFolder, TokenFault, TokenHeader,
    UnixSocket,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    machine::{Ca, DAY, Stepped, Tokens},
    service::{PATIENCE, Service},
};

struct World {
    _folder: tempfile::TempDir,
    service: Service,
    machine: Arc<Stepped>,
    tokens: Arc<Tokens>,
    handle: Handle,
    secret: LocalSecret,
    port: u16,
    socket: std::path::PathBuf,
    agent: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.agent.abort();
    }
}

async fn world(change: impl Fn(ProxySettings) -> ProxySettings) -> World {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start().await;
    let (machine, tokens) = (Stepped::new(), Tokens::new(900));
    let pair = Ca::new("CN=Machines").machine(90 * DAY);
    let (keeper, handle) = Keeper::new(pair, Arc::clone(&tokens) as _, Arc::clone(&machine) as _);
    let state = StateFolder::open(&folder.path().join("state")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let secret = LocalSecret::new(&[7; 32]);
    let socket = folder.path().join("proxy.sock");
    let agent = Agent::new(keeper, handle.clone(), state)
        .with_proxy_at_port(listener, secret.clone(), change(service.settings()))
        .unwrap()
        .with_proxy_at_socket(
            UnixSocket::bind(&socket, &[]).unwrap(),
            change(service.settings()),
        );
    let agent = tokio::spawn(agent.run(std::future::pending()));
    handle.changes().wait_for(Option::is_some).await.unwrap();
    World {
        _folder: folder,
        service,
        machine,
        tokens,
        handle,
        secret,
        port,
        socket,
        agent,
    }
}

/// Status, head and body.
type Told = (u16, String, String);

async fn exchange(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    request: &[u8],
) -> Told {
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let status = answer
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .parse()
        .unwrap_or_default();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (status, head.to_lowercase(), body.to_owned())
}

impl World {
    async fn ask(&self, line: &str, headers: &[&str], body: &[u8]) -> Told {
        let mut request = format!(
            "{line} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n",
            self.port
        );
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let request = [request.as_bytes(), body].concat();
        exchange(
            TcpStream::connect(("127.0.0.1", self.port)).await.unwrap(),
            &request,
        )
        .await
    }

    fn shown(&self) -> String {
        format!("Authorization: Bearer {}", self.secret.expose())
    }

    fn saw(&self) -> usize {
        self.service.seen.requests.load(Ordering::SeqCst)
    }

    fn refuse_current(&self) -> String {
        let token = self.handle.credential().unwrap().token().expose().to_owned();
        self.service.seen.refused.lock().unwrap().push(token.clone());
        token
    }
}

#[tokio::test]
async fn token_and_certificate_are_added_and_nothing_of_the_hop_goes_on() {
    let world = world(|settings| settings).await;
    let shown = world.shown();
    let headers = [
        shown.as_str(),
        "X-Mine: kept",
        "X-Hop: not",
        "Connection: close, X-Hop",
        "Keep-Alive: 5",
        "TE: trailers",
        "Proxy-Authorization: Basic eDp5",
        "Upgrade: websocket",
        "Accept: application/json",
    ];
    let (status, _, body) = world.ask("GET /v2.1/servers?limit=1", &headers, b"").await;
    assert_eq!(status, 200, "{body}");
    let saw: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(saw["method"], "GET");
    assert_eq!(saw["path"], "/v2.1/servers?limit=1");
    let token = world.handle.credential().unwrap().token().expose().to_owned();
    let mut names: Vec<&str> = saw["headers"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "authorization", "host", "x-mine"]);
    assert_eq!(saw["headers"]["authorization"], format!("Bearer {token}"));
    assert_eq!(saw["headers"]["host"], world.service.address.to_string());
    assert!(!body.contains(world.secret.expose()));

    let (status, head, _) = world.ask("GET /redirect", &[&shown], b"").await;
    assert_eq!(status, 302);
    assert!(
        head.contains(&format!("location: http://127.0.0.1:{}/there", world.port)),
        "{head}"
    );
    assert!(!head.contains("x-secret"), "{head}");
}

#[tokio::test]
async fn openstack_services_get_their_own_header() {
    let world = world(|settings| settings.with_token_header(TokenHeader::XAuthToken)).await;
    // An OpenStack program believes that the secret is its token.
    let header = format!("X-Auth-Token: {}", world.secret.expose());
    let (status, _, body) = world.ask("GET /", &[&header], b"").await;
    assert_eq!(status, 200, "{body}");
    let saw: Value = serde_json::from_str(&body).unwrap();
    let token = world.handle.credential().unwrap().token().expose().to_owned();
    assert_eq!(saw["headers"]["x-auth-token"], token);
    assert!(saw["headers"].get("authorization").is_none());
}

#[tokio::test]
async fn bodies_stream_through_in_both_directions() {
    let world = world(|settings| settings).await;
    let large = vec![1_u8; 3_000_000];
    let length = format!("Content-Length: {}", large.len());
    let shown = world.shown();
    let (status, _, body) = world.ask("PUT /image", &[&shown, &length], &large).await;
    assert_eq!(status, 200);
    let saw: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(saw["sum"], large.len());
    let chunked = [b"5\r\nhello\r\n".as_slice(), b"0\r\n\r\n"].concat();
    let (status, _, body) = world
        .ask(
            "POST /x",
            &[&shown, "Transfer-Encoding: chunked", "Expect: 100-continue"],
            &chunked,
        )
        .await;
    assert!(status == 100 || status == 200, "{status}");
    assert!(body.contains("\"body\":5"), "{body}");

    // Also where requests have no body as a rule.
    let (status, _, body) = world
        .ask("GET /x", &[&shown, "Transfer-Encoding: chunked"], &chunked)
        .await;
    assert_eq!(status, 200);
    assert!(body.contains("\"body\":5"), "{body}");

    // An answer whose end is not there yet: its beginning is.
    let request = format!(
        "GET /slow HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n{shown}\r\n\r\n",
        world.port
    );
    let mut stream = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.contains("first half") {
        let mut some = [0; 1024];
        let count = timeout(PATIENCE, stream.read(&mut some)).await.unwrap().unwrap();
        assert_ne!(count, 0, "{answer}");
        answer.push_str(std::str::from_utf8(&some[..count]).unwrap());
    }
    assert!(!answer.contains("second half"));
    world.service.seen.finish.send_replace(true);
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("second half"), "{answer}");
}

#[tokio::test]
async fn nobody_without_the_secret_and_no_page_reaches_the_service() {
    let world = world(|settings| settings).await;
    let shown = world.shown();
    let before = world.saw();
    for (line, headers, want) in [
        ("GET /", vec![], 407),
        ("GET /", vec!["Authorization: Bearer wrong"], 407),
        ("GET /", vec![shown.as_str(), "Origin: https://evil.example"], 403),
        ("GET /", vec![&shown, "X-Auth-Token: mine"], 400),
        ("GET http://169.254.169.254/latest", vec![&shown], 400),
        ("CONNECT 169.254.169.254:80", vec![&shown], 405),
        ("TRACE /", vec![&shown], 405),
    ] {
        let (status, _, body) = world.ask(line, &headers, b"").await;
        assert_eq!(status, want, "{line} {headers:?}: {body}");
        assert!(!body.contains(world.secret.expose()));
    }
    let rebound = format!(
        "GET / HTTP/1.1\r\nHost: evil.example:{}\r\n{shown}\r\nConnection: close\r\n\r\n",
        world.port
    );
    let stream = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    let (status, _, body) = exchange(stream, rebound.as_bytes()).await;
    assert_eq!(status, 421, "{body}");
    assert_eq!(world.saw(), before);
}

#[tokio::test]
async fn at_the_socket_the_kernel_says_who_it_is_and_a_programs_own_token_is_not_sent() {
    let world = world(|settings| settings).await;
    let ask = async |header: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: any\r\nConnection: close\r\n{header}\r\n");
        let stream = tokio::net::UnixStream::connect(&world.socket).await.unwrap();
        exchange(stream, request.as_bytes()).await
    };
    assert_eq!(ask("").await.0, 200);
    let (status, _, body) = ask("Authorization: Basic dXNlcjpwdw==\r\n").await;
    assert_eq!(status, 400);
    assert!(body.contains("foreign_token = \"replace\""), "{body}");

    let replacing = self::world(|settings| settings.with_foreign_token(ForeignToken::Replace)).await;
    let request = "GET / HTTP/1.1\r\nHost: any\r\nConnection: close\r\nX-Auth-Token: mine\r\nAuthorization: Basic dXNlcjpwdw==\r\n\r\n";
    let stream = tokio::net::UnixStream::connect(&replacing.socket).await.unwrap();
    let (status, _, body) = exchange(stream, request.as_bytes()).await;
    assert_eq!(status, 200, "{body}");
    assert!(!body.contains("mine") && !body.contains("dXNlcjpwdw"), "{body}");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_requests_that_may_be_repeated() {
    let world = world(|settings| settings).await;
    let shown = world.shown();
    // Seconds old: another would meet the same.
    let first = world.refuse_current();
    assert_eq!(world.ask("GET /", &[&shown], b"").await.0, 401);
    assert_eq!(world.tokens.count(), 1);
    world.machine.pass(30);
    let before = world.saw();
    let (status, _, body) = world.ask("GET /", &[&shown], b"").await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(world.saw() - before, 2);
    assert!(!body.contains(&first));

    world.machine.pass(30);
    for (line, body) in [("POST /", "abc"), ("PUT /", "abc"), ("POST /", "")] {
        world.refuse_current();
        let before = world.saw();
        let length = format!("Content-Length: {}", body.len());
        let (status, _, _) = world.ask(line, &[&shown, &length], body.as_bytes()).await;
        assert_eq!(status, 401, "{line}");
        assert_eq!(world.saw() - before, 1, "{line} {body:?} is sent once");
    }
    // The server is away: the service's own answer is handed on.
    world.tokens.fail(Some(TokenFault::Unanswered("down".to_owned())));
    assert_eq!(world.ask("DELETE /", &[&shown], b"").await.0, 401);
    assert_eq!(world.service.seen.wrong.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let mut world = world(|settings| settings).await;
    let shown = world.shown();
    world.tokens.fail(Some(TokenFault::Unanswered(
        "nothing listens at the server".to_owned(),
    )));
    world.machine.pass(DAY);
    let (status, _, body) = world.ask("GET /", &[&shown], b"").await;
    assert_eq!(status, 503);
    assert!(
        body.contains("no token that is good") || body.contains("no token yet"),
        "{body}"
    );
    world.tokens.fail(None);
    world.machine.pass(60);
    let good = |held: &Option<sealstone_agent::Credential>| {
        held.as_ref()
            .is_some_and(|held| held.token().since() > crate::machine::at(DAY - 1))
    };
    world.handle.changes().wait_for(good).await.unwrap();
    let gone = std::mem::replace(&mut world.service, Service::start().await);
    drop(gone);
    let answered = async {
        loop {
            let (status, _, body) = world.ask("GET /", &[&shown], b"").await;
            if status == 502 {
                return body;
            }
            tokio::task::yield_now().await;
        }
    };
    let body = timeout(PATIENCE, answered).await.unwrap();
    assert!(
        body.contains("check `upstream`") || body.contains("broke off"),
        "{body}"
    );
}

#[tokio::test]
async fn proxies_lead_to_one_origin_over_https_and_listen_here_alone() {
    for wrong in [
        "http://compute.example.org",
        "https://compute.example.org/v2.1",
        "https://compute.example.org/?a",
        "https://user:pw@compute.example.org",
        "compute.example.org",
        "https://",
        "",
    ] {
        let error = ProxySettings::new(wrong, rustls::RootCertStore::empty()).unwrap_err();
        assert!(error.to_string().contains("write https://HOST"), "{wrong}");
    }
    let world = world(|settings| settings).await;
    let everywhere = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let (keeper, handle) = Keeper::new(
        Ca::new("CN=Machines").machine(DAY),
        Arc::clone(&world.tokens) as _,
        Stepped::new() as _,
    );
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&folder.path().join("state")).unwrap();
    let refused = Agent::new(keeper, handle, state)
        .with_proxy_at_port(everywhere, LocalSecret::new(&[1; 32]), world.service.settings())
        .unwrap_err();
    assert!(refused.to_string().contains("write 127.0.0.1:PORT"), "{refused}");
}
