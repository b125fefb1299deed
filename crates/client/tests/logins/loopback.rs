use std::{
    net::{Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
    time::Duration,
};

use sealstone_client::{
    IdTokenFault, LOGIN_DEADLINE, LoginError, LoopbackHost, LoopbackLogin, LoopbackOptions, LoopbackPath,
    RefusedRequest, TokenError, TokenSet,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::support::{Fake, Said, TestClock, fields, raw, said, status, visit};

/// A login that waits, and what a browser needs to answer it.
struct Waiting {
    fake: Fake,
    port: u16,
    state: String,
    nonce: Option<String>,
    issuer: String,
    told: Arc<Mutex<Vec<RefusedRequest>>>,
    ended: JoinHandle<Result<TokenSet, LoginError>>,
}

impl Waiting {
    async fn start(options: LoopbackOptions) -> Self {
        Self::at(Fake::start().await, options, LOGIN_DEADLINE).await
    }

    async fn at(fake: Fake, options: LoopbackOptions, deadline: Duration) -> Self {
        let party = fake.party(&TestClock::new()).await;
        let login = LoopbackLogin::bind(&party, &options).await.unwrap();
        let query = fields(login.authorization_url().split_once('?').unwrap().1);
        let told = Arc::new(Mutex::new(Vec::new()));
        let port = login.port();
        let telling = Arc::clone(&told);
        let wait = login.wait(deadline, move |refused| telling.lock().unwrap().push(refused));
        Self {
            issuer: fake.base.clone(),
            port,
            state: query["state"].clone(),
            nonce: query.get("nonce").cloned(),
            told,
            ended: tokio::spawn(wait),
            fake,
        }
    }

    fn right(&self) -> String {
        let Self { state, issuer, .. } = self;
        format!("/callback?code=c1&state={state}&iss={issuer}")
    }

    /// The answer that is waited for, and what came of it.
    async fn finish(self) -> (String, Result<TokenSet, LoginError>) {
        self.fake
            .says("POST /token", self.fake.grants(self.nonce.as_deref(), &json!({})));
        let page = visit(self.port, &self.right()).await;
        (page, self.ended.await.unwrap())
    }

    fn told(&self) -> Vec<RefusedRequest> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

#[tokio::test]
async fn a_login_comes_back() {
    let options = LoopbackOptions::default()
        .with_scope("openid  offline_access")
        .with_resource("https://api.example")
        .with_parameter("prompt", "login")
        .with_parameter("state", "forged");
    let fake = Fake::start().await;
    let party = fake.party(&TestClock::new()).await;
    let login = LoopbackLogin::bind(&party, &options).await.unwrap();
    let url = login.authorization_url().to_owned();
    let (endpoint, query) = url.split_once('?').unwrap();
    assert_eq!(endpoint, format!("{}/authorize", fake.base));
    let asked = fields(query);
    for (name, want) in [
        ("response_type", "code"),
        ("client_id", "terminal"),
        ("scope", "openid offline_access"),
        ("code_challenge_method", "S256"),
        ("resource", "https://api.example"),
        ("prompt", "login"),
    ] {
        assert_eq!(asked[name], want, "{name}");
    }
    assert_eq!(query.matches("state=").count(), 1);
    assert!(asked["state"].len() >= 43 && asked["nonce"].len() >= 43 && asked["state"] != asked["nonce"]);
    let port = login.port();
    assert_eq!(asked["redirect_uri"], format!("http://127.0.0.1:{port}/callback"));

    fake.says("POST /token", fake.grants(Some(&asked["nonce"]), &json!({})));
    let waited = tokio::spawn(login.wait(LOGIN_DEADLINE, |refused| panic!("{refused}")));
    let target = format!("/callback?code=c1&state={}&iss={}", asked["state"], fake.base);
    let page = visit(port, &target).await;
    assert!(page.contains("You are logged in as alice"), "{page}");

    let tokens = waited.await.unwrap().unwrap();
    assert_eq!(tokens.access_token().expose(), "at-1");
    assert_eq!(tokens.refresh_token().unwrap().expose(), "rt-1");
    assert_eq!(tokens.person().unwrap().subject, "u1");
    let sent = fake.asked("POST /token")[0].fields();
    assert_eq!(sent["redirect_uri"], asked["redirect_uri"]);
    assert_eq!(sent["code"], "c1");
    let verifier = sealstone_oauth_types::CodeVerifier::parse(&sent["code_verifier"]).unwrap();
    assert_eq!(verifier.challenge().to_string(), asked["code_challenge"]);
    assert!(!query.contains(&sent["code_verifier"]));
}

#[tokio::test]
async fn r01_a_callback_with_another_state_changes_nothing() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    let other = Waiting::at(waiting.fake.clone(), LoopbackOptions::default(), LOGIN_DEADLINE).await;
    let (state, issuer) = (&waiting.state, &waiting.issuer);
    for (name, query, want) in [
        (
            "forged",
            format!("code=c1&state=forged&iss={issuer}"),
            RefusedRequest::State,
        ),
        ("missing", format!("code=c1&iss={issuer}"), RefusedRequest::State),
        (
            "empty",
            format!("code=c1&state=&iss={issuer}"),
            RefusedRequest::State,
        ),
        (
            "one more",
            format!("code=c1&state={state}x&iss={issuer}"),
            RefusedRequest::State,
        ),
        (
            "another login's",
            format!("code=c1&state={}&iss={issuer}", other.state),
            RefusedRequest::State,
        ),
        (
            "twice",
            format!("code=c1&state={state}&state={state}"),
            RefusedRequest::Parameters,
        ),
        (
            "an error",
            "error=access_denied&state=forged".to_owned(),
            RefusedRequest::State,
        ),
        (
            "no code",
            format!("state={state}&iss={issuer}"),
            RefusedRequest::Parameters,
        ),
        (
            "both",
            format!("state={state}&iss={issuer}&code=c&error=e"),
            RefusedRequest::Parameters,
        ),
        ("no query", String::new(), RefusedRequest::State),
    ] {
        let page = visit(waiting.port, &format!("/callback?{query}")).await;
        assert_eq!(status(&page), 400, "{name}: {page}");
        assert_eq!(waiting.told(), [want], "{name}");
    }
    assert!(
        waiting.fake.asked("POST /token").is_empty(),
        "nothing of it was redeemed"
    );
    // Used twice: the first result stands, and nobody listens any more.
    let (port, right) = (waiting.port, waiting.right());
    let (page, ended) = waiting.finish().await;
    assert_eq!(status(&page), 200);
    assert_eq!(ended.unwrap().access_token().expose(), "at-1");
    assert_eq!(visit(port, &right).await, "");
    other.ended.abort();
}

#[tokio::test]
async fn r02_a_callback_of_another_provider_is_refused() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    let state = &waiting.state;
    for issuer in [
        "https://evil.example",
        "http://127.0.0.1",
        "",
        "https://id.example/",
    ] {
        let page = visit(
            waiting.port,
            &format!("/callback?code=c1&state={state}&iss={issuer}"),
        )
        .await;
        assert_eq!(
            (status(&page), waiting.told()),
            (400, vec![RefusedRequest::Issuer]),
            "{issuer}"
        );
    }
    // The metadata announce it: one without is another's.
    let page = visit(waiting.port, &format!("/callback?code=c1&state={state}")).await;
    assert_eq!(
        (status(&page), waiting.told()),
        (400, vec![RefusedRequest::Issuer])
    );
    assert!(waiting.fake.asked("POST /token").is_empty());
    waiting.finish().await.1.unwrap();

    // They do not: none is needed, and a wrong one is refused all the same.
    let fake = Fake::start().await;
    fake.publishes(&json!({"authorization_response_iss_parameter_supported": null}));
    let waiting = Waiting::at(fake, LoopbackOptions::default(), LOGIN_DEADLINE).await;
    let state = &waiting.state;
    let wrong = format!("/callback?code=c1&state={state}&iss=https://evil.example");
    assert_eq!(status(&visit(waiting.port, &wrong).await), 400);
    let grants = waiting.fake.grants(waiting.nonce.as_deref(), &json!({}));
    waiting.fake.says("POST /token", grants);
    let page = visit(waiting.port, &format!("/callback?code=c1&state={state}")).await;
    assert_eq!(status(&page), 200);
    waiting.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn r03_the_port_is_ours_before_the_browser_knows_it() {
    let fake = Fake::start().await;
    let party = fake.party(&TestClock::new()).await;
    let login = LoopbackLogin::bind(&party, &LoopbackOptions::default())
        .await
        .unwrap();
    let port = login.port();
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let taken = std::net::TcpListener::bind(&address).map_err(|error| error.kind());
        assert_eq!(taken.err(), Some(std::io::ErrorKind::AddrInUse), "{address}");
    }
    // A redirect that is faster than we are is not lost: it waits at the open port.
    let query = fields(login.authorization_url().split_once('?').unwrap().1);
    fake.says("POST /token", fake.grants(Some(&query["nonce"]), &json!({})));
    let target = format!("/callback?code=c1&state={}&iss={}", query["state"], fake.base);
    let early = tokio::spawn(async move { visit(port, &target).await });
    login.wait(LOGIN_DEADLINE, |_refused| {}).await.unwrap();
    assert_eq!(status(&early.await.unwrap()), 200);

    // A port that is another program's on either stack is not shared with it.
    for occupied in [
        SocketAddr::from(([127, 0, 0, 1], 0)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
    ] {
        let other = std::net::TcpListener::bind(occupied).unwrap();
        let port = other.local_addr().unwrap().port();
        let refused = LoopbackLogin::bind(&party, &LoopbackOptions::default().with_port(port)).await;
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, LoginError::PortTaken(taken) if taken == port),
            "{refused}"
        );
        assert!(refused.to_string().contains("in use by another program"));
    }
}

