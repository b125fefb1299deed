use std::{fmt, sync::Arc, time::Duration};

use sealstone_jose::base64url;
use sealstone_oauth_types::{CodeVerifier, Form, Secret};
use subtle::ConstantTimeEq as _;

use crate::{
    LoginError, Refusal, RefusedRequest, RelyingParty, TokenError, TokenSet,
    call::Fields,
    listener::{Judge, Listener, page::Page, request::Request},
    party::Believing,
};

/// How long a login waits for the browser, if the caller says nothing else: a second factor takes its time.
pub const LOGIN_DEADLINE: Duration = Duration::from_secs(300);
/// The longest code that is taken: those of other providers may hold what they stand for.
const MAX_CODE: usize = 8 * 1024;

/// How the redirect URI names this machine; registrations know each as a text of its own (RFC 8252 §7.3, §8.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 8252 knows these three")]
pub enum LoopbackHost {
    /// `127.0.0.1`
    #[default]
    V4,
    /// `[::1]`
    V6,
    /// `localhost`: for providers that take no other.
    Localhost,
}

impl LoopbackHost {
    const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "127.0.0.1",
            Self::V6 => "[::1]",
            Self::Localhost => "localhost",
        }
    }
}

/// The path of the redirect URI.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is registered, or it is not")]
pub enum LoopbackPath {
    /// As registered: providers compare it letter by letter (RFC 6749 §3.1.2.3), so that `state` is what nobody
    /// guesses. May be empty.
    Registered(String),
    /// One that nobody guesses, for providers that leave the path of a loopback address open.
    Random,
}

/// What a login asks for, and where its answer is waited for.
#[derive(Debug, Clone)]
pub struct LoopbackOptions {
    scope: String,
    resources: Vec<String>,
    parameters: Vec<(String, String)>,
    host: LoopbackHost,
    path: LoopbackPath,
    port: Option<u16>,
}

impl Default for LoopbackOptions {
    /// `openid`, at `http://127.0.0.1:PORT/callback` with whatever port is free.
    fn default() -> Self {
        Self {
            scope: "openid".to_owned(),
            resources: Vec::new(),
            parameters: Vec::new(),
            host: LoopbackHost::V4,
            path: LoopbackPath::Registered("/callback".to_owned()),
            port: None,
        }
    }
}

impl LoopbackOptions {
    /// Names parted by spaces; with `openid` an ID token is demanded.
    #[must_use]
    pub fn with_scope(mut self, scope: &str) -> Self {
        self.scope = scope.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        self
    }

    /// What the access token is for (RFC 8707); may be given several times.
    #[must_use]
    pub fn with_resource(mut self, resource: &str) -> Self {
        self.resources.push(resource.to_owned());
        self
    }

    /// One more parameter of the authorization request: `prompt`, `login_hint`, `acr_values`, `max_age`, `ui_locales`.
    ///
    /// Those that the login itself sets cannot be set: they are left out.
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How the redirect URI names this machine.
    #[must_use]
    pub const fn with_host(mut self, host: LoopbackHost) -> Self {
        self.host = host;
        self
    }

    /// The path of the redirect URI.
    #[must_use]
    pub fn with_path(mut self, path: LoopbackPath) -> Self {
        self.path = path;
        self
    }

    /// One port, for providers that do not leave it open (RFC 8252 §7.3 says that they must).
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }
}

