//! Attack group D, as far as the chain of a certificate decides it.

#[path = "support/pki.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod pki;

use pki::{DAY, Draft, HOUR, NOW, Signed, at, trust, trust_with};
use rcgen::{
    BasicConstraints, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, NameConstraints, SanType,
};
use sealstone_tls::{ChainError, ClientTrust, CrlPolicy, RevocationDepth, TrustError};

/// The code of the refusal, or `ok`.
fn judged(client: &Signed, chain: &[&Signed], trust: &ClientTrust, now: i64) -> &'static str {
    match client.peer(chain).verify_chain(trust, at(now)) {
        Ok(()) => "ok",
        Err(error) => error.code(),
    }
}

fn root() -> Signed {
    Draft::authority("root").self_signed()
}

#[test]
fn d03_untrusted_authority_of_the_same_name() {
    let (ours, impostor) = (root(), root());
    let trust = trust(&[&ours]);
    assert_eq!(
        judged(&Draft::client("ci").signed_by(&ours), &[], &trust, NOW),
        "ok"
    );
    let forged = Draft::client("ci").signed_by(&impostor);
    assert_eq!(judged(&forged, &[], &trust, NOW), "signature_forged");
    assert_eq!(
        judged(&forged, &[&impostor], &trust, NOW),
        "signature_forged",
        "with its authority sent along"
    );
    let stranger = Draft::authority("stranger").self_signed();
    let foreign = Draft::client("ci").signed_by(&stranger);
    assert_eq!(judged(&foreign, &[], &trust, NOW), "unknown_issuer");
    assert_eq!(judged(&foreign, &[&stranger], &trust, NOW), "unknown_issuer");
}

#[test]
fn d04_self_signed_where_an_authority_is_due() {
    let ours = root();
    let trust = trust(&[&ours]);
    let issued = Draft::client("ci").signed_by(&ours);
    assert_eq!(judged(&issued, &[], &trust, NOW), "ok");
    let own = Draft::client("ci").self_signed();
    assert_eq!(own.certificate().subject(), issued.certificate().subject());
    assert_eq!(judged(&own, &[], &trust, NOW), "unknown_issuer");
    assert_eq!(judged(&own, &[&own], &trust, NOW), "unknown_issuer");
}

#[test]
fn d07_expired() {
    let ours = root();
    let client = Draft::client("ci").dated(NOW - DAY, NOW).signed_by(&ours);
    let trust = trust(&[&ours]);
    assert_eq!(judged(&client, &[], &trust, NOW), "ok", "the last second counts");
    assert_eq!(judged(&client, &[], &trust, NOW + 1), "certificate_expired");
    assert_eq!(
        client.peer(&[]).verify_chain(&trust, at(NOW + 1)),
        Err(ChainError::Expired { not_after: at(NOW) })
    );
}

#[test]
fn d07_expires_on_a_standing_connection() {
    let ours = root();
    let peer = Draft::client("ci")
        .dated(NOW - DAY, NOW + 10)
        .signed_by(&ours)
        .peer(&[]);
    let trust = trust(&[&ours]);
    for (now, accepted) in [
        (NOW, true),
        (NOW + 10, true),
        (NOW + 11, false),
        (NOW + 5, true),
        (NOW - DAY - 1, false),
    ] {
        assert_eq!(peer.verify_chain(&trust, at(now)).is_ok(), accepted, "{now}");
    }
}

#[test]
fn d08_not_yet_valid() {
    let ours = root();
    let client = Draft::client("ci").dated(NOW + HOUR, NOW + DAY).signed_by(&ours);
    let trust = trust(&[&ours]);
    assert_eq!(judged(&client, &[], &trust, NOW), "certificate_not_yet_valid");
    assert_eq!(judged(&client, &[], &trust, NOW + HOUR), "ok");
}