#[tokio::test]
async fn r04_a_name_that_leads_here_is_not_us() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    let (port, right) = (waiting.port, waiting.right());
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost:{port}"),
        format!("0.0.0.0:{port}"),
        format!("127.0.0.2:{port}"),
        format!("127.1:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        String::new(),
    ] {
        let request = format!("GET {right} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let page = raw(&format!("127.0.0.1:{port}"), request.as_bytes()).await;
        assert_eq!(
            (status(&page), waiting.told()),
            (421, vec![RefusedRequest::Host]),
            "{host}"
        );
    }
    let two = format!("GET {right} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n");
    assert_eq!(
        status(&raw(&format!("127.0.0.1:{port}"), two.as_bytes()).await),
        400
    );
    assert!(waiting.fake.asked("POST /token").is_empty());
    waiting.finish().await.1.unwrap();
}

#[tokio::test]
async fn r05_other_methods_paths_and_second_calls_are_refused() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    let (port, right) = (waiting.port, waiting.right());
    let query = right.split_once('?').unwrap().1.to_owned();
    for (method, target, want) in [
        ("POST", right.clone(), 405),
        ("HEAD", right.clone(), 405),
        ("OPTIONS", right.clone(), 405),
        ("GET", "/favicon.ico".to_owned(), 404),
        ("GET", "/".to_owned(), 404),
        ("GET", format!("/callback/?{query}"), 404),
        ("GET", format!("//callback?{query}"), 404),
        ("GET", format!("/Callback?{query}"), 404),
        ("GET", format!("/%63allback?{query}"), 404),
        ("GET", format!("/x/../callback?{query}"), 404),
        ("GET", format!("http://127.0.0.1:{port}{right}"), 400),
        ("GET", format!("{right}#x"), 400),
    ] {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        let page = raw(&format!("127.0.0.1:{port}"), request.as_bytes()).await;
        assert_eq!(status(&page), want, "{method} {target}: {page}");
        assert_eq!(page.contains("allow: GET\r\n"), want == 405, "{method} {target}");
    }
    waiting.finish().await.1.unwrap();
    assert_eq!(visit(port, &right).await, "", "the second call finds nobody");
}

