//! The token of a person's login: what is kept, else what it takes.

use clap::ValueEnum;
use sealstone_client::{KeystoneToken, TokenSet};
use sealstone_jose::base64url;
use serde_json::{Value, json};

use super::{TokenArguments, forms::Given};
use crate::{
    clock,
    command::wait_for,
    failure::{Failure, Outcome},
    login::{
        binding, place,
        session::{self, Session},
        target::{Target, Through},
    },
};

/// Which token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TokenKind {
    /// The authorization server's access token
    Access,
    /// Its ID token, for who wants to know who it is: Kubernetes
    Id,
    /// Keystone's token
    Keystone,
}

pub(super) fn run(arguments: &TokenArguments) -> Outcome {
    token(arguments).map_err(|failure| machines(arguments, failure))
}

fn token(arguments: &TokenArguments) -> Outcome {
    let target = arguments.login.target(false)?;
    let kind = arguments.kind.unwrap_or_else(|| match target.auth_url() {
        Some(_) => TokenKind::Keystone,
        None => TokenKind::Access,
    });
    match kind {
        TokenKind::Keystone => keystone(arguments, target),
        TokenKind::Access | TokenKind::Id => access(arguments, target, kind),
    }
}

/// Whoever wanted a machine's token reads how.
fn machines(arguments: &TokenArguments, failure: Failure) -> Failure {
    let named = arguments.login.issuer.is_some() || arguments.login.dev.is_some();
    if named && matches!(failure, Failure::NotLoggedIn(_)) {
        return failure.with_hint("a machine gives --cert FILE and --key FILE, or --client-secret-file FILE");
    }
    failure
}

fn keystone(arguments: &TokenArguments, target: Target) -> Outcome {
    let cached = if arguments.renew {
        None
    } else {
        session::cached_keystone(&target)?
    };
    let token = match cached {
        Some(token) => token,
        None => {
            let session = Session::new(target, arguments.manner.manner(false))?.renewing(arguments.renew);
            wait_for(session.keystone())?.value
        }
    };
    Given {
        token: token.token().expose(),
        end: Some(token.expires_at().as_secs()),
        document: keystone_document(&token),
        pair: None,
    }
    .print(arguments.format)
}

fn keystone_document(token: &KeystoneToken) -> Value {
    json!({
        "keystone_token": token.token().expose(),
        "expires_at": clock::date(token.expires_at()),
        "user": {"id": token.user().id, "name": token.user().name, "domain": token.user().domain},
        "scope": token.scope(),
        "roles": token.roles(),
    })
}

fn access(arguments: &TokenArguments, target: Target, kind: TokenKind) -> Outcome {
    if !matches!(target.through, Through::OAuth(_)) {
        return Err(Failure::usage(
            "this login has Keystone's token only: leave --kind out",
        ));
    }
    let cached = if arguments.renew {
        None
    } else {
        session::cached_access(&target)?
    };
    // An ID token may end before the access token does.
    let cached =
        cached.filter(|tokens| kind == TokenKind::Access || id_end(tokens).is_some_and(|end| end > soon()));
    let (tokens, target) = match cached {
        Some(tokens) => (tokens, target),
        None => anew(arguments, target, kind)?,
    };
    let pair = if arguments.dangerous_print_bound && target.bound {
        binding::texts(place::existing()?.as_ref(), &target)?
    } else {
        None
    };
    if !arguments.dangerous_print_bound && kind == TokenKind::Access {
        unless_bound(&tokens)?;
    }
    let (token, end) = match kind {
        TokenKind::Id => {
            let token = tokens
                .id_token()
                .ok_or_else(|| Failure::failed("the server gave no ID token: ask for the scope openid"))?;
            (token.expose(), id_end(&tokens))
        }
        TokenKind::Access | TokenKind::Keystone => (
            tokens.access_token().expose(),
            tokens.expires_at().map(|end| end.as_secs()),
        ),
    };
    Given {
        token,
        end,
        document: json!({
            "access_token": tokens.access_token().expose(),
            "token_type": "Bearer",
            "expires_in": tokens.expires_at().map(|end| end.as_secs().saturating_sub(clock::now().as_secs())),
            "scope": tokens.scope(),
            "id_token": tokens.id_token().map(|token| token.expose().to_owned()),
        }),
        pair,
    }
    .print(arguments.format)
}

fn anew(arguments: &TokenArguments, target: Target, kind: TokenKind) -> Outcome<(TokenSet, Target)> {
    let renew = arguments.renew || kind == TokenKind::Id;
    let again = arguments.login.target(false)?;
    let session = Session::new(target, arguments.manner.manner(false))?.renewing(renew);
    Ok((wait_for(session.access())?.value, again))
}

/// A token that is bound to a key of this machine is of no use without it, and is not shown by accident.
pub(crate) fn unless_bound(tokens: &TokenSet) -> Outcome {
    if tokens.bound_to().is_none() {
        return Ok(());
    }
    Err(Failure::failed(
        "this token is bound to a key that stays on this machine, and of no use without it: name the cloud's Keystone \
         (--auth-url) for a token of its own, or give both to a program that shows the key's certificate itself by \
         `sealstone token --dangerous-print-bound --format exec-credential`",
    ))
}

fn soon() -> u64 {
    clock::now().as_secs().saturating_add(60)
}

/// When an ID token ends. It was verified when it came.
fn id_end(tokens: &TokenSet) -> Option<u64> {
    let payload = tokens.id_token()?.expose().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&base64url::decode(payload).ok()?).ok()?;
    claims.get("exp")?.as_u64()
}
