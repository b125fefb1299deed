use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use rustls_pki_types::UnixTime;

use crate::{
    Authority, CaError, CaRequest, CertificateInfo, CertificateRequest, Issued, IssuedRecord, RenewKey,
    Revocation, RevocationReason, RevokedRecord, Serial,
    authority::to_pem,
    files::{self, Access},
    state::State,
};

/// A certificate authority in a folder: `ca.pem`, `ca.key` (mode 0600), `state.json` with what it issued and
/// revoked, `crl.pem` once a list was made, and `issued/SERIAL.pem`. Private keys of issued certificates are not
/// kept.
///
/// Any number of processes may use one folder at once.
#[derive(Debug)]
pub struct CaFolder {
    path: PathBuf,
    authority: Authority,
}

impl CaFolder {
    /// Makes a new CA in `path`; makes the folder if there is none. A making that was interrupted is taken up: a
    /// `ca.key` without a `ca.pem` becomes the new CA's key.
    ///
    /// # Errors
    /// [`CaError::Exists`] when there is a CA already; those of [`Authority::create`]; [`CaError::Io`].
    pub fn create(path: &Path, request: &CaRequest, now: UnixTime) -> Result<Self, CaError> {
        let (certificate, key) = (path.join("ca.pem"), path.join("ca.key"));
        if exists(&certificate) {
            return Err(CaError::Exists(certificate));
        }
        let left_over = exists(&key).then(|| files::read_private(&key)).transpose()?;
        let authority = match &left_over {
            Some(pem) => {
                let pair = rcgen::KeyPair::from_pem(pem).map_err(|_| CaError::Exists(key.clone()))?;
                Authority::create_with_key(request, pair, now)?
            }
            None => Authority::create(request, now)?,
        };
        files::create_folder(path, Access::Public)?;
        files::create_folder(&path.join("issued"), Access::Public)?;
        let folder = Self {
            path: path.to_owned(),
            authority,
        };
        if left_over.is_none() {
            files::write_new(
                &key,
                folder.authority.private_key_pem().as_bytes(),
                Access::Private,
            )?;
        }
        if !exists(&folder.state_path()) {
            folder.store(&State::new())?;
        }
        // Last: a folder with this file is complete.
        files::write_new(
            &certificate,
            folder.authority.certificate_pem().as_bytes(),
            Access::Public,
        )?;
        Ok(folder)
    }

