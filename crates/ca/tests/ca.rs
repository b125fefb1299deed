//! The public face: what is issued holds before an independent verifier, what is refused is refused.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject};
use sealstone_ca::{
    AltName, Authority, CaError, CaFolder, CaRequest, CertificateInfo, CertificateRequest, Issued, KeyKind,
    RenewKey, RevocationReason, Serial, SigningRequest, Subject, files, self_signed_client,
};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

const HOUR: u64 = 3600;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000 + seconds))
}

fn subject(text: &str) -> Subject {
    Subject::parse(text).unwrap()
}

fn folder(path: &Path) -> CaFolder {
    CaFolder::create(
        &path.join("ca"),
        &CaRequest::new(subject("CN=Test CA,DC=example,DC=org")),
        at(0),
    )
    .unwrap()
}

/// As a TLS peer would: the path to the CA, dates, usage, and the revocation list when there is one.
fn verify(
    ca: &str,
    leaf: &[u8],
    usage: KeyUsage,
    crl: Option<&str>,
    now: UnixTime,
) -> Result<(), webpki::Error> {
    let root = CertificateDer::from_pem_slice(ca.as_bytes()).unwrap();
    let anchors = [anchor_from_trusted_cert(&root)?];
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf)?;
    let list = crl.map(|pem| CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap());
    let list = list
        .as_ref()
        .map(|der| CertRevocationList::Borrowed(BorrowedCertRevocationList::from_der(der).unwrap()));
    let lists: Vec<_> = list.iter().collect();
    let revocation = (!lists.is_empty()).then(|| {
        RevocationOptionsBuilder::new(&lists)
            .unwrap()
            .with_depth(RevocationCheckDepth::EndEntity)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build()
    });
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        &[],
        now,
        usage,
        revocation,
        None,
    )
    .map(|_| ())
}

#[test]
fn every_kind_of_key_issues_and_is_issued() {
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
        let ca = Authority::create(
            &CaRequest {
                key: kind,
                ..CaRequest::new(subject("CN=Test CA"))
            },
            at(0),
        )
        .unwrap();
        let ca = Authority::from_pem(ca.certificate_pem(), &ca.private_key_pem()).unwrap();
        let issued = ca
            .issue(&CertificateRequest::client(subject("CN=a")).with_key(kind), at(0))
            .unwrap();
        let leaf = &issued.certificate_der;
        verify(ca.certificate_pem(), leaf, KeyUsage::client_auth(), None, at(1)).unwrap();
        assert!(verify(ca.certificate_pem(), leaf, KeyUsage::server_auth(), None, at(1)).is_err());
    }
}

#[test]
fn server_names_hold() {
    let ca = Authority::create(&CaRequest::new(subject("CN=Test CA")), at(0)).unwrap();
    let names = vec![
        AltName::parse("dns:localhost").unwrap(),
        AltName::parse("ip:127.0.0.1").unwrap(),
    ];
    let issued = ca
        .issue(
            &CertificateRequest::server(Subject::parse("").unwrap(), names),
            at(0),
        )
        .unwrap();
    verify(
        ca.certificate_pem(),
        &issued.certificate_der,
        KeyUsage::server_auth(),
        None,
        at(1),
    )
    .unwrap();
    let der = CertificateDer::from(issued.certificate_der.as_slice());
    let leaf = EndEntityCert::try_from(&der).unwrap();
    for (name, holds) in [("localhost", true), ("127.0.0.1", true), ("example.org", false)] {
        let name = rustls_pki_types::ServerName::try_from(name).unwrap();
        assert_eq!(
            leaf.verify_is_valid_for_subject_name(&name).is_ok(),
            holds,
            "{name:?}"
        );
    }
}