/// Pages of others, frames and scripts.
#[tokio::test]
async fn r05_what_is_not_a_visit_is_refused() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    let (port, right) = (waiting.port, waiting.right());
    for (headers, want) in [
        ("Origin: https://evil.example", RefusedRequest::Origin),
        ("Origin: null", RefusedRequest::Origin),
        ("Origin: null\r\nSec-Fetch-Mode: cors", RefusedRequest::Origin),
        ("Sec-Fetch-Mode: cors", RefusedRequest::Fetch),
        ("Sec-Fetch-Mode: no-cors", RefusedRequest::Fetch),
        (
            "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe",
            RefusedRequest::Fetch,
        ),
        ("Sec-Fetch-Dest: image", RefusedRequest::Fetch),
        (
            "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Mode: cors",
            RefusedRequest::Malformed,
        ),
    ] {
        let request = format!("GET {right} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n\r\n");
        let page = raw(&format!("127.0.0.1:{port}"), request.as_bytes()).await;
        assert_eq!(
            (status(&page), waiting.told()),
            (want.status(), vec![want]),
            "{headers}"
        );
    }
    assert!(waiting.fake.asked("POST /token").is_empty());
    // After a form that was answered by a redirect, some browsers say `null` of a visit.
    let headers = "Origin: null\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document";
    let request = format!("GET {right} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n\r\n");
    let grants = waiting.fake.grants(waiting.nonce.as_deref(), &json!({}));
    waiting.fake.says("POST /token", grants);
    assert_eq!(
        status(&raw(&format!("127.0.0.1:{port}"), request.as_bytes()).await),
        200
    );
    waiting.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn r06_the_page_shows_markup_as_text() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    let (state, issuer) = (&waiting.state, &waiting.issuer);
    let markup = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%26%1b%5B31m";
    let page = visit(
        waiting.port,
        &format!("/callback?error=invalid_scope&error_description={markup}&state={state}&iss={issuer}"),
    )
    .await;
    assert_eq!(status(&page), 400);
    assert!(
        !page.contains("<script") && page.contains("&lt;script&gt;alert(1)"),
        "{page}"
    );
    for header in [
        "cache-control: no-store\r\n",
        "content-security-policy: default-src 'none'; img-src data:; style-src 'sha256-",
        "form-action 'none'; frame-ancestors 'none'\r\n",
        "referrer-policy: no-referrer\r\n",
        "x-content-type-options: nosniff\r\n",
    ] {
        assert!(page.contains(header), "{header}");
    }
    let LoginError::Provider(refusal) = waiting.ended.await.unwrap().unwrap_err() else {
        panic!("the provider's error is told");
    };
    assert_eq!(refusal.code, "invalid_scope");
    assert!(
        !refusal.to_string().contains('\u{1b}'),
        "nothing moves the cursor"
    );
}

