use std::{fmt, net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tracing::{Instrument as _, field::Empty};

use crate::{HttpsError, PlainHttp, Redirected, Settings, resolver::Resolver};

/// The largest head of an answer: four times the largest token that services accept in a header.
const MAX_HEAD: usize = 64 * 1024;
/// The most headers of an answer: five times what servers behind two proxies send.
const MAX_HEADERS: usize = 100;

/// What one exchange may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an exchange costs time and memory")]
pub struct Limits {
    /// From the start to the last octet of the answer: connection, handshake, request, head and body.
    pub deadline: Duration,
    /// The largest body, in octets.
    pub body: usize,
}

/// Sends requests and reads whole answers, over connections that clones share.
#[derive(Clone)]
pub struct HttpsClient {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    resolver: Resolver,
    plain_http: PlainHttp,
}

impl HttpsClient {
    /// A client of these settings; it connects when it is first used.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let resolver = Resolver::new(settings.admitted);
        let mut tcp = HttpConnector::new_with_resolver(resolver.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_deadline));
        let connector = HttpsConnectorBuilder::new().with_tls_config(settings.tls);
        let connector = match settings.plain_http {
            PlainHttp::Never => connector.https_only(),
            PlainHttp::Loopback | PlainHttp::DangerousAnywhere => connector.https_or_http(),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle)
            .pool_max_idle_per_host(settings.max_idle)
            .http1_max_buf_size(MAX_HEAD)
            .http1_max_headers(MAX_HEADERS)
            .build(connector.enable_http1().wrap_connector(tcp));
        Self {
            client,
            resolver,
            plain_http: settings.plain_http,
        }
    }

    /// Whether a request may go to this address.
    ///
    /// # Errors
    /// [`HttpsError::Address`] without `https` and a host, unless the settings admit it in the clear; for a literal
    /// address that they do not admit.
    pub fn admits(&self, uri: &Uri) -> Result<(), HttpsError> {
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or(HttpsError::Address)?;
        let in_the_clear = match self.plain_http {
            PlainHttp::Never => false,
            PlainHttp::Loopback => is_loopback(host),
            PlainHttp::DangerousAnywhere => true,
        };
        let admitted =
            uri.scheme() == Some(&Scheme::HTTPS) || (uri.scheme() == Some(&Scheme::HTTP) && in_the_clear);
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let admitted = admitted && literal.map_or(true, |address| self.resolver.admits(address));
        admitted.then_some(()).ok_or(HttpsError::Address)
    }

    /// Sends one request, once, and reads the whole answer.
    ///
    /// A connection that had been idle and proves dead before the request is written is replaced; nothing is ever sent
    /// twice.
    ///
    /// # Errors
    /// [`HttpsError`]; a redirect (301, 302, 303, 307, 308) is one.
    pub async fn exchange(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, HttpsError> {
        let work = |request| self.unhurried(request, limits.body);
        self.within(limits.deadline, request, work).await
    }

    /// Sends one request, once, and reads no more than the head of the answer: for who only wants to know whether it was
    /// taken, whatever else the other side has to say, and however it ends its connections.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn deliver(
        &self,
        request: Request<Bytes>,
        deadline: Duration,
    ) -> Result<Response<()>, HttpsError> {
        let work = |request| async { Ok(self.answered(request).await?.map(drop)) };
        self.within(deadline, request, work).await
    }

    async fn within<T, F: Future<Output = Result<Response<T>, HttpsError>>>(
        &self,
        deadline: Duration,
        request: Request<Bytes>,
        work: impl FnOnce(Request<Bytes>) -> F,
    ) -> Result<Response<T>, HttpsError> {
        self.admits(request.uri())?;
        let span = span(&request);
        let answered = tokio::time::timeout(deadline, work(request))
            .instrument(span.clone())
            .await
            .unwrap_or(Err(HttpsError::Deadline(deadline)));
        match &answered {
            Ok(answer) => span.record("http.response.status_code", answer.status().as_u16()),
            Err(error) => span.record("error.type", error.kind()),
        };
        answered
    }

    async fn answered(&self, request: Request<Bytes>) -> Result<Response<Incoming>, HttpsError> {
        let answer = self
            .client
            .request(request.map(Full::new))
            .await
            .map_err(|error| {
                if error.is_connect() {
                    HttpsError::Connect(error.into())
                } else {
                    HttpsError::Broken(error.into())
                }
            })?;
        if is_redirect(answer.status()) {
            let location = answer.headers().get(header::LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            return Err(HttpsError::Redirect(Redirected {
                status: answer.status(),
                location: location.map(str::to_owned),
            }));
        }
        Ok(answer)
    }

    async fn unhurried(&self, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, HttpsError> {
        let (head, body) = self.answered(request).await?.into_parts();
        let stated = body.size_hint().lower();
        if !usize::try_from(stated).is_ok_and(|stated| stated <= limit) {
            return Err(HttpsError::TooLarge(limit));
        }
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            match error.downcast::<LengthLimitError>() {
                Ok(_) => HttpsError::TooLarge(limit),
                Err(other) => HttpsError::Broken(other),
            }
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

impl fmt::Debug for HttpsClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpsClient")
            .field("plain_http", &self.plain_http)
            .finish_non_exhaustive()
    }
}

/// What an exchange is in a trace: neither path nor query, which may hold what nobody else is to read.
fn span(request: &Request<Bytes>) -> tracing::Span {
    let uri = request.uri();
    let default = if uri.scheme() == Some(&Scheme::HTTP) {
        80
    } else {
        443
    };
    tracing::debug_span!(
        "exchange",
        otel.kind = "client",
        http.request.method = request.method().as_str(),
        server.address = uri.host(),
        server.port = uri.port_u16().unwrap_or(default),
        url.scheme = uri.scheme_str(),
        http.response.status_code = Empty,
        "error.type" = Empty,
    )
}

const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::RootCertStore;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    const LIMITS: Limits = Limits {
        deadline: Duration::from_secs(10),
        body: 64,
    };

    fn client(plain_http: PlainHttp) -> HttpsClient {
        let settings = Settings::trusting(RootCertStore::empty()).unwrap();
        HttpsClient::new(settings.with_plain_http(plain_http))
    }

    #[test]
    fn only_what_the_settings_admit_is_asked() {
        use PlainHttp::{DangerousAnywhere, Loopback, Never};
        let cases = [
            ("https://id.example/", true, true, true),
            ("http://127.0.0.1:5000/", false, true, true),
            ("http://[::1]:5000/", false, true, true),
            ("http://LocalHost/", false, true, true),
            ("http://localhost.evil.example/", false, false, true),
            ("http://127.0.0.1.evil.example/", false, false, true),
            ("http://169.254.169.254/latest/meta-data/", false, false, true),
            ("http://0.0.0.0/", false, false, true),
            ("ftp://127.0.0.1/", false, false, false),
            ("file:///etc/passwd", false, false, false),
            ("/v3", false, false, false),
        ];
        for (uri, never, loopback, anywhere) in cases {
            let Ok(parsed) = uri.parse::<Uri>() else {
                assert!(!never && !loopback && !anywhere, "{uri}");
                continue;
            };
            for (policy, want) in [
                (Never, never),
                (Loopback, loopback),
                (DangerousAnywhere, anywhere),
            ] {
                assert_eq!(client(policy).admits(&parsed).is_ok(), want, "{uri} {policy:?}");
            }
        }
    }

    /// N11: what an outsider's URL names, or resolves to, is looked at before anything is sent.
    #[tokio::test]
    async fn n11_addresses_that_are_not_admitted_are_not_connected_to() {
        let settings = Settings::trusting(RootCertStore::empty()).unwrap();
        let settings = settings.with_plain_http(PlainHttp::Loopback);
        let wary = HttpsClient::new(settings.with_addresses(|address| !address.is_loopback()));
        for uri in [
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
            "https://[::ffff:127.0.0.1]:1/",
            "https://127.1.2.3/",
        ] {
            let error = wary.admits(&uri.parse().unwrap()).unwrap_err();
            assert!(matches!(error, HttpsError::Address), "{uri}: {error}");
        }
        assert!(wary.admits(&"https://192.0.2.1/".parse().unwrap()).is_ok());

        let uri = once("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let named = format!("http://localhost:{}/", uri.port_u16().unwrap());
        let request = || Request::get(named.as_str()).body(Bytes::new()).unwrap();
        let error = wary.exchange(request(), LIMITS).await.unwrap_err();
        assert!(matches!(error, HttpsError::Connect(_)), "{error}");
        assert!(error.is_unsent());
        // The same name, where its address is admitted.
        let client = client(PlainHttp::Loopback);
        assert_eq!(client.exchange(request(), LIMITS).await.unwrap().status(), 200);
    }

    /// Answers one connection with these octets, and closes it.
    async fn once(answer: &'static str) -> Uri {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _peer) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                let mut some = [0; 1024];
                let count = stream.read(&mut some).await.unwrap();
                seen.extend_from_slice(&some[..count]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        uri.parse().unwrap()
    }

    async fn fetch(uri: Uri) -> Result<Response<Bytes>, HttpsError> {
        let request = Request::get(uri).body(Bytes::new()).unwrap();
        client(PlainHttp::Loopback).exchange(request, LIMITS).await
    }

    /// A page of the other side's, as long as it likes, or cut off: the head has said that it was taken.
    #[tokio::test]
    async fn what_is_delivered_is_so_with_the_head_of_the_answer() {
        let deliver = async |answer| {
            let request = Request::post(once(answer).await).body(Bytes::new()).unwrap();
            let client = client(PlainHttp::Loopback);
            client.deliver(request, LIMITS.deadline).await
        };
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n<html>",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n<h",
            "HTTP/1.0 200 OK\r\n\r\n",
        ] {
            assert_eq!(deliver(answer).await.unwrap().status(), 200, "{answer:?}");
        }
        let refused = deliver("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(refused.unwrap().status(), 400);
        let elsewhere = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://192.0.2.1/\r\n\r\n";
        let error = deliver(elsewhere).await.unwrap_err();
        assert!(matches!(error, HttpsError::Redirect(_)), "{error}");
        let error = deliver("HTTP/1.1 20").await.unwrap_err();
        assert!(matches!(error, HttpsError::Broken(_)), "{error}");
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_or_not_at_all() {
        let right = fetch(once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await)
            .await
            .unwrap();
        assert_eq!(&right.body()[..], b"hi");
        let redirect =
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/elsewhere\r\nContent-Length: 0\r\n\r\n";
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n";
        let choices = "HTTP/1.1 300 Multiple Choices\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(fetch(once(choices).await).await.unwrap().status(), 300);
        let redirected = fetch(once(redirect).await).await.unwrap_err();
        assert!(!format!("{redirected} {redirected:?}").contains("elsewhere"));
        let HttpsError::Redirect(redirected) = redirected else {
            panic!("{redirected:?}");
        };
        assert_eq!(redirected.location(), Some("http://127.0.0.1/elsewhere"));
        assert!(matches!(
            fetch(once(long).await).await,
            Err(HttpsError::TooLarge(64))
        ));
        for (name, broken) in [
            ("cut off", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"),
            ("no HTTP", "gopher\r\n\r\n"),
            ("nothing", ""),
        ] {
            let error = fetch(once(broken).await).await.unwrap_err();
            assert!(
                matches!(error, HttpsError::Broken(_)) && !error.is_unsent(),
                "{name}: {error:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_was_not_sent_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        drop(listener);
        let error = fetch(uri).await.unwrap_err();
        assert!(
            matches!(error, HttpsError::Connect(_)) && error.is_unsent(),
            "{error:?}"
        );
    }
}
