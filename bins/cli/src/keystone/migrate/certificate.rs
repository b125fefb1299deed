//! The subject of the certificate that a client shows.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sealstone_ca::{
    CaFolder, CertificateInfo, CertificateRequest, Subject,
    files::{self, Access},
};
use sealstone_mtls::ClientCertificate;

use super::CertificateChoice;
use crate::{
    cert, clock,
    failure::{Failure, Outcome},
    output,
};

/// What is known of it before anything is made.
pub(super) struct Planned<'a> {
    choice: &'a CertificateChoice,
    pub(super) subject: String,
}

impl CertificateChoice {
    pub(super) fn plan(&self, client: &str, domain: &str) -> Outcome<Planned<'_>> {
        let subject = match (&self.certificate, &self.subject_dn, &self.ca) {
            (Some(path), _, _) => subject_of(path)?,
            (None, Some(text), _) => Subject::parse(text)?.to_string(),
            (None, None, Some(ca)) => {
                let _opens = CaFolder::open(ca)?;
                Subject::from_attributes(&[("CN", client), ("O", domain)])?.to_string()
            }
            (None, None, None) => {
                return Err(Failure::usage(
                    "say which certificate the client has: --certificate FILE, --subject-dn DN, or --ca DIR --out PREFIX",
                ));
            }
        };
        Ok(Planned {
            choice: self,
            subject,
        })
    }
}

fn subject_of(path: &Path) -> Outcome<String> {
    let certificate: ClientCertificate = cert::read(path)?;
    Ok(certificate.subject().to_string())
}

impl Planned<'_> {
    /// The files of a certificate that is issued, or was by a run before this one.
    pub(super) fn issue(&self) -> Outcome<Option<[PathBuf; 2]>> {
        let (Some(ca), Some(prefix)) = (&self.choice.ca, &self.choice.out) else {
            return Ok(None);
        };
        let with = |ending: &str| {
            let mut name = prefix.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let (certificate, key) = (with(".pem"), with(".key"));
        if certificate.exists() && key.exists() && subject_of(&certificate)? == self.subject {
            let info = CertificateInfo::parse(&fs::read(&certificate)?)?;
            output::note(&format!(
                "{} is taken: serial {}",
                certificate.display(),
                info.serial
            ));
            return Ok(Some([certificate, key]));
        }
        for path in [&certificate, &key] {
            if fs::symlink_metadata(path).is_ok() {
                return Err(sealstone_ca::CaError::Exists(path.clone()).into());
            }
        }
        let days = u64::from(self.choice.days).saturating_mul(86_400);
        let request = CertificateRequest::client(Subject::parse(&self.subject)?);
        let request = request.with_lifetime(Duration::from_secs(days));
        let issued = CaFolder::open(ca)?.issue(&request, clock::now())?;
        files::write_new(&key, issued.private_key_pem.as_bytes(), Access::Private)?;
        files::write_new(&certificate, issued.certificate_pem.as_bytes(), Access::Public)?;
        Ok(Some([certificate, key]))
    }
}
