//! Holds the table of malformed requests in `docs/reference/errors.md` to the code.

use super::{BasicError, FormError, RequestError};
use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!("../../../../docs/reference/errors.md");

/// The one after it, so that a new variant does not compile until it is listed here and there.
const fn next(error: RequestError) -> Option<RequestError> {
    Some(match error {
        RequestError::Form(FormError::TooLarge) => RequestError::Form(FormError::TooManyParameters),
        RequestError::Form(FormError::TooManyParameters) => RequestError::Form(FormError::Repeated),
        RequestError::Form(FormError::Repeated) => RequestError::Form(FormError::Encoding),
        RequestError::Form(FormError::Encoding) => RequestError::ContentType,
        RequestError::ContentType => RequestError::Query,
        RequestError::Query => RequestError::ForwardedCertificate,
        RequestError::ForwardedCertificate => RequestError::Incomplete,
        RequestError::Incomplete => RequestError::RepeatedHeader,
        RequestError::RepeatedHeader => RequestError::Dpop,
        RequestError::Dpop => RequestError::Authorization(BasicError::Malformed),
        RequestError::Authorization(_) => RequestError::TwoAuthentications,
        RequestError::TwoAuthentications => RequestError::ClientIdMismatch,
        RequestError::ClientIdMismatch => RequestError::AssertionType,
        RequestError::AssertionType => RequestError::IncompleteAssertion,
        RequestError::IncompleteAssertion => RequestError::MissingGrantType,
        RequestError::MissingGrantType => RequestError::MissingToken,
        RequestError::MissingToken => RequestError::Scope,
        RequestError::Scope => RequestError::Resource,
        RequestError::Resource => RequestError::MissingCode,
        RequestError::MissingCode => RequestError::MissingRefreshToken,
        RequestError::MissingRefreshToken => RequestError::MissingDeviceCode,
        RequestError::MissingDeviceCode => RequestError::OpaqueToken,
        RequestError::OpaqueToken => RequestError::RedirectUri,
        RequestError::RedirectUri => RequestError::CodeVerifier,
        RequestError::CodeVerifier => return None,
    })
}

#[test]
fn the_document_lists_every_malformed_request() {
    let table = DOCUMENT.split("## Malformed requests\n").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let listed: BTreeSet<String> = rows.map(str::to_owned).collect();
    let mut all = BTreeSet::new();
    let mut error = Some(RequestError::Form(FormError::TooLarge));
    while let Some(this) = error {
        let (code, status) = (this.code().as_str(), this.status());
        all.insert(format!("| {} | `{code}` | {status} |", this.description()));
        error = next(this);
    }
    assert_eq!(listed, all);
}
