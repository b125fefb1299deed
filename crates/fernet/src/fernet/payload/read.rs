//! A payload, read.

use std::time::Duration;

use rustls_pki_types::UnixTime;

use super::super::msgpack::Reader;
use super::PayloadVersion;
use crate::limits::{MAX_THUMBPRINT, MAX_TIME};
use crate::{AuditId, AuditIds, DecodeError, Federation, KeystoneId, Scope};

/// A payload, read: what every token has, as it stands in the token. What is handed out is made of it at once and in its
/// place: a token's claims are too long to be moved about.
pub(in crate::fernet) struct Read<'a> {
    pub(in crate::fernet) version: PayloadVersion,
    pub(in crate::fernet) user_id: RawId<'a>,
    pub(in crate::fernet) mask: u64,
    pub(in crate::fernet) scope: RawScope<'a>,
    pub(in crate::fernet) expires_at: UnixTime,
    pub(in crate::fernet) audit_ids: AuditIds,
    /// What tokens of trusts, federation and the like have besides.
    pub(in crate::fernet) more: Option<Box<More>>,
}

/// An identifier in a payload.
#[derive(Clone, Copy)]
pub(in crate::fernet) enum RawId<'a> {
    Uuid(&'a [u8; 16]),
    /// What [`KeystoneId::allows`].
    Text(&'a str),
}

impl RawId<'_> {
    #[inline(always)]
    pub(in crate::fernet) fn id(self) -> KeystoneId {
        match self {
            Self::Uuid(octets) => KeystoneId::of_uuid(octets),
            Self::Text(text) => KeystoneId::of_allowed(text),
        }
    }
}

/// A scope in a payload.
pub(in crate::fernet) enum RawScope<'a> {
    Unscoped,
    Project(RawId<'a>),
    Domain(RawId<'a>),
    System(RawId<'a>),
}

impl RawScope<'_> {
    #[inline(always)]
    pub(in crate::fernet) fn scope(self) -> Scope {
        match self {
            Self::Unscoped => Scope::Unscoped,
            Self::Project(id) => Scope::Project(id.id()),
            Self::Domain(id) => Scope::Domain(id.id()),
            Self::System(id) => Scope::System(id.id()),
        }
    }
}

#[derive(Default)]
pub(in crate::fernet) struct More {
    pub(in crate::fernet) trust_id: Option<KeystoneId>,
    pub(in crate::fernet) federation: Option<Federation>,
    pub(in crate::fernet) access_token_id: Option<KeystoneId>,
    pub(in crate::fernet) application_credential_id: Option<KeystoneId>,
    pub(in crate::fernet) thumbprint: Option<String>,
}

#[inline]
pub(in crate::fernet) fn read<'a>(
    octets: &'a [u8],
    default_domain: &'a KeystoneId,
) -> Result<Read<'a>, DecodeError> {
    let mut reader = Reader::new(octets);
    let items = reader.array()?;
    let version = PayloadVersion::of_number(reader.unsigned()?).ok_or(DecodeError::Version)?;
    if items != version.items() {
        return Err(DecodeError::Payload("a list of another length is due"));
    }
    let user_id = read_pair(&mut reader)?;
    let mask = reader.unsigned()?;
    let mut more = version.has_more().then(Box::<More>::default);
    let scope = if version == PayloadVersion::Project {
        RawScope::Project(read_pair(&mut reader)?)
    } else {
        reader.aside(|reader| version.read_scope(reader, default_domain, more.as_deref_mut()))?
    };
    let expires_at = read_time(&mut reader)?;
    let audit_ids = read_audit_ids(&mut reader)?;
    if let Some(more) = &mut more {
        reader.aside(|reader| version.read_end(reader, more))?;
    }
    reader.end()?;
    Ok(Read {
        version,
        user_id,
        mask,
        scope,
        expires_at,
        audit_ids,
        more,
    })
}

impl PayloadVersion {
    fn of_number(number: u64) -> Option<Self> {
        let place = usize::try_from(number).ok()?;
        // As `number` counts them.
        Self::ALL.get(place).copied()
    }

    const fn has_more(self) -> bool {
        !matches!(self, Self::Unscoped | Self::Domain | Self::Project | Self::System)
    }