    /// Opens the CA in `path`.
    ///
    /// # Errors
    /// [`CaError::NoCa`]; [`CaError::Unsafe`] when others may read the key; those of [`Authority::from_pem`];
    /// [`CaError::Io`].
    pub fn open(path: &Path) -> Result<Self, CaError> {
        let certificate = path.join("ca.pem");
        let pem = fs::read_to_string(&certificate).map_err(|source| {
            let missing = source.kind() == std::io::ErrorKind::NotFound;
            if missing {
                CaError::NoCa(path.to_owned())
            } else {
                files::failed(&certificate, "read", source)
            }
        })?;
        let key = files::read_private(&path.join("ca.key"))?;
        Ok(Self {
            path: path.to_owned(),
            authority: Authority::from_pem(&pem, &key)?,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The CA itself.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Issues a certificate and notes it.
    ///
    /// # Errors
    /// Those of [`Authority::issue`]; [`CaError::State`], [`CaError::Io`].
    pub fn issue(&self, request: &CertificateRequest, now: UnixTime) -> Result<Issued, CaError> {
        let issued = self.authority.issue(request, now)?;
        self.change(|state| {
            state.issued.push(IssuedRecord {
                serial: issued.serial.to_string(),
                subject: request.subject.to_string(),
                alt_names: request.alt_names.iter().map(ToString::to_string).collect(),
                usage: request.usage.as_str().to_owned(),
                not_before: issued.not_before.as_secs(),
                not_after: issued.not_after.as_secs(),
                renews: None,
                revoked: None,
            });
            Ok(())
        })?;
        self.keep(&issued)?;
        Ok(issued)
    }

    /// Issues a successor of `certificate`, with its subject, alternative names and usages, and notes it. The old
    /// certificate stays valid: revoke it if it shall not.
    ///
    /// # Errors
    /// [`CaError::NotIssuedHere`] when this folder did not issue it, [`CaError::Revoked`]; those of
    /// [`Authority::renew`]; [`CaError::State`], [`CaError::Io`].
    pub fn renew(
        &self,
        certificate: &CertificateInfo,
        key: RenewKey<'_>,
        lifetime: Duration,
        now: UnixTime,
    ) -> Result<Issued, CaError> {
        let serial = certificate.serial.to_string();
        let unknown = || CaError::NotIssuedHere(serial.clone());
        let known = fs::read(self.issued_path(&certificate.serial)).map_err(|_| unknown())?;
        if CertificateInfo::parse(&known)?.der != certificate.der {
            return Err(unknown());
        }
        let issued = self.authority.renew(certificate, key, lifetime, now)?;
        self.change(|state| {
            let old = state.find(&serial).ok_or_else(unknown)?.clone();
            if old.revoked.is_some() {
                return Err(CaError::Revoked(serial.clone()));
            }
            state.issued.push(IssuedRecord {
                serial: issued.serial.to_string(),
                not_before: issued.not_before.as_secs(),
                not_after: issued.not_after.as_secs(),
                renews: Some(serial.clone()),
                ..old
            });
            Ok(())
        })?;
        self.keep(&issued)?;
        Ok(issued)
    }

    /// Notes that a certificate is revoked; make a new [`crl`](Self::crl) to tell others. A serial number that the
    /// folder did not issue is taken too: the CA may have been used elsewhere.
    ///
    /// # Errors
    /// [`CaError::Revoked`] when it is revoked already; [`CaError::State`], [`CaError::Io`].
    pub fn revoke(&self, serial: &Serial, reason: RevocationReason, now: UnixTime) -> Result<(), CaError> {
        let revoked = RevokedRecord {
            at: now.as_secs(),
            reason,
        };
        let serial = serial.to_string();
        self.change(|state| {
            let before = match state.find(&serial) {
                Some(record) => record.revoked.replace(revoked),
                None => state.foreign.insert(serial.clone(), revoked),
            };
            if before.is_some() {
                Err(CaError::Revoked(serial))
            } else {
                Ok(())
            }
        })
    }

    /// Makes the next revocation list, valid for `lifetime`, writes it to `crl.pem` and returns that text. A revoked
    /// certificate stays on it after it has expired.
    ///
    /// # Errors
    /// Those of [`Authority::crl`]; [`CaError::State`], [`CaError::Io`].
    pub fn crl(&self, lifetime: Duration, now: UnixTime) -> Result<String, CaError> {
        self.change(|state| {
            state.crl_number = state.crl_number.saturating_add(1);
            let ours = state
                .issued
                .iter()
                .filter_map(|record| Some((&record.serial, record.revoked.as_ref()?)));
            let lines = ours.chain(state.foreign.iter()).map(|(serial, revoked)| {
                let at = UnixTime::since_unix_epoch(Duration::from_secs(revoked.at));
                Ok(Revocation::new(Serial::parse(serial)?, at, revoked.reason))
            });
            let lines = lines.collect::<Result<Vec<_>, CaError>>()?;
            let list = self.authority.crl(&lines, state.crl_number, lifetime, now)?;
            let pem = to_pem("X509 CRL", &list)?;
            files::replace(&self.path.join("crl.pem"), pem.as_bytes(), Access::Public)?;
            Ok(pem)
        })
    }

    /// Everything this folder issued, in order.
    ///
    /// # Errors
    /// [`CaError::State`], [`CaError::Io`].
    pub fn list(&self) -> Result<Vec<IssuedRecord>, CaError> {
        Ok(self.load()?.issued)
    }

    fn issued_path(&self, serial: &Serial) -> PathBuf {
        self.path.join("issued").join(format!("{serial}.pem"))
    }

    fn keep(&self, issued: &Issued) -> Result<(), CaError> {
        files::create_folder(&self.path.join("issued"), Access::Public)?;
        files::write_new(
            &self.issued_path(&issued.serial),
            issued.certificate_pem.as_bytes(),
            Access::Public,
        )
    }

    /// Changes the state under a lock that other processes respect. On an error nothing is stored.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T, CaError>) -> Result<T, CaError> {
        let path = self.path.join("state.lock");
        let lock = File::create(&path).map_err(|source| files::failed(&path, "written", source))?;
        lock.lock()
            .map_err(|source| files::failed(&path, "locked", source))?;
        let mut state = self.load()?;
        let changed = change(&mut state)?;
        self.store(&state)?;
        Ok(changed)
    }

    fn state_path(&self) -> PathBuf {
        self.path.join("state.json")
    }

    fn load(&self) -> Result<State, CaError> {
        let path = self.state_path();
        let bytes = match fs::read(&path) {
            // An existing CA that was put into this folder has issued nothing that we know of.
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(State::new()),
            Err(source) => return Err(files::failed(&path, "read", source)),
            Ok(bytes) => bytes,
        };
        State::parse(&bytes).map_err(|reason| CaError::State { path, reason })
    }

    fn store(&self, state: &State) -> Result<(), CaError> {
        let path = self.state_path();
        let text = state.to_json().map_err(|reason| CaError::State {
            path: path.clone(),
            reason,
        })?;
        files::replace(&path, text.as_bytes(), Access::Public)
    }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
