//! Real handshakes on the loopback interface: possession is proved, and nothing else is judged.

#[path = "support/net.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod net;
#[path = "support/pki.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod pki;

use std::time::Duration;

use net::{BOTH_VERSIONS, Client, Server, asking, server_identity};
use pki::{DAY, Draft, HOUR, NOW, Signed, at, trust_with};
use rcgen::{KeyPair, PublicKeyData, SigningKey};
use rustls::{
    HandshakeKind,
    crypto::aws_lc_rs,
    version::{TLS12, TLS13},
};
use rustls_pki_types::CertificateDer;
use sealstone_mtls::{CertificateThumbprint, ClientCertificate};
use sealstone_tls::{
    ChainError, ClientCertificates, CrlPolicy, PeerCertificate, ServerTlsConfig, TlsConfigError, TlsProfile,
    TlsVersion,
};

fn seen(client: &Signed, chain: usize) -> String {
    format!("{} +{chain}", client.certificate().thumbprint())
}

#[tokio::test]
async fn a_certificate_is_asked_for_and_not_required() {
    let (root, server) = server_identity();
    let authority = Draft::authority("clients").self_signed();
    let issued = Draft::client("ci").signed_by(&authority);
    let own = Draft::client("ci").self_signed();
    let expired = Draft::client("ci").dated(0, DAY).signed_by(&authority);
    let asks = Server::start(asking(&server)).await;
    for version in BOTH_VERSIONS {
        let client = Client::with(&root, aws_lc_rs::ALL_CIPHER_SUITES, &[version]);
        assert_eq!(client.ask(asks.address).await.unwrap().1, "nobody");
        for holder in [&issued, &own, &expired] {
            let client = client.clone().holding(holder);
            assert_eq!(client.ask(asks.address).await.unwrap().1, seen(holder, 0));
        }
        let with_chain = client.presenting(vec![issued.der(), authority.der()], &issued.key());
        assert_eq!(with_chain.ask(asks.address).await.unwrap().1, seen(&issued, 1));
    }
}

#[tokio::test]
async fn d01_a_listener_that_does_not_ask_sees_nobody() {
    let (root, server) = server_identity();
    let client = Draft::client("ci").self_signed();
    let silent = Server::start(asking(&server).with_client_certificates(ClientCertificates::None)).await;
    let holder = Client::new(&root).holding(&client);
    assert_eq!(holder.ask(silent.address).await.unwrap().1, "nobody");
    let asks = Server::start(asking(&server)).await;
    assert_eq!(holder.ask(asks.address).await.unwrap().1, seen(&client, 0));
}

#[tokio::test]
async fn d02_certificate_without_its_key() {
    let (root, server) = server_identity();
    let (victim, thief) = (
        Draft::client("ci").self_signed(),
        Draft::client("thief").self_signed(),
    );
    let asks = Server::start(asking(&server)).await;
    for version in BOTH_VERSIONS {
        let client = Client::with(&root, aws_lc_rs::ALL_CIPHER_SUITES, &[version]);
        let honest = client.clone().holding(&victim);
        assert_eq!(honest.ask(asks.address).await.unwrap().1, seen(&victim, 0));
        let stolen = client.presenting(vec![victim.der()], &thief.key());
        assert!(stolen.ask(asks.address).await.is_err(), "{version:?}");
    }
}

#[tokio::test]
async fn keys_of_every_kind_prove_possession() {
    let (root, server) = server_identity();
    let asks = Server::start(asking(&server)).await;
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap().serialize_pem();
        let client = Draft::client("ci").self_signed_by(&key);
        for version in BOTH_VERSIONS {
            let holder = Client::with(&root, aws_lc_rs::ALL_CIPHER_SUITES, &[version]).holding(&client);
            assert_eq!(
                holder.ask(asks.address).await.unwrap().1,
                seen(&client, 0),
                "{algorithm:?}"
            );
        }
    }
}

