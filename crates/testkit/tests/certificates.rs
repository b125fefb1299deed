//! What the test CA makes is what it was asked for, judged by libraries that did not make it.

use std::time::Duration;

use rustls_pki_types::{TrustAnchor, UnixTime};
use sealstone_testkit::{
    Attribute, CaSpec, CertificateSpec, CrlSpec, ExtendedKeyUsage, KeyKind, START, SeededBytes, TestCa,
    TestCertificate, TextType, unix_time,
};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, KeyUsage, RevocationOptionsBuilder,
    anchor_from_trusted_cert,
};
use x509_cert::der::{Decode, Encode};

fn verify(
    root: &TestCa,
    leaf: &TestCertificate,
    at: UnixTime,
    crl: Option<&[u8]>,
) -> Result<(), webpki::Error> {
    let chain = leaf.chain();
    let end_entity = EndEntityCert::try_from(&chain[0])?;
    let root = root.certificate_der();
    let anchors: [TrustAnchor<'_>; 1] = [anchor_from_trusted_cert(&root)?];
    let list: Option<CertRevocationList<'_>> =
        crl.map(|der| BorrowedCertRevocationList::from_der(der).unwrap().into());
    let lists: Vec<&CertRevocationList<'_>> = list.iter().collect();
    let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
        options
            .with_depth(webpki::RevocationCheckDepth::EndEntity)
            .with_expiration_policy(webpki::ExpirationPolicy::Enforce)
            .build()
    });
    end_entity
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &chain[1..],
            at,
            KeyUsage::client_auth(),
            revocation,
            None,
        )
        .map(|_| ())
}

#[test]
fn a_client_certificate_verifies_up_to_its_root() {
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa2048] {
        let root = CaSpec::new("Root").key_kind(kind).root();
        let issuing = root.intermediate("Issuing");
        let leaf = issuing.issue(CertificateSpec::client("machine").key_kind(kind));
        verify(&root, &leaf, unix_time(START), None).unwrap();
        assert!(
            verify(&TestCa::new("Root"), &leaf, unix_time(START), None).is_err(),
            "{kind:?}: other root"
        );
        assert!(
            verify(&root, &leaf.with_broken_signature(), unix_time(START), None).is_err(),
            "{kind:?}"
        );
        assert!(
            verify(&root, &leaf.without_chain(), unix_time(START), None).is_err(),
            "{kind:?}"
        );
    }
}

#[test]
fn oddities_are_refused_for_what_they_are() {
    let now = unix_time(START);
    let root = TestCa::new("Root");
    let expired = root.issue(CertificateSpec::client("m").not_after(unix_time(START - 1)));
    let early = root.issue(CertificateSpec::client("m").not_before(unix_time(START + 3600)));
    let server = root.issue(CertificateSpec::client("m").usages(&[ExtendedKeyUsage::ServerAuth]));
    let any = root.issue(CertificateSpec::client("m").no_usages());
    let is_ca = root.issue(CertificateSpec::client("m").ca());
    assert!(matches!(
        verify(&root, &expired, now, None),
        Err(webpki::Error::CertExpired { .. })
    ));
    verify(&root, &expired, unix_time(START - 1), None).unwrap();
    assert!(matches!(
        verify(&root, &early, now, None),
        Err(webpki::Error::CertNotValidYet { .. })
    ));
    assert!(matches!(
        verify(&root, &server, now, None),
        Err(webpki::Error::RequiredEkuNotFoundContext(_))
    ));
    verify(&root, &any, now, None).unwrap();
    assert_eq!(
        verify(&root, &is_ca, now, None),
        Err(webpki::Error::CaUsedAsEndEntity)
    );

    let below_leaf = TestCa::from_leaf(&root.client("middle")).client("m");
    assert_eq!(
        verify(&root, &below_leaf, now, None),
        Err(webpki::Error::EndEntityUsedAsCa)
    );
    // Below a root: webpki takes a trust anchor for its name and key alone, and ignores its own path length.
    let short = root.intermediate_with(CaSpec::new("Short").path_length(0));
    verify(&root, &short.client("m"), now, None).unwrap();
    let deep = short.intermediate("Deep").client("m");
    assert_eq!(
        verify(&root, &deep, now, None),
        Err(webpki::Error::PathLenConstraintViolated)
    );
    let fenced = CaSpec::new("Fenced").permit_dns("inside.example").root();
    verify(
        &fenced,
        &fenced.issue(CertificateSpec::client("m").san_dns("a.inside.example")),
        now,
        None,
    )
    .unwrap();
    let outside = fenced.issue(CertificateSpec::client("m").san_dns("a.outside.example"));
    assert_eq!(
        verify(&fenced, &outside, now, None),
        Err(webpki::Error::NameConstraintViolation)
    );
}

