//! Clients of Ory Hydra: RFC 7591 members, and its own.

use super::{ImportedClient, Reader};

/// Members of RFC 7591 and OpenID Connect that mean the same here.
const SAME: [&str; 13] = [
    "client_name",
    "redirect_uris",
    "response_types",
    "grant_types",
    "scope",
    "client_uri",
    "jwks",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "subject_type",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
];

pub(super) fn read(mut client: Reader) -> ImportedClient {
    let id = client.text("client_id").unwrap_or_default();
    for member in SAME {
        client.same(member);
    }
    let audience = client.texts("audience");
    if !audience.is_empty() {
        client.set("resources", audience);
    }
    if let Some(algorithm) = client.text("userinfo_signed_response_alg")
        && algorithm != "none"
    {
        client.set("userinfo_signed_response_alg", algorithm);
    }
    // Without a logout URI it says nothing.
    if !client.ours.contains_key("backchannel_logout_uri") {
        client.ours.remove("backchannel_logout_session_required");
    }
    // Hydra writes one for machines too, and there it says nothing.
    let has_code = client.ours.get("grant_types").is_none_or(|grants| {
        let mut grants = grants.as_array().into_iter().flatten();
        grants.any(|grant| grant == "authorization_code")
    });
    if !has_code {
        for unread in ["redirect_uris", "response_types"] {
            if client
                .ours
                .remove(unread)
                .is_some_and(|value| unread == "redirect_uris" && super::says_something(&value))
            {
                client.drop(unread, "the client has no grant authorization_code");
            }
        }
    }
    if client.text("jwks_uri").is_some() && !client.ours.contains_key("jwks") {
        let why = "its keys are behind jwks_uri, and this server fetches nothing: export it with jwks";
        return client.refused(&id, why);
    }
    if client.is_true("skip_consent") {
        client.drop(
            "skip_consent",
            "people are asked here, unless an administrator registers consent never",
        );
    }
    if client
        .text("access_token_strategy")
        .is_some_and(|strategy| strategy == "opaque")
    {
        client.drop(
            "access_token_strategy",
            "access tokens are JWTs here, and introspection knows them all the same",
        );
    }
    // Hydra keeps a hash and exports none; dates are those of the new registration.
    client.ignore(&[
        "created_at",
        "updated_at",
        "client_secret_expires_at",
        "registration_client_uri",
        "registration_access_token",
        "skip_logout_consent",
    ]);
    let secret = client.text("client_secret");
    client.done(&id, &id, secret)
}