#[test]
fn subjects_and_names_are_written_as_given() {
    let temporary = tempfile::tempdir().unwrap();
    let ca = folder(temporary.path());
    let text = "CN=machine+UID=7,OU=night,OU=ops,O=Example\\, Ltd,DC=example,DC=org";
    let names = [
        "dns:*.example.org",
        "uri:spiffe://example.org/m",
        "ip:::1",
        "email:m@example.org",
    ];
    let names = names.map(|name| AltName::parse(name).unwrap()).to_vec();
    let issued = ca
        .issue(
            &CertificateRequest::client(subject(text)).with_alt_names(names.clone()),
            at(0),
        )
        .unwrap();
    let info = CertificateInfo::parse(issued.certificate_pem.as_bytes()).unwrap();
    assert_eq!(info.subject, text);
    assert_eq!(info.serial, issued.serial);
    assert_eq!(info.serial.as_bytes().len(), 16);
    assert_eq!(info.not_after, at(90 * 24 * HOUR));
    let listed = ca.list().unwrap();
    assert_eq!(listed[0].subject, text);
    assert_eq!(
        listed[0].alt_names,
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
}

#[test]
fn renewed_certificates_say_the_same_with_another_key_or_the_same() {
    let temporary = tempfile::tempdir().unwrap();
    let ca = folder(temporary.path());
    let request = CertificateRequest {
        crl_url: Some("http://ca.example.org/crl".to_owned()),
        ..CertificateRequest::client(subject("CN=a,DC=example,DC=org"))
            .with_alt_names(vec![AltName::parse("dns:a.example.org").unwrap()])
    };
    let first = ca.issue(&request, at(0)).unwrap();
    let old = CertificateInfo::parse(&first.certificate_der).unwrap();
    let day = Duration::from_secs(24 * HOUR);
    for key in [
        RenewKey::New(KeyKind::P384),
        RenewKey::Same(&first.private_key_pem),
    ] {
        let second = ca.renew(&old, key, day, at(HOUR)).unwrap();
        verify(
            ca.authority().certificate_pem(),
            &second.certificate_der,
            KeyUsage::client_auth(),
            None,
            at(HOUR),
        )
        .unwrap();
        let new = CertificateInfo::parse(&second.certificate_der).unwrap();
        assert_eq!(new.subject, old.subject);
        assert_eq!(new.not_after, at(25 * HOUR));
        assert_ne!(new.serial, old.serial);
        let same_key = matches!(key, RenewKey::Same(_));
        assert_eq!(second.private_key_pem == first.private_key_pem, same_key);
        let der = CertificateDer::from(second.certificate_der.as_slice());
        let names: Vec<_> = EndEntityCert::try_from(&der)
            .unwrap()
            .valid_dns_names()
            .map(str::to_owned)
            .collect();
        assert_eq!(names, ["a.example.org"]);
    }
    let records = ca.list().unwrap();
    assert_eq!(records[1].renews.as_deref(), Some(records[0].serial.as_str()));
}

#[test]
fn what_may_not_be_renewed() {
    let temporary = tempfile::tempdir().unwrap();
    let ca = folder(temporary.path());
    let day = Duration::from_secs(24 * HOUR);
    let request = CertificateRequest::client(subject("CN=a"));
    let renew = |issued: &Issued, key: RenewKey<'_>| {
        ca.renew(
            &CertificateInfo::parse(&issued.certificate_der).unwrap(),
            key,
            day,
            at(1),
        )
        .map(|_| ())
    };
    let own = ca.issue(&request, at(0)).unwrap();
    renew(&own, RenewKey::New(KeyKind::P256)).unwrap();

    // An impostor of the same name.
    let other = Authority::create(&CaRequest::new(subject("CN=Test CA,DC=example,DC=org")), at(0)).unwrap();
    let foreign = other.issue(&request, at(0)).unwrap();
    assert!(matches!(
        renew(&foreign, RenewKey::New(KeyKind::P256)),
        Err(CaError::NotIssuedHere(_))
    ));

    assert!(matches!(
        renew(&own, RenewKey::Same(&foreign.private_key_pem)),
        Err(CaError::KeyMismatch)
    ));
    ca.revoke(&own.serial, RevocationReason::Superseded, at(1))
        .unwrap();
    assert!(matches!(
        renew(&own, RenewKey::New(KeyKind::P256)),
        Err(CaError::Revoked(_))
    ));
}