#[test]
fn revocation_lists_are_believed_only_from_their_issuer_and_in_time() {
    let now = unix_time(START);
    let root = TestCa::new("Root");
    let (good, bad) = (root.client("good"), root.client("bad"));
    let list = root.crl(&CrlSpec::new(1).revoke(&bad));
    verify(&root, &good, now, Some(list.der())).unwrap();
    assert_eq!(
        verify(&root, &bad, now, Some(list.der())),
        Err(webpki::Error::CertRevoked)
    );
    let stale = root.crl(&CrlSpec::new(2).next_update(unix_time(START - 60)));
    assert!(verify(&root, &good, now, Some(stale.der())).is_err());
    let foreign = root.crl_signed_by(&CrlSpec::new(3), &TestCa::new("Root"));
    assert!(verify(&root, &good, now, Some(foreign.der())).is_err());
}

#[test]
fn names_are_encoded_as_given() {
    let root = TestCa::new("Root");
    let leaf = root.issue(CertificateSpec::client("").rdns(vec![
        vec![Attribute::typed("C", TextType::Printable, "DE")],
        vec![Attribute::new("OU", "a"), Attribute::new("CN", "b")],
        vec![
            Attribute::new("OU", "again"),
            Attribute::new("2.5.4.12", "by number"),
        ],
        vec![Attribute::typed("CN", TextType::Bmp, "é")],
        vec![Attribute::raw("CN", 0x0c, b"a\0b")],
    ]));
    let certificate = x509_cert::Certificate::from_der(leaf.der()).unwrap();
    let subject = certificate.tbs_certificate().subject().to_der().unwrap();
    let contains = |needle: &[u8]| subject.windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"\x13\x02DE"), "PrintableString");
    assert!(contains(b"\x1e\x02\x00\xe9"), "BMPString");
    assert!(contains(b"\x0c\x03a\0b"), "NUL kept");
    assert_eq!(certificate.tbs_certificate().subject().iter_rdn().count(), 5);
    assert!(verify(&root, &leaf, unix_time(START), None).is_ok());
}

#[test]
fn renewal_keeps_the_key_and_changes_the_thumbprint() {
    let root = TestCa::new("Root");
    let first = root.client("machine");
    let renewed = root.issue(CertificateSpec::client("machine").key(first.key()));
    assert_eq!(first.key().public_jwk(), renewed.key().public_jwk());
    assert_ne!(first.thumbprint(), renewed.thumbprint());
    let certificate = x509_cert::Certificate::from_der(first.der()).unwrap();
    let spki = certificate
        .tbs_certificate()
        .subject_public_key_info()
        .to_der()
        .unwrap();
    assert_eq!(spki, first.key().spki_der());
    assert_eq!(
        certificate.tbs_certificate().serial_number().as_bytes(),
        first.serial()
    );
}

#[test]
fn an_impostor_has_the_same_names_and_another_key() {
    let root = TestCa::new("Root");
    let real = root.issue(
        CertificateSpec::client("m")
            .san_dns("a.example")
            .san_uri("https://a.example"),
    );
    let copy = TestCa::new("Other").issue(CertificateSpec::same_subject(&real));
    let parts = |leaf: &TestCertificate| {
        let certificate = x509_cert::Certificate::from_der(leaf.der()).unwrap();
        let names = certificate
            .tbs_certificate()
            .get_extension::<x509_cert::ext::pkix::SubjectAltName>();
        (
            certificate.tbs_certificate().subject().clone(),
            names.unwrap().unwrap().1,
        )
    };
    assert_eq!(parts(&real), parts(&copy));
    assert_ne!(real.key().spki_der(), copy.key().spki_der());
}

#[test]
fn self_signed_names_itself() {
    let leaf = CertificateSpec::client("alone")
        .san_uri("https://alone.example")
        .self_signed();
    let certificate = x509_cert::Certificate::from_der(leaf.der()).unwrap();
    assert_eq!(
        certificate.tbs_certificate().issuer(),
        certificate.tbs_certificate().subject()
    );
    assert_eq!(leaf.chain().len(), 1);
}

#[test]
fn an_authority_is_read_back() {
    let root = TestCa::new("Root");
    let again = TestCa::from_pem(&root.pem(), &root.key().pkcs8_pem());
    verify(&root, &again.client("m"), unix_time(START), None).unwrap();
    let leaf = root.intermediate("Issuing").client("m");
    let read = TestCertificate::from_pem(&leaf.chain_pem(), &leaf.key_pem());
    assert_eq!(read.chain(), leaf.chain());
    assert_eq!(read.key().kind(), KeyKind::P256);
}

#[test]
fn text_forms() {
    let leaf = TestCa::new("Root").client("m");
    assert!(leaf.escaped_pem().starts_with("-----BEGIN%20CERTIFICATE-----%0A"));
    assert!(leaf.pem().lines().all(|line| line.len() <= 64));
    assert_eq!(leaf.thumbprint().len(), 43);
}

#[test]
fn seeds_decide_bytes_and_the_clock_stands() {
    assert_eq!(SeededBytes::new(7).bytes(20), SeededBytes::new(7).bytes(20));
    assert_ne!(
        SeededBytes::new(7).array::<32>(),
        SeededBytes::new(8).array::<32>()
    );
    let clock = sealstone_testkit::ManualClock::default();
    let shared = clock.clone();
    shared.advance(Duration::from_secs(90));
    assert_eq!(clock.seconds(), START + 90);
    clock.set(unix_time(5));
    assert_eq!(shared.now(), unix_time(5));
}