#[test]
fn d09_server_certificate() {
    let ours = root();
    let trust = trust(&[&ours]);
    let judged_for = |purposes: &[ExtendedKeyUsagePurpose]| {
        judged(
            &Draft::named("ci").for_purposes(purposes).signed_by(&ours),
            &[],
            &trust,
            NOW,
        )
    };
    assert_eq!(judged_for(&[ExtendedKeyUsagePurpose::ClientAuth]), "ok");
    assert_eq!(
        judged_for(&[
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth
        ]),
        "ok"
    );
    assert_eq!(
        judged_for(&[ExtendedKeyUsagePurpose::ServerAuth]),
        "not_for_clients"
    );
}

/// D10, the documented answers: without the extension accepted; `anyExtendedKeyUsage` alone refused.
#[test]
fn d10_no_or_any_extended_key_usage() {
    let ours = root();
    let trust = trust(&[&ours]);
    let judged_for = |purposes: &[ExtendedKeyUsagePurpose]| {
        judged(
            &Draft::named("ci").for_purposes(purposes).signed_by(&ours),
            &[],
            &trust,
            NOW,
        )
    };
    assert_eq!(judged_for(&[]), "ok");
    assert_eq!(judged_for(&[ExtendedKeyUsagePurpose::Any]), "not_for_clients");
    assert_eq!(
        judged_for(&[ExtendedKeyUsagePurpose::Any, ExtendedKeyUsagePurpose::ClientAuth]),
        "ok"
    );
    let narrow = Draft::authority("servers only")
        .for_purposes(&[ExtendedKeyUsagePurpose::ServerAuth])
        .signed_by(&ours);
    assert_eq!(
        judged(&Draft::client("ci").signed_by(&narrow), &[&narrow], &trust, NOW),
        "not_for_clients",
        "an authority for servers makes no clients"
    );
}

#[test]
fn d11_authority_as_client() {
    let ours = root();
    let trust = trust(&[&ours]);
    let authority = Draft::authority("ci")
        .for_purposes(&[ExtendedKeyUsagePurpose::ClientAuth])
        .signed_by(&ours);
    assert_eq!(
        judged(
            &Draft::client("ci").signed_by(&authority),
            &[&authority],
            &trust,
            NOW
        ),
        "ok"
    );
    assert_eq!(judged(&authority, &[], &trust, NOW), "authority_as_client");
    assert_eq!(judged(&ours, &[], &trust, NOW), "authority_as_client");
}

#[test]
fn d12_leaf_signed_by_a_leaf() {
    let ours = root();
    let trust = trust(&[&ours]);
    let issued = |by: Draft| {
        let by = by.signed_by(&ours);
        judged(&Draft::client("ci").signed_by(&by), &[&by], &trust, NOW)
    };
    assert_eq!(issued(Draft::authority("middle")), "ok");
    assert_eq!(issued(Draft::client("middle")), "client_as_authority");
    assert_eq!(
        issued(Draft::named("middle").with(|params| params.is_ca = IsCa::ExplicitNoCa)),
        "client_as_authority"
    );
}

#[test]
fn d13_path_length() {
    let ours = root();
    let trust = trust(&[&ours]);
    let limited = |length| {
        let middle = Draft::authority("middle")
            .with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length)))
            .signed_by(&ours);
        let low = Draft::authority("low").signed_by(&middle);
        judged(
            &Draft::client("ci").signed_by(&low),
            &[&low, &middle],
            &trust,
            NOW,
        )
    };
    assert_eq!(limited(1), "ok");
    assert_eq!(limited(0), "path_length");
}

