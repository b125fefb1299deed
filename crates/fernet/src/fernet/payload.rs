//! The payloads of Fernet tokens: eleven layouts of one list.

use std::time::Duration;

use rustls_pki_types::UnixTime;

use super::msgpack::{Reader, TooLong, Writer};
use super::uuid;
use crate::limits::{MAX_FERNET_TOKEN, MAX_THUMBPRINT, MAX_TIME};
use crate::{AuditId, AuditIds, DecodeError, Federation, IssueError, KeystoneId, Scope, TokenSubject};

/// Which of Keystone's layouts a payload has: the number in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "Keystone's table; a twelfth needs code of its own"
)]
pub enum PayloadVersion {
    /// 0
    Unscoped,
    /// 1
    Domain,
    /// 2
    Project,
    /// 3
    Trust,
    /// 4
    FederatedUnscoped,
    /// 5
    FederatedProject,
    /// 6
    FederatedDomain,
    /// 7
    OAuth1,
    /// 8
    System,
    /// 9
    ApplicationCredential,
    /// 10
    OAuth2Certificate,
}

impl PayloadVersion {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Unscoped,
        Self::Domain,
        Self::Project,
        Self::Trust,
        Self::FederatedUnscoped,
        Self::FederatedProject,
        Self::FederatedDomain,
        Self::OAuth1,
        Self::System,
        Self::ApplicationCredential,
        Self::OAuth2Certificate,
    ];

    /// The number in the payload.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Unscoped => 0,
            Self::Domain => 1,
            Self::Project => 2,
            Self::Trust => 3,
            Self::FederatedUnscoped => 4,
            Self::FederatedProject => 5,
            Self::FederatedDomain => 6,
            Self::OAuth1 => 7,
            Self::System => 8,
            Self::ApplicationCredential => 9,
            Self::OAuth2Certificate => 10,
        }
    }

    /// How many items the list has, the number itself among them.
    const fn items(self) -> usize {
        match self {
            Self::Unscoped => 5,
            Self::Domain | Self::Project | Self::System => 6,
            Self::Trust | Self::OAuth1 | Self::ApplicationCredential => 7,
            Self::FederatedUnscoped | Self::OAuth2Certificate => 8,
            Self::FederatedProject | Self::FederatedDomain => 9,
        }
    }

    /// The layout that Keystone takes for a subject: the first that fits of `OAuth` 1.0a, trust, federation,
    /// application credential, certificate, scope.
    ///
    /// # Errors
    /// [`IssueError::Layout`] if the layout has no place for something that the subject says, which Keystone would
    /// drop without a word; [`IssueError::Claim`] for a scope that the layout cannot have.
    pub fn of(subject: &TokenSubject) -> Result<Self, IssueError> {
        let TokenSubject {
            scope,
            trust_id,
            federation,
            access_token_id,
            application_credential_id,
            thumbprint,
            ..
        } = subject;
        let delegations = [
            access_token_id.is_some(),
            trust_id.is_some(),
            federation.is_some(),
            application_credential_id.is_some(),
            thumbprint.is_some(),
        ];
        if delegations.into_iter().filter(|&is| is).count() > 1 {
            return Err(IssueError::Layout);
        }
        let scoped = || match scope {
            Scope::Unscoped => Self::Unscoped,
            Scope::Project(_) => Self::Project,
            Scope::Domain(_) => Self::Domain,
            Scope::System(_) => Self::System,
        };
        let version = match delegations {
            [true, ..] => Self::OAuth1,
            [_, true, ..] => Self::Trust,
            [_, _, true, ..] => match scope {
                Scope::Unscoped => Self::FederatedUnscoped,
                Scope::Project(_) => Self::FederatedProject,
                Scope::Domain(_) => Self::FederatedDomain,
                Scope::System(_) => return Err(IssueError::Layout),
            },
            [_, _, _, true, _] => Self::ApplicationCredential,
            [_, _, _, _, true] => Self::OAuth2Certificate,
            _ => scoped(),
        };
        match (version, scope) {
            (Self::OAuth1 | Self::Trust | Self::ApplicationCredential, Scope::Project(_)) => Ok(version),
            (Self::OAuth1 | Self::Trust | Self::ApplicationCredential, _) => Err(IssueError::Claim("scope")),
            (Self::OAuth2Certificate, Scope::System(_)) => Err(IssueError::Layout),
            _ => Ok(version),
        }
    }
}

/// A payload, read: what every token has, small enough to be handed on without being copied at length.
pub(super) struct Read {
    pub(super) version: PayloadVersion,
    pub(super) user_id: KeystoneId,
    pub(super) mask: u64,
    pub(super) scope: Scope,
    pub(super) expires_at: UnixTime,
    pub(super) audit_ids: AuditIds,
    /// What tokens of trusts, federation and the like have besides.
    pub(super) more: Option<Box<More>>,
}

