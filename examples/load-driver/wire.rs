//! One HTTPS connection that stays open.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::target::Fault;

/// What an answer may take: longer, and it is counted as broken.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// No answer of an endpoint is larger.
const BODY_LIMIT: usize = 1024 * 1024;

/// An endpoint, and where its connections go.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    host: String,
    authority: String,
    path: String,
    connect: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, Fault> {
        let uri: http::Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(format!("{url} is no https URL").into());
        };
        let host = authority.host().to_owned();
        Ok(Self {
            connect: format!("{host}:{}", authority.port_u16().unwrap_or(443)),
            host: host.trim_matches(['[', ']']).to_owned(),
            authority: authority.to_string(),
            path: uri.path().to_owned(),
        })
    }

    /// The same, with its connections made elsewhere.
    pub(crate) fn at(mut self, connect: Option<&String>) -> Self {
        if let Some(connect) = connect {
            self.connect.clone_from(connect);
        }
        self
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority, self.path)
    }
}

/// What came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

pub(crate) struct Wire {
    requests: SendRequest<Full<Bytes>>,
}

impl Wire {
    pub(crate) async fn open(address: &Address, tls: &Arc<ClientConfig>) -> Result<Self, Fault> {
        let opened = async {
            let stream = TcpStream::connect(&address.connect).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(address.host.clone())?;
            let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
            let (requests, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            Ok(Self { requests })
        };
        timeout(ANSWER_LIMIT, opened).await?
    }

    pub(crate) async fn get(&mut self, address: &Address) -> Result<Answer, Fault> {
        let request = Request::get(&address.path).header(header::HOST, &address.authority);
        self.send(request.body(Full::default())?).await
    }

    pub(crate) async fn post(
        &mut self,
        address: &Address,
        authorization: Option<&str>,
        form: Bytes,
    ) -> Result<Answer, Fault> {
        let mut request = Request::post(&address.path)
            .header(header::HOST, &address.authority)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.send(request.body(Full::new(form))?).await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Fault> {
        let answered = async {
            self.requests.ready().await?;
            let answer = self.requests.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), BODY_LIMIT).collect().await?;
            Ok(Answer {
                status,
                body: body.to_bytes(),
            })
        };
        timeout(ANSWER_LIMIT, answered).await?
    }
}