/// What the login itself says; a caller's parameter never takes its place.
const OWN: [&str; 9] = [
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

/// A login by a browser on this machine (RFC 8252): authorization code with PKCE, back to a loopback port.
///
/// The port is open from [`LoopbackLogin::bind`] on, before any browser is; dropping the login closes it. Who opens
/// the browser is the caller's business.
pub struct LoopbackLogin {
    party: RelyingParty,
    listener: Listener,
    expected: Arc<Expected>,
    nonce: Option<String>,
    verifier: Secret,
    redirect_uri: String,
    scope: String,
    resources: Vec<String>,
    url: String,
}

/// What the answer must be.
struct Expected {
    path: String,
    hosts: Vec<String>,
    state: String,
    issuer: String,
    says_issuer: bool,
}

/// What came back: with the right `state`, and not from another provider.
enum Answered {
    Code(Secret),
    Error(Refusal),
}

impl LoopbackLogin {
    /// Opens the port, and puts the request together.
    ///
    /// # Errors
    /// [`LoginError::PortTaken`], [`LoginError::Listen`], [`LoginError::Path`], [`LoginError::Entropy`];
    /// [`LoginError::Token`] if the provider has no authorization endpoint.
    pub async fn bind(party: &RelyingParty, options: &LoopbackOptions) -> Result<Self, LoginError> {
        let provider = party.provider();
        let metadata = provider.metadata();
        let endpoint = metadata.authorization_endpoint.as_deref();
        let endpoint = endpoint.filter(|address| party.caller().admits(address));
        let endpoint = endpoint.ok_or_else(|| TokenError::NoEndpoint {
            issuer: provider.issuer().to_owned(),
            endpoint: "authorization_endpoint",
        })?;
        let context = party.caller().context();
        let path = match &options.path {
            LoopbackPath::Random => format!("/{}", context.token()?),
            LoopbackPath::Registered(path) if is_path(path) => path.clone(),
            LoopbackPath::Registered(path) => return Err(LoginError::Path(crate::error::visible(path))),
        };
        let listener = Listener::bind(options.port).await?;
        let port = listener.port();
        let redirect_uri = format!("http://{}:{port}{path}", options.host.as_str());
        let state = context.token()?;
        let verifier = Secret::from(context.token()?);
        let openid = options.scope.split(' ').any(|name| name == "openid");
        let nonce = openid.then(|| context.token()).transpose()?;
        let hosts = ["127.0.0.1", "[::1]", "localhost"].into_iter();
        let hosts = hosts.filter(|host| *host != "localhost" || options.host == LoopbackHost::Localhost);
        let fields = Fields::new()
            .with("response_type", "code")
            .with("client_id", party.identity().client_id())
            .with("redirect_uri", &redirect_uri)
            .with_all((!options.scope.is_empty()).then_some(("scope", options.scope.as_str())))
            .with("state", &state)
            .with_all(nonce.as_deref().map(|nonce| ("nonce", nonce)))
            .with("code_challenge", &challenge(&verifier))
            .with("code_challenge_method", "S256")
            .with_all(
                options
                    .resources
                    .iter()
                    .map(|resource| ("resource", resource.as_str())),
            );
        let others = options
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let fields = fields.with_all(others.filter(|(name, _)| !OWN.contains(name)));
        Ok(Self {
            url: fields.into_query_of(endpoint),
            expected: Arc::new(Expected {
                // A browser asks for `/` where the redirect URI has no path.
                path: if path.is_empty() { "/".to_owned() } else { path },
                hosts: hosts.map(|host| format!("{host}:{port}")).collect(),
                state,
                issuer: provider.issuer().to_owned(),
                says_issuer: metadata.authorization_response_iss_parameter_supported,
            }),
            party: party.clone(),
            listener,
            nonce,
            verifier,
            redirect_uri,
            scope: options.scope.clone(),
            resources: options.resources.clone(),
        })
    }

    /// Where the browser is to go. It holds no secret: the code that comes back is of use here alone.
    #[must_use]
    pub fn authorization_url(&self) -> &str {
        &self.url
    }

    /// The port that is listened at.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.listener.port()
    }

    /// Waits for the browser, and redeems what it brings.
    ///
    /// What is not the answer gets a refusal, is told to `told`, and changes nothing. Dropping the future ends the
    /// login and closes the port.
    ///
    /// # Errors
    /// [`LoginError::Deadline`] if no answer comes within `deadline`; [`LoginError::Denied`] and
    /// [`LoginError::Provider`] for what the provider says; [`LoginError::Token`] if the code gives no tokens.
    pub async fn wait(
        self,
        deadline: Duration,
        mut told: impl FnMut(RefusedRequest) + Send,
    ) -> Result<TokenSet, LoginError> {
        let accepted = self.listener.accept(&self.expected, &mut told);
        let (answered, visitor) = tokio::time::timeout(deadline, accepted)
            .await
            .map_err(|_elapsed| LoginError::Deadline(deadline))?;
        // One answer, whatever it is: from here on nobody listens.
        let Self { listener, .. } = self;
        drop(listener);
        let login = Redeeming {
            party: self.party,
            nonce: self.nonce,
            verifier: self.verifier,
            redirect_uri: self.redirect_uri,
            scope: self.scope,
            resources: self.resources,
        };
        let ended = match answered {
            Answered::Code(code) => login.redeem(&code).await.map_err(LoginError::from),
            Answered::Error(refusal) if refusal.code == "access_denied" => {
                Err(LoginError::Denied(Some(refusal)))
            }
            Answered::Error(refusal) => Err(LoginError::Provider(refusal)),
        };
        visitor.show(&page(&ended)).await;
        ended
    }
}

