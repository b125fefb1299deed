use std::{fmt, sync::Arc, time::Duration};

use sealstone_oauth_types::{Form, Secret};

use crate::{
    Keystone, KeystoneError, KeystoneToken, LoginError, RefusedRequest,
    call::Fields,
    keystone::{federation_path, is_token},
    listener::{Judge, Listener, page::Page, request::Request},
};

/// The port that clouds list in `trusted_dashboard` for the command line.
const PORT: u16 = 9990;
const PATH: &str = "/auth/websso/";
/// Tokens that Keystone is asked about: a page that posts guesses does not make us ask for ever.
const MAX_TOKENS: usize = 8;

/// Where and as whom to log in by Keystone's single sign-on (`websso`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSsoOptions {
    identity_provider: String,
    protocol: String,
    port: u16,
    username: Option<String>,
}

impl WebSsoOptions {
    /// By this identity provider and protocol of Keystone's, back to port 9990, whoever logs in.
    #[must_use]
    pub fn new(identity_provider: &str, protocol: &str) -> Self {
        Self {
            identity_provider: identity_provider.to_owned(),
            protocol: protocol.to_owned(),
            port: PORT,
            username: None,
        }
    }

    /// Another port: the cloud's `trusted_dashboard` lists `http://localhost:PORT/auth/websso/`.
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Takes this user's token and no other.
    #[must_use]
    pub fn with_username(mut self, username: &str) -> Self {
        self.username = Some(username.to_owned());
        self
    }
}

/// A login by Keystone's single sign-on (`websso`), as Horizon and keystoneauth's `v3websso` do it: the browser posts a Keystone token to a
/// port that every cloud knows.
///
/// # Security
/// The protocol has no `state`, no `nonce` and no PKCE: a Keystone page that the browser shows may post a token of
/// another person's. So may any https page while the login waits: browsers do not tell whose page leads from https to http.
/// The form must come from Keystone's own origin as far as they tell; the user can be named
/// ([`WebSsoOptions::with_username`]); tell the person who is logged in. Where the cloud offers it, use
/// [`LoopbackLogin`](crate::LoopbackLogin).
pub struct WebSso {
    keystone: Keystone,
    listener: Listener,
    form: Arc<PostedForm>,
    username: Option<String>,
    url: String,
}

struct PostedForm {
    hosts: [String; 3],
    keystone: Keystone,
}

impl WebSso {
    /// Opens the port, and puts the address together.
    ///
    /// # Errors
    /// [`LoginError::PortTaken`], [`LoginError::Listen`]; [`LoginError::Keystone`] for names that are none.
    pub async fn bind(keystone: &Keystone, options: &WebSsoOptions) -> Result<Self, LoginError> {
        let path = federation_path(&options.identity_provider, &options.protocol)?;
        let listener = Listener::bind(Some(options.port).filter(|port| *port != 0)).await?;
        let port = listener.port();
        let back = format!("http://localhost:{port}{PATH}");
        let address = format!("{}/auth/{path}/websso", keystone.auth_url());
        Ok(Self {
            url: Fields::new().with("origin", &back).into_query_of(&address),
            form: Arc::new(PostedForm {
                hosts: ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}")),
                keystone: keystone.clone(),
            }),
            keystone: keystone.clone(),
            listener,
            username: options.username.clone(),
        })
    }

    /// Where the browser is to go.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits for the form, and asks Keystone whose token it is: an unscoped one
    /// ([`Keystone::scoped`] gives the other).
    ///
    /// # Errors
    /// [`LoginError::Deadline`]; [`LoginError::Keystone`] if Keystone cannot be asked.
    pub async fn wait(
        self,
        deadline: Duration,
        mut told: impl FnMut(RefusedRequest) + Send,
    ) -> Result<KeystoneToken, LoginError> {
        let login = self.login(&mut told);
        tokio::time::timeout(deadline, login)
            .await
            .unwrap_or(Err(LoginError::Deadline(deadline)))
    }

    async fn login(
        &self,
        told: &mut (dyn FnMut(RefusedRequest) + Send),
    ) -> Result<KeystoneToken, LoginError> {
        let mut tries = 0..MAX_TOKENS;
        loop {
            let (token, visitor) = self.listener.accept(&self.form, told).await;
            let refused = match self.keystone.show(&token).await {
                Ok(token)
                    if self
                        .username
                        .as_ref()
                        .is_none_or(|name| *name == token.user().name) =>
                {
                    let text = format!(
                        "You are logged in as {}. You can close this page and go back to the terminal.",
                        token.user().name
                    );
                    visitor.show(&Page::new(200, "Logged in", &text)).await;
                    return Ok(token);
                }
                Ok(_another) => RefusedRequest::User,
                Err(KeystoneError::Unauthorized(_) | KeystoneError::Forbidden(_)) => RefusedRequest::Token,
                Err(error) => {
                    let text = format!("{error}. The terminal says more.");
                    visitor.show(&Page::new(400, "Not logged in", &text)).await;
                    return Err(error.into());
                }
            };
            told(refused);
            visitor.show(&Page::refused(refused)).await;
            if tries.next().is_none() {
                return Err(LoginError::Denied(None));
            }
        }
    }
}

