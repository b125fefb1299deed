//! Certificate authorities: roots, intermediates, and what they sign.

use std::sync::Arc;

use rcgen::{BasicConstraints, CidrSubnet, GeneralSubtree, IsCa, Issuer, NameConstraints};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::name::Attribute;
use crate::{CertificateSpec, KeyKind, TestCertificate, TestKey, der, pem};

/// What a CA certificate shall say. Starts ordinary: `CN=name`, P-256, no path length, no constraints, no EKU.
#[derive(Clone, Debug)]
pub struct CaSpec {
    certificate: CertificateSpec,
    permitted: Vec<GeneralSubtree>,
    excluded: Vec<GeneralSubtree>,
}

impl CaSpec {
    /// A certificate authority called `CN=name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            certificate: CertificateSpec::client(name).no_usages().ca(),
            permitted: Vec::new(),
            excluded: Vec::new(),
        }
    }

    /// Changes what any certificate has: subject, validity, key, extensions, usages.
    #[must_use]
    pub fn certificate(mut self, change: impl FnOnce(CertificateSpec) -> CertificateSpec) -> Self {
        self.certificate = change(self.certificate);
        self
    }

    /// The subject in full.
    #[must_use]
    pub fn rdns(self, rdns: Vec<Vec<Attribute>>) -> Self {
        self.certificate(|spec| spec.rdns(rdns))
    }

    /// At most `count` further CA certificates below this one.
    #[must_use]
    pub fn path_length(mut self, count: u8) -> Self {
        self.certificate.is_ca = IsCa::Ca(BasicConstraints::Constrained(count));
        self
    }

    /// No `CA:TRUE`: what it signs must be refused.
    #[must_use]
    pub fn not_a_ca(mut self) -> Self {
        self.certificate.is_ca = IsCa::NoCa;
        self
    }

    /// Only DNS names under `domain` (RFC 5280 §4.2.1.10).
    #[must_use]
    pub fn permit_dns(mut self, domain: &str) -> Self {
        self.permitted.push(GeneralSubtree::DnsName(domain.to_owned()));
        self
    }

    /// No DNS names under `domain`.
    #[must_use]
    pub fn exclude_dns(mut self, domain: &str) -> Self {
        self.excluded.push(GeneralSubtree::DnsName(domain.to_owned()));
        self
    }

    /// Only addresses in `network`/`prefix`.
    #[must_use]
    pub fn permit_ipv4(mut self, network: [u8; 4], prefix: u8) -> Self {
        self.permitted
            .push(GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(
                network, prefix,
            )));
        self
    }

    /// First moment of validity.
    #[must_use]
    pub fn not_before(self, moment: UnixTime) -> Self {
        self.certificate(|spec| spec.not_before(moment))
    }

    /// Last moment of validity.
    #[must_use]
    pub fn not_after(self, moment: UnixTime) -> Self {
        self.certificate(|spec| spec.not_after(moment))
    }

    /// Makes a key pair of this kind.
    #[must_use]
    pub fn key_kind(self, kind: KeyKind) -> Self {
        self.certificate(|spec| spec.key_kind(kind))
    }

    fn params(&self) -> (rcgen::CertificateParams, TestKey) {
        let (mut params, key) = self.certificate.params();
        if !self.permitted.is_empty() || !self.excluded.is_empty() {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: self.permitted.clone(),
                excluded_subtrees: self.excluded.clone(),
            });
        }
        (params, key)
    }

    /// A root: signed by its own key.
    #[must_use]
    pub fn root(self) -> TestCa {
        let (params, key) = self.params();
        let issued = params.self_signed(key.pair()).expect("root certificate");
        let name = self.certificate.name();
        let der = der::resign(issued.der(), &[(3, &name), (5, &name)], |tbs| key.sign(tbs));
        TestCa {
            inner: Arc::new(Inner {
                der,
                name,
                key,
                params,
                above: Vec::new(),
            }),
        }
    }
}