struct Redeeming {
    party: RelyingParty,
    nonce: Option<String>,
    verifier: Secret,
    redirect_uri: String,
    scope: String,
    resources: Vec<String>,
}

impl Redeeming {
    async fn redeem(&self, code: &Secret) -> Result<TokenSet, TokenError> {
        let fields = Fields::new()
            .with("grant_type", "authorization_code")
            .with("code", code.expose())
            .with("redirect_uri", &self.redirect_uri)
            .with("code_verifier", self.verifier.expose())
            .with_all(
                self.resources
                    .iter()
                    .map(|resource| ("resource", resource.as_str())),
            );
        let believing = Believing {
            required: self.nonce.is_some(),
            nonce: self.nonce.as_deref(),
            subject: None,
            scope: Some(&self.scope),
        };
        self.party.tokens(fields, believing).await
    }
}

fn page(ended: &Result<TokenSet, LoginError>) -> Page {
    match ended {
        Ok(tokens) => {
            let name = tokens.person().and_then(|person| person.name.as_deref());
            let who = name.map(|name| format!(" as {name}")).unwrap_or_default();
            let text =
                format!("You are logged in{who}. You can close this page and go back to the terminal.");
            Page::new(200, "Logged in", &text)
        }
        Err(error) => Page::new(400, "Not logged in", &format!("{error}. The terminal says more.")),
    }
}

impl Judge for Expected {
    type Accepted = Answered;

    fn judge(&self, request: &Request) -> Result<Answered, RefusedRequest> {
        let host = request.header("host")?.unwrap_or_default();
        if !self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)) {
            return Err(RefusedRequest::Host);
        }
        if request.path != self.path {
            return Err(RefusedRequest::Path);
        }
        if request.method != "GET" {
            return Err(RefusedRequest::MethodNotGet);
        }
        // Going to a page by GET names no origin; a script's request does. Some browsers say `null` after a form that was
        // answered by a redirect.
        match request.header("origin")? {
            None => {}
            Some("null") if request.header("sec-fetch-mode")? == Some("navigate") => {}
            Some(_) => return Err(RefusedRequest::Origin),
        }
        let fits = |name, wanted| Ok(request.header(name)?.is_none_or(|value| value == wanted));
        if !fits("sec-fetch-mode", "navigate")? || !fits("sec-fetch-dest", "document")? {
            return Err(RefusedRequest::Fetch);
        }
        self.answer(request.query.as_deref().unwrap_or_default())
    }
}

impl Expected {
    fn answer(&self, query: &str) -> Result<Answered, RefusedRequest> {
        let form = Form::parse(query.as_bytes()).map_err(|_not_it| RefusedRequest::Parameters)?;
        let state = form.get("state").unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(self.state.as_bytes())) {
            return Err(RefusedRequest::State);
        }
        match form.get("iss") {
            Some(issuer) if issuer != self.issuer => return Err(RefusedRequest::Issuer),
            None if self.says_issuer => return Err(RefusedRequest::Issuer),
            _ => {}
        }
        match (form.get("code"), form.get("error")) {
            (Some(code), None) if code.len() <= MAX_CODE => Ok(Answered::Code(Secret::from(code))),
            (None, Some(error)) => Ok(Answered::Error(Refusal::new(
                error,
                form.get("error_description"),
            ))),
            _ => Err(RefusedRequest::Parameters),
        }
    }
}

/// Whether a login of a known `state`, at port 9, takes the request for its answer.
#[cfg(fuzzing)]
pub(crate) fn fuzzing_judge(request: &Request) -> bool {
    let expected = Expected {
        path: "/callback".to_owned(),
        hosts: vec!["127.0.0.1:9".to_owned()],
        state: "s".to_owned(),
        issuer: "https://id.example".to_owned(),
        says_issuer: false,
    };
    matches!(expected.judge(request), Ok(Answered::Code(_)))
}

/// RFC 7636 §4.2.
fn challenge(verifier: &Secret) -> String {
    CodeVerifier::parse(verifier.expose())
        .map(|verifier| verifier.challenge().to_string())
        .unwrap_or_else(|_never| base64url::encode([]))
}

/// What browsers and servers read in one way only.
fn is_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
    (path.is_empty() || path.starts_with('/')) && !path.contains("//") && path.bytes().all(plain) && !dots
}

impl fmt::Debug for LoopbackLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoopbackLogin")
            .field("issuer", &self.expected.issuer)
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}