impl Judge for PostedForm {
    type Accepted = Secret;

    fn judge(&self, request: &Request) -> Result<Secret, RefusedRequest> {
        let host = request.header("host")?.unwrap_or_default();
        if !self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)) {
            return Err(RefusedRequest::Host);
        }
        if request.path != PATH || request.query.is_some() {
            return Err(RefusedRequest::Path);
        }
        if request.method != "POST" {
            return Err(RefusedRequest::MethodNotPost);
        }
        let site = request.header("sec-fetch-site")?;
        let is_keystones = match request.header("origin")? {
            // What browsers say instead of a page's origin when it leads from https to http, as it does here.
            Some("null") => self.keystone.is_https(),
            Some(origin) => self.keystone.is_origin(origin),
            // A browser that says what kind of request it is says whose form it is too.
            None => site.is_none(),
        };
        if !is_keystones {
            return Err(RefusedRequest::Origin);
        }
        let fits = |name, wanted| Ok(request.header(name)?.is_none_or(|value| value == wanted));
        if !fits("sec-fetch-mode", "navigate")?
            || !fits("sec-fetch-dest", "document")?
            || site == Some("none")
        {
            return Err(RefusedRequest::Fetch);
        }
        let kind = request.header("content-type")?.unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(RefusedRequest::ContentType);
        }
        posted_token(&request.body).ok_or(RefusedRequest::Parameters)
    }
}

/// The token of Keystone's form.
pub(crate) fn posted_token(body: &[u8]) -> Option<Secret> {
    let form = Form::parse(body).ok()?;
    form.get("token")
        .filter(|token| is_token(token))
        .map(Secret::from)
}

impl fmt::Debug for WebSso {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WebSso")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls_pki_types::UnixTime;
    use sealstone_https::PlainHttp;

    use super::*;
    use crate::{ClientContext, listener::request};

    fn judged(keystone: &str, headers: &str) -> Result<Secret, RefusedRequest> {
        let zero = || UnixTime::since_unix_epoch(Duration::ZERO);
        let context = ClientContext::new(
            rustls::RootCertStore::empty(),
            Arc::new(zero),
            Arc::new(|_| false),
        );
        let context = context.with_plain_http(PlainHttp::Loopback);
        let form = PostedForm {
            hosts: ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:9990")),
            keystone: Keystone::new(&context, keystone, None).unwrap(),
        };
        let octets = format!(
            "POST /auth/websso/ HTTP/1.1\r\nHost: localhost:9990\r\nContent-Length: 7\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{headers}\r\ntoken=t"
        );
        let request::Step::Whole(request) = request::read(octets.as_bytes()).unwrap() else {
            panic!("it is whole");
        };
        form.judge(&request)
    }

    /// A browser serializes the origin of a page that leads from https to http as `null`.
    #[test]
    fn r08_whose_form_it_is_counts_as_far_as_browsers_tell() {
        let browser =
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
        for (keystone, origin, taken) in [
            ("https://keystone.example", "null", true),
            ("https://keystone.example", "https://keystone.example", true),
            (
                "https://keystone.example:443/v3",
                "https://keystone.example",
                true,
            ),
            (
                "https://keystone.example",
                "https://keystone.example.evil.example",
                false,
            ),
            ("https://keystone.example", "https://keystone.example:5000", false),
            ("https://keystone.example", "http://keystone.example", false),
            ("https://keystone.example", "", false),
            ("http://127.0.0.1:5000", "null", false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000", true),
        ] {
            let judged = judged(keystone, &format!("Origin: {origin}\r\n{browser}"));
            assert_eq!(judged.is_ok(), taken, "{keystone} {origin}: {judged:?}");
        }
    }
}