/// A certificate authority. Cloning shares it.
#[derive(Clone, Debug)]
pub struct TestCa {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    der: Vec<u8>,
    name: Vec<u8>,
    key: TestKey,
    params: rcgen::CertificateParams,
    /// This certificate and those above it but the root: what a leaf's chain carries.
    above: Vec<Vec<u8>>,
}

impl TestCa {
    /// An ordinary root called `CN=name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        CaSpec::new(name).root()
    }

    /// An ordinary intermediate called `CN=name` under this authority.
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(CaSpec::new(name))
    }

    /// An intermediate under this authority, as odd as `spec` says.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a chain of builder calls ends here")]
    pub fn intermediate_with(&self, spec: CaSpec) -> Self {
        let (params, key) = spec.params();
        let name = spec.certificate.name();
        let der = self.sign(&params, &key, &name);
        let above = std::iter::once(der.clone())
            .chain(self.inner.above.clone())
            .collect();
        Self {
            inner: Arc::new(Inner {
                der,
                name,
                key,
                params,
                above,
            }),
        }
    }

    /// An end-entity certificate as `spec` says. Nothing is checked: a test may break any constraint.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a chain of builder calls ends here")]
    pub fn issue(&self, spec: CertificateSpec) -> TestCertificate {
        let (params, key) = spec.params();
        let name = spec.name();
        let der = self.sign(&params, &key, &name);
        TestCertificate::new(der, key, self.inner.above.clone())
    }

    /// An ordinary client certificate: `CN=name`.
    #[must_use]
    pub fn client(&self, name: &str) -> TestCertificate {
        self.issue(CertificateSpec::client(name))
    }

    /// An ordinary server certificate for `localhost`, 127.0.0.1 and `::1`.
    #[must_use]
    pub fn server(&self) -> TestCertificate {
        self.issue(CertificateSpec::server())
    }

    /// An authority made of an end-entity certificate: what it signs must be refused.
    #[must_use]
    pub fn from_leaf(leaf: &TestCertificate) -> Self {
        let (params, _) = CertificateSpec::client("leaf").key(leaf.key()).params();
        let name = leaf.subject_der();
        let above = leaf.chain().iter().map(|der| der.to_vec()).collect();
        let key = leaf.key().clone();
        Self {
            inner: Arc::new(Inner {
                der: leaf.der().to_vec(),
                name,
                key,
                params,
                above,
            }),
        }
    }

    /// An authority that somebody else made, from its certificate and PKCS#8 key in PEM.
    #[must_use]
    pub fn from_pem(certificate: &str, key: &str) -> Self {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate in PEM");
        let key = TestKey::from_pem(key);
        let (params, _) = CertificateSpec::client("authority").ca().key(&key).params();
        let name = TestCertificate::new(der.to_vec(), key.clone(), Vec::new()).subject_der();
        Self {
            inner: Arc::new(Inner {
                der: der.to_vec(),
                name,
                key,
                params,
                above: Vec::new(),
            }),
        }
    }

    /// Its certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.inner.der
    }

    /// Its certificate in the type that the TLS stack takes.
    #[must_use]
    pub fn certificate_der(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.inner.der.clone())
    }

    /// Its certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.inner.der)
    }

    /// Its key pair.
    #[must_use]
    pub fn key(&self) -> &TestKey {
        &self.inner.key
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.inner.name
    }

    pub(crate) fn issuer(&self) -> Issuer<'_, &rcgen::KeyPair> {
        Issuer::from_params(&self.inner.params, self.inner.key.pair())
    }

    fn sign(&self, params: &rcgen::CertificateParams, key: &TestKey, subject: &[u8]) -> Vec<u8> {
        let issued = params.signed_by(key.pair(), &self.issuer()).expect("certificate");
        let names: [(usize, &[u8]); 2] = [(3, self.name()), (5, subject)];
        der::resign(issued.der(), &names, |tbs| self.inner.key.sign(tbs))
    }
}
