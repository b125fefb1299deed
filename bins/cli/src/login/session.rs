//! Tokens that are good: from what is kept, by refreshing, by logging in.

use std::{path::Path, time::Duration};

use rustls::RootCertStore;
use sealstone_client::{
    Account, AccountError, CertificatePair, ClientContext, ClientIdentity, Current, Keystone, KeystoneError,
    KeystoneScope, KeystoneToken, LegacyLogin, Provider, RelyingParty, ScopeChoice, SecretMethod, TokenCache,
    TokenError, TokenSet,
};
use sealstone_https::PlainHttp;
use sealstone_oauth_types::Secret;

use super::{
    binding, choose,
    drive::{self, Manner},
    faults, place,
    target::{Federation, OAuthLogin, Target, Through},
};
use crate::{
    clock,
    failure::{Failure, Outcome},
    http, output,
};

/// How long a token must last yet: what a command does with it takes a while.
const MARGIN: Duration = Duration::from_secs(60);

/// One login, with what it takes to renew it.
pub(crate) struct Session {
    target: Target,
    cache: Option<TokenCache>,
    manner: Manner,
    renew: bool,
}

/// What is kept, looked at without a network, a runtime or a lock.
pub(crate) fn cached_access(target: &Target) -> Outcome<Option<TokenSet>> {
    let slot = target
        .base_slot()
        .filter(|_| matches!(target.through, Through::OAuth(_)));
    match (cache(target, false)?, slot) {
        (Some(cache), Some(slot)) => Ok(Account::new(Some(cache), slot)
            .with_margin(MARGIN)
            .cached(clock::now())?),
        _ => Ok(None),
    }
}

/// The same of Keystone's token.
pub(crate) fn cached_keystone(target: &Target) -> Outcome<Option<KeystoneToken>> {
    match (cache(target, false)?, target.keystone_slot()) {
        (Some(cache), Some(slot)) => Ok(Account::new(Some(cache), slot)
            .with_margin(MARGIN)
            .cached(clock::now())?),
        _ => Ok(None),
    }
}

/// What is kept of the authorization server's tokens, ended or not.
pub(crate) fn kept_access(target: &Target) -> Outcome<Option<TokenSet>> {
    let slot = target
        .base_slot()
        .filter(|_| matches!(target.through, Through::OAuth(_)));
    match (cache(target, false)?, slot) {
        (Some(cache), Some(slot)) => Ok(Account::new(Some(cache), slot).kept()?),
        _ => Ok(None),
    }
}

/// The same of Keystone's token.
pub(crate) fn kept_keystone(target: &Target) -> Outcome<Option<KeystoneToken>> {
    match (cache(target, false)?, target.keystone_slot()) {
        (Some(cache), Some(slot)) => Ok(Account::new(Some(cache), slot).kept()?),
        _ => Ok(None),
    }
}

/// Nobody is logged in, with what may be the reason; `where_` ends the advice.
pub(crate) fn nobody(target: &Target, where_: &str) -> Failure {
    let sealed = || {
        let cache = cache(target, false).ok()??;
        let slots = [target.base_slot(), target.keystone_slot()];
        let is_sealed = |slot| cache.is_sealed_otherwise(&slot).unwrap_or(false);
        slots.into_iter().flatten().any(is_sealed).then_some(
            " (what is kept is encrypted by a key that the system's keyring does not give: it is locked, or forgot it)",
        )
    };
    Failure::not_logged_in(&format!(
        "nobody is logged in{}: run `sealstone login{}`{where_}",
        sealed().unwrap_or_default(),
        target.options()
    ))
}

pub(super) fn cache(target: &Target, make: bool) -> Outcome<Option<TokenCache>> {
    if target.no_cache {
        Ok(None)
    } else if make {
        place::made().map(Some)
    } else {
        place::existing()
    }
}

