//! What a certificate shall say, however odd, and the certificate that says it.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use time::OffsetDateTime;

use crate::der::{self, tag};
use crate::name::{self, Attribute};
use crate::{KeyKind, TestKey, base64url, escaped, pem, sha256};

/// 2025-01-01, before [`START`](crate::START) and before today.
const DEFAULT_NOT_BEFORE: u64 = 1_735_689_600;
/// 2049-01-01.
const DEFAULT_NOT_AFTER: u64 = 2_493_072_000;

const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];

/// A purpose of the extended key usage extension (RFC 5280 §4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendedKeyUsage {
    /// `anyExtendedKeyUsage`.
    Any,
    /// `id-kp-clientAuth`.
    ClientAuth,
    /// `id-kp-serverAuth`.
    ServerAuth,
    /// `id-kp-codeSigning`.
    CodeSigning,
}

impl From<ExtendedKeyUsage> for ExtendedKeyUsagePurpose {
    fn from(usage: ExtendedKeyUsage) -> Self {
        match usage {
            ExtendedKeyUsage::Any => Self::Any,
            ExtendedKeyUsage::ClientAuth => Self::ClientAuth,
            ExtendedKeyUsage::ServerAuth => Self::ServerAuth,
            ExtendedKeyUsage::CodeSigning => Self::CodeSigning,
        }
    }
}

/// What an end-entity certificate shall say. Starts ordinary; every method makes one thing odd.
#[derive(Clone, Debug)]
pub struct CertificateSpec {
    pub(crate) subject: Vec<Vec<Attribute>>,
    subject_der: Option<Vec<u8>>,
    /// General names: context tag and content.
    sans: Vec<(u8, Vec<u8>)>,
    san_critical: bool,
    pub(crate) usages: Vec<ExtendedKeyUsage>,
    pub(crate) is_ca: IsCa,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    key: Option<TestKey>,
    kind: KeyKind,
    serial: Option<Vec<u8>>,
    extensions: Vec<CustomExtension>,
}

impl CertificateSpec {
    /// A client certificate: `CN=name`, `clientAuth`, P-256, valid from 2025 to 2049, no alternative names.
    #[must_use]
    pub fn client(name: &str) -> Self {
        Self {
            subject: name::plain(&[("CN", name)]),
            subject_der: None,
            sans: Vec::new(),
            san_critical: false,
            usages: vec![ExtendedKeyUsage::ClientAuth],
            is_ca: IsCa::NoCa,
            not_before: DEFAULT_NOT_BEFORE,
            not_after: DEFAULT_NOT_AFTER,
            key: None,
            kind: KeyKind::default(),
            serial: None,
            extensions: Vec::new(),
        }
    }

    /// A client certificate with the subject and the alternative names of `other`, and a key of its own.
    #[must_use]
    pub fn same_subject(other: &TestCertificate) -> Self {
        let mut spec = Self::client("");
        spec.subject_der = Some(other.subject_der());
        spec.sans = other.alternative_names();
        spec
    }

    /// A server certificate for `localhost`, 127.0.0.1 and `::1`.
    #[must_use]
    pub fn server() -> Self {
        Self::client("localhost")
            .usages(&[ExtendedKeyUsage::ServerAuth])
            .san_dns("localhost")
            .san_ip(IpAddr::from([127, 0, 0, 1]))
            .san_ip(IpAddr::from([0_u16, 0, 0, 0, 0, 0, 0, 1]))
    }

    /// The subject, one attribute per relative distinguished name, first to last **as encoded** (RFC 4514 text shows
    /// them last to first). A name may be repeated.
    #[must_use]
    pub fn subject(self, attributes: &[(&str, &str)]) -> Self {
        self.rdns(name::plain(attributes))
    }

    /// The subject in full: one inner list per relative distinguished name, in the order given.
    #[must_use]
    pub fn rdns(mut self, rdns: Vec<Vec<Attribute>>) -> Self {
        self.subject = rdns;
        self.subject_der = None;
        self
    }

    /// Adds a `dNSName`. The text is not checked.
    #[must_use]
    pub fn san_dns(self, name: &str) -> Self {
        self.san_raw(2, name.as_bytes())
    }

    /// Adds a `uniformResourceIdentifier`. The text is not checked.
    #[must_use]
    pub fn san_uri(self, uri: &str) -> Self {
        self.san_raw(6, uri.as_bytes())
    }

    /// Adds an `rfc822Name`. The text is not checked.
    #[must_use]
    pub fn san_email(self, address: &str) -> Self {
        self.san_raw(1, address.as_bytes())
    }

