use std::{fmt, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint,
    CustomExtension, DistinguishedName, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData,
    RevokedCertParams, SerialNumber,
};
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::{
    CaError, CaRequest, CertificateInfo, CertificateRequest, Issued, RevocationReason, Serial, Subject,
    splice,
};

/// By how much a certificate starts before it was made, for clocks that are behind.
const BACKDATED_S: u64 = 60;
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
pub(crate) const SUBJECT_ALT_NAME: &str = "2.5.29.17";
pub(crate) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";

/// Which key a renewed certificate has.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "the command line offers each")]
pub enum RenewKey<'a> {
    /// A fresh one of this kind: usual.
    New(crate::KeyKind),
    /// The one it had (PEM): for holders whose certificate is registered by its public key.
    Same(&'a str),
}

impl fmt::Debug for RenewKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New(_) => "New",
            Self::Same(_) => "Same([redacted])",
        })
    }
}

/// One line of a revocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revocation {
    /// Which certificate.
    pub serial: Serial,
    /// Since when.
    pub at: UnixTime,
    /// Why.
    pub reason: RevocationReason,
}

impl Revocation {
    /// A line of a revocation list.
    #[must_use]
    pub const fn new(serial: Serial, at: UnixTime, reason: RevocationReason) -> Self {
        Self { serial, at, reason }
    }
}

/// A certificate authority in memory: a certificate and its key. Remembers nothing that it issued; see
/// [`CaFolder`](crate::CaFolder) for one that does.
pub struct Authority {
    info: CertificateInfo,
    pem: String,
    key: KeyPair,
}

impl Authority {
    /// A new self-signed CA. Its certificates cannot be CAs in turn.
    ///
    /// # Errors
    /// [`CaError::Nameless`] for an empty subject, [`CaError::Lifetime`], [`CaError::Make`].
    pub fn create(request: &CaRequest, now: UnixTime) -> Result<Self, CaError> {
        Self::create_with_key(request, request.key.generate()?, now)
    }

    pub(crate) fn create_with_key(request: &CaRequest, key: KeyPair, now: UnixTime) -> Result<Self, CaError> {
        if request.subject.is_empty() {
            return Err(CaError::Nameless);
        }
        let (not_before, not_after) = validity(request.lifetime, None, now)?;
        let mut params = blank(&Serial::random()?, not_before, not_after)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(&key).map_err(CaError::make)?;
        let name = request.subject.der();
        let der = splice::resign(
            made.der(),
            &[(splice::ISSUER, name), (splice::SUBJECT, name)],
            &key,
        )?;
        let pem = to_pem("CERTIFICATE", &der)?;
        Ok(Self {
            info: CertificateInfo::parse(&der)?,
            pem,
            key,
        })
    }

    /// An existing CA from its certificate and private key in PEM.
    ///
    /// # Errors
    /// [`CaError::Certificate`], [`CaError::PrivateKey`], [`CaError::NotACa`], [`CaError::KeyMismatch`].
    pub fn from_pem(certificate: &str, private_key: &str) -> Result<Self, CaError> {
        let info = CertificateInfo::parse(certificate.as_bytes())?;
        let key = KeyPair::from_pem(private_key).map_err(|_| CaError::PrivateKey)?;
        if !info.is_ca {
            return Err(CaError::NotACa);
        }
        if info.spki_der != key.subject_public_key_info() {
            return Err(CaError::KeyMismatch);
        }
        let pem = to_pem("CERTIFICATE", &info.der)?;
        Ok(Self { info, pem, key })
    }

