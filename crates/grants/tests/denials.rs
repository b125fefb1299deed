//! What each denial looks like from outside: every variant, its code, its status, its rule.

use sealstone_grants::Denial;
use sealstone_grants::assertion::AssertionFault;
use sealstone_identity::Refusal;
use sealstone_oauth_types::RequestError;
use std::collections::BTreeSet;

const ALL: [(Denial, &str, u16, &str); 25] = [
    (
        Denial::Malformed(RequestError::MissingGrantType),
        "invalid_request",
        400,
        "malformed_request",
    ),
    (Denial::UnknownClient, "invalid_client", 401, "unknown_client"),
    (Denial::DisabledClient, "invalid_client", 401, "disabled_client"),
    (
        Denial::OtherMethod,
        "invalid_client",
        401,
        "other_authentication_method",
    ),
    (Denial::NoCredential, "invalid_client", 401, "no_credential"),
    (Denial::WrongSecret, "invalid_client", 401, "wrong_secret"),
    (Denial::NoCertificate, "invalid_client", 401, "no_certificate"),
    (
        Denial::UntrustedCertificate("certificate_revoked"),
        "invalid_client",
        401,
        "untrusted_certificate",
    ),
    (
        Denial::CertificateOutOfDate,
        "invalid_client",
        401,
        "certificate_out_of_date",
    ),
    (
        Denial::OtherCertificate,
        "invalid_client",
        401,
        "other_certificate",
    ),
    (
        Denial::WrongAssertion(AssertionFault::Signature),
        "invalid_client",
        401,
        "wrong_assertion",
    ),
    (
        Denial::BindingImpossible,
        "invalid_request",
        400,
        "binding_impossible",
    ),
    (
        Denial::UnsupportedGrantType,
        "unsupported_grant_type",
        400,
        "unsupported_grant_type",
    ),
    (
        Denial::UnauthorizedGrantType,
        "unauthorized_client",
        400,
        "unauthorized_grant_type",
    ),
    (Denial::ScopeNotAllowed, "invalid_scope", 400, "scope_not_allowed"),
    (
        Denial::TargetNotAllowed,
        "invalid_target",
        400,
        "target_not_allowed",
    ),
    (Denial::MixedTargets, "invalid_target", 400, "mixed_targets"),
    (
        Denial::IdentityRefused(Refusal::NoRole),
        "invalid_grant",
        400,
        "identity_refused",
    ),
    (Denial::OtherIdentity, "invalid_grant", 400, "other_identity"),
    (
        Denial::MappingUndecided("no_rule"),
        "invalid_grant",
        400,
        "mapping_undecided",
    ),
    (
        Denial::UnrestrictedCredential,
        "invalid_grant",
        400,
        "unrestricted_application_credential",
    ),
    (
        Denial::NoKeystoneIdentity,
        "unauthorized_client",
        400,
        "no_keystone_identity",
    ),
    (
        Denial::KeystoneRefused(Refusal::Credential),
        "invalid_client",
        401,
        "keystone_refused",
    ),
    (
        Denial::KeystoneBindingImpossible,
        "unauthorized_client",
        400,
        "keystone_binding_impossible",
    ),
    (
        Denial::IntrospectionNotAllowed,
        "insufficient_scope",
        403,
        "introspection_not_allowed",
    ),
];

#[test]
fn every_denial_has_its_code_status_and_rule() {
    for (denial, code, status, rule) in &ALL {
        assert_eq!(denial.code().as_str(), *code, "{denial:?}");
        assert_eq!(denial.code().status(), *status, "{denial:?}");
        assert_eq!(denial.rule(), *rule, "{denial:?}");
    }
    let rules: BTreeSet<&str> = ALL.iter().map(|(denial, ..)| denial.rule()).collect();
    assert_eq!(rules.len(), ALL.len(), "each rule has a name of its own");
}

/// What only the audit trail is told.
#[test]
fn the_detail_of_an_untrusted_certificate_changes_no_answer() {
    let [one, other] = ["certificate_revoked", "not_judged"].map(Denial::UntrustedCertificate);
    assert_eq!(
        (one.detail(), other.detail()),
        (Some("certificate_revoked"), Some("not_judged"))
    );
    assert_eq!(
        (one.code(), one.description(), one.rule()),
        (other.code(), other.description(), other.rule())
    );
    let detailed = ALL.iter().filter(|(denial, ..)| denial.detail().is_some());
    assert_eq!(detailed.count(), 5);
}

/// `docs/reference/errors.md` lists every reason for which an assertion is refused, and no other.
#[test]
fn the_document_lists_every_fault_of_an_assertion() {
    let document = include_str!("../../../docs/reference/errors.md");
    let table = document.split("## Why an assertion is refused\n").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let all: BTreeSet<&str> = AssertionFault::ALL
        .into_iter()
        .map(AssertionFault::as_str)
        .collect();
    assert_eq!(listed, all);
}

#[test]
fn whoever_tries_ids_and_secrets_learns_nothing() {
    let failed = ALL.iter().filter(|(_, code, ..)| *code == "invalid_client");
    let descriptions: BTreeSet<&str> = failed.map(|(denial, ..)| denial.description()).collect();
    assert_eq!(descriptions.len(), 1);
}

#[test]
fn descriptions_keep_to_the_characters_of_rfc_6749() {
    for (denial, ..) in &ALL {
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(denial.description().bytes().all(allowed), "{denial:?}");
    }
}

/// `docs/reference/errors.md` lists every rule with its code and status, and no other.
#[test]
fn the_document_lists_every_rule() {
    let document = include_str!("../../../docs/reference/errors.md");
    let table = document.split("## Refused by a rule\n").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let listed: BTreeSet<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    for (denial, code, status, rule) in &ALL {
        let (code, status) = match denial {
            Denial::Malformed(_) => ("by fault, below".to_owned(), "by fault".to_owned()),
            _ => (format!("`{code}`"), status.to_string()),
        };
        let row = format!("| `{rule}` | {code} | {status} | ");
        assert!(listed.iter().any(|line| line.starts_with(&row)), "{row}");
    }
    assert_eq!(listed.len(), ALL.len());
}
