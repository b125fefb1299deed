//! The claims as JSON, in Keystone's order and spelling.

use std::io;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use crate::limits::{MAX_METHOD, MAX_METHODS, MAX_THUMBPRINT, MAX_TIME};
use crate::{AuditId, AuditIds, DecodeError, Federation, KeystoneId, Scope, TokenClaims, TokenSubject};

/// The members in the order in which Keystone writes them; what is `None` is left out.
#[derive(Serialize)]
struct Written<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    openstack_methods: &'a [String],
    openstack_audit_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_system: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_domain_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_project_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_trust_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_group_ids: Option<Vec<Group<&'a str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_idp_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_protocol_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_access_token_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_app_cred_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openstack_thumbprint: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct Group<T> {
    id: T,
}

/// Appends the claims' JSON to `out`.
pub(super) fn write(claims: &TokenClaims, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let subject = &claims.subject;
    let (mut system, mut domain, mut project) = (None, None, None);
    match &subject.scope {
        Scope::Unscoped => {}
        Scope::Project(id) => project = Some(id.as_str()),
        Scope::Domain(id) => domain = Some(id.as_str()),
        Scope::System(id) => system = Some(id.as_str()),
    }
    let federation = subject.federation.as_ref();
    let ids = [Some(claims.audit_ids.own), claims.audit_ids.chain];
    let written = Written {
        sub: subject.user_id.as_str(),
        iat: claims.issued_at.as_secs(),
        exp: claims.expires_at.as_secs(),
        openstack_methods: &subject.methods,
        openstack_audit_ids: ids.iter().flatten().map(ToString::to_string).collect(),
        openstack_system: system,
        openstack_domain_id: domain,
        openstack_project_id: project,
        openstack_trust_id: text(&subject.trust_id),
        openstack_group_ids: federation.map(|federation| {
            federation
                .groups
                .iter()
                .map(|id| Group { id: id.as_str() })
                .collect()
        }),
        openstack_idp_id: federation.map(|federation| federation.identity_provider_id.as_str()),
        openstack_protocol_id: federation.map(|federation| federation.protocol_id.as_str()),
        openstack_access_token_id: text(&subject.access_token_id),
        openstack_app_cred_id: text(&subject.application_credential_id),
        openstack_thumbprint: subject.thumbprint.as_deref(),
    };
    written.serialize(&mut serde_json::Serializer::with_formatter(out, Ascii))
}

fn text(id: &Option<KeystoneId>) -> Option<&str> {
    id.as_ref().map(KeystoneId::as_str)
}

/// Python's `json.dumps`: everything beyond ASCII as `\u` escapes.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        let mut units = [0; 2];
        for character in fragment.chars() {
            if character.is_ascii() {
                write!(writer, "{character}")?;
            } else {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        CompactFormatter.write_char_escape(writer, escape)
    }
}

/// The members that Keystone reads. Others are let pass, as Keystone lets them, but for `aud` and `nbf`, on which it
/// fails.
#[derive(Deserialize)]
struct Read {
    sub: String,
    iat: u64,
    exp: u64,
    openstack_methods: Vec<String>,
    openstack_audit_ids: Vec<String>,
    openstack_system: Option<String>,
    openstack_domain_id: Option<String>,
    openstack_project_id: Option<String>,
    openstack_trust_id: Option<String>,
    openstack_group_ids: Option<Vec<Group<String>>>,
    openstack_idp_id: Option<String>,
    openstack_protocol_id: Option<String>,
    openstack_access_token_id: Option<String>,
    openstack_app_cred_id: Option<String>,
    openstack_thumbprint: Option<String>,
    #[serde(default, deserialize_with = "present")]
    aud: bool,
    #[serde(default, deserialize_with = "present")]
    nbf: bool,
}

/// A member that is there, whatever it holds.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_any| true)
}