    /// The CA certificate as PEM: what others trust.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The CA certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateInfo {
        &self.info
    }

    /// The CA's private key, PKCS #8 in PEM.
    ///
    /// # Security
    /// Who has it is the CA: write it with [`files::write_new`](crate::files::write_new) and
    /// [`files::Access::Private`](crate::files::Access::Private).
    #[must_use]
    pub fn private_key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    /// Issues a certificate with a fresh key. It never outlives the CA.
    ///
    /// # Errors
    /// [`CaError::Nameless`], [`CaError::AltName`], [`CaError::Lifetime`], [`CaError::CaNotValid`],
    /// [`CaError::Make`].
    pub fn issue(&self, request: &CertificateRequest, now: UnixTime) -> Result<Issued, CaError> {
        let key = request.key.generate()?;
        let (serial, params) = leaf(request, Some(&self.info), now)?;
        self.sign(params, serial, request.subject.der(), &key)
    }

    /// Issues a certificate with the subject, alternative names, usages and CRL address of `certificate`.
    ///
    /// # Errors
    /// [`CaError::Certificate`]; [`CaError::NotIssuedHere`] when this CA's name or key identifier is not in it;
    /// [`CaError::KeyMismatch`] when the key to keep is not the certificate's; those of [`issue`](Self::issue).
    pub fn renew(
        &self,
        certificate: &CertificateInfo,
        key: RenewKey<'_>,
        lifetime: Duration,
        now: UnixTime,
    ) -> Result<Issued, CaError> {
        self.check_issuer(certificate)?;
        let key = match key {
            RenewKey::New(kind) => kind.generate()?,
            RenewKey::Same(pem) => {
                let key = KeyPair::from_pem(pem).map_err(|_| CaError::PrivateKey)?;
                if key.subject_public_key_info() != certificate.spki_der {
                    return Err(CaError::KeyMismatch);
                }
                key
            }
        };
        let (not_before, not_after) = validity(lifetime, Some(&self.info), now)?;
        let serial = Serial::random()?;
        let mut params = blank(&serial, not_before, not_after)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        for oid in [SUBJECT_ALT_NAME, EXTENDED_KEY_USAGE, CRL_DISTRIBUTION_POINTS] {
            if let Some((_, critical, content)) = certificate.extension(oid) {
                let arcs: Vec<u64> = oid.split('.').filter_map(|arc| arc.parse().ok()).collect();
                let mut extension = CustomExtension::from_oid_content(&arcs, content.clone());
                extension.set_criticality(*critical);
                params.custom_extensions.push(extension);
            }
        }
        self.sign(params, serial, &certificate.subject_der, &key)
    }

    fn check_issuer(&self, certificate: &CertificateInfo) -> Result<(), CaError> {
        let outer = splice::elements(&certificate.der).map_err(CaError::make)?;
        let parts = splice::elements(outer.first().copied().unwrap_or_default()).map_err(CaError::make)?;
        if parts.get(splice::ISSUER).copied() == Some(self.info.subject_der.as_slice()) {
            return Ok(());
        }
        Err(CaError::NotIssuedHere(certificate.serial.to_string()))
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        serial: Serial,
        subject: &[u8],
        key: &KeyPair,
    ) -> Result<Issued, CaError> {
        params.use_authority_key_identifier_extension = true;
        let made = params.signed_by(key, &self.issuer()?).map_err(CaError::make)?;
        let names = [
            (splice::ISSUER, self.info.subject_der.as_slice()),
            (splice::SUBJECT, subject),
        ];
        finish(&splice::resign(made.der(), &names, &self.key)?, serial, key)
    }

    fn issuer(&self) -> Result<Issuer<'static, &KeyPair>, CaError> {
        let mut params = CertificateParams::new(Vec::new()).map_err(CaError::make)?;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.key_identifier_method = match &self.info.key_identifier {
            Some(identifier) => KeyIdMethod::PreSpecified(identifier.clone()),
            None => KeyIdMethod::Sha256,
        };
        Ok(Issuer::new(params, &self.key))
    }

    /// A revocation list in DER (RFC 5280 §5), valid for `lifetime` from `now`. `number` must rise from list to
    /// list.
    ///
    /// # Errors
    /// [`CaError::Lifetime`], [`CaError::Make`].
    pub fn crl(
        &self,
        revoked: &[Revocation],
        number: u64,
        lifetime: Duration,
        now: UnixTime,
    ) -> Result<Vec<u8>, CaError> {
        let (_, next_update) = validity(lifetime, None, now)?;
        let revoked = revoked.iter().map(|line| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(line.serial.as_bytes()),
                revocation_time: date(line.at)?,
                reason_code: Some(line.reason.code()),
                invalidity_date: None,
            })
        });
        let issuer = self.issuer()?;
        let list = CertificateRevocationListParams {
            this_update: date(now)?,
            next_update: date(next_update)?,
            crl_number: SerialNumber::from_slice(&number.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect::<Result<_, CaError>>()?,
            key_identifier_method: match &self.info.key_identifier {
                Some(identifier) => KeyIdMethod::PreSpecified(identifier.clone()),
                None => KeyIdMethod::Sha256,
            },
        };
        let made = list.signed_by(&issuer).map_err(CaError::make)?;
        splice::resign(
            made.der(),
            &[(splice::LIST_ISSUER, &self.info.subject_der)],
            &self.key,
        )
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("subject", &self.info.subject)
            .finish_non_exhaustive()
    }
}

