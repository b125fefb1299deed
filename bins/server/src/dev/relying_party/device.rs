//! The page as a device: the client `cli` by the device grant (RFC 8628).

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use sealstone_factors::QrCode;
use sealstone_https::{HttpsClient, Limits, Settings, authorities};
use sealstone_oauth_types::DeviceAuthorizationResponse;
use serde_json::{Map, Value};
use std::time::Duration;
use url::form_urlencoded;
use zeroize::Zeroizing;

const CLIENT: &str = "cli";
/// Answers of a server on this machine.
const LIMITS: Limits = Limits {
    deadline: Duration::from_secs(10),
    body: 64 * 1024,
};
/// What a poll that came too soon adds (RFC 8628 §3.5).
const SLOWER_BY_S: u64 = 5;

/// A device of the demo.
pub(super) struct Device {
    issuer: String,
    https: HttpsClient,
}

/// A device that waits for somebody to type its code. Its device code stays on this side of the page.
#[derive(Clone)]
pub(super) struct Asking {
    device_code: Zeroizing<String>,
    pub(super) user_code: String,
    pub(super) verification_uri: String,
    /// The address with the code in it, as a drawing.
    pub(super) picture: String,
    pub(super) interval_s: u64,
}

/// What became of it.
pub(super) enum Waiting {
    Longer(Asking),
    SignedIn(Map<String, Value>),
    Over(&'static str),
}

impl Device {
    pub(super) fn new(issuer: &str, ca: &[u8]) -> anyhow::Result<Self> {
        Ok(Self {
            issuer: issuer.to_owned(),
            https: HttpsClient::new(Settings::trusting(authorities(ca)?)?),
        })
    }

    /// Asks for a code.
    pub(super) async fn ask(&self) -> anyhow::Result<Asking> {
        let form = [("client_id", CLIENT), ("scope", "openid profile email groups")];
        let (status, body) = self.post("device_authorization", &form).await?;
        anyhow::ensure!(
            status == StatusCode::OK,
            "the device was refused: {}",
            error(&body)
        );
        let answer: DeviceAuthorizationResponse =
            serde_json::from_slice(&body).context("the answer to the device")?;
        let complete = answer.verification_uri_complete.as_deref();
        let complete = complete.unwrap_or(&answer.verification_uri);
        Ok(Asking {
            picture: QrCode::of(complete)?.svg(),
            device_code: Zeroizing::new(answer.device_code),
            user_code: answer.user_code,
            verification_uri: answer.verification_uri,
            interval_s: answer.interval.max(1),
        })
    }

    /// Whether somebody has confirmed; then, who.
    pub(super) async fn poll(&self, asking: &Asking) -> anyhow::Result<Waiting> {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", CLIENT),
            ("device_code", asking.device_code.as_str()),
        ];
        let (status, body) = self.post("token", &form).await?;
        if status == StatusCode::OK {
            return self.who(&body).await.map(Waiting::SignedIn);
        }
        let slower = |by: u64| Asking {
            interval_s: asking.interval_s.saturating_add(by),
            ..asking.clone()
        };
        match error(&body).as_str() {
            "authorization_pending" => Ok(Waiting::Longer(slower(0))),
            "slow_down" => Ok(Waiting::Longer(slower(SLOWER_BY_S))),
            "access_denied" => Ok(Waiting::Over("Whoever saw the code said no.")),
            "expired_token" | "invalid_grant" => {
                Ok(Waiting::Over("The code has ended before anybody confirmed it."))
            }
            other => anyhow::bail!("the device was refused: {other}"),
        }
    }

    /// Who confirmed, as userinfo tells.
    async fn who(&self, tokens: &Bytes) -> anyhow::Result<Map<String, Value>> {
        let tokens: Value = serde_json::from_slice(tokens).context("the tokens")?;
        let token = tokens.get("access_token").and_then(Value::as_str);
        let token = token.context("an access token")?;
        let request = Request::builder()
            .uri(format!("{}/userinfo", self.issuer))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Bytes::new())?;
        let answer = self.https.exchange(request, LIMITS).await?;
        anyhow::ensure!(
            answer.status() == StatusCode::OK,
            "userinfo answered {}",
            answer.status()
        );
        serde_json::from_slice(answer.body()).context("the answer of userinfo")
    }

    async fn post(&self, endpoint: &str, form: &[(&str, &str)]) -> anyhow::Result<(StatusCode, Bytes)> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/{endpoint}", self.issuer))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::USER_AGENT, "Sealstone demo device")
            .body(Bytes::from(body))?;
        let answer = self.https.exchange(request, LIMITS).await?;
        let (head, body) = answer.into_parts();
        Ok((head.status, body))
    }
}

/// The error code of an answer; a fixed word for what is none.
fn error(body: &Bytes) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer.get("error").and_then(Value::as_str);
    code.unwrap_or("without a reason").to_owned()
}