#[test]
fn d14_name_constraints() {
    let ours = root();
    let trust = trust(&[&ours]);
    let constrained = |subtree: GeneralSubtree| {
        Draft::authority("constrained")
            .with(|params| {
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![subtree],
                    excluded_subtrees: Vec::new(),
                });
            })
            .signed_by(&ours)
    };
    let named = |host: &str, by: &Signed| {
        let client = Draft::client("ci")
            .with(|params| params.subject_alt_names = vec![SanType::DnsName(host.try_into().unwrap())])
            .signed_by(by);
        judged(&client, &[by], &trust, NOW)
    };
    let by_host = constrained(GeneralSubtree::DnsName("example.com".to_owned()));
    assert_eq!(named("ci.example.com", &by_host), "ok");
    assert_eq!(named("ci.example.net", &by_host), "name_constraint");

    let mailbox = |by: &Signed| {
        let client = Draft::client("ci")
            .with(|params| {
                params.subject_alt_names = vec![SanType::Rfc822Name("ci@example.com".try_into().unwrap())]
            })
            .signed_by(by);
        judged(&client, &[by], &trust, NOW)
    };
    assert_eq!(mailbox(&by_host), "ok", "another kind of name");
    let by_mailbox = constrained(GeneralSubtree::Rfc822Name("example.com".to_owned()));
    assert_eq!(
        mailbox(&by_mailbox),
        "name_constraint",
        "not compared, so refused"
    );

    // Directory names are not compared: the constraint refuses, whatever it permits.
    let mut permitted = rcgen::DistinguishedName::new();
    permitted.push(DnType::CommonName, "ci");
    let by_directory = constrained(GeneralSubtree::DirectoryName(permitted));
    assert_eq!(named("ci.example.com", &by_directory), "name_constraint");
}

#[test]
fn d15_expired_intermediate() {
    let ours = root();
    let trust = trust(&[&ours]);
    let chain = |until| {
        let middle = Draft::authority("middle")
            .dated(NOW - DAY, until)
            .signed_by(&ours);
        let client = Draft::client("ci").signed_by(&middle);
        (client, middle)
    };
    let (client, middle) = chain(NOW);
    assert_eq!(judged(&client, &[&middle], &trust, NOW), "ok");
    assert_eq!(
        judged(&client, &[&middle], &trust, NOW + 1),
        "certificate_expired"
    );
    let peer = client.peer(&[&middle]);
    assert!(peer.verify_chain(&trust, at(NOW)).is_ok());
    assert!(
        peer.verify_chain(&trust, at(NOW + 1)).is_err(),
        "on a standing connection"
    );
}

/// D15, the documented answer for the trust anchor: it is refused too.
#[test]
fn d15_expired_root() {
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let old = Draft::authority("root")
        .dated(NOW - DAY, NOW)
        .self_signed_by(&key);
    let client = Draft::client("ci").signed_by(&old);
    let only_old = trust(&[&old]);
    assert_eq!(judged(&client, &[], &only_old, NOW), "ok");
    assert_eq!(judged(&client, &[], &only_old, NOW + 1), "certificate_expired");
    let peer = client.peer(&[]);
    assert!(peer.verify_chain(&only_old, at(NOW)).is_ok());
    assert!(
        peer.verify_chain(&only_old, at(NOW + 1)).is_err(),
        "on a standing connection"
    );

    let renewed = Draft::authority("root")
        .dated(NOW, NOW + DAY)
        .self_signed_by(&key);
    assert_eq!(
        judged(&client, &[], &trust(&[&old, &renewed]), NOW + 1),
        "ok",
        "the renewed certificate of its key"
    );
    assert_eq!(
        judged(&client, &[], &trust(&[&renewed]), NOW - 1),
        "certificate_not_yet_valid"
    );
}

#[test]
fn d16_revoked() {
    let ours = root();
    let client = Draft::client("ci").serial(7).signed_by(&ours);
    let with = |lists: &[_], policy| judged(&client, &[], &trust_with(&[&ours], lists, policy), NOW);
    let lenient = CrlPolicy {
        dangerous_accept_missing: true,
        dangerous_accept_expired: true,
        ..CrlPolicy::default()
    };
    assert_eq!(with(&[ours.list(&[8])], CrlPolicy::default()), "ok");
    assert_eq!(
        with(&[ours.list(&[6, 7])], CrlPolicy::default()),
        "certificate_revoked"
    );
    assert_eq!(with(&[ours.list(&[6, 7])], lenient), "certificate_revoked");

    let expired = ours.list_until(&[], NOW - 1);
    assert_eq!(
        with(std::slice::from_ref(&expired), CrlPolicy::default()),
        "revocation_list_expired"
    );
    assert_eq!(with(&[expired], lenient), "ok", "asked for by a dangerous name");

    let namesake = root();
    assert_eq!(
        with(&[namesake.list(&[])], CrlPolicy::default()),
        "revocation_list_forged"
    );
    assert_eq!(with(&[namesake.list(&[])], lenient), "revocation_list_forged");

    let other = Draft::authority("another").self_signed();
    assert_eq!(
        with(&[other.list(&[7])], CrlPolicy::default()),
        "revocation_unknown"
    );
    assert_eq!(with(&[other.list(&[7])], lenient), "ok");
    assert_eq!(
        with(&[], CrlPolicy::default()),
        "ok",
        "no list is configured at all"
    );
}

