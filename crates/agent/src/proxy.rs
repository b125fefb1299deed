//! A loopback proxy: it adds the token and the client certificate to the requests of local programs.

mod admission;
mod headers;

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{
    Method, Request, Response, StatusCode, Uri, Version,
    header::{self, HeaderValue},
    uri::Authority,
};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error as ClientError, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::RootCertStore;

use crate::{
    Credential, Handle, MachinePair, PairError,
    body::{Body, told, whole},
    serve::Answering,
    socket::without,
};
pub use admission::{Access, LocalSecret};

/// A service that does not complete a TCP handshake in this time is taken for absent.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// From a request without a body to the head of its answer: services that compute for long answer before that, and what
/// answers later is as good as gone. A body takes as long as it takes.
const HEAD_DEADLINE: Duration = Duration::from_secs(300);
/// Connections are kept to the service between bursts of a program's requests.
const IDLE: Duration = Duration::from_secs(30);
const MAX_IDLE: usize = 32;
/// A service that went away without a word is noticed.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How a service wants the token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the configuration offers each")]
pub enum TokenHeader {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    #[default]
    Authorization,
    /// `X-Auth-Token`, as OpenStack's services know it.
    XAuthToken,
}

/// What becomes of a request that brings an `Authorization` or `X-Auth-Token` of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the configuration offers each")]
pub enum ForeignToken {
    /// It is refused: whoever it speaks for, it is not the agent.
    #[default]
    Refuse,
    /// Its header is replaced: for programs that always send one.
    Replace,
}

/// To which service a proxy leads, and as whom.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    upstream: Authority,
    authorities: Arc<RootCertStore>,
    token_header: TokenHeader,
    foreign_token: ForeignToken,
}

/// An address that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no service a proxy can lead to: write https://HOST or https://HOST:PORT, without a path")]
pub struct NoOrigin(String);

impl ProxySettings {
    /// To `upstream`, `https://HOST[:PORT]`; `authorities` say who it is.
    ///
    /// # Errors
    /// [`NoOrigin`].
    pub fn new(upstream: &str, authorities: RootCertStore) -> Result<Self, NoOrigin> {
        let refuse = || NoOrigin(upstream.to_owned());
        let uri: Uri = upstream.parse().map_err(|_not_one| refuse())?;
        let authority = uri.authority().ok_or_else(refuse)?.clone();
        let origin = uri.scheme_str() == Some("https")
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && !authority.as_str().contains('@')
            && !authority.host().is_empty();
        origin.then_some(()).ok_or_else(refuse)?;
        Ok(Self {
            upstream: authority,
            authorities: Arc::new(authorities),
            token_header: TokenHeader::default(),
            foreign_token: ForeignToken::default(),
        })
    }

    /// The token goes there.
    #[must_use]
    pub const fn with_token_header(mut self, token_header: TokenHeader) -> Self {
        self.token_header = token_header;
        self
    }

    /// A program's own token meets this.
    #[must_use]
    pub const fn with_foreign_token(mut self, foreign_token: ForeignToken) -> Self {
        self.foreign_token = foreign_token;
        self
    }
}

type HttpsClient = Client<HttpsConnector<HttpConnector>, Body>;

/// Connections that show one certificate: what another certificate's token travels on is another channel.
#[derive(Clone)]
struct Channel {
    pair: MachinePair,
    client: HttpsClient,
}

/// Takes requests of local programs to one service.
pub(crate) struct Proxy {
    settings: ProxySettings,
    access: Access,
    handle: Handle,
    channel: Mutex<Option<Channel>>,
}

impl Proxy {
    pub(crate) const fn new(settings: ProxySettings, access: Access, handle: Handle) -> Self {
        Self {
            settings,
            access,
            handle,
            channel: Mutex::new(None),
        }
    }

    /// The credential in use, and the channel of its certificate: both are looked up at once, so that a token is never
    /// sent beside another certificate than its own.
    fn held(&self) -> Result<(Credential, HttpsClient), Box<Response<Body>>> {
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let unavailable = |text: &str| Box::new(told(StatusCode::SERVICE_UNAVAILABLE, text));
        let credential = self
            .handle
            .credential()
            .ok_or_else(|| unavailable(&without(&self.handle)))?;
        if let Some(channel) = channel
            .as_ref()
            .filter(|channel| channel.pair == *credential.pair())
        {
            let client = channel.client.clone();
            return Ok((credential, client));
        }
        let client = self
            .connect_as(credential.pair())
            .map_err(|fault| unavailable(&format!("the certificate cannot be shown: {fault}")))?;
        // Requests that are under way hold on to the old channel; it ends with the last of them.
        *channel = Some(Channel {
            pair: credential.pair().clone(),
            client: client.clone(),
        });
        Ok((credential, client))
    }