    /// Adds an `iPAddress` of 4 or 16 octets.
    #[must_use]
    pub fn san_ip(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => self.san_raw(7, &v4.octets()),
            IpAddr::V6(v6) => self.san_raw(7, &v6.octets()),
        }
    }

    /// Adds a general name by its context tag (0 to 8) and content, however wrong.
    #[must_use]
    pub fn san_raw(mut self, context_tag: u8, content: &[u8]) -> Self {
        let constructed = if matches!(context_tag, 0 | 3 | 4 | 5) {
            0x20
        } else {
            0
        };
        self.sans
            .push((0x80 | constructed | context_tag, content.to_vec()));
        self
    }

    /// Marks the alternative names critical, as RFC 5280 asks when the subject is empty.
    #[must_use]
    pub fn san_critical(mut self) -> Self {
        self.san_critical = true;
        self
    }

    /// The extended key usages; an empty list leaves the extension out.
    #[must_use]
    pub fn usages(mut self, usages: &[ExtendedKeyUsage]) -> Self {
        self.usages = usages.to_vec();
        self
    }

    /// No extended key usage extension at all.
    #[must_use]
    pub fn no_usages(self) -> Self {
        self.usages(&[])
    }

    /// Basic constraints `CA:TRUE`, though it is used as an end entity.
    #[must_use]
    pub fn ca(mut self) -> Self {
        self.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self
    }

    /// First moment of validity.
    #[must_use]
    pub const fn not_before(mut self, moment: UnixTime) -> Self {
        self.not_before = moment.as_secs();
        self
    }

    /// Last moment of validity.
    #[must_use]
    pub const fn not_after(mut self, moment: UnixTime) -> Self {
        self.not_after = moment.as_secs();
        self
    }

    /// Uses this key pair: renewal with the same key.
    #[must_use]
    pub fn key(mut self, key: &TestKey) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// Makes a fresh key pair of this kind.
    #[must_use]
    pub const fn key_kind(mut self, kind: KeyKind) -> Self {
        self.kind = kind;
        self
    }

    /// The serial number, big endian. Otherwise every certificate gets one of its own.
    #[must_use]
    pub fn serial(mut self, serial: &[u8]) -> Self {
        self.serial = Some(serial.to_vec());
        self
    }

    /// Adds an extension: object identifier, critical or not, DER content.
    #[must_use]
    pub fn extension(mut self, oid: &[u64], critical: bool, content: &[u8]) -> Self {
        let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
        extension.set_criticality(critical);
        self.extensions.push(extension);
        self
    }

    /// A certificate signed by its own key, issuer equal to subject.
    #[must_use]
    pub fn self_signed(self) -> TestCertificate {
        let (params, key) = self.params();
        let issued = params.self_signed(key.pair()).expect("self-signed certificate");
        let name = self.name();
        let der = der::resign(issued.der(), &[(3, &name), (5, &name)], |tbs| key.sign(tbs));
        TestCertificate::new(der, key, Vec::new())
    }

    pub(crate) fn name(&self) -> Vec<u8> {
        self.subject_der
            .clone()
            .unwrap_or_else(|| name::encode(&self.subject))
    }

    pub(crate) fn params(&self) -> (CertificateParams, TestKey) {
        let key = self.key.clone().unwrap_or_else(|| TestKey::generate(self.kind));
        let mut params = CertificateParams::default();
        params.not_before = moment(self.not_before);
        params.not_after = moment(self.not_after);
        params.is_ca = self.is_ca;
        params.use_authority_key_identifier_extension = true;
        params.serial_number = self.serial.as_deref().map(rcgen::SerialNumber::from_slice);
        params.key_usages = match self.is_ca {
            IsCa::Ca(_) => vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign],
            IsCa::NoCa | IsCa::ExplicitNoCa => vec![KeyUsagePurpose::DigitalSignature],
        };
        params.extended_key_usages = self.usages.iter().map(|usage| (*usage).into()).collect();
        params.custom_extensions.clone_from(&self.extensions);
        if !self.sans.is_empty() {
            let names: Vec<u8> = self
                .sans
                .iter()
                .flat_map(|(tag, content)| der::element(*tag, content))
                .collect();
            let content = der::element(tag::SEQUENCE, &names);
            let mut extension = CustomExtension::from_oid_content(SUBJECT_ALT_NAME, content);
            extension.set_criticality(self.san_critical);
            params.custom_extensions.push(extension);
        }
        (params, key)
    }
}