#[test]
fn d16_revoked_intermediate() {
    let ours = root();
    let middle = Draft::authority("middle").serial(3).signed_by(&ours);
    let client = Draft::client("ci").serial(7).signed_by(&middle);
    let with = |lists: &[_], depth| {
        let policy = CrlPolicy {
            depth,
            ..CrlPolicy::default()
        };
        judged(&client, &[&middle], &trust_with(&[&ours], lists, policy), NOW)
    };
    assert_eq!(
        with(&[ours.list(&[]), middle.list(&[])], RevocationDepth::Chain),
        "ok"
    );
    assert_eq!(
        with(&[ours.list(&[3]), middle.list(&[])], RevocationDepth::Chain),
        "certificate_revoked"
    );
    assert_eq!(
        with(&[middle.list(&[])], RevocationDepth::Chain),
        "revocation_unknown"
    );
    assert_eq!(with(&[middle.list(&[])], RevocationDepth::EndEntity), "ok");
}

#[test]
fn d16_revoked_on_a_standing_connection() {
    let ours = root();
    let peer = Draft::client("ci").serial(7).signed_by(&ours).peer(&[]);
    let before = trust_with(&[&ours], &[ours.list(&[])], CrlPolicy::default());
    let after = trust_with(&[&ours], &[ours.list(&[7])], CrlPolicy::default());
    assert_ne!(before.generation(), after.generation());
    assert_eq!(peer.verify_chain(&before, at(NOW)), Ok(()));
    assert_eq!(
        peer.verify_chain(&after, at(NOW)),
        Err(ChainError::Revoked),
        "with the next list"
    );
    assert_eq!(peer.verify_chain(&before, at(NOW)), Ok(()));
    assert_eq!(before.next_update(), Some(at(NOW + HOUR)));
    assert_eq!(
        peer.verify_chain(&before, at(NOW + HOUR + 1)),
        Err(ChainError::RevocationListExpired {
            next_update: at(NOW + HOUR)
        }),
        "when no list came"
    );
}

#[test]
fn a_connection_remembers_few_judgements() {
    let ours = root();
    let peer = Draft::client("ci").signed_by(&ours).peer(&[]);
    for _ in 0..20 {
        assert_eq!(peer.verify_chain(&trust(&[&ours]), at(NOW)), Ok(()));
        assert!(peer.verify_chain(&trust(&[&root()]), at(NOW)).is_err());
    }
}

#[test]
fn unusable_trust() {
    let ours = root();
    let leaf = Draft::client("ci").signed_by(&ours);
    let policy = CrlPolicy::default();
    assert!(ClientTrust::from_pem(ours.pem().as_bytes(), b"", policy).is_ok());
    assert_eq!(
        ClientTrust::new(&[], &[], policy).unwrap_err(),
        TrustError::NoAuthority
    );
    assert_eq!(
        ClientTrust::from_pem(b"no PEM", b"", policy).unwrap_err(),
        TrustError::NoAuthority
    );
    let not_an_authority = ClientTrust::new(&[ours.der(), leaf.der()], &[], policy).unwrap_err();
    assert_eq!(
        not_an_authority,
        TrustError::NotAnAuthority {
            index: 1,
            subject: "CN=ci".to_owned()
        },
        "{not_an_authority}"
    );
    let cut = &ours.pem()[..100];
    assert!(matches!(
        ClientTrust::from_pem(cut.as_bytes(), b"", policy),
        Err(TrustError::Pem(_))
    ));
    let no_list = rustls_pki_types::CertificateRevocationListDer::from(vec![0x30, 0]);
    assert!(matches!(
        ClientTrust::new(&[ours.der()], &[no_list], policy),
        Err(TrustError::RevocationList { index: 0, .. })
    ));
}