    fn connect_as(&self, pair: &MachinePair) -> Result<HttpsClient, PairError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_DEADLINE));
        tcp.set_keepalive(Some(KEEPALIVE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(pair.tls(RootCertStore::clone(&self.settings.authorities))?)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector))
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Body>, Box<Response<Body>>> {
        let asked_at = admission::admit(&request, &self.access, self.settings.foreign_token)
            .map_err(|refusal| Box::new(refusal.answer()))?;
        let (mut head, body) = request.into_parts();
        head.uri = self.target(&head.uri).ok_or_else(|| {
            Box::new(told(
                StatusCode::BAD_REQUEST,
                "the request's address cannot be forwarded",
            ))
        })?;
        head.version = Version::HTTP_11;
        head.extensions.clear();
        headers::strip_request(&mut head.headers);
        if body.size_hint().exact().is_none() {
            // Else a body of a GET would be left out.
            let chunked = HeaderValue::from_static("chunked");
            head.headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        let repeatable = body.is_end_stream() && is_idempotent(&head.method);
        let (credential, client) = self.held()?;
        let first = self
            .send(&client, &credential, &head, Some(body).filter(|_| !repeatable))
            .await;
        let answer = if repeatable {
            self.repeat(first, &credential, client, &head).await?
        } else {
            first.map_err(|fault| Box::new(fault.answer()))?
        };
        Ok(self.hand_back(answer, asked_at.as_deref()))
    }

    /// Once more with a new token where the service refused this one, and once more on a new connection where that broke.
    async fn repeat(
        &self,
        first: Result<Response<Incoming>, Fault>,
        credential: &Credential,
        client: HttpsClient,
        head: &http::request::Parts,
    ) -> Result<Response<Incoming>, Box<Response<Body>>> {
        let again = match first {
            Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED => {
                if self.handle.instead_of(credential).await.is_none() {
                    return Ok(answer);
                }
                let (credential, client) = self.held()?;
                self.send(&client, &credential, head, None).await
            }
            Err(Fault::Broken(_)) => self.send(&client, credential, head, None).await,
            other => other,
        };
        again.map_err(|fault| Box::new(fault.answer()))
    }

    async fn send(
        &self,
        client: &HttpsClient,
        credential: &Credential,
        head: &http::request::Parts,
        body: Option<Incoming>,
    ) -> Result<Response<Incoming>, Fault> {
        let mut head = head.clone();
        let (name, value) =
            headers::token(self.settings.token_header, credential.token()).ok_or(Fault::Token)?;
        head.headers.insert(name, value);
        let streams = body.is_some();
        let body = body.map_or_else(|| whole(""), http_body_util::BodyExt::boxed_unsync);
        let sent = client.request(Request::from_parts(head, body));
        let answer = if streams {
            sent.await
        } else {
            tokio::time::timeout(HEAD_DEADLINE, sent)
                .await
                .map_err(|_late| Fault::Late)?
        };
        answer.map_err(|error| {
            if error.is_connect() {
                Fault::Connect(error)
            } else {
                Fault::Broken(error)
            }
        })
    }

    fn target(&self, asked: &Uri) -> Option<Uri> {
        Uri::builder()
            .scheme("https")
            .authority(self.settings.upstream.clone())
            .path_and_query(asked.path_and_query()?.clone())
            .build()
            .ok()
    }

    fn hand_back(&self, answer: Response<Incoming>, asked_at: Option<&str>) -> Response<Body> {
        let (mut head, body) = answer.into_parts();
        headers::strip_hop_by_hop(&mut head.headers);
        if let Some(asked_at) = asked_at {
            headers::redirect_here(&mut head.headers, &self.settings.upstream, asked_at);
        }
        head.version = Version::HTTP_11;
        head.extensions.clear();
        Response::from_parts(head, body.boxed_unsync())
    }
}

impl Answering for Proxy {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.forward(request).await.unwrap_or_else(|answer| *answer)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Proxy")
            .field("upstream", &self.settings.upstream)
            .finish_non_exhaustive()
    }
}

/// Why a service's answer is not there.
enum Fault {
    Connect(ClientError),
    Broken(ClientError),
    Late,
    Token,
}

impl Fault {
    fn answer(&self) -> Response<Body> {
        match self {
            Self::Connect(error) => {
                let text = format!(
                    "no connection to the service ({}): check `upstream`, its authority, and that it runs",
                    innermost(error)
                );
                told(StatusCode::BAD_GATEWAY, &text)
            }
            Self::Broken(error) => {
                let text = format!(
                    "the connection to the service broke off ({}): see its log",
                    innermost(error)
                );
                told(StatusCode::BAD_GATEWAY, &text)
            }
            Self::Late => {
                let text = format!("the service gave no answer within {} s", HEAD_DEADLINE.as_secs());
                told(StatusCode::GATEWAY_TIMEOUT, &text)
            }
            Self::Token => told(
                StatusCode::BAD_GATEWAY,
                "the token has characters that fit no header: tell the operator of the authorization server",
            ),
        }
    }
}

fn innermost(error: &ClientError) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    source.to_string()
}

/// RFC 9110 §9.2.2, without TRACE, which is not forwarded.
fn is_idempotent(method: &Method) -> bool {
    [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PUT,
        Method::DELETE,
    ]
    .contains(method)
}

/// The names by which a program may call a proxy at this address.
pub(crate) fn own_hosts(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    ["127.0.0.1", "localhost", "[::1]"]
        .into_iter()
        .map(|host| format!("{host}:{port}"))
        .chain([address.to_string()])
        .collect()
}
