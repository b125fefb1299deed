//! The payloads of Fernet tokens: eleven layouts of one list.

use rustls_pki_types::UnixTime;

use super::msgpack::{TooLong, Writer};
use super::uuid;
use crate::limits::MAX_FERNET_TOKEN;
use crate::{AuditIds, IssueError, KeystoneId, Scope, TokenSubject};

mod read;

pub(super) use read::{read, read_time, read_user};

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

pub(super) fn write_pair(writer: &mut Writer, id: &KeystoneId) -> Result<(), IssueError> {
    if let Some(octets) = id.uuid() {
        writer.uuid_pair(&octets);
        return Ok(());
    }
    writer.array(2)?;
    if uuid::python_reads(id.as_str()) {
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
