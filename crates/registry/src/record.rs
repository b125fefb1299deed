//! The form in which a client is stored: JSON with a version number, checked again when it is read.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use serde::{Deserialize, Serialize};

use crate::{
    client::Client,
    error::RegistrationError,
    registration::ClientRegistration,
    sealed_secret::SealedSecret,
    secret::SecretHash,
    secret_set::{KeptSecret, SecretSet, StoredSecret},
};

/// The version of the stored form that this crate writes. It reads all up to it.
///
/// - 1: registrations with a static authority.
/// - 2: `application_credential_secret` and `tie_changed_at`; the registration's `openstack_*` members; sealed secrets
///   of `client_secret_jwt`, and the registration's members about assertions and `introspection_format`.
/// - 3: `token_endpoint_auth_method` `none`, the grants of people, and the registration's members about them.
pub const RECORD_VERSION: u32 = 3;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    record_version: u32,
    client_id: ClientId,
    domain_id: DomainId,
    version: u64,
    created_at: u64,
    updated_at: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SecretRecord>,
    /// Sealed under the key-encryption key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    application_credential_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tie_changed_at: Option<u64>,
    registration: ClientRegistration,
}

/// The current secret, then the previous one: hashed or sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hmac_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

impl Client {
    /// The stored form: a JSON object with [`RECORD_VERSION`], the registration with every default written out, the
    /// hashes of the secrets, and the sealed secret of its application credential.
    ///
    /// # Errors
    /// [`RecordError::Malformed`] if it cannot be written, which no valid client causes.
    pub fn to_record(&self) -> Result<String, RecordError> {
        let secrets = self.auth().secrets().map_or_else(Vec::new, |set| {
            [Some(set.current()), set.previous()]
                .into_iter()
                .flatten()
                .map(SecretRecord::of)
                .collect()
        });
        let record = Record {
            record_version: RECORD_VERSION,
            client_id: self.id.clone(),
            domain_id: self.domain.clone(),
            version: self.version,
            created_at: self.created_at.as_secs(),
            updated_at: self.updated_at.as_secs(),
            secrets,
            application_credential_secret: self
                .tie()
                .sealed_secret()
                .map(|sealed| sealed.as_str().to_owned()),
            tie_changed_at: self.tie_changed_at.map(|at| at.as_secs()),
            registration: self.registration(),
        };
        serde_json::to_string(&record).map_err(RecordError::malformed)
    }

    /// Reads [`Client::to_record`] back and checks it as a new registration is checked: what was stored under laxer
    /// rules, or changed by hand, is refused rather than used.
    ///
    /// # Errors
    /// [`RecordError`], with the rule that is broken.
    pub fn from_record(record: &[u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Version {
            record_version: u32,
        }
        let Version { record_version } = serde_json::from_slice(record).map_err(RecordError::malformed)?;
        if record_version > RECORD_VERSION {
            return Err(RecordError::Newer {
                found: record_version,
            });
        }
        let record: Record = serde_json::from_slice(record).map_err(RecordError::malformed)?;
        let mut secrets = Vec::with_capacity(record.secrets.len());
        for secret in &record.secrets {
            secrets.push(secret.parse()?);
        }
        let mut secrets = secrets.into_iter();
        let set = secrets
            .next()
            .map(|current| SecretSet::from_parts(current, secrets.next()));
        if secrets.next().is_some() {
            return Err(RecordError::Secrets);
        }
        let mut registration = record.registration;
        registration.sealed_application_credential_secret = record
            .application_credential_secret
            .as_deref()
            .map(SealedSecret::parse)
            .transpose()
            .map_err(RecordError::Invalid)?;
        let settings = registration
            .check(&record.client_id, set)
            .map_err(RecordError::Invalid)?;
        Ok(Self {
            id: record.client_id,
            domain: record.domain_id,
            settings,
            created_at: at(record.created_at),
            updated_at: at(record.updated_at),
            tie_changed_at: record.tie_changed_at.map(at),
            version: record.version,
        })
    }
}

const fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

impl SecretRecord {
    fn of(secret: &StoredSecret) -> Self {
        let (hmac_sha256, sealed) = match &secret.kept {
            KeptSecret::Hash(hash) => (Some(hash.to_text()), None),
            KeptSecret::Sealed(sealed) => (None, Some(sealed.as_str().to_owned())),
        };
        Self {
            hmac_sha256,
            sealed,
            expires_at: secret.expires_at.map(|expiry| expiry.as_secs()),
        }
    }

    fn parse(&self) -> Result<StoredSecret, RecordError> {
        let kept = match (&self.hmac_sha256, &self.sealed) {
            (Some(hash), None) => SecretHash::parse(hash).map(KeptSecret::Hash),
            (None, Some(sealed)) => SealedSecret::parse(sealed).map(KeptSecret::Sealed).ok(),
            (None, None) | (Some(_), Some(_)) => None,
        };
        Ok(StoredSecret {
            kept: kept.ok_or(RecordError::Secrets)?,
            expires_at: self.expires_at.map(at),
        })
    }
}

/// Why a stored record is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Written by a later version.
    #[error("the record has version {found}, this program reads up to {RECORD_VERSION}: upgrade the program")]
    Newer {
        /// The record's version.
        found: u32,
    },
    /// Not the JSON of a record.
    #[error(
        "the record is not one that this program writes: restore it from a backup, or register the client anew"
    )]
    Malformed {
        /// What the reader says; it may hold text of the record.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Hashes of secrets that cannot be.
    #[error("the record's secrets are damaged: rotate the client's secret")]
    Secrets,
    /// A registration that today's rules refuse.
    #[error("the record breaks a rule of registration: update the client")]
    Invalid(#[source] RegistrationError),
}

impl RecordError {
    fn malformed(source: serde_json::Error) -> Self {
        Self::Malformed {
            source: Box::new(source),
        }
    }
}

#[cfg(test)]
mod tests;