#[tokio::test]
async fn errors_of_the_provider_end_the_login() {
    for (error, want) in [
        ("access_denied", "the login was refused"),
        (
            "login_required",
            "the provider ended the login with login_required",
        ),
        (
            "temporarily_unavailable",
            "the provider ended the login with temporarily_unavailable",
        ),
    ] {
        let waiting = Waiting::start(LoopbackOptions::default()).await;
        let (state, issuer) = (&waiting.state, &waiting.issuer);
        // With another issuer it is somebody else's error.
        let foreign = format!("/callback?error={error}&state={state}&iss=https://evil.example");
        assert_eq!(status(&visit(waiting.port, &foreign).await), 400);
        let page = visit(
            waiting.port,
            &format!("/callback?error={error}&state={state}&iss={issuer}"),
        )
        .await;
        assert!(page.contains("Not logged in"), "{page}");
        let text = waiting.ended.await.unwrap().unwrap_err().to_string();
        assert!(text.starts_with(want), "{text}");
    }
}

#[tokio::test]
async fn r07_only_this_machine_is_listened_to_and_not_for_ever() {
    let fake = Fake::start().await;
    let waiting = Waiting::at(fake.clone(), LoopbackOptions::default(), LOGIN_DEADLINE).await;
    // The address by which the machine is known to others, if it has one.
    let outward = UdpSocket::bind("0.0.0.0:0").unwrap();
    if outward.connect("192.0.2.1:9").is_ok() {
        let address = SocketAddr::new(outward.local_addr().unwrap().ip(), waiting.port);
        assert!(std::net::TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_err());
    }
    assert!(
        raw(&format!("127.0.0.2:{}", waiting.port), b"GET / HTTP/1.1\r\n\r\n")
            .await
            .is_empty()
    );
    assert_eq!(
        status(&raw(&format!("[::1]:{}", waiting.port), b"GET / HTTP/1.1\r\n\r\n").await),
        421
    );
    // Given up: the port is closed.
    waiting.ended.abort();
    assert!(waiting.ended.await.unwrap_err().is_cancelled());
    assert_eq!(visit(waiting.port, "/callback").await, "");

    let impatient = Waiting::at(fake, LoopbackOptions::default(), Duration::from_millis(20)).await;
    let ended = impatient.ended.await.unwrap().unwrap_err();
    assert!(matches!(ended, LoginError::Deadline(_)), "{ended}");
    assert_eq!(visit(impatient.port, "/callback").await, "");
}

