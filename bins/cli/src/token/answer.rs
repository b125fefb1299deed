//! What the token endpoint said, and what it means.

use sealstone_client::{CertificatePair, TokenSet};
use serde_json::{Map, Value};

use super::forms::{Given, TokenForm};
use crate::{clock, failure::Outcome, output};

pub(super) fn print(tokens: &TokenSet, form: TokenForm) -> Outcome {
    let token = tokens.access_token().expose();
    let end = tokens.expires_at().map(|end| end.as_secs());
    let left = end.map(|end| end.saturating_sub(clock::now().as_secs()));
    // As RFC 6750 §4 spells the type, for those who put a header together of it; what the server did not say is left out.
    let members = [
        ("access_token", Some(token.into())),
        ("token_type", Some("Bearer".into())),
        ("expires_in", left.map(Value::from)),
        ("scope", tokens.scope().map(Value::from)),
    ];
    let document: Map<String, Value> = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    Given {
        token,
        end,
        document: document.into(),
        pair: None,
    }
    .print(form)
}

/// A certificate was shown, so a token that is not bound to it is worth a word.
pub(super) fn warn_unless_bound(tokens: &TokenSet, pair: &CertificatePair) {
    if tokens.bound_to() != Some(pair.thumbprint().to_string()) {
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
