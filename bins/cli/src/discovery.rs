//! An issuer's metadata (RFC 8414 §3) and keys.

use anyhow::Context as _;
use sealstone_jose::{JwkSet, json};
use sealstone_oauth_types::{Issuer, RevocationDocument, ServerMetadata};

use crate::{
    failure::{Failure, Outcome},
    http::{HttpClient, HttpError},
    output,
};

pub(crate) fn issuer(text: &str) -> Outcome<Issuer> {
    Issuer::parse(text).map_err(|error| {
        Failure::usage(format!(
            "{text:?} is no issuer ({error}): write it as the server does, https://HOST/PATH"
        ))
    })
}

/// Fetches the metadata, by the address of RFC 8414, else by that of OpenID Connect, and checks that they are this
/// issuer's.
pub(crate) async fn metadata(client: &HttpClient, issuer: &Issuer) -> Outcome<ServerMetadata> {
    let mut document = None;
    for url in [issuer.well_known_oauth(), issuer.well_known_openid()] {
        document = client.get(&url).await?;
        if document.is_some() {
            break;
        }
    }
    let document =
        document.with_context(|| format!("{issuer} publishes no metadata: check the issuer's address"))?;
    let metadata: ServerMetadata = json::from_slice(&document)
        .with_context(|| format!("what {issuer} publishes is no metadata: check the issuer's address"))?;
    if metadata.issuer != *issuer {
        return Err(Failure::failed(format!(
            "the metadata at {issuer} are those of {}: use that issuer, if you trust it (RFC 8414 §3.3)",
            metadata.issuer
        )));
    }
    Ok(metadata)
}

pub(crate) async fn jwks(client: &HttpClient, url: &str) -> Outcome<JwkSet> {
    let document = client
        .get(url)
        .await?
        .with_context(|| format!("there is no key set at {url}: check the address"))?;
    Ok(JwkSet::parse(&document)
        .with_context(|| format!("what lies at {url} is no key set: check the address"))?)
}

/// The issuer's revocation list, which lies beside its key set; other servers have none.
pub(crate) async fn revocations(
    client: &HttpClient,
    jwks_uri: &str,
    issuer: &Issuer,
) -> Outcome<Option<RevocationDocument>> {
    let document = match client.get(&format!("{jwks_uri}/revocation")).await {
        Ok(document) => document,
        Err(HttpError::Status { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let Some(document) = document else {
        output::note("note: this issuer publishes no revocation list, so revocation is not checked");
        return Ok(None);
    };
    let list: RevocationDocument = json::from_slice(&document)
        .with_context(|| format!("the revocation list of {issuer} cannot be read: tell its operator"))?;
    if list.iss != *issuer {
        return Err(Failure::failed(format!(
            "the revocation list beside the keys of {issuer} is that of {}: tell its operator",
            list.iss
        )));
    }
    Ok(Some(list))
}