/// Reads the claims' JSON.
pub(super) fn read(json: &[u8]) -> Result<TokenClaims, DecodeError> {
    let read: Read = sealstone_jose::json::from_slice(json).map_err(DecodeError::Json)?;
    if read.aud || read.nbf {
        return Err(DecodeError::Claim("`aud` and `nbf` are never Keystone's"));
    }
    let federation = federation(
        read.openstack_group_ids,
        read.openstack_idp_id,
        read.openstack_protocol_id,
    )?;
    let methods = read.openstack_methods;
    if methods.len() > MAX_METHODS
        || methods
            .iter()
            .any(|name| name.is_empty() || name.len() > MAX_METHOD)
    {
        return Err(DecodeError::Claim("openstack_methods"));
    }
    if read
        .openstack_thumbprint
        .as_ref()
        .is_some_and(|text| text.is_empty() || text.len() > MAX_THUMBPRINT)
    {
        return Err(DecodeError::Claim("openstack_thumbprint"));
    }
    let scope = match (
        read.openstack_project_id,
        read.openstack_domain_id,
        read.openstack_system,
    ) {
        (None, None, None) => Scope::Unscoped,
        (Some(project), None, None) => Scope::Project(id(project, "openstack_project_id")?),
        (None, Some(domain), None) => Scope::Domain(id(domain, "openstack_domain_id")?),
        (None, None, Some(system)) => Scope::System(id(system, "openstack_system")?),
        _ => return Err(DecodeError::Claim("more than one scope")),
    };
    Ok(TokenClaims {
        subject: TokenSubject {
            user_id: id(read.sub, "sub")?,
            methods: methods.into(),
            scope,
            trust_id: optional(read.openstack_trust_id, "openstack_trust_id")?,
            federation,
            access_token_id: optional(read.openstack_access_token_id, "openstack_access_token_id")?,
            application_credential_id: optional(read.openstack_app_cred_id, "openstack_app_cred_id")?,
            thumbprint: read.openstack_thumbprint,
        },
        audit_ids: audit_ids(&read.openstack_audit_ids)?,
        issued_at: time(read.iat, "iat")?,
        expires_at: time(read.exp, "exp")?,
    })
}

fn federation(
    groups: Option<Vec<Group<String>>>,
    identity_provider: Option<String>,
    protocol: Option<String>,
) -> Result<Option<Federation>, DecodeError> {
    match (groups, identity_provider, protocol) {
        (None, None, None) => Ok(None),
        (Some(groups), Some(identity_provider), Some(protocol)) => Ok(Some(Federation {
            groups: groups
                .into_iter()
                .map(|group| id(group.id, "openstack_group_ids"))
                .collect::<Result<_, _>>()?,
            identity_provider_id: id(identity_provider, "openstack_idp_id")?,
            protocol_id: id(protocol, "openstack_protocol_id")?,
        })),
        _ => Err(DecodeError::Claim("a part of the federation claims")),
    }
}

fn audit_ids(texts: &[String]) -> Result<AuditIds, DecodeError> {
    let parse =
        |text: &String| AuditId::parse(text).map_err(|_error| DecodeError::Claim("openstack_audit_ids"));
    match texts {
        [own] => Ok(parse(own)?.into()),
        [own, chain] => Ok(AuditIds {
            own: parse(own)?,
            chain: Some(parse(chain)?),
        }),
        _ => Err(DecodeError::Claim("openstack_audit_ids")),
    }
}

fn id(text: String, claim: &'static str) -> Result<KeystoneId, DecodeError> {
    KeystoneId::parse(text).map_err(|_error| DecodeError::Claim(claim))
}

fn optional(text: Option<String>, claim: &'static str) -> Result<Option<KeystoneId>, DecodeError> {
    text.map(|text| id(text, claim)).transpose()
}

fn time(seconds: u64, claim: &'static str) -> Result<UnixTime, DecodeError> {
    if seconds > MAX_TIME {
        return Err(DecodeError::Claim(claim));
    }
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}