/// RFC 8705 appendix A has a version 1 certificate: webpki would not take its key from it.
#[tokio::test]
async fn a_version_1_certificate_proves_possession() {
    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let head = match length {
            [0, short @ ..128] => vec![tag, short],
            [0, long] => vec![tag, 0x81, long],
            [high, low] => vec![tag, 0x82, high, low],
        };
        [head.as_slice(), content].concat()
    }
    let (root, server) = server_identity();
    let pair = KeyPair::generate().unwrap();
    let ecdsa = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2].to_vec();
    let name = tlv(
        0x30,
        &tlv(
            0x31,
            &tlv(0x30, &[&[6, 3, 0x55, 4, 3][..], &tlv(0x0c, b"v1")].concat()),
        ),
    );
    let dates = tlv(
        0x30,
        &[tlv(0x17, b"260101000000Z"), tlv(0x17, b"270101000000Z")].concat(),
    );
    let spki = pair.subject_public_key_info();
    let tbs = tlv(
        0x30,
        &[tlv(2, &[2]), ecdsa.clone(), name.clone(), dates, name, spki].concat(),
    );
    let signature = [&[0][..], &pair.sign(&tbs).unwrap()].concat();
    let der = tlv(0x30, &[tbs, ecdsa, tlv(3, &signature)].concat());

    let asks = Server::start(asking(&server)).await;
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(pair.serialize_der()).into();
    for version in BOTH_VERSIONS {
        let holder = Client::with(&root, aws_lc_rs::ALL_CIPHER_SUITES, &[version])
            .presenting(vec![CertificateDer::from(der.clone())], &key);
        let expected = format!("{} +0", CertificateThumbprint::of_der(&der));
        assert_eq!(holder.ask(asks.address).await.unwrap().1, expected);
    }
    // For `tls_client_auth` it is no good.
    let peer = PeerCertificate::new(ClientCertificate::from_der(&der).unwrap(), Vec::new());
    let trust = trust_with(&[&root], &[], CrlPolicy::default());
    assert!(matches!(
        peer.verify_chain(&trust, at(NOW)),
        Err(ChainError::Unusable(_))
    ));
}

#[tokio::test]
async fn malformed_and_oversized_chains_end_the_handshake() {
    let (root, server) = server_identity();
    let client = Draft::client("ci").self_signed();
    let asks = Server::start(asking(&server)).await;
    let sent = |chain: Vec<CertificateDer<'static>>| {
        let client = Client::new(&root).presenting(chain, &client.key());
        async move { client.ask(asks.address).await.is_ok() }
    };
    assert!(sent(vec![client.der(); 10]).await);
    assert!(!sent(vec![client.der(); 11]).await, "more than ten certificates");
    assert!(
        !sent([vec![client.der()], vec![vec![0x30; 16 * 1024].into(); 3]].concat()).await,
        "48 KiB"
    );
    let trailing = [client.der().to_vec(), vec![0]].concat();
    assert!(!sent(vec![trailing.into()]).await);
    assert!(!sent(vec![b"no certificate".to_vec().into()]).await);
}

#[tokio::test]
async fn a_resumed_session_carries_the_certificate_and_is_judged_again() {
    let (root, server) = server_identity();
    let authority = Draft::authority("clients").self_signed();
    let client = Draft::client("ci").serial(7).signed_by(&authority);
    let asks = Server::start(asking(&server)).await;
    for version in BOTH_VERSIONS {
        let holder = Client::with(&root, aws_lc_rs::ALL_CIPHER_SUITES, &[version]).holding(&client);
        assert_eq!(
            holder.ask(asks.address).await.unwrap(),
            (HandshakeKind::Full, seen(&client, 0))
        );
        assert_eq!(
            holder.ask(asks.address).await.unwrap(),
            (HandshakeKind::Resumed, seen(&client, 0))
        );
    }
    // What a resumed connection hands over is judged like any other.
    let resumed = client.peer(&[]);
    let good = trust_with(&[&authority], &[authority.list(&[])], CrlPolicy::default());
    let revoked = trust_with(&[&authority], &[authority.list(&[7])], CrlPolicy::default());
    assert_eq!(resumed.verify_chain(&good, at(NOW)), Ok(()));
    assert_eq!(resumed.verify_chain(&revoked, at(NOW)), Err(ChainError::Revoked));
    assert!(resumed.verify_chain(&good, at(NOW + DAY + HOUR)).is_err());
}

#[tokio::test]
async fn tickets_open_nothing_elsewhere() {
    let (root, server) = server_identity();
    let client = Draft::client("ci").self_signed();
    let silent = asking(&server).with_client_certificates(ClientCertificates::None);
    let (asks, silent) = (Server::start(asking(&server)).await, Server::start(silent).await);
    for version in BOTH_VERSIONS {
        let holder = Client::with(&root, aws_lc_rs::ALL_CIPHER_SUITES, &[version]).holding(&client);
        assert_eq!(holder.ask(asks.address).await.unwrap().0, HandshakeKind::Full);
        assert_eq!(
            holder.ask(silent.address).await.unwrap(),
            (HandshakeKind::Full, "nobody".to_owned())
        );
        assert_eq!(
            holder.ask(asks.address).await.unwrap(),
            (HandshakeKind::Full, seen(&client, 0))
        );
    }
    // Nor after the configuration was replaced.
    let holder = Client::new(&root).holding(&client);
    holder.ask(asks.address).await.unwrap();
    assert_eq!(holder.ask(asks.address).await.unwrap().0, HandshakeKind::Resumed);
    asks.tls.replace(asking(&server)).unwrap();
    assert_eq!(holder.ask(asks.address).await.unwrap().0, HandshakeKind::Full);
}

