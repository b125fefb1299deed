//! Requests to nodes, one after the other.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, header};
use hyper_rustls::ConfigBuilderExt as _;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use sealstone_https::{HttpsClient, HttpsError, Limits, PlainHttp, Settings, authorities};
use sealstone_migrate::{Exchange, ProbeAnswer, ProbeRequest};
use tokio::runtime::Runtime;

use crate::{
    clock,
    failure::{Failure, Outcome},
    input,
};

/// A login makes a hundred queries and a password hash; a node that takes longer is as good as down.
const DEADLINE: Duration = Duration::from_secs(20);
/// The largest answer: a token without its catalog has some 20 KiB, a user's projects are more.
const LARGEST: usize = 1024 * 1024;

pub(super) struct NodeExchange {
    client: HttpsClient,
    runtime: Runtime,
}

impl NodeExchange {
    /// `urls` are those that will be asked: what is not admitted is told now, and not in the middle.
    pub(super) fn new(urls: &[&str], ca: Option<&Path>, dangerous_plain_http: bool) -> Outcome<Self> {
        let settings = match ca {
            Some(path) => {
                let pem = input::bytes(path)?;
                let roots = authorities(&pem).with_context(|| path.display().to_string())?;
                Settings::trusting(roots).context("TLS cannot be set up")?
            }
            None if urls.iter().any(|url| url.starts_with("https:")) => {
                let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
                    .with_safe_default_protocol_versions()
                    .context("TLS cannot be set up")?
                    .with_native_roots()
                    .context("the system's CA certificates cannot be read: name the nodes' by --ca FILE")?;
                Settings::from_tls(config.with_no_client_auth())
            }
            None => Settings::trusting(RootCertStore::empty()).context("TLS cannot be set up")?,
        };
        let plain = if dangerous_plain_http {
            PlainHttp::DangerousAnywhere
        } else {
            PlainHttp::Loopback
        };
        let client = HttpsClient::new(settings.with_plain_http(plain));
        for url in urls {
            let parsed = url.parse().ok().filter(|uri| client.admits(uri).is_ok());
            if parsed.is_none() {
                return Err(Failure::usage(format!(
                    "{url} is not asked: tokens and passwords would cross the network readable; give an https URL, or \
                     --dangerous-plain-http where the network is the balancer's own"
                )));
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the system gives no resources to start: try again")?;
        Ok(Self { client, runtime })
    }

    fn once(&self, request: &ProbeRequest<'_>) -> Result<http::Response<Bytes>, String> {
        let method =
            Method::from_bytes(request.method.as_bytes()).map_err(|_| "no such method".to_owned())?;
        let mut built = Request::builder().method(method).uri(&request.url);
        for (name, value) in &request.headers {
            built = built.header(*name, *value);
        }
        let body = Bytes::copy_from_slice(request.body.as_bytes());
        let built = built
            .body(body)
            .map_err(|_| "the address or a header is none".to_owned())?;
        // A login that is answered twice leaves one token more, which ends by itself.
        let is_login = built.method() == Method::POST && built.uri().path().ends_with("/auth/tokens");
        let is_safe = built.method() == Method::GET || is_login;
        let limits = Limits {
            deadline: DEADLINE,
            body: LARGEST,
        };
        let answer = self.runtime.block_on(async {
            let first = self.client.exchange(built.clone(), limits).await;
            match first {
                // A connection that was kept and that the other side had closed, or a busy uWSGI, which closes some
                // without a word.
                Err(error) if error.is_unsent() || (is_safe && matches!(error, HttpsError::Broken(_))) => {
                    self.client.exchange(built, limits).await
                }
                other => other,
            }
        });
        answer.map_err(|error| told(&error))
    }
}

fn told(error: &HttpsError) -> String {
    match error {
        HttpsError::Broken(_) => "it closed the connection without an answer".to_owned(),
        HttpsError::Connect(_) => "it does not accept connections".to_owned(),
        HttpsError::Address | HttpsError::Redirect(_) | HttpsError::TooLarge(_) | HttpsError::Deadline(_) => {
            error.to_string()
        }
    }
}

impl Exchange for NodeExchange {
    fn exchange(&mut self, request: &ProbeRequest<'_>) -> Result<ProbeAnswer, String> {
        let answer = self.once(request)?;
        let text = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Ok(ProbeAnswer {
            status: answer.status().as_u16(),
            date: text(header::DATE.as_str()),
            token: text("x-subject-token"),
            body: answer.body().to_vec(),
        })
    }

    fn now_ms(&mut self) -> i64 {
        i64::try_from(clock::milliseconds()).unwrap_or(i64::MAX)
    }
}