/// Whom to trust, and what time it is.
pub(crate) fn context(ca: Option<&Path>) -> Outcome<ClientContext> {
    let roots = match ca {
        Some(path) => http::roots(path)?,
        None => {
            let found = rustls_native_certs::load_native_certs();
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(Failure::failed(
                    "the system's CA certificates cannot be read: name the server's CA by --ca FILE",
                ));
            }
            roots
        }
    };
    // A Keystone of a laboratory is on this machine, and speaks no TLS.
    Ok(ClientContext::of_this_machine(roots).with_plain_http(PlainHttp::Loopback))
}

fn tell(holder: &str) {
    output::note(&format!(
        "waiting for another sealstone (process {holder}) that logs in to the same"
    ));
}

impl Session {
    pub(crate) fn new(target: Target, manner: Manner) -> Outcome<Self> {
        Ok(Self {
            cache: cache(&target, true)?,
            target,
            manner,
            renew: false,
        })
    }

    /// Passes over what is kept.
    pub(crate) const fn renewing(mut self, renew: bool) -> Self {
        self.renew = renew;
        self
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// The authorization server's tokens.
    pub(crate) async fn access(&self) -> Outcome<Current<TokenSet>> {
        let Through::OAuth(login) = &self.target.through else {
            return Err(Failure::usage(
                "this cloud's logins have no access token, only Keystone's: leave --kind out",
            ));
        };
        self.access_of(login, &context(self.target.ca.as_deref())?, self.renew)
            .await
    }

    /// Keystone's token for the scope.
    pub(crate) async fn keystone(&self) -> Outcome<Current<KeystoneToken>> {
        let slot = self.target.keystone_slot().ok_or_else(|| {
            Failure::usage(
                "no Keystone is named for this login: give --auth-url, --identity-provider and --protocol, or a --cloud that has them",
            )
        })?;
        let context = context(self.target.ca.as_deref())?;
        let account = Account::new(self.cache.clone(), slot)
            .with_margin(MARGIN)
            .renewing(self.renew);
        let again = async |kept: KeystoneToken| self.keystone_anew(&context, kept.scope()).await.map(Some);
        let first = async || self.keystone_anew(&context, None).await;
        told(account.token(clock::now, again, first, tell).await)
    }

    async fn keystone_anew(
        &self,
        context: &ClientContext,
        before: Option<&KeystoneScope>,
    ) -> Outcome<KeystoneToken> {
        let wanted = wanted(&self.target.scope, before);
        match &self.target.through {
            Through::OAuth(login) => {
                let federation = login.federation.as_ref().ok_or(Failure::Interrupted)?;
                self.federated(context, login, federation, &wanted).await
            }
            Through::WebSso(federation) => self.by_websso(context, federation, &wanted).await,
            Through::Direct(direct) => {
                drive::direct(context, &self.target.cloud, &direct.auth_url, &self.manner).await
            }
        }
    }

    /// From the access token to Keystone's. One that Keystone refuses is thrown away, once.
    async fn federated(
        &self,
        context: &ClientContext,
        login: &OAuthLogin,
        federation: &Federation,
        wanted: &ScopeChoice,
    ) -> Outcome<KeystoneToken> {
        let binding = binding::kept(self.cache.as_ref(), &self.target)?;
        let keystone = Keystone::new(context, &federation.auth_url, binding.as_ref());
        let keystone = keystone.map_err(|error| faults::keystone(&error))?;
        let at = (
            federation.identity_provider.as_str(),
            federation.protocol.as_str(),
        );
        if let Some(token) = self.taken_over(&keystone, login, federation).await? {
            // One that Keystone gives no scope for is as good as none.
            if let Ok(token) = keystone.scoped(token, wanted, choose::scope).await {
                return Ok(token);
            }
        }
        let mut renew = self.renew;
        loop {
            let tokens = self.access_of(login, context, renew).await?;
            match keystone.exchange(at, &tokens.value, wanted, choose::scope).await {
                Err(KeystoneError::Unauthorized(_))
                    if !renew && tokens.origin == sealstone_client::Origin::Cache =>
                {
                    output::note("Keystone does not take the token that is kept: getting a new one");
                    renew = true;
                }
                Err(error) => return Err(faults::keystone(&error)),
                Ok(token) => return Ok(token),
            }
        }
    }

    /// What `keystoneauth-oidc-browser` left behind, where nobody has logged in here yet.
    async fn taken_over(
        &self,
        keystone: &Keystone,
        login: &OAuthLogin,
        federation: &Federation,
    ) -> Outcome<Option<KeystoneToken>> {
        let Some(slot) = self.target.base_slot() else {
            return Ok(None);
        };
        let kept = Account::new(self.cache.clone(), slot).kept::<TokenSet>()?;
        if self.renew || self.target.bound || self.cache.is_none() || kept.is_some() {
            return Ok(None);
        }
        let mut named = named(federation);
        named.client_id = Some(login.client_id.clone());
        named.scope = Some(login.scope.clone());
        if place::caches().is_some_and(|caches| named.oidc_browser_is_sealed(&caches)) {
            output::note(
                "what keystoneauth-oidc-browser kept is encrypted by its own key, and not taken over: you log in once more",
            );
        }
        Ok(self
            .left_by(keystone, "keystoneauth-oidc-browser", |caches| {
                named.oidc_browser(caches)
            })
            .await)
    }

    /// What an older plugin left behind, if Keystone still takes it, and it is the login of whoever is named.
    async fn left_by(
        &self,
        keystone: &Keystone,
        plugin: &str,
        read: impl FnOnce(&Path) -> Option<Secret>,
    ) -> Option<KeystoneToken> {
        let token = keystone.show(&read(&place::caches()?)?).await.ok()?;
        let name = &token.user().name;
        if !self.target.user.is_empty() && *name != self.target.user {
            return None;
        }
        output::note(&format!("taking over the login of {name} from {plugin}"));
        Some(token)
    }

    async fn by_websso(
        &self,
        context: &ClientContext,
        federation: &Federation,
        wanted: &ScopeChoice,
    ) -> Outcome<KeystoneToken> {
        let slot = self.target.base_slot().ok_or(Failure::Interrupted)?;
        let keystone = Keystone::new(context, &federation.auth_url, None);
        let keystone = keystone.map_err(|error| faults::keystone(&error))?;
        let account = Account::new(self.cache.clone(), slot).with_margin(MARGIN);
        let is_first = account.kept::<KeystoneToken>()?.is_none();
        let mut renew = self.renew;
        loop {
            let account = account.clone().renewing(renew);
            let old = async |_kept: KeystoneToken| Ok::<_, Failure>(None);
            let login = async || {
                let left = if is_first {
                    let named = named(federation);
                    self.left_by(&keystone, "keystoneauth-websso", |caches| named.websso(caches))
                        .await
                } else {
                    None
                };
                match left {
                    Some(token) => Ok(token),
                    None => drive::websso(&keystone, federation, &self.target, &self.manner).await,
                }
            };
            let base = told(account.token(clock::now, old, login, tell).await)?;
            let origin = base.origin;
            match keystone.scoped(base.value, wanted, choose::scope).await {
                Err(KeystoneError::Unauthorized(_))
                    if !renew && origin == sealstone_client::Origin::Cache =>
                {
                    renew = true;
                }
                Err(error) => return Err(faults::keystone(&error)),
                Ok(token) => return Ok(token),
            }
        }
    }

    async fn access_of(
        &self,
        login: &OAuthLogin,
        context: &ClientContext,
        renew: bool,
    ) -> Outcome<Current<TokenSet>> {
        let slot = self.target.base_slot().ok_or(Failure::Interrupted)?;
        let account = Account::new(self.cache.clone(), slot)
            .with_margin(MARGIN)
            .renewing(renew);
        let refresh = async |kept: TokenSet| self.refreshed(login, context, &kept).await;
        let first = async || {
            let party = self.party(login, context).await?;
            drive::oauth(&party, login, &self.target, &self.manner).await
        };
        told(account.token(clock::now, refresh, first, tell).await)
    }

    /// `None` for a login that stands no longer.
    async fn refreshed(
        &self,
        login: &OAuthLogin,
        context: &ClientContext,
        kept: &TokenSet,
    ) -> Outcome<Option<TokenSet>> {
        if kept.refresh_token().is_none() {
            return Ok(None);
        }
        let party = self.party(login, context).await?;
        match party.refresh(kept).await {
            Ok(tokens) => Ok(Some(tokens)),
            Err(TokenError::NoRefreshToken) => Ok(None),
            Err(TokenError::Refused(refusal)) if refusal.code == "invalid_grant" => {
                let next = if self.manner.may_log_in {
                    ": logging in again"
                } else {
                    ""
                };
                output::note(&format!(
                    "the login that was kept has ended, or was revoked{next}"
                ));
                Ok(None)
            }
            Err(error) => Err(faults::token(&error)),
        }
    }

    /// The client at its provider.
    pub(super) async fn party(&self, login: &OAuthLogin, context: &ClientContext) -> Outcome<RelyingParty> {
        let provider = Provider::discover(context, &login.issuer).await;
        let provider = provider.map_err(|error| faults::discovery(&error))?;
        let mut identity = match &login.secret {
            Some(secret) => ClientIdentity::with_secret(
                &login.client_id,
                Secret::from(secret.as_str()),
                SecretMethod::Offered,
            ),
            None => ClientIdentity::public(&login.client_id),
        };
        if let Some(pair) = self.binding(&provider)? {
            identity = identity.bound_to(pair);
        }
        RelyingParty::new(&provider, identity).map_err(|error| faults::token(&error))
    }

    /// Has the server end these tokens.
    pub(crate) async fn revoke(&self, tokens: &TokenSet) -> Outcome {
        let Through::OAuth(login) = &self.target.through else {
            return Ok(());
        };
        let party = self.party(login, &context(self.target.ca.as_deref())?).await?;
        party.revoke(tokens).await.map_err(|error| faults::token(&error))
    }

    fn binding(&self, provider: &Provider) -> Outcome<Option<CertificatePair>> {
        if !self.target.bound {
            return Ok(None);
        }
        if !provider.offers_bound_tokens() {
            return Err(Failure::failed(format!(
                "{} binds no tokens: leave --bound out, or ask its operator",
                provider.issuer()
            )));
        }
        binding::made(self.cache.as_ref(), &self.target)
    }

    pub(super) const fn cache(&self) -> Option<&TokenCache> {
        self.cache.as_ref()
    }
}

/// What is wanted: as said, else where the kept token was good.
fn wanted(choice: &ScopeChoice, before: Option<&KeystoneScope>) -> ScopeChoice {
    match (choice, before) {
        (ScopeChoice::Any, Some(KeystoneScope::Project { id, .. })) => ScopeChoice::Project {
            project: id.clone(),
            domain: None,
        },
        (ScopeChoice::Any, Some(KeystoneScope::Domain { id, .. })) => ScopeChoice::Domain(id.clone()),
        (ScopeChoice::Any, Some(KeystoneScope::System)) => ScopeChoice::System,
        (choice, _) => choice.clone(),
    }
}

/// The login as older plugins name it.
fn named(federation: &Federation) -> LegacyLogin {
    let mut login = LegacyLogin::default();
    federation.auth_url.clone_into(&mut login.auth_url);
    federation
        .identity_provider
        .clone_into(&mut login.identity_provider);
    federation.protocol.clone_into(&mut login.protocol);
    login
}

/// A token that could not be kept is said so, and used.
fn told<T>(current: Result<Current<T>, AccountError<Failure>>) -> Outcome<Current<T>> {
    match current {
        Ok(current) => {
            if let Some(error) = &current.not_kept {
                output::note(&format!(
                    "warning: this login is not kept, the next command logs in again: {error}"
                ));
            }
            Ok(current)
        }
        Err(AccountError::Login(failure)) => Err(failure),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}
