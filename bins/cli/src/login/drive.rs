//! The login itself, before a person's eyes.

use std::time::Duration;

use sealstone_client::{
    ClientContext, Cloud, DeviceLogin, Keystone, KeystoneToken, LoopbackLogin, LoopbackOptions,
    RefusedRequest, RelyingParty, TokenSet, WebSso, WebSsoOptions,
};
use sealstone_factors::QrCode;
use sealstone_oauth_types::Secret;

use super::{
    faults, opener, progress, session,
    target::{Federation, OAuthLogin, Target},
    way::{Surroundings, Way, WhyDevice},
};
use crate::{
    clock,
    failure::{Failure, Outcome},
    openstack::{Credentials, Environment},
    output,
};

/// How somebody is to log in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// The way that was asked for.
    pub(crate) way: Option<Way>,
    /// One port for the browser to come back to.
    pub(crate) port: Option<u16>,
    /// How long it may take.
    pub(crate) limit: Duration,
    /// Whether somebody is there at all.
    pub(crate) may_log_in: bool,
}

/// At an authorization server.
pub(super) async fn oauth(
    party: &RelyingParty,
    login: &OAuthLogin,
    target: &Target,
    manner: &Manner,
) -> Outcome<TokenSet> {
    somebody(target, manner)?;
    let provider = party.provider();
    if let Some(skew) = provider.clock_skew() {
        output::note(&format!("warning: {skew}, or the login may not be believed"));
    }
    let way = match manner.way {
        Some(way) => way,
        None => match Surroundings::here().way() {
            Way::Device(_) if !provider.offers_device_login() => {
                output::note("the server has no login by code, so a browser must reach this machine");
                Way::BrowserByHand
            }
            Way::Browser if !provider.offers_browser_login() => Way::Device(WhyDevice::Asked),
            way @ (Way::Browser | Way::BrowserByHand | Way::Device(_)) => way,
        },
    };
    let tokens = match way {
        Way::Device(why) => device(party, login, why, manner).await,
        Way::Browser | Way::BrowserByHand => browser(party, login, target, way, manner).await,
    }?;
    let tokens = the_named(tokens, target)?;
    if target.bound && tokens.bound_to().is_none() {
        output::note(
            "warning: the server did not bind the tokens to the key of this machine: register the client with \
             tls_client_certificate_bound_access_tokens",
        );
    }
    Ok(tokens)
}

async fn browser(
    party: &RelyingParty,
    login: &OAuthLogin,
    target: &Target,
    way: Way,
    manner: &Manner,
) -> Outcome<TokenSet> {
    let mut options = LoopbackOptions::default()
        .with_scope(&login.scope)
        .with_host(login.redirect.host)
        .with_path(login.redirect.path.clone());
    if let Some(port) = manner.port.or(login.redirect.port) {
        options = options.with_port(port);
    }
    if !target.user.is_empty() {
        options = options.with_parameter("login_hint", &target.user);
    }
    // The port is open before anybody can come back to it.
    let waiting = LoopbackLogin::bind(party, &options)
        .await
        .map_err(|error| faults::login(&error))?;
    let url = waiting.authorization_url().to_owned();
    show(&url, way, waiting.port());
    let limit = manner.limit;
    let what = "waiting for the browser; Ctrl-C gives up";
    let done = progress::waiting(what, limit, waiting.wait(limit, refused)).await?;
    done.map_err(|error| faults::login(&error))
}

/// Nobody else's login is kept as that of the user who was named.
fn the_named(tokens: TokenSet, target: &Target) -> Outcome<TokenSet> {
    let Some(person) = tokens.person().filter(|_| !target.user.is_empty()) else {
        return Ok(tokens);
    };
    let is_it = person.subject == target.user || person.name.as_deref() == Some(target.user.as_str());
    if is_it {
        return Ok(tokens);
    }
    Err(Failure::failed(format!(
        "{} logged in, and not {}: sign out in the browser, and log in again",
        output::visible(person.name.as_deref().unwrap_or(&person.subject)),
        target.user
    )))
}

fn show(url: &str, way: Way, port: u16) {
    match way {
        Way::Browser => {
            output::note(&format!(
                "Your browser opens. If it does not, open this address yourself:\n\n  {url}\n"
            ));
            opener::open(url);
        }
        Way::BrowserByHand | Way::Device(_) => {
            output::note(&format!(
                "Open this address in a browser on this machine:\n\n  {url}\n\nOn another machine, lead the port here first: \
                 ssh -L {port}:127.0.0.1:{port} THIS-MACHINE"
            ));
        }
    }
}

/// What came to the port and was not the answer: worth a word, for it may be somebody else's doing.
fn refused(request: RefusedRequest) {
    if !matches!(request, RefusedRequest::Path) {
        output::note(&format!(
            "\na request to the port was refused, and the wait goes on: {request}"
        ));
    }
}

