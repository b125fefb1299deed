use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why a certificate is revoked (RFC 5280 §5.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the command line offers each")]
pub enum RevocationReason {
    /// Not told.
    #[default]
    Unspecified,
    /// The private key is in wrong hands.
    KeyCompromise,
    /// The holder belongs elsewhere now.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// The holder may no longer do what it was for.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    pub(crate) const fn code(self) -> rcgen::RevocationReason {
        match self {
            Self::Unspecified => rcgen::RevocationReason::Unspecified,
            Self::KeyCompromise => rcgen::RevocationReason::KeyCompromise,
            Self::AffiliationChanged => rcgen::RevocationReason::AffiliationChanged,
            Self::Superseded => rcgen::RevocationReason::Superseded,
            Self::CessationOfOperation => rcgen::RevocationReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => rcgen::RevocationReason::PrivilegeWithdrawn,
        }
    }

    /// The name in lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key_compromise",
            Self::AffiliationChanged => "affiliation_changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation_of_operation",
            Self::PrivilegeWithdrawn => "privilege_withdrawn",
        }
    }
}

/// When and why a certificate was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RevokedRecord {
    /// Unix seconds.
    pub at: u64,
    /// Why.
    pub reason: RevocationReason,
}

/// One certificate that a CA folder issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IssuedRecord {
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// Its subject as RFC 4514 text.
    pub subject: String,
    /// Its alternative names, like `dns:NAME`; empty for a renewed certificate, which has those it renews.
    pub alt_names: Vec<String>,
    /// `server`, `client`, or `renewal` of another.
    pub usage: String,
    /// Unix seconds.
    pub not_before: u64,
    /// Unix seconds.
    pub not_after: u64,
    /// The serial number of the certificate it renews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renews: Option<String>,
    /// Set when it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<RevokedRecord>,
}

/// The file `state.json` of a CA folder.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    version: u8,
    pub(crate) crl_number: u64,
    /// In the order of issue.
    pub(crate) issued: Vec<IssuedRecord>,
    /// Revoked certificates of this CA that the folder did not issue: serial → record.
    pub(crate) foreign: BTreeMap<String, RevokedRecord>,
}

impl State {
    const VERSION: u8 = 1;

    pub(crate) const fn new() -> Self {
        Self {
            version: Self::VERSION,
            crl_number: 0,
            issued: Vec::new(),
            foreign: BTreeMap::new(),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let state: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if state.version == Self::VERSION {
            Ok(state)
        } else {
            Err(format!("it is of version {}", state.version))
        }
    }

    pub(crate) fn to_json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map_err(|error| error.to_string())
    }

    pub(crate) fn find(&mut self, serial: &str) -> Option<&mut IssuedRecord> {
        self.issued.iter_mut().find(|record| record.serial == serial)
    }
}