#[derive(Default)]
pub(super) struct More {
    pub(super) trust_id: Option<KeystoneId>,
    pub(super) federation: Option<Federation>,
    pub(super) access_token_id: Option<KeystoneId>,
    pub(super) application_credential_id: Option<KeystoneId>,
    pub(super) thumbprint: Option<String>,
}

#[inline]
pub(super) fn read(octets: &[u8], default_domain: &KeystoneId) -> Result<Read, DecodeError> {
    let mut reader = Reader::new(octets);
    let items = reader.array()?;
    let version = PayloadVersion::of_number(reader.unsigned()?).ok_or(DecodeError::Version)?;
    if items != version.items() {
        return Err(DecodeError::Payload("a list of another length is due"));
    }
    let user_id = read_user(&mut reader)?;
    let mask = reader.unsigned()?;
    let mut more = version.has_more().then(Box::<More>::default);
    let scope = version.read_scope(&mut reader, default_domain, more.as_deref_mut())?;
    let expires_at = read_time(&mut reader)?;
    let audit_ids = read_audit_ids(&mut reader)?;
    if let Some(more) = &mut more {
        version.read_end(&mut reader, more)?;
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
    #[inline]
    fn read_scope(
        self,
        reader: &mut Reader<'_>,
        default_domain: &KeystoneId,
        more: Option<&mut More>,
    ) -> Result<Scope, DecodeError> {
        let scope = match self {
            Self::Unscoped | Self::FederatedUnscoped => Scope::Unscoped,
            Self::Domain => Scope::Domain(read_domain(reader, default_domain)?),
            Self::System => Scope::System(text_id(reader.octets()?)?),
            Self::Project
            | Self::Trust
            | Self::ApplicationCredential
            | Self::OAuth1
            | Self::FederatedProject => Scope::Project(read_pair(reader)?),
            Self::FederatedDomain => Scope::Domain(read_pair(reader)?),
            Self::OAuth2Certificate => match (read_optional_pair(reader)?, read_optional_pair(reader)?) {
                (None, None) => Scope::Unscoped,
                (Some(project), None) => Scope::Project(project),
                (None, Some(domain)) => Scope::Domain(domain),
                (Some(_), Some(_)) => return Err(DecodeError::Payload("more than one scope")),
            },
        };
        let Some(more) = more else { return Ok(scope) };
        match self {
            Self::OAuth1 => more.access_token_id = Some(read_pair(reader)?),
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
    #[inline]
    fn read_end(self, reader: &mut Reader<'_>, more: &mut More) -> Result<(), DecodeError> {
        match self {
            Self::Trust => {
                let octets = reader.octets()?.and_then(|octets| octets.try_into().ok());
                let octets = octets.ok_or(DecodeError::Payload("16 octets are due"))?;
                more.trust_id = Some(KeystoneId::of_uuid(octets));
            }
            Self::ApplicationCredential => {
                more.application_credential_id = Some(read_pair(reader)?);
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

/// A payload to be written, with its method mask.
pub(super) struct Payload<'a> {
    pub(super) version: PayloadVersion,
    /// Everything but the methods.
    pub(super) subject: &'a TokenSubject,
    pub(super) mask: u64,
    pub(super) expires_at: UnixTime,
    pub(super) audit_ids: AuditIds,
}

impl Payload<'_> {
    pub(super) fn write(&self, writer: &mut Writer, default_domain: &KeystoneId) -> Result<(), IssueError> {
        let subject = self.subject;
        writer.array(self.version.items())?;
        writer.unsigned(self.version.number());
        write_pair(writer, &subject.user_id)?;
        writer.unsigned(self.mask);
        self.write_scope(writer, default_domain)?;
        writer.seconds(self.expires_at.as_secs());
        let ids = [Some(self.audit_ids.own), self.audit_ids.chain];
        writer.array(ids.iter().flatten().count())?;
        for id in ids.iter().flatten() {
            writer.binary(id.octets())?;
        }
        match (self.version, subject) {
            (
                PayloadVersion::Trust,
                TokenSubject {
                    trust_id: Some(id), ..
                },
            ) => {
                let octets = id.uuid().ok_or(IssueError::Claim("trust"))?;
                writer.binary(&octets)?;
            }
            (
                PayloadVersion::ApplicationCredential,
                TokenSubject {
                    application_credential_id: Some(id),
                    ..
                },
            ) => write_pair(writer, id)?,
            (
                PayloadVersion::OAuth2Certificate,
                TokenSubject {
                    thumbprint: Some(text),
                    ..
                },
            ) => {
                writer.array(2)?;
                writer.boolean(false);
                writer.text(text)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn write_scope(&self, writer: &mut Writer, default_domain: &KeystoneId) -> Result<(), IssueError> {
        let certificate = self.version == PayloadVersion::OAuth2Certificate;
        match &self.subject.scope {
            Scope::Domain(id) if self.version == PayloadVersion::Domain => match id.uuid() {
                Some(octets) => writer.binary(&octets)?,
                None if id == default_domain => writer.text(id.as_str())?,
                None => return Err(IssueError::Claim("domain")),
            },
            Scope::Domain(id) if certificate => {
                write_no_pair(writer)?;
                write_pair(writer, id)?;
            }
            Scope::Project(id) | Scope::Domain(id) => {
                write_pair(writer, id)?;
                if certificate {
                    write_no_pair(writer)?;
                }
            }
            Scope::System(id) => writer.text(id.as_str())?,
            Scope::Unscoped if certificate => {
                write_no_pair(writer)?;
                write_no_pair(writer)?;
            }
            Scope::Unscoped => {}
        }
        if let Some(id) = &self.subject.access_token_id {
            write_pair(writer, id)?;
        }
        if let Some(federation) = &self.subject.federation {
            writer.array(federation.groups.len())?;
            for group in &federation.groups {
                write_pair(writer, group)?;
            }
            write_pair(writer, &federation.identity_provider_id)?;
            writer.text(federation.protocol_id.as_str())?;
        }
        Ok(())
    }
}

impl From<TooLong> for IssueError {
    fn from(_error: TooLong) -> Self {
        Self::TooLong {
            limit: MAX_FERNET_TOKEN,
        }
    }
}

/// A user in the form of a pair, which tokens and receipts begin with.
#[inline]
pub(super) fn read_user(reader: &mut Reader<'_>) -> Result<KeystoneId, DecodeError> {
    read_pair(reader)
}

/// `[true, 16 octets]` is a UUID in hexadecimal, `[false, text]` is the text.
#[inline]
fn read_pair(reader: &mut Reader<'_>) -> Result<KeystoneId, DecodeError> {
    read_optional_pair(reader)?.ok_or(DecodeError::Payload("an identifier is due"))
}

#[inline]
fn read_optional_pair(reader: &mut Reader<'_>) -> Result<Option<KeystoneId>, DecodeError> {
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
    Ok(Some(KeystoneId::of_uuid(octets)))
}

/// Not a pair: 16 octets, or the text of `[identity] default_domain_id` and no other.
fn read_domain(reader: &mut Reader<'_>, default_domain: &KeystoneId) -> Result<KeystoneId, DecodeError> {
    let octets = reader.octets()?.ok_or(DecodeError::Payload("a domain is due"))?;
    if octets == default_domain.as_str().as_bytes() {
        return Ok(default_domain.clone());
    }
    let octets = octets
        .try_into()
        .map_err(|_error| DecodeError::Payload("16 octets are due"))?;
    Ok(KeystoneId::of_uuid(octets))
}

fn read_federation(reader: &mut Reader<'_>) -> Result<Federation, DecodeError> {
    let groups = reader.array()?;
    let groups = (0..groups)
        .map(|_place| read_pair(reader))
        .collect::<Result<_, _>>()?;
    Ok(Federation {
        groups,
        identity_provider_id: read_pair(reader)?,
        protocol_id: text_id(reader.octets()?)?,
    })
}

#[inline]
fn read_audit_ids(reader: &mut Reader<'_>) -> Result<AuditIds, DecodeError> {
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
pub(super) fn read_time(reader: &mut Reader<'_>) -> Result<UnixTime, DecodeError> {
    let seconds = reader.seconds()?;
    if seconds > MAX_TIME {
        return Err(DecodeError::Payload("a time is out of range"));
    }
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

fn text_id(octets: Option<&[u8]>) -> Result<KeystoneId, DecodeError> {
    let text = octets.and_then(|octets| std::str::from_utf8(octets).ok());
    let text = text.ok_or(DecodeError::Payload("text is due"))?;
    KeystoneId::parse(text).map_err(|_error| DecodeError::Payload("an identifier is out of bounds"))
}

pub(super) fn write_pair(writer: &mut Writer, id: &KeystoneId) -> Result<(), IssueError> {
    writer.array(2)?;
    if let Some(octets) = id.uuid() {
        writer.boolean(true);
        writer.binary(&octets)?;
    } else if uuid::python_reads(id.as_str()) {
        return Err(IssueError::Id);
    } else {
        writer.boolean(false);
        writer.text(id.as_str())?;
    }
    Ok(())
}

fn write_no_pair(writer: &mut Writer) -> Result<(), IssueError> {
    writer.array(2)?;
    writer.boolean(false);
    writer.nil();
    Ok(())
}