#[tokio::test]
async fn r07_slow_large_and_many_requests_do_not_end_the_wait() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    let port = waiting.port;
    let address = format!("127.0.0.1:{port}");
    for (name, request, want) in [
        (
            "head",
            format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(40_000)),
            413,
        ),
        (
            "headers",
            format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65)),
            413,
        ),
        (
            "body",
            "POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n".to_owned(),
            413,
        ),
        (
            "endless",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(),
            413,
        ),
        (
            "chunks",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            400,
        ),
        (
            "lengths",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_owned(),
            400,
        ),
        (
            "sign",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na".to_owned(),
            400,
        ),
        ("fold", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n".to_owned(), 400),
        ("space", "GET / HTTP/1.1\r\nA : b\r\n\r\n".to_owned(), 400),
        ("version", "GET / HTTP/2.0\r\n\r\n".to_owned(), 400),
        ("words", "GET / extra HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("TLS", "\x16\x03\x01\r\n\r\n".to_owned(), 400),
    ] {
        let page = raw(&address, request.as_bytes()).await;
        assert_eq!(status(&page), want, "{name}: {page}");
    }
    // Browsers open connections that they do not use; others may do so on purpose.
    let mut idle = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /callb").await.unwrap();
        idle.push(stream);
    }
    let (page, ended) = waiting.finish().await;
    assert_eq!(status(&page), 200);
    ended.unwrap();
    let mut nothing = [0; 1];
    assert_ne!(
        idle[0].read(&mut nothing).await.ok(),
        Some(1),
        "the oldest went first"
    );
}

