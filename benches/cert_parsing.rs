//! What a request's certificate costs: the thumbprint beside the bare digest, the parsed certificate beside the bare
//! parser, the forms in which proxies write it, and the comparison with a registered name.

#[path = "measure.rs"]
mod measure;

use criterion::Criterion;
use der::Decode as _;
use measure::{Candidate, allocations_of, compare};
use sealstone_mtls::{CertificateThumbprint, ClientCertificate, SubjectMatcher};
use sealstone_testkit::{CertificateSpec, TestCa};
use std::hint::black_box;
use std::net::IpAddr;

fn main() {
    let issued = TestCa::new("Issuing").issue(
        CertificateSpec::client("machine")
            .subject(&[("C", "DE"), ("O", "Example"), ("OU", "Builds"), ("CN", "machine")])
            .san_dns("machine.example")
            .san_dns("ci.example")
            .san_uri("spiffe://example/ci")
            .san_email("ci@example.org")
            .san_ip(IpAddr::from([192, 0, 2, 7])),
    );
    let (der, pem, escaped) = (issued.der().to_vec(), issued.pem(), issued.escaped_pem());
    let certificate = ClientCertificate::from_der(&der).expect("a certificate");
    let name = certificate.subject().to_string();
    let by_name = SubjectMatcher::parse("tls_client_auth_subject_dn", &name).expect("a name");
    let by_dns = SubjectMatcher::parse("tls_client_auth_san_dns", "ci.example").expect("a name");

    // The result: every form gives the same certificate, and it is the registered one.
    assert_eq!(ClientCertificate::from_pem(&pem).expect("PEM"), certificate);
    assert_eq!(
        ClientCertificate::from_escaped_pem(&escaped).expect("escaped PEM"),
        certificate
    );
    assert_eq!(
        CertificateThumbprint::of_der(&der).to_string(),
        issued.thumbprint()
    );
    assert!(by_name.matches(&certificate) && by_dns.matches(&certificate));
    println!("certificate: {} bytes of DER, subject {name}", der.len());

    let digest = || {
        black_box(aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            black_box(&der),
        ));
    };
    let thumbprint = || {
        black_box(CertificateThumbprint::of_der(black_box(&der)));
    };
    let parse = || {
        black_box(x509_cert::Certificate::from_der(black_box(&der)).expect("a certificate"));
    };
    let whole = || {
        black_box(ClientCertificate::from_der(black_box(&der)).expect("a certificate"));
    };

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("cert_parsing/thumbprint", |bencher| bencher.iter(thumbprint));
    criterion.bench_function("cert_parsing/from_der", |bencher| bencher.iter(whole));
    criterion.final_summary();

    compare(&mut [
        Candidate::new("SHA-256 of the DER by aws-lc-rs", digest),
        Candidate::new("thumbprint", thumbprint),
    ]);
    compare(&mut [
        Candidate::new("x509-cert alone", parse),
        Candidate::new("ClientCertificate from DER, names read", whole),
        Candidate::new("ClientCertificate from PEM", || {
            black_box(ClientCertificate::from_pem(black_box(&pem)).expect("PEM"));
        }),
        Candidate::new("ClientCertificate from url-encoded PEM", || {
            black_box(ClientCertificate::from_escaped_pem(black_box(&escaped)).expect("escaped PEM"));
        }),
        Candidate::new("registered subject compared", || {
            assert!(black_box(&by_name).matches(black_box(&certificate)));
        }),
        Candidate::new("registered SAN compared", || {
            assert!(black_box(&by_dns).matches(black_box(&certificate)));
        }),
    ]);
    println!(
        "Rust allocations: thumbprint {:.2}, from DER {:.2}",
        allocations_of(thumbprint),
        allocations_of(whole)
    );
}