#[test]
fn revoked_certificates_are_on_the_list_and_no_others() {
    let temporary = tempfile::tempdir().unwrap();
    let ca = folder(temporary.path());
    let ca_pem = ca.authority().certificate_pem();
    let bad = ca
        .issue(&CertificateRequest::client(subject("CN=bad")), at(0))
        .unwrap();
    let good = ca
        .issue(&CertificateRequest::client(subject("CN=good")), at(0))
        .unwrap();
    let week = Duration::from_secs(7 * 24 * HOUR);
    let check = |issued: &Issued, list: &str, now| {
        verify(
            ca_pem,
            &issued.certificate_der,
            KeyUsage::client_auth(),
            Some(list),
            now,
        )
    };
    let empty = ca.crl(week, at(0)).unwrap();
    check(&bad, &empty, at(1)).unwrap();

    ca.revoke(&bad.serial, RevocationReason::KeyCompromise, at(2))
        .unwrap();
    assert!(matches!(
        ca.revoke(&bad.serial, RevocationReason::KeyCompromise, at(3)),
        Err(CaError::Revoked(_))
    ));
    let list = ca.crl(week, at(3)).unwrap();
    assert!(matches!(
        check(&bad, &list, at(4)),
        Err(webpki::Error::CertRevoked)
    ));
    check(&good, &list, at(4)).unwrap();
    assert!(matches!(
        check(&good, &list, at(8 * 24 * HOUR)),
        Err(webpki::Error::CrlExpired { .. })
    ));
    assert_eq!(fs::read_to_string(ca.path().join("crl.pem")).unwrap(), list);

    // A certificate that this folder does not know.
    ca.revoke(
        &Serial::parse("01:FF").unwrap(),
        RevocationReason::Unspecified,
        at(4),
    )
    .unwrap();
    assert_ne!(ca.crl(week, at(5)).unwrap(), list);
}

#[test]
fn a_folder_is_never_overwritten_and_opens_again() {
    let temporary = tempfile::tempdir().unwrap();
    let ca = folder(temporary.path());
    let issued = ca
        .issue(&CertificateRequest::client(subject("CN=a")), at(0))
        .unwrap();
    let again = CaFolder::create(ca.path(), &CaRequest::new(subject("CN=Other")), at(0));
    assert!(matches!(again, Err(CaError::Exists(_))));
    let opened = CaFolder::open(ca.path()).unwrap();
    assert_eq!(
        opened.authority().certificate_pem(),
        ca.authority().certificate_pem()
    );
    assert_eq!(opened.list().unwrap()[0].serial, issued.serial.to_string());
    assert!(matches!(CaFolder::open(temporary.path()), Err(CaError::NoCa(_))));
}

#[test]
fn an_interrupted_making_is_taken_up() {
    let temporary = tempfile::tempdir().unwrap();
    let ca = folder(temporary.path());
    fs::remove_file(ca.path().join("ca.pem")).unwrap();
    let again = CaFolder::create(ca.path(), &CaRequest::new(subject("CN=Test CA")), at(5)).unwrap();
    assert_eq!(
        *again.authority().private_key_pem(),
        *ca.authority().private_key_pem()
    );
    CaFolder::open(ca.path()).unwrap();
}

#[test]
fn s05_a_key_that_others_may_read_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let ca = folder(temporary.path());
    let key = ca.path().join("ca.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    CaFolder::open(ca.path()).unwrap();

    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = CaFolder::open(ca.path()).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    let moved = ca.path().join("elsewhere");
    fs::rename(&key, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &key).unwrap();
    assert!(matches!(CaFolder::open(ca.path()), Err(CaError::Unsafe { .. })));
    fs::remove_file(&key).unwrap();

    let text = files::read_private(&moved).unwrap();
    for content in ["", &text[..text.len() / 2]] {
        files::replace(&key, content.as_bytes(), files::Access::Private).unwrap();
        assert!(CaFolder::open(ca.path()).is_err());
    }
    let other = Authority::create(&CaRequest::new(subject("CN=Other")), at(0)).unwrap();
    files::replace(&key, other.private_key_pem().as_bytes(), files::Access::Private).unwrap();
    assert!(matches!(CaFolder::open(ca.path()), Err(CaError::KeyMismatch)));
}

#[test]
fn s06_nothing_prints_a_private_key() {
    let ca = Authority::create(&CaRequest::new(subject("CN=a")), at(0)).unwrap();
    let issued = ca
        .issue(&CertificateRequest::client(subject("CN=a")), at(0))
        .unwrap();
    let renew = RenewKey::Same(&issued.private_key_pem);
    for text in [format!("{ca:?}"), format!("{issued:?}"), format!("{renew:?}")] {
        assert!(!text.contains("PRIVATE") && !text.contains("MIG"), "{text}");
    }
}

