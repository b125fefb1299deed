use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_ca::{CaFolder, CertificateInfo};

use super::{CertificateSource, NextKey, RenewFault};
use crate::MachinePair;

/// The authority in a folder of this machine, as `sealstone ca` makes it.
///
/// # Security
/// Whoever may read the folder's key is the authority: use it where the agent's user is trusted with that, and
/// [`EstClient`](super::EstClient) or [`RenewCommand`](super::RenewCommand) elsewhere.
#[derive(Debug, Clone)]
pub struct BuiltInCa {
    folder: PathBuf,
    lifetime: Duration,
    key: NextKey,
}

impl BuiltInCa {
    /// Certificates of this lifetime, never beyond the authority's own end.
    #[must_use]
    pub const fn new(folder: PathBuf, lifetime: Duration, key: NextKey) -> Self {
        Self {
            folder,
            lifetime,
            key,
        }
    }
}

#[async_trait]
impl CertificateSource for BuiltInCa {
    fn name(&self) -> &'static str {
        "the authority's folder"
    }

    async fn successor(&self, present: &MachinePair, now: UnixTime) -> Result<MachinePair, RenewFault> {
        let (this, present) = (self.clone(), present.clone());
        let work = tokio::task::spawn_blocking(move || {
            let ca = CaFolder::open(&this.folder)?;
            let info = CertificateInfo::parse(present.certificate().der())?;
            let issued = ca.renew(&info, this.key.of(&present), this.lifetime, now)?;
            Ok(MachinePair::from_pem(
                &issued.certificate_pem,
                &issued.private_key_pem,
            )?)
        });
        work.await.map_err(|_panic| RenewFault::BrokenOff)?
    }
}
