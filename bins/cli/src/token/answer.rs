//! What the token endpoint said, and what it means.

use oauth2::{
    TokenResponse as _,
    basic::{BasicTokenResponse, BasicTokenType},
};
use sealstone_jose::base64url;
use sealstone_mtls::CertificateThumbprint;
use serde_json::Value;

use super::forms::{Given, TokenForm};
use crate::{
    clock,
    failure::{Failure, Outcome},
    output,
};

pub(super) fn print(token: &BasicTokenResponse, form: TokenForm) -> Outcome {
    if *token.token_type() != BasicTokenType::Bearer {
        return Err(Failure::failed(format!(
            "the token's type is {}, which this program cannot use: ask the server's operator for Bearer",
            token.token_type().as_ref()
        )));
    }
    let text = token.access_token().secret();
    let mut document = serde_json::to_value(token)?;
    // As RFC 6750 §4 spells it, for those who put a header together of it.
    if let Some(kind) = document.get_mut("token_type") {
        *kind = "Bearer".into();
    }
    let end = token
        .expires_in()
        .map(|span| clock::now().as_secs().saturating_add(span.as_secs()));
    Given {
        token: text,
        end,
        document,
        pair: None,
    }
    .print(form)
}

/// A certificate was shown, so a token that is not bound to it is worth a word.
pub(super) fn warn_unless_bound(token: &BasicTokenResponse, leaf: &[u8]) {
    let payload = token.access_token().secret().split('.').nth(1);
    let claims = payload.and_then(|part| base64url::decode(part).ok());
    let Some(claims) = claims.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()) else {
        return;
    };
    let bound_to = claims.pointer("/cnf/x5t#S256").and_then(Value::as_str);
    if bound_to != Some(CertificateThumbprint::of_der(leaf).to_string().as_str()) {
        output::note(
            "warning: this token is not bound to the certificate: who has it can use it. Register the client with \
             tls_client_certificate_bound_access_tokens",
        );
    }
}

/// A refusal (RFC 6749 §5.2) with what to do about it.
pub(crate) fn explain(code: &str, description: Option<&str>) -> String {
    let advice = match code {
        "invalid_client" => {
            "check that the client is registered and enabled, and that certificate or secret are the ones registered \
             (`sealstone client show ID`)"
        }
        "invalid_scope" => "ask for a scope that the client may have (`sealstone client show ID`)",
        "invalid_target" => "name a resource that the client may name (`sealstone client show ID`)",
        "unauthorized_client" => "register the client for the grant client_credentials",
        "unsupported_grant_type" => "use an issuer that offers client_credentials",
        "invalid_request" => "check the options of this command",
        "server_error" | "temporarily_unavailable" => "try again; the server's log says why",
        _ => "see the server's documentation",
    };
    let description = description
        .map(|text| format!(" ({})", output::visible(text)))
        .unwrap_or_default();
    format!(
        "the server refused with {}{description}: {advice}",
        output::visible(code)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_code_description_and_advice() {
        let text = explain("invalid_client", Some("unknown\u{1b}[31m"));
        assert!(
            text.starts_with("the server refused with invalid_client (unknown\u{fffd}[31m): check"),
            "{text}"
        );
    }
}