    /// What stands between the methods and the end of the token.
    fn read_scope<'a>(
        self,
        reader: &mut Reader<'a>,
        default_domain: &'a KeystoneId,
        more: Option<&mut More>,
    ) -> Result<RawScope<'a>, DecodeError> {
        let scope = match self {
            Self::Unscoped | Self::FederatedUnscoped => RawScope::Unscoped,
            Self::Domain => RawScope::Domain(read_domain(reader, default_domain)?),
            Self::System => RawScope::System(text_id(reader.octets()?)?),
            Self::Project
            | Self::Trust
            | Self::ApplicationCredential
            | Self::OAuth1
            | Self::FederatedProject => RawScope::Project(read_pair(reader)?),
            Self::FederatedDomain => RawScope::Domain(read_pair(reader)?),
            Self::OAuth2Certificate => match (read_optional_pair(reader)?, read_optional_pair(reader)?) {
                (None, None) => RawScope::Unscoped,
                (Some(project), None) => RawScope::Project(project),
                (None, Some(domain)) => RawScope::Domain(domain),
                (Some(_), Some(_)) => return Err(DecodeError::Payload("more than one scope")),
            },
        };
        let Some(more) = more else { return Ok(scope) };
        match self {
            Self::OAuth1 => more.access_token_id = Some(read_pair(reader)?.id()),
            Self::FederatedUnscoped | Self::FederatedProject | Self::FederatedDomain => {
                more.federation = Some(read_federation(reader)?);
            }
            Self::Unscoped
            | Self::Domain
            | Self::Project
            | Self::Trust
            | Self::System
            | Self::ApplicationCredential
            | Self::OAuth2Certificate => {}
        }
        Ok(scope)
    }

    /// What stands after the audit ids.
    fn read_end(self, reader: &mut Reader<'_>, more: &mut More) -> Result<(), DecodeError> {
        match self {
            Self::Trust => {
                let octets = reader.octets()?.and_then(|octets| octets.try_into().ok());
                let octets: &[u8; 16] = octets.ok_or(DecodeError::Payload("16 octets are due"))?;
                more.trust_id = Some(KeystoneId::of_uuid(octets));
            }
            Self::ApplicationCredential => {
                more.application_credential_id = Some(read_pair(reader)?.id());
            }
            Self::OAuth2Certificate => {
                reader.array_of(2)?;
                if reader.boolean()? {
                    return Err(DecodeError::Payload("a thumbprint is text"));
                }
                let octets = reader.octets()?.unwrap_or_default();
                let text =
                    std::str::from_utf8(octets).map_err(|_error| DecodeError::Payload("text is due"))?;
                if text.is_empty() || text.len() > MAX_THUMBPRINT {
                    return Err(DecodeError::Payload("a thumbprint is out of bounds"));
                }
                more.thumbprint = Some(text.to_owned());
            }
            Self::Unscoped
            | Self::Domain
            | Self::Project
            | Self::FederatedUnscoped
            | Self::FederatedProject
            | Self::FederatedDomain
            | Self::OAuth1
            | Self::System => {}
        }
        Ok(())
    }
}

/// A user in the form of a pair, which tokens and receipts begin with.
pub(in crate::fernet) fn read_user(reader: &mut Reader<'_>) -> Result<KeystoneId, DecodeError> {
    read_pair(reader).map(RawId::id)
}

/// `[true, 16 octets]` is a UUID in hexadecimal, `[false, text]` is the text.
#[inline]
fn read_pair<'a>(reader: &mut Reader<'a>) -> Result<RawId<'a>, DecodeError> {
    if let Some(octets) = reader.uuid_pair() {
        return Ok(RawId::Uuid(octets));
    }
    reader
        .aside(read_optional_pair)?
        .ok_or(DecodeError::Payload("an identifier is due"))
}

fn read_optional_pair<'a>(reader: &mut Reader<'a>) -> Result<Option<RawId<'a>>, DecodeError> {
    reader.array_of(2)?;
    let packed = reader.boolean()?;
    let Some(octets) = reader.octets()? else {
        return if packed {
            Err(DecodeError::Payload("16 octets are due"))
        } else {
            Ok(None)
        };
    };
    if !packed {
        return text_id(Some(octets)).map(Some);
    }
    let octets = octets
        .try_into()
        .map_err(|_error| DecodeError::Payload("16 octets are due"))?;
    Ok(Some(RawId::Uuid(octets)))
}

/// Not a pair: 16 octets, or the text of `[identity] default_domain_id` and no other.
fn read_domain<'a>(
    reader: &mut Reader<'a>,
    default_domain: &'a KeystoneId,
) -> Result<RawId<'a>, DecodeError> {
    let octets = reader.octets()?.ok_or(DecodeError::Payload("a domain is due"))?;
    if octets == default_domain.as_str().as_bytes() {
        return Ok(RawId::Text(default_domain.as_str()));
    }
    let octets = octets
        .try_into()
        .map_err(|_error| DecodeError::Payload("16 octets are due"))?;
    Ok(RawId::Uuid(octets))
}

fn read_federation(reader: &mut Reader<'_>) -> Result<Federation, DecodeError> {
    let groups = reader.array()?;
    let groups = (0..groups)
        .map(|_place| read_pair(reader).map(RawId::id))
        .collect::<Result<_, _>>()?;
    Ok(Federation {
        groups,
        identity_provider_id: read_pair(reader)?.id(),
        protocol_id: text_id(reader.octets()?)?.id(),
    })
}

#[inline]
fn read_audit_ids(reader: &mut Reader<'_>) -> Result<AuditIds, DecodeError> {
    if let Some(octets) = reader.lone_audit_id() {
        return Ok(AuditId::new(*octets).into());
    }
    reader.aside(read_any_audit_ids)
}

fn read_any_audit_ids(reader: &mut Reader<'_>) -> Result<AuditIds, DecodeError> {
    let items = reader.array()?;
    let mut id = || {
        let octets = reader.octets()?.and_then(|octets| octets.try_into().ok());
        octets
            .map(AuditId::new)
            .ok_or(DecodeError::Payload("16 octets are due"))
    };
    match items {
        1 => Ok(id()?.into()),
        2 => Ok(AuditIds {
            own: id()?,
            chain: Some(id()?),
        }),
        _ => Err(DecodeError::Payload("one audit id or two are due")),
    }
}

#[inline]
pub(in crate::fernet) fn read_time(reader: &mut Reader<'_>) -> Result<UnixTime, DecodeError> {
    let seconds = reader.seconds()?;
    if seconds > MAX_TIME {
        return Err(DecodeError::Payload("a time is out of range"));
    }
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

fn text_id(octets: Option<&[u8]>) -> Result<RawId<'_>, DecodeError> {
    let text = octets.and_then(|octets| std::str::from_utf8(octets).ok());
    let text = text.ok_or(DecodeError::Payload("text is due"))?;
    if !KeystoneId::allows(text) {
        return Err(DecodeError::Payload("an identifier is out of bounds"));
    }
    Ok(RawId::Text(text))
}