#[tokio::test]
async fn hosts_and_paths_are_as_registered() {
    let fake = Fake::start().await;
    let party = fake.party(&TestClock::new()).await;
    for (host, path, want) in [
        (LoopbackHost::V6, "/cb", "http://[::1]:PORT/cb"),
        (LoopbackHost::Localhost, "", "http://localhost:PORT"),
        (LoopbackHost::V4, "", "http://127.0.0.1:PORT"),
    ] {
        let options = LoopbackOptions::default()
            .with_host(host)
            .with_path(LoopbackPath::Registered(path.to_owned()));
        let login = LoopbackLogin::bind(&party, &options).await.unwrap();
        let query = fields(login.authorization_url().split_once('?').unwrap().1);
        assert_eq!(
            query["redirect_uri"],
            want.replace("PORT", &login.port().to_string())
        );
        fake.says("POST /token", fake.grants(Some(&query["nonce"]), &json!({})));
        let port = login.port();
        let authority = query["redirect_uri"]
            .trim_start_matches("http://")
            .trim_end_matches(path)
            .to_owned();
        let target = if path.is_empty() { "/" } else { path };
        let request = format!(
            "GET {target}?code=c&state={}&iss={} HTTP/1.1\r\nHost: {authority}\r\n\r\n",
            query["state"], fake.base
        );
        let address = if host == LoopbackHost::V6 {
            "[::1]"
        } else {
            "127.0.0.1"
        };
        let waited = tokio::spawn(login.wait(LOGIN_DEADLINE, |_refused| {}));
        let page = raw(&format!("{address}:{port}"), request.as_bytes()).await;
        assert_eq!(status(&page), 200, "{page}");
        waited.await.unwrap().unwrap();
    }
    for wrong in [
        "callback",
        "/a//b",
        "/../a",
        "/a?b",
        "/a#b",
        "/a b",
        "/%61",
        "//evil.example",
    ] {
        let options = LoopbackOptions::default().with_path(LoopbackPath::Registered(wrong.to_owned()));
        let error = LoopbackLogin::bind(&party, &options).await.unwrap_err();
        assert!(matches!(error, LoginError::Path(_)), "{wrong}");
    }
    let options = LoopbackOptions::default().with_path(LoopbackPath::Random);
    let mut paths = Vec::new();
    for _ in 0..2 {
        let login = LoopbackLogin::bind(&party, &options).await.unwrap();
        let query = fields(login.authorization_url().split_once('?').unwrap().1);
        paths.push(query["redirect_uri"].rsplit_once('/').unwrap().1.to_owned());
    }
    assert!(paths[0].len() == 43 && paths[0] != paths[1]);
}

#[tokio::test]
async fn id_tokens_are_believed_when_they_are_right() {
    use IdTokenFault as Fault;
    let half = "wVwd9lv9oWpBkxHtbBS1sA";
    for (name, claims, want) in [
        ("issuer", json!({"iss": "https://evil.example"}), Fault::Issuer),
        ("no issuer", json!({"iss": null}), Fault::Claims),
        ("audience", json!({"aud": "other"}), Fault::Audience),
        (
            "audiences",
            json!({"aud": ["terminal", "other"]}),
            Fault::Audience,
        ),
        ("no audience", json!({"aud": []}), Fault::Audience),
        ("party", json!({"azp": "other"}), Fault::Audience),
        ("ended", json!({"exp": crate::support::NOW - 61}), Fault::Expired),
        ("no end", json!({"exp": null}), Fault::Claims),
        ("textual end", json!({"exp": "1785589200"}), Fault::Claims),
        (
            "issued later",
            json!({"iat": crate::support::NOW + 61}),
            Fault::Future,
        ),
        (
            "good later",
            json!({"nbf": crate::support::NOW + 61}),
            Fault::Future,
        ),
        ("nonce", json!({"nonce": "another"}), Fault::Nonce),
        ("no nonce", json!({"nonce": null}), Fault::Nonce),
        ("access token", json!({"at_hash": half}), Fault::AccessToken),
        ("nobody", json!({"sub": ""}), Fault::Subject),
        ("no subject", json!({"sub": null}), Fault::Claims),
        ("long subject", json!({"sub": "s".repeat(256)}), Fault::Subject),
    ] {
        let waiting = Waiting::start(LoopbackOptions::default()).await;
        waiting.fake.says(
            "POST /token",
            waiting.fake.grants(waiting.nonce.as_deref(), &claims),
        );
        let page = visit(waiting.port, &waiting.right()).await;
        assert!(page.contains("Not logged in"), "{name}: {page}");
        let error = waiting.ended.await.unwrap().unwrap_err();
        assert!(
            matches!(&error, LoginError::Token(TokenError::IdToken { fault, .. }) if *fault == want),
            "{name}: {error}"
        );
        assert!(!format!("{error} {error:?} {page}").contains("at-1"), "{name}");
    }
    // The same from keys of somebody else, in another form, and not at all.
    let stranger = Fake::start().await;
    for (name, id_token, want) in [
        ("stranger", "signed elsewhere", Fault::Signature),
        ("no signature", "eyJhbGciOiJub25lIn0.e30.", Fault::Form),
        ("no token", "abc", Fault::Form),
        ("missing", "", Fault::Missing),
    ] {
        let waiting = Waiting::start(LoopbackOptions::default()).await;
        let Said(_, _, body) = stranger.grants(waiting.nonce.as_deref(), &json!({"iss": waiting.issuer}));
        let mut body: serde_json::Value = serde_json::from_str(&body).unwrap();
        match id_token {
            "signed elsewhere" => {}
            "" => {
                body.as_object_mut().unwrap().remove("id_token");
            }
            other => body["id_token"] = json!(other),
        }
        waiting.fake.says("POST /token", said(200, &body));
        visit(waiting.port, &waiting.right()).await;
        let error = waiting.ended.await.unwrap().unwrap_err();
        assert!(
            matches!(&error, LoginError::Token(TokenError::IdToken { fault, .. }) if *fault == want),
            "{name}: {error}"
        );
    }
}

