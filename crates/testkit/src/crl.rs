//! Certificate revocation lists.

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use rustls_pki_types::{CertificateRevocationListDer, UnixTime};

use crate::certificate::moment;
use crate::{START, TestCa, TestCertificate, der, pem};

const A_DAY: u64 = 86_400;

/// What a revocation list shall say. Starts empty, issued a day before [`START`] and due 30 years later.
#[derive(Clone, Debug)]
pub struct CrlSpec {
    number: u64,
    this_update: u64,
    next_update: u64,
    revoked: Vec<(Vec<u8>, u64)>,
}

impl CrlSpec {
    /// An empty list with this CRL number. It counts as fresh at [`START`] and today.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self {
            number,
            this_update: START.saturating_sub(A_DAY.saturating_mul(365)),
            next_update: START.saturating_add(A_DAY.saturating_mul(365 * 20)),
            revoked: Vec::new(),
        }
    }

    /// Lists `certificate` as revoked at [`START`] less a day.
    #[must_use]
    pub fn revoke(self, certificate: &TestCertificate) -> Self {
        self.revoke_serial(
            &certificate.serial(),
            crate::unix_time(START.saturating_sub(A_DAY)),
        )
    }

    /// Lists a serial number (big endian, as in the certificate) as revoked at `moment`.
    #[must_use]
    pub fn revoke_serial(mut self, serial: &[u8], moment: UnixTime) -> Self {
        self.revoked.push((serial.to_vec(), moment.as_secs()));
        self
    }

    /// When the list was issued.
    #[must_use]
    pub const fn this_update(mut self, moment: UnixTime) -> Self {
        self.this_update = moment.as_secs();
        self
    }

    /// When the next list is due; later than that this one is stale.
    #[must_use]
    pub const fn next_update(mut self, moment: UnixTime) -> Self {
        self.next_update = moment.as_secs();
        self
    }
}

/// A revocation list.
#[derive(Clone, Debug)]
pub struct TestCrl {
    der: Vec<u8>,
}

impl TestCrl {
    /// The list.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The list in the type that the TLS stack takes.
    #[must_use]
    pub fn crl_der(&self) -> CertificateRevocationListDer<'static> {
        CertificateRevocationListDer::from(self.der.clone())
    }

    /// The list in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem("X509 CRL", &self.der)
    }
}

impl TestCa {
    /// A list of this authority, signed by its key.
    #[must_use]
    pub fn crl(&self, spec: &CrlSpec) -> TestCrl {
        self.crl_signed_by(spec, self)
    }

    /// A list that names this authority as issuer but is signed by `signer`: it must not be believed.
    #[must_use]
    pub fn crl_signed_by(&self, spec: &CrlSpec, signer: &Self) -> TestCrl {
        let params = CertificateRevocationListParams {
            this_update: moment(spec.this_update),
            next_update: moment(spec.next_update),
            crl_number: SerialNumber::from(spec.number),
            issuing_distribution_point: None,
            revoked_certs: spec
                .revoked
                .iter()
                .map(|(serial, at)| RevokedCertParams {
                    serial_number: SerialNumber::from_slice(serial),
                    revocation_time: moment(*at),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issued = params.signed_by(&signer.issuer()).expect("revocation list");
        // TBSCertList is version, signature, issuer, ...
        let der = der::resign(issued.der(), &[(2, self.name())], |tbs| signer.key().sign(tbs));
        TestCrl { der }
    }
}