#[test]
fn lifetimes_end_with_the_ca() {
    let request = CaRequest {
        lifetime: Duration::from_secs(HOUR),
        ..CaRequest::new(subject("CN=short"))
    };
    let ca = Authority::create(&request, at(0)).unwrap();
    let client = CertificateRequest::client(subject("CN=a"));
    assert_eq!(ca.issue(&client, at(0)).unwrap().not_after, at(HOUR));
    assert!(matches!(
        ca.issue(&client, at(HOUR + 1)),
        Err(CaError::CaNotValid)
    ));
    assert!(matches!(
        ca.issue(&client.clone().with_lifetime(Duration::ZERO), at(0)),
        Err(CaError::Lifetime)
    ));
    assert!(matches!(
        ca.issue(&CertificateRequest::client(subject("")), at(0)),
        Err(CaError::Nameless)
    ));
    let leaf = ca.issue(&client, at(0)).unwrap();
    assert!(matches!(
        Authority::from_pem(&leaf.certificate_pem, &leaf.private_key_pem),
        Err(CaError::NotACa)
    ));
}

#[test]
fn self_signed_certificates_hold_their_own_key() {
    let issued =
        self_signed_client(&CertificateRequest::client(subject("CN=machine,O=demo")), at(0)).unwrap();
    let info = CertificateInfo::parse(issued.certificate_pem.as_bytes()).unwrap();
    assert_eq!(info.subject, "CN=machine,O=demo");
    let pem = &issued.certificate_pem;
    verify(pem, &issued.certificate_der, KeyUsage::client_auth(), None, at(1)).unwrap();
}

#[test]
fn alternative_names_that_are_none() {
    for text in [
        "localhost",
        "dns:",
        "dns:a b",
        "dns:a..b",
        "ip:localhost",
        "uri:nothing",
        "email:nobody",
        "email:@a",
        "dns:ä",
    ] {
        assert!(
            matches!(AltName::parse(text), Err(CaError::AltName { .. })),
            "{text}"
        );
    }
}

/// What another authority is asked for: the names octet for octet, in the order and the sets of the old certificate.
#[test]
fn a_request_asks_for_a_successor_of_the_same_names() {
    use der::{Decode as _, Encode as _};
    let subject = "CN=machine+UID=7,OU=a,OU=b,DC=example,DC=org";
    let request = CertificateRequest::client(Subject::parse(subject).unwrap())
        .with_alt_names(vec![AltName::parse("uri:spiffe://example.org/machine").unwrap()]);
    let old = self_signed_client(&request, at(0)).unwrap();
    let info = CertificateInfo::parse(&old.certificate_der).unwrap();
    for (key, same) in [
        (RenewKey::New(KeyKind::P256), false),
        (RenewKey::New(KeyKind::Ed25519), false),
        (RenewKey::Same(&old.private_key_pem), true),
    ] {
        let made = SigningRequest::renewing(&info, key).unwrap();
        let read = x509_cert::request::CertReq::from_der(&made.der).unwrap();
        let before = x509_cert::Certificate::from_der(&old.certificate_der).unwrap();
        let before = before.tbs_certificate();
        assert_eq!(
            read.info.subject.to_der().unwrap(),
            before.subject().to_der().unwrap()
        );
        let same_key = read.info.public_key == *before.subject_public_key_info();
        assert_eq!(same_key, same);
        let attributes = read.info.attributes.to_der().unwrap();
        let names = b"spiffe://example.org/machine";
        assert!(attributes.windows(names.len()).any(|window| window == names));
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }
    // Signed by the key that it asks for. This reader knows no names of several parts, so they are plain here.
    let plain = CertificateRequest::client(Subject::parse("CN=machine").unwrap());
    let plain = self_signed_client(&plain, at(0)).unwrap();
    let plain_info = CertificateInfo::parse(&plain.certificate_der).unwrap();
    for key in [
        RenewKey::New(KeyKind::P256),
        RenewKey::New(KeyKind::Ed25519),
        RenewKey::Same(&plain.private_key_pem),
    ] {
        let made = SigningRequest::renewing(&plain_info, key).unwrap();
        rcgen::CertificateSigningRequestParams::from_pem(&made.pem).unwrap();
    }
    let other = self_signed_client(&request, at(0)).unwrap();
    let error = SigningRequest::renewing(&info, RenewKey::Same(&other.private_key_pem)).unwrap_err();
    assert!(matches!(error, CaError::KeyMismatch), "{error}");
}
