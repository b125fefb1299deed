//! Authorities, certificates and revocation lists for tests.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber,
};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime,
};
use sealstone_mtls::ClientCertificate;
use sealstone_tls::{ClientTrust, CrlPolicy, PeerCertificate};
use time::OffsetDateTime;

/// The moment of every test: 2026-05-28T20:26:40Z.
pub(crate) const NOW: i64 = 1_780_000_000;
pub(crate) const HOUR: i64 = 3600;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) fn at(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap()))
}

fn date(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

/// A certificate's wording before it is signed.
pub(crate) struct Draft(pub(crate) CertificateParams);

impl Draft {
    /// Valid for a day on both sides of [`NOW`].
    pub(crate) fn named(common_name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = date(NOW - DAY);
        params.not_after = date(NOW + DAY);
        params.serial_number = Some(SerialNumber::from(7));
        params.use_authority_key_identifier_extension = true;
        Self(params)
    }

    pub(crate) fn client(common_name: &str) -> Self {
        Self::named(common_name).for_purposes(&[ExtendedKeyUsagePurpose::ClientAuth])
    }

    pub(crate) fn authority(common_name: &str) -> Self {
        let mut this = Self::named(common_name);
        this.0.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        this.0.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        this
    }

    /// For a name and an address of the loopback interface, valid for a century.
    pub(crate) fn server(common_name: &str) -> Self {
        let mut this = Self::named(common_name)
            .for_purposes(&[ExtendedKeyUsagePurpose::ServerAuth])
            .dated(0, 4_000_000_000);
        this.0.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
        this
    }

    pub(crate) fn for_purposes(mut self, purposes: &[ExtendedKeyUsagePurpose]) -> Self {
        self.0.extended_key_usages = purposes.to_vec();
        self
    }

    pub(crate) fn dated(mut self, not_before: i64, not_after: i64) -> Self {
        self.0.not_before = date(not_before);
        self.0.not_after = date(not_after);
        self
    }

    pub(crate) fn serial(mut self, serial: u64) -> Self {
        self.0.serial_number = Some(SerialNumber::from(serial));
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn self_signed(self) -> Signed {
        Signed(CertifiedIssuer::self_signed(self.0, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn self_signed_by(self, key: &str) -> Signed {
        Signed(CertifiedIssuer::self_signed(self.0, KeyPair::from_pem(key).unwrap()).unwrap())
    }

    pub(crate) fn signed_by(self, issuer: &Signed) -> Signed {
        Signed(CertifiedIssuer::signed_by(self.0, KeyPair::generate().unwrap(), &issuer.0).unwrap())
    }
}

/// A certificate with its key; whether it may sign others is up to the test.
pub(crate) struct Signed(CertifiedIssuer<'static, KeyPair>);

impl Signed {
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.0.key().serialize_pem()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.key().serialize_der()).into()
    }

    pub(crate) fn certificate(&self) -> ClientCertificate {
        ClientCertificate::from_der(&self.der()).unwrap()
    }

    /// As a connection whose client sent `chain` along.
    pub(crate) fn peer(&self, chain: &[&Self]) -> PeerCertificate {
        PeerCertificate::new(self.certificate(), chain.iter().map(|one| one.der()).collect())
    }

    /// A list good for an hour from [`NOW`].
    pub(crate) fn list(&self, revoked: &[u64]) -> CertificateRevocationListDer<'static> {
        self.list_until(revoked, NOW + HOUR)
    }

    pub(crate) fn list_until(
        &self,
        revoked: &[u64],
        next_update: i64,
    ) -> CertificateRevocationListDer<'static> {
        let revoked_certs = revoked
            .iter()
            .map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from(*serial),
                revocation_time: date(NOW - HOUR),
                reason_code: None,
                invalidity_date: None,
            })
            .collect();
        let params = CertificateRevocationListParams {
            this_update: date(NOW - DAY),
            next_update: date(next_update),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().der().clone()
    }
}

pub(crate) fn trust(authorities: &[&Signed]) -> ClientTrust {
    trust_with(authorities, &[], CrlPolicy::default())
}

pub(crate) fn trust_with(
    authorities: &[&Signed],
    lists: &[CertificateRevocationListDer<'static>],
    policy: CrlPolicy,
) -> ClientTrust {
    let authorities: Vec<_> = authorities.iter().map(|authority| authority.der()).collect();
    ClientTrust::new(&authorities, lists, policy).unwrap()
}