/// A right `at_hash`, and a token without `openid`.
#[tokio::test]
async fn id_tokens_are_asked_for_by_openid() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"at-1");
    let hash = sealstone_jose::base64url::encode(&hash.as_ref()[..16]);
    let grants = waiting.fake.grants(
        waiting.nonce.as_deref(),
        &json!({"at_hash": hash, "azp": "terminal"}),
    );
    waiting.fake.says("POST /token", grants);
    visit(waiting.port, &waiting.right()).await;
    waiting.ended.await.unwrap().unwrap();

    let waiting = Waiting::start(LoopbackOptions::default().with_scope("read")).await;
    assert_eq!(waiting.nonce, None);
    let plain = json!({"access_token": "at-2", "token_type": "bearer"});
    waiting.fake.says("POST /token", said(200, &plain));
    visit(waiting.port, &waiting.right()).await;
    let tokens = waiting.ended.await.unwrap().unwrap();
    assert_eq!(
        (tokens.person(), tokens.expires_at(), tokens.scope()),
        (None, None, Some("read"))
    );
}

#[tokio::test]
async fn a_wrong_clock_is_named() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    let ended = json!({"exp": crate::support::NOW - 3000, "iat": crate::support::NOW - 3300});
    let Said(status, _, body) = waiting.fake.grants(waiting.nonce.as_deref(), &ended);
    let date = vec![("date".to_owned(), "Sat, 01 Aug 2026 11:05:00 GMT".to_owned())];
    waiting.fake.says("POST /token", Said(status, date, body));
    visit(waiting.port, &waiting.right()).await;
    let text = waiting.ended.await.unwrap().unwrap_err().to_string();
    assert!(
        text.contains("ended already; this machine's clock is 55 min ahead of the server's: set it"),
        "{text}"
    );
}

#[tokio::test]
async fn a_browser_that_is_gone_does_not_spoil_the_login() {
    let waiting = Waiting::start(LoopbackOptions::default()).await;
    waiting.fake.says(
        "POST /token",
        waiting.fake.grants(waiting.nonce.as_deref(), &json!({})),
    );
    let mut stream = TcpStream::connect(("127.0.0.1", waiting.port)).await.unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n",
        waiting.right(),
        waiting.port
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    drop(stream);
    waiting.ended.await.unwrap().unwrap();
    assert!(
        TcpListener::bind(("127.0.0.1", waiting.port)).await.is_ok(),
        "the port is free again"
    );
}