/// A certificate that its own key signed, for clients registered by their public key (RFC 8705 §2.2).
///
/// # Errors
/// [`CaError::Nameless`], [`CaError::AltName`], [`CaError::Lifetime`], [`CaError::Make`].
pub fn self_signed_client(request: &CertificateRequest, now: UnixTime) -> Result<Issued, CaError> {
    let key = request.key.generate()?;
    let (serial, params) = leaf(request, None, now)?;
    let made = params.self_signed(&key).map_err(CaError::make)?;
    let name = issuer_of_itself(&request.subject)?;
    let names = [
        (splice::ISSUER, name.as_slice()),
        (splice::SUBJECT, request.subject.der()),
    ];
    finish(&splice::resign(made.der(), &names, &key)?, serial, &key)
}

/// RFC 5280 §4.1.2.4 demands an issuer name, also of a certificate without a subject.
fn issuer_of_itself(subject: &Subject) -> Result<Vec<u8>, CaError> {
    if subject.is_empty() {
        return Ok(Subject::from_attributes(&[("CN", "self-signed")])?.der().to_vec());
    }
    Ok(subject.der().to_vec())
}

fn leaf(
    request: &CertificateRequest,
    ca: Option<&CertificateInfo>,
    now: UnixTime,
) -> Result<(Serial, CertificateParams), CaError> {
    if request.subject.is_empty() && request.alt_names.is_empty() {
        return Err(CaError::Nameless);
    }
    let (not_before, not_after) = validity(request.lifetime, ca, now)?;
    let serial = Serial::random()?;
    let mut params = blank(&serial, not_before, not_after)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![request.usage.purpose()];
    params.subject_alt_names = request
        .alt_names
        .iter()
        .map(crate::AltName::san)
        .collect::<Result<_, CaError>>()?;
    if !request.subject.is_empty() {
        // Only decides that the alternative names are not critical: the real subject is spliced in.
        params.distinguished_name.push(rcgen::DnType::CommonName, "-");
    }
    if let Some(url) = &request.crl_url {
        params.crl_distribution_points = vec![CrlDistributionPoint {
            uris: vec![url.clone()],
        }];
    }
    Ok((serial, params))
}

fn blank(serial: &Serial, not_before: UnixTime, not_after: UnixTime) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(CaError::make)?;
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    params.not_before = date(not_before)?;
    params.not_after = date(not_after)?;
    // Writes the subject key identifier as well.
    params.is_ca = IsCa::ExplicitNoCa;
    Ok(params)
}

/// From a minute ago until `lifetime` from now, but never outside the CA's own validity.
fn validity(
    lifetime: Duration,
    ca: Option<&CertificateInfo>,
    now: UnixTime,
) -> Result<(UnixTime, UnixTime), CaError> {
    if lifetime.as_secs() == 0 || lifetime > LONGEST {
        return Err(CaError::Lifetime);
    }
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let mut not_before = at(now.as_secs().saturating_sub(BACKDATED_S));
    let mut not_after = at(now.as_secs().saturating_add(lifetime.as_secs()));
    if let Some(ca) = ca {
        if now < ca.not_before || now > ca.not_after {
            return Err(CaError::CaNotValid);
        }
        not_before = not_before.max(ca.not_before);
        not_after = not_after.min(ca.not_after);
    }
    Ok((not_before, not_after))
}

fn date(at: UnixTime) -> Result<OffsetDateTime, CaError> {
    let seconds = i64::try_from(at.as_secs()).map_err(|_| CaError::Lifetime)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| CaError::Lifetime)
}

fn finish(der: &[u8], serial: Serial, key: &KeyPair) -> Result<Issued, CaError> {
    let info = CertificateInfo::parse(der)?;
    Ok(Issued {
        certificate_pem: to_pem("CERTIFICATE", der)?,
        certificate_der: info.der,
        private_key_pem: Zeroizing::new(key.serialize_pem()),
        serial,
        not_before: info.not_before,
        not_after: info.not_after,
    })
}

pub(crate) fn to_pem(label: &str, der: &[u8]) -> Result<String, CaError> {
    der::pem::encode_string(label, der::pem::LineEnding::LF, der).map_err(CaError::make)
}