pub(crate) fn moment(seconds: u64) -> OffsetDateTime {
    let seconds = i64::try_from(seconds).expect("a moment of this era");
    OffsetDateTime::from_unix_timestamp(seconds).expect("a moment of this era")
}

/// A certificate with its private key and the certificates between it and its root.
#[derive(Clone, Debug)]
pub struct TestCertificate {
    der: Vec<u8>,
    key: TestKey,
    intermediates: Vec<Vec<u8>>,
}

impl TestCertificate {
    pub(crate) const fn new(der: Vec<u8>, key: TestKey, intermediates: Vec<Vec<u8>>) -> Self {
        Self {
            der,
            key,
            intermediates,
        }
    }

    /// A certificate that somebody else made, from PEM: the leaf, then any intermediates, and its PKCS#8 key.
    #[must_use]
    pub fn from_pem(chain: &str, key: &str) -> Self {
        let mut certificates =
            CertificateDer::pem_slice_iter(chain.as_bytes()).map(|der| der.expect("PEM").to_vec());
        let leaf = certificates.next().expect("a certificate in PEM");
        Self::new(leaf, TestKey::from_pem(key), certificates.collect())
    }

    /// The certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in the type that the TLS stack takes.
    #[must_use]
    pub fn certificate_der(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.der.clone())
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// The certificate in PEM, percent-encoded as nginx hands it on.
    #[must_use]
    pub fn escaped_pem(&self) -> String {
        escaped(&self.pem())
    }

    /// The certificate and its intermediates, leaf first, as a TLS peer sends them.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        let all = std::iter::once(&self.der).chain(&self.intermediates);
        all.map(|der| CertificateDer::from(der.clone())).collect()
    }

    /// [`chain`](Self::chain) in PEM.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.chain().iter().map(|der| pem("CERTIFICATE", der)).collect()
    }

    /// Its key pair.
    #[must_use]
    pub const fn key(&self) -> &TestKey {
        &self.key
    }

    /// Its private key in PKCS#8, in PEM.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.pkcs8_pem()
    }

    /// Its private key in the type that the TLS stack takes.
    #[must_use]
    pub fn private_key_der(&self) -> PrivateKeyDer<'static> {
        self.key.private_key_der()
    }

    /// Its serial number as encoded, big endian, for [`CrlSpec::revoke`](crate::CrlSpec::revoke).
    #[must_use]
    pub fn serial(&self) -> Vec<u8> {
        let tbs = self.tbs();
        let fields = der::elements(&tbs);
        fields.get(1).expect("serial number").content.to_vec()
    }

    /// `x5t#S256` (RFC 8705 §3.1), computed here and not by the crates under test.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        base64url(&sha256(&self.der))
    }

    /// The same certificate with one bit of its signature turned over.
    #[must_use]
    pub fn with_broken_signature(&self) -> Self {
        let mut broken = self.clone();
        let last = broken.der.last_mut().expect("a certificate has octets");
        *last ^= 1;
        broken
    }

    /// The same certificate without the intermediates in its chain.
    #[must_use]
    pub fn without_chain(&self) -> Self {
        Self::new(self.der.clone(), self.key.clone(), Vec::new())
    }

    pub(crate) fn subject_der(&self) -> Vec<u8> {
        let tbs = self.tbs();
        let fields = der::elements(&tbs);
        fields.get(5).expect("subject").whole.to_vec()
    }

    /// Its alternative names: tag and content of each general name.
    fn alternative_names(&self) -> Vec<(u8, Vec<u8>)> {
        let tbs = self.tbs();
        let fields = der::elements(&tbs);
        let extensions = fields.last().filter(|field| field.whole.first() == Some(&0xa3));
        let list = extensions.and_then(|field| der::elements(field.content).first().copied());
        let wanted = der::oid(SUBJECT_ALT_NAME);
        let found = list
            .into_iter()
            .flat_map(|list| der::elements(list.content))
            .find_map(|extension| {
                let parts = der::elements(extension.content);
                let named = parts.first().is_some_and(|oid| oid.whole == wanted);
                parts.last().copied().filter(|_| named)
            });
        let names = found.and_then(|octets| der::elements(octets.content).first().copied());
        let names = names.into_iter().flat_map(|names| der::elements(names.content));
        names
            .filter_map(|name| Some((*name.whole.first()?, name.content.to_vec())))
            .collect()
    }

    fn tbs(&self) -> Vec<u8> {
        let outer = der::elements(&self.der);
        let parts = der::elements(outer.first().expect("Certificate").content);
        parts.first().expect("TBSCertificate").content.to_vec()
    }
}