#[tokio::test]
async fn resumption_can_be_switched_off() {
    let (root, server) = server_identity();
    let never = Server::start(asking(&server).with_ticket_lifetime(Duration::ZERO)).await;
    for version in BOTH_VERSIONS {
        let client = Client::with(&root, aws_lc_rs::ALL_CIPHER_SUITES, &[version]);
        for _ in 0..2 {
            assert_eq!(client.ask(never.address).await.unwrap().0, HandshakeKind::Full);
        }
    }
}

#[test]
fn ticket_lifetime_is_capped() {
    let (_, server) = server_identity();
    let announced = |config: ServerTlsConfig| config.build().unwrap().ticketer.lifetime();
    assert_eq!(announced(asking(&server)), 3600);
    assert_eq!(
        announced(asking(&server).with_ticket_lifetime(Duration::from_secs(10))),
        10
    );
    assert_eq!(
        announced(asking(&server).with_ticket_lifetime(Duration::from_secs(1))),
        2
    );
}

#[tokio::test]
async fn a_new_certificate_takes_over_without_dropping_a_connection() {
    let (root, server) = server_identity();
    let renewed = Draft::server("renewed").signed_by(&root);
    let asks = Server::start(asking(&server)).await;
    let client = Client::new(&root);
    let mut before = client.connect(asks.address).await.unwrap();
    assert_eq!(before.server, server.der());
    before.ask().await.unwrap();

    asks.tls.replace(asking(&renewed)).unwrap();
    assert_eq!(client.connect(asks.address).await.unwrap().server, renewed.der());
    assert_eq!(
        before.ask().await.unwrap(),
        "nobody",
        "the standing connection goes on"
    );

    let mismatch = ServerTlsConfig::from_pem(server.pem().as_bytes(), renewed.key_pem().as_bytes()).unwrap();
    assert!(matches!(
        asks.tls.replace(mismatch),
        Err(TlsConfigError::KeyMismatch { .. })
    ));
    assert_eq!(
        client.connect(asks.address).await.unwrap().server,
        renewed.der(),
        "what was in use stays"
    );
}

#[tokio::test]
async fn profiles() {
    let (root, server) = server_identity();
    let modern = Server::start(asking(&server)).await.address;
    let fapi = Server::start(asking(&server).with_profile(TlsProfile::Fapi))
        .await
        .address;
    let only = |versions: &[TlsVersion], suites: &[&str]| {
        asking(&server).with_profile(TlsProfile::Custom {
            versions: versions.to_vec(),
            cipher_suites: suites.iter().map(|&name| name.to_owned()).collect(),
        })
    };
    let tls13 = Server::start(only(&[TlsVersion::Tls13], &["TLS_AES_128_GCM_SHA256"]))
        .await
        .address;

    let suite = |name: &str| {
        *aws_lc_rs::ALL_CIPHER_SUITES
            .iter()
            .find(|suite| suite.suite().as_str().unwrap().replace("TLS13_", "TLS_") == name)
            .unwrap()
    };
    let cases = [
        (&TLS13, "TLS_AES_256_GCM_SHA384", [true, true, false]),
        (&TLS13, "TLS_AES_128_GCM_SHA256", [true, true, true]),
        (&TLS13, "TLS_CHACHA20_POLY1305_SHA256", [true, true, false]),
        (
            &TLS12,
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            [true, true, false],
        ),
        (
            &TLS12,
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            [true, true, false],
        ),
        (
            &TLS12,
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            [true, false, false],
        ),
    ];
    for (version, name, expected) in cases {
        let client = Client::with(&root, &[suite(name)], &[version]);
        for (address, expected) in [modern, fapi, tls13].into_iter().zip(expected) {
            let asked = client.ask(address).await;
            assert_eq!(asked.is_ok(), expected, "{version:?} {name} {address} {asked:?}");
        }
    }
    let unknown = only(&[TlsVersion::Tls12], &["TLS_RSA_WITH_AES_128_CBC_SHA"]).build();
    assert!(
        unknown
            .unwrap_err()
            .to_string()
            .contains("Known are: TLS_AES_256_GCM_SHA384, ")
    );
    let no_suite = only(&[TlsVersion::Tls12], &["TLS_AES_128_GCM_SHA256"]).build();
    assert!(matches!(no_suite, Err(TlsConfigError::Profile(_))));
    assert!(only(&[], &["TLS_AES_128_GCM_SHA256"]).build().is_err());
}
