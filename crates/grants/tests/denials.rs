//! What each denial looks like from outside: every variant, its code, its status, its rule.

use sealstone_grants::assertion::AssertionFault;
use sealstone_grants::authorize::{AuthorizationDenial, Displayed};
use sealstone_grants::{Denial, GrantDenial};
use sealstone_identity::{LoginRefusal, Refusal};
use sealstone_oauth_types::{AuthorizationError, RequestError};
use std::collections::BTreeSet;

const OF_CLIENTS: [(Denial, &str, u16, &str); 25] = [
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

/// Of what a person granted.
const OF_GRANTS: [(GrantDenial, &str, u16, &str); 33] = [
    (GrantDenial::UnknownCode, "invalid_grant", 400, "unknown_code"),
    (
        GrantDenial::CodeOfAnotherClient,
        "invalid_grant",
        400,
        "code_of_another_client",
    ),
    (GrantDenial::CodeSpent, "invalid_grant", 400, "code_spent"),
    (GrantDenial::CodeExpired, "invalid_grant", 400, "code_expired"),
    (
        GrantDenial::OtherRedirectUri,
        "invalid_grant",
        400,
        "other_redirect_uri",
    ),
    (GrantDenial::NoVerifier, "invalid_grant", 400, "no_code_verifier"),
    (
        GrantDenial::WrongVerifier,
        "invalid_grant",
        400,
        "wrong_code_verifier",
    ),
    (
        GrantDenial::UnexpectedVerifier,
        "invalid_grant",
        400,
        "unexpected_code_verifier",
    ),
    (GrantDenial::SessionEnded, "invalid_grant", 400, "session_ended"),
    (GrantDenial::ConsentEnded, "invalid_grant", 400, "consent_ended"),
    (
        GrantDenial::UnknownRefreshToken,
        "invalid_grant",
        400,
        "unknown_refresh_token",
    ),
    (
        GrantDenial::RefreshTokenOfAnotherClient,
        "invalid_grant",
        400,
        "refresh_token_of_another_client",
    ),
    (
        GrantDenial::RefreshTokenExpired,
        "invalid_grant",
        400,
        "refresh_token_expired",
    ),
    (
        GrantDenial::RefreshTokenReused,
        "invalid_grant",
        400,
        "refresh_token_reused",
    ),
    (
        GrantDenial::OtherBinding,
        "invalid_grant",
        400,
        "refresh_token_bound_elsewhere",
    ),
    (
        GrantDenial::RefreshTokenBusy,
        "temporarily_unavailable",
        503,
        "refresh_token_busy",
    ),
    (
        GrantDenial::ScopeBeyondGrant,
        "invalid_scope",
        400,
        "scope_beyond_grant",
    ),
    (
        GrantDenial::TargetBeyondGrant,
        "invalid_target",
        400,
        "target_beyond_grant",
    ),
    (GrantDenial::GrantLost, "invalid_grant", 400, "grant_lost"),
    (
        GrantDenial::RegisteredAnew,
        "invalid_grant",
        400,
        "client_registered_anew",
    ),
    (
        GrantDenial::PersonRefused(LoginRefusal::Person),
        "invalid_grant",
        400,
        "person_refused",
    ),
    (GrantDenial::OtherPerson, "invalid_grant", 400, "other_person"),
    (
        GrantDenial::OtherAuthority,
        "invalid_grant",
        400,
        "other_authority",
    ),
    (GrantDenial::LoginOutdated, "invalid_grant", 400, "login_outdated"),
    (
        GrantDenial::UnknownDeviceCode,
        "invalid_grant",
        400,
        "unknown_device_code",
    ),
    (
        GrantDenial::DeviceCodeOfAnotherClient,
        "invalid_grant",
        400,
        "device_code_of_another_client",
    ),
    (
        GrantDenial::DeviceCodeSpent,
        "invalid_grant",
        400,
        "device_code_spent",
    ),
    (
        GrantDenial::DevicePending,
        "authorization_pending",
        400,
        "device_pending",
    ),
    (GrantDenial::DeviceTooFast, "slow_down", 400, "device_too_fast"),
    (GrantDenial::DeviceRefused, "access_denied", 400, "device_refused"),
    (
        GrantDenial::DeviceCodeExpired,
        "expired_token",
        400,
        "device_code_expired",
    ),
    (
        GrantDenial::TooManyDevices,
        "temporarily_unavailable",
        503,
        "too_many_devices",
    ),
    (
        GrantDenial::NotForUserinfo,
        "insufficient_scope",
        403,
        "not_for_userinfo",
    ),
];

fn all() -> Vec<(Denial, &'static str, u16, &'static str)> {
    let of_grants = OF_GRANTS
        .into_iter()
        .map(|(denial, code, status, rule)| (Denial::Grant(denial), code, status, rule));
    OF_CLIENTS.into_iter().chain(of_grants).collect()
}

#[test]
fn every_denial_has_its_code_status_and_rule() {
    let all = all();
    assert_eq!(OF_GRANTS.map(|(denial, ..)| denial), GrantDenial::ALL);
    for (denial, code, status, rule) in &all {
        assert_eq!(denial.code().as_str(), *code, "{denial:?}");
        assert_eq!(denial.code().status(), *status, "{denial:?}");
        assert_eq!(denial.rule(), *rule, "{denial:?}");
    }
    let rules: BTreeSet<&str> = all.iter().map(|(denial, ..)| denial.rule()).collect();
    assert_eq!(rules.len(), all.len(), "each rule has a name of its own");
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
    let all = all();
    let detailed = all.iter().filter(|(denial, ..)| denial.detail().is_some());
    assert_eq!(detailed.count(), 6);
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
    let all = all();
    let failed = all.iter().filter(|(_, code, ..)| *code == "invalid_client");
    let descriptions: BTreeSet<&str> = failed.map(|(denial, ..)| denial.description()).collect();
    assert_eq!(descriptions.len(), 1);
}

#[test]
fn descriptions_keep_to_the_characters_of_rfc_6749() {
    let descriptions = all().into_iter().map(|(denial, ..)| denial.description());
    let told = AuthorizationDenial::ALL.map(AuthorizationDenial::description);
    for description in descriptions.chain(told) {
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(description.bytes().all(allowed), "{description:?}");
    }
}

/// `docs/reference/errors.md` lists every rule with its code and status, and no other.
#[test]
fn the_document_lists_every_rule() {
    let all = all();
    let want = all.iter().map(|(denial, code, status, rule)| match denial {
        Denial::Malformed(_) => format!("| `{rule}` | by fault, below | by fault | "),
        _ => format!("| `{rule}` | `{code}` | {status} | "),
    });
    assert_rows("## Refused by a rule\n", want.collect());
}

/// The same for the authorization endpoint: what the client is told, and what only the page tells.
#[test]
fn the_document_lists_every_rule_of_the_authorization_endpoint() {
    let told = AuthorizationDenial::ALL.map(|denial| match denial {
        AuthorizationDenial::Malformed(_) => format!("| `{}` | by fault, below | ", denial.rule()),
        _ => format!("| `{}` | `{}` | ", denial.rule(), denial.code()),
    });
    let shown = Displayed::ALL.map(|displayed| format!("| `{}` | a page | ", displayed.rule()));
    let rules: BTreeSet<&str> = AuthorizationDenial::ALL.map(AuthorizationDenial::rule).into();
    assert_eq!(rules.len(), AuthorizationDenial::ALL.len());
    assert_rows(
        "## Refused at the authorization endpoint\n",
        shown.into_iter().chain(told).collect(),
    );
}

fn assert_rows(heading: &str, want: Vec<String>) {
    let document = include_str!("../../../docs/reference/errors.md");
    let table = document.split(heading).nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let listed: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    for row in &want {
        assert_eq!(
            listed.iter().filter(|line| line.starts_with(row)).count(),
            1,
            "{row}"
        );
    }
    assert_eq!(listed.len(), want.len());
}

/// Every fault of an authorization request, with its code.
#[test]
fn the_document_lists_every_malformed_authorization_request() {
    let want = AuthorizationError::ALL
        .iter()
        .map(|error| format!("| {} | `{}` |", error.description(), error.code()));
    let document = include_str!("../../../docs/reference/errors.md");
    let table = document
        .split("## Malformed authorization requests\n")
        .nth(1)
        .unwrap();
    let table = table.split("\n## ").next().unwrap();
    let listed: BTreeSet<String> = table
        .lines()
        .skip(3)
        .map(str::to_owned)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(listed, want.collect::<BTreeSet<String>>());
}

/// `docs/reference/errors.md` lists every reason for which a person is refused, and no other.
#[test]
fn the_document_lists_every_refusal_of_a_person() {
    let document = include_str!("../../../docs/reference/errors.md");
    let table = document.split("## Why a person is refused\n").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let listed: BTreeSet<&str> = cells
        .flat_map(|cell| cell.split(", ").map(|word| word.trim_matches('`')))
        .collect();
    let all: BTreeSet<&str> = LoginRefusal::ALL.into_iter().map(LoginRefusal::as_str).collect();
    assert_eq!(listed, all);
}