async fn device(
    party: &RelyingParty,
    login: &OAuthLogin,
    why: WhyDevice,
    manner: &Manner,
) -> Outcome<TokenSet> {
    let waiting = DeviceLogin::begin(party, &login.scope, &[]).await;
    let waiting = waiting.map_err(|error| faults::token(&error))?;
    output::note(&format!(
        "Log in with a browser on any device, {}:\n\n  address  {}\n  code     {}\n",
        why.text(),
        waiting.verification_uri(),
        waiting.user_code()
    ));
    let complete = waiting
        .verification_uri_complete()
        .unwrap_or_else(|| waiting.verification_uri());
    if progress::is_lively()
        && let Ok(code) = QrCode::of(complete)
    {
        output::note(&code.terminal());
    }
    let left = waiting
        .expires_at()
        .as_secs()
        .saturating_sub(clock::now().as_secs());
    let limit = Duration::from_secs(left).min(manner.limit);
    let wait = tokio::time::timeout(limit, waiting.wait(tokio::time::sleep));
    let done = progress::waiting("waiting until the code is entered; Ctrl-C gives up", limit, wait).await?;
    match done {
        Ok(done) => done.map_err(|error| faults::login(&error)),
        Err(_elapsed) => Err(Failure::failed("the code was not entered in time: log in again")),
    }
}

/// At Keystone itself, by its WebSSO.
pub(super) async fn websso(
    keystone: &Keystone,
    federation: &Federation,
    target: &Target,
    manner: &Manner,
) -> Outcome<KeystoneToken> {
    somebody(target, manner)?;
    let mut options = WebSsoOptions::new(&federation.identity_provider, &federation.protocol);
    if let Some(port) = manner.port {
        options = options.with_port(port);
    }
    if !target.user.is_empty() {
        options = options.with_username(&target.user);
    }
    let waiting = WebSso::bind(keystone, &options)
        .await
        .map_err(|error| faults::login(&error))?;
    let way = match manner.way {
        Some(Way::Device(_)) => {
            return Err(Failure::usage(
                "Keystone's WebSSO has no login by code: leave --device out, or log in at the issuer",
            ));
        }
        Some(way) => way,
        None => match Surroundings::here().way() {
            Way::Browser => Way::Browser,
            Way::BrowserByHand | Way::Device(_) => Way::BrowserByHand,
        },
    };
    let url = waiting.url().to_owned();
    show(&url, way, manner.port.unwrap_or(9990));
    let limit = manner.limit;
    let what = "waiting for the browser; Ctrl-C gives up";
    let done = progress::waiting(what, limit, waiting.wait(limit, refused)).await?;
    let token = done.map_err(|error| faults::login(&error))?;
    // The protocol does not tell one browser's login from another's: the person must.
    output::note(&format!("You are logged in as {}.", token.user().name));
    Ok(token)
}

/// At Keystone itself, by a password, an application credential or a token.
pub(super) async fn direct(
    context: &ClientContext,
    cloud: &Cloud,
    auth_url: &str,
    manner: &Manner,
) -> Outcome<KeystoneToken> {
    let mut environment = Environment::of_cloud(cloud);
    if environment.lacks_password() {
        if !manner.may_log_in {
            return Err(Failure::not_logged_in(
                "nobody is there to ask for the password: run `sealstone login` in a terminal",
            ));
        }
        let typed =
            rpassword::prompt_password(format!("Password of {} at {auth_url}: ", environment.user_name()))?;
        environment.with_password(typed);
    }
    let keystone = Keystone::new(context, auth_url, None).map_err(|error| faults::keystone(&error))?;
    let place = crate::openstack::Place {
        url: Some(keystone.auth_url().to_owned()),
        ca_file: cloud.setting("cacert").map(Into::into),
        dangerous_plain_http: is_loopback(keystone.auth_url()),
    };
    let client = crate::openstack::keystone(&place, &environment)?;
    let by_browser = "or log in by a browser, with --issuer and --client-id, or with --websso";
    let credentials = environment
        .credentials()
        .map_err(|failure| failure.with_hint(by_browser))?;
    let token = match credentials {
        Credentials::Token(token) => Secret::from(token.expose()),
        Credentials::Login(login) => match client.authenticate(&login).await {
            Ok(sealstone_keystone::Login::Complete(issued)) => Secret::from(issued.token.expose()),
            Ok(sealstone_keystone::Login::Incomplete(_)) => {
                return Err(Failure::failed(
                    "Keystone wants a second factor: log in by a browser, with --issuer or --websso",
                ));
            }
            Err(error) => {
                return Err(Failure::failed(format!(
                    "Keystone does not let you in ({error}): check the cloud's entry, as `openstack token issue` does"
                )));
            }
        },
    };
    keystone
        .show(&token)
        .await
        .map_err(|error| faults::keystone(&error))
}

fn is_loopback(url: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]", "http://localhost"]
        .iter()
        .any(|start| {
            url.strip_prefix(start)
                .is_some_and(|rest| rest.starts_with([':', '/']) || rest.is_empty())
        })
}

/// Whether there is anybody to log in.
fn somebody(target: &Target, manner: &Manner) -> Outcome {
    if manner.may_log_in {
        return Ok(());
    }
    Err(session::nobody(target, " in a terminal"))
}
