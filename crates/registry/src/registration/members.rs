//! The members of a registration: ours, the server's own, and those of the standards that do nothing here.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use crate::error::{RegistrationError, shown};

/// Every member that is read.
pub(super) const KNOWN: [&str; 49] = [
    "client_name",
    "token_endpoint_auth_method",
    "grant_types",
    "scope",
    "default_scope",
    "resources",
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
    "jwks",
    "token_endpoint_auth_signing_alg",
    "client_assertion_audience",
    "accept_assertion_dates_as_text",
    "tls_client_certificate_bound_access_tokens",
    "access_token_lifetime_s",
    "access_token_signing_alg",
    "introspection",
    "introspection_format",
    "authority",
    "openstack_application_credential_id",
    "openstack_application_credential_secret",
    "openstack_application_credential_expires_at",
    "openstack_user_id",
    "openstack_project_id",
    "openstack_mapping",
    "openstack_minted",
    "dangerous_unrestricted_application_credential",
    "redirect_uris",
    "response_types",
    "application_type",
    "post_logout_redirect_uris",
    "require_pkce",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "subject_type",
    "sector_identifier",
    "default_max_age",
    "default_acr_values",
    "minimum_acr",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "consent",
    "refresh_token_lifetime_s",
    "refresh_token_idle_s",
    "client_uri",
    "claims",
    "enabled",
];

/// Members that a server sets: in a request they are an attempt to set them, or a document sent back unchanged.
const SET_BY_SERVER: [&str; 13] = [
    "client_id",
    "client_secret",
    "client_secret_hash",
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
    "domain_id",
    "created_at",
    "updated_at",
    "version",
    "secrets",
    "pre_authorized",
];

const NO_REQUEST_OBJECT: &str = "requests come in their parameters, so leave it out";
const NO_FETCH: &str = "the server fetches nothing that a registration names, so give the keys as `jwks`";
const NO_SECTOR_FETCH: &str =
    "the server fetches nothing that a registration names, so give the host as `sector_identifier`";
const NO_FRONT_CHANNEL: &str = "browsers no longer send what it needs, so use `backchannel_logout_uri`";
const NO_START: &str = "nothing here starts a login for it, so leave it out";
const ALWAYS: &str = "`auth_time` is in every ID token, so leave it out";
const NO_PAGE: &str = "no page shows it, so leave it out";
const NO_STATEMENT: &str = "clients are registered by whoever may, not by a statement, so leave it out";
const NO_ENCRYPTION: &str = "answers are signed and not encrypted, so leave it out";

/// Members of RFC 7591, RFC 9126, OpenID Connect and its logout profiles that nothing reads.
const NOT_OFFERED: [(&str, &str); 21] = [
    ("require_pushed_authorization_requests", NO_REQUEST_OBJECT),
    ("request_uris", NO_REQUEST_OBJECT),
    ("request_object_signing_alg", NO_REQUEST_OBJECT),
    ("initiate_login_uri", NO_START),
    ("frontchannel_logout_uri", NO_FRONT_CHANNEL),
    ("frontchannel_logout_session_required", NO_FRONT_CHANNEL),
    ("require_auth_time", ALWAYS),
    ("jwks_uri", NO_FETCH),
    ("sector_identifier_uri", NO_SECTOR_FETCH),
    ("logo_uri", NO_PAGE),
    ("policy_uri", NO_PAGE),
    ("tos_uri", NO_PAGE),
    ("contacts", NO_PAGE),
    ("software_id", NO_PAGE),
    ("software_version", NO_PAGE),
    ("software_statement", NO_STATEMENT),
    ("id_token_encrypted_response_alg", NO_ENCRYPTION),
    ("id_token_encrypted_response_enc", NO_ENCRYPTION),
    ("userinfo_encrypted_response_alg", NO_ENCRYPTION),
    ("userinfo_encrypted_response_enc", NO_ENCRYPTION),
    ("request_object_encryption_alg", NO_REQUEST_OBJECT),
];

/// Refuses the first member that is not read, and says why.
pub(super) fn check(document: &[u8]) -> Result<(), RegistrationError> {
    let members: BTreeMap<String, IgnoredAny> = serde_json::from_slice(document)
        .map_err(|_| RegistrationError::Json(sealstone_jose::JoseError::UnexpectedJson))?;
    members.keys().try_for_each(|member| check_one(member))
}

fn check_one(member: &str) -> Result<(), RegistrationError> {
    if KNOWN.contains(&member) {
        return Ok(());
    }
    if let Some(member) = SET_BY_SERVER.into_iter().find(|own| *own == member) {
        return Err(RegistrationError::SetByServer { member });
    }
    if let Some((member, instead)) = NOT_OFFERED.into_iter().find(|(name, _)| *name == member) {
        return Err(RegistrationError::NotOffered { member, instead });
    }
    Err(RegistrationError::UnknownMember {
        member: shown(member),
        suggestion: closest(member, &KNOWN),
    })
}

/// The candidate that looks like `text`, if one does.
pub(super) fn closest(text: &str, candidates: &[&'static str]) -> Option<&'static str> {
    if text.len() > 64 {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, candidate), *candidate))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// What the reader expected, without what it found and without its position in the text.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    if let Some((_, expected)) = text.split_once(", expected ") {
        return shown(&format!("expected {expected}"));
    }
    if text.starts_with("unknown ") || text.starts_with("invalid ") {
        return "look at the form in its description".to_owned();
    }
    text.chars().take(200).collect()
}
