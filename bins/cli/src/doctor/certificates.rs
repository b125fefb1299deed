//! The server's certificate, its chain and its key.

use std::{path::Path, sync::Arc, time::Duration};

use rustls::{
    CertificateError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::aws_lc_rs,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sealstone_mtls::ClientCertificate;
use sealstone_tls::{load_certificates, load_private_key};
use x509_cert::{
    Certificate,
    der::{Decode as _, oid::ObjectIdentifier},
    ext::pkix::ExtendedKeyUsage,
};

use super::{checks, finding::Report, settings::Settings};
use crate::clock;

/// serverAuth (RFC 5280 §4.2.1.12).
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
/// rsaEncryption (RFC 8017 §A.1).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-ecPublicKey (RFC 5480 §2.1.1).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// secp256r1, secp384r1 and secp521r1.
const CURVES: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
    ObjectIdentifier::new_unwrap("1.3.132.0.34"),
    ObjectIdentifier::new_unwrap("1.3.132.0.35"),
];
/// MD5 and SHA-1 with RSA, SHA-1 with ECDSA.
const WEAK_SIGNATURES: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"),
];
/// Octets of `RSAPublicKey` of 2048 bits: modulus, exponent and their heads. Of 1024 bits it has 140.
const RSA_2048_OCTETS: usize = 265;

/// What the other parts need to know.
#[derive(Default)]
pub(super) struct Own {
    /// The chain in the file, if it can be read.
    pub(super) chain: Vec<CertificateDer<'static>>,
}

pub(super) struct Demand<'a> {
    /// Hosts that clients call the server by.
    pub(super) hosts: &'a [String],
    pub(super) roots: &'a Arc<RootCertStore>,
    /// How early an end is told.
    pub(super) soon: Duration,
}

pub(super) fn look(settings: &Settings, demand: &Demand<'_>, report: &mut Report) -> Own {
    let files = (
        settings.path("tls", "certificate_file"),
        settings.path("tls", "key_file"),
    );
    let (Some(certificate), Some(key)) = files else {
        return Own::default();
    };
    let chain = match load_certificates(&certificate) {
        Ok(chain) => chain,
        Err(error) => {
            report.found(&checks::CERTIFICATE_UNREADABLE, error.to_string());
            return Own::default();
        }
    };
    pair(&chain, &key, report);
    for der in &chain {
        one(der, &certificate.display().to_string(), demand.soon, report);
    }
    order(&chain, report);
    leaf(&chain, demand, report);
    Own { chain }
}

/// Whether the key is the certificate's. Whether others may read it is told with the other secrets.
fn pair(chain: &[CertificateDer<'static>], path: &Path, report: &mut Report) {
    let key = match load_private_key(path) {
        Ok(key) => key,
        Err(sealstone_tls::FileError::KeyTooOpen { .. } | sealstone_tls::FileError::KeyIsSymlink { .. }) => {
            return;
        }
        Err(error) => return report.found(&checks::CERTIFICATE_UNREADABLE, error.to_string()),
    };
    match aws_lc_rs::sign::any_supported_type(&key) {
        Ok(signer) => {
            let pair = rustls::sign::CertifiedKey::new(chain.to_vec(), signer);
            if pair.keys_match().is_err() {
                report.found(&checks::CERTIFICATE_KEY_MISMATCH, path.display().to_string());
            }
        }
        Err(error) => {
            let evidence = format!("{}: {error}", path.display());
            report.found(&checks::CERTIFICATE_UNREADABLE, evidence);
        }
    }
}

/// Dates, key and signature of one certificate.
fn one(der: &CertificateDer<'_>, from: &str, soon: Duration, report: &mut Report) {
    let (Ok(certificate), Ok(parsed)) = (ClientCertificate::from_der(der), Certificate::from_der(der)) else {
        let evidence = format!("{from} holds something that is no certificate");
        return report.found(&checks::CERTIFICATE_UNREADABLE, evidence);
    };
    let now = clock::now();
    let told = |what: &str, at: UnixTime| {
        format!(
            "{from}: {} {what} {}",
            certificate.subject(),
            clock::date_and_relative(at, now)
        )
    };
    match dates(&certificate, now, soon) {
        Some(Dates::Ended) => {
            report.found(
                &checks::CERTIFICATE_EXPIRED,
                told("ended", certificate.not_after()),
            );
        }
        Some(Dates::NotYet) => {
            report.found(
                &checks::CERTIFICATE_NOT_YET,
                told("begins", certificate.not_before()),
            );
        }
        Some(Dates::EndsSoon) => {
            report.found(
                &checks::CERTIFICATE_ENDS_SOON,
                told("ends", certificate.not_after()),
            );
        }
        None => {}
    }
    let key = parsed.tbs_certificate().subject_public_key_info();
    let octets = key.subject_public_key.raw_bytes().len();
    let is_weak = if key.algorithm.oid == RSA {
        octets < RSA_2048_OCTETS
    } else if key.algorithm.oid == EC {
        let curve = key
            .algorithm
            .parameters
            .as_ref()
            .and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
        curve.is_none_or(|curve| !CURVES.contains(&curve))
    } else {
        false
    };
    let subject = certificate.subject();
    if is_weak {
        let evidence = format!("{from}: {subject} has a public key of {octets} octets");
        report.found(&checks::CERTIFICATE_WEAK_KEY, evidence);
    }
    // What an authority says of itself is not verified by anybody.
    let signature = parsed.signature_algorithm().oid;
    if WEAK_SIGNATURES.contains(&signature) && subject != certificate.issuer() {
        let evidence = format!("{from}: {subject} is signed by {signature}");
        report.found(&checks::CERTIFICATE_WEAK_SIGNATURE, evidence);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dates {
    Ended,
    NotYet,
    EndsSoon,
}

pub(super) fn dates(certificate: &ClientCertificate, now: UnixTime, soon: Duration) -> Option<Dates> {
    let left = certificate.not_after().as_secs().checked_sub(now.as_secs());
    match left {
        None | Some(0) => Some(Dates::Ended),
        Some(_) if certificate.not_before() > now => Some(Dates::NotYet),
        Some(left) if left < soon.as_secs() => Some(Dates::EndsSoon),
        Some(_) => None,
    }
}

/// Each is signed by the next.
fn order(chain: &[CertificateDer<'_>], report: &mut Report) {
    let parsed: Vec<ClientCertificate> = chain
        .iter()
        .filter_map(|der| ClientCertificate::from_der(der).ok())
        .collect();
    for (one, next) in parsed.iter().zip(parsed.iter().skip(1)) {
        if one.issuer() != next.subject() {
            let evidence = format!(
                "{} is signed by {}, and {} comes next",
                one.subject(),
                one.issuer(),
                next.subject()
            );
            report.found(&checks::CERTIFICATE_ORDER, evidence);
        }
    }
}

/// What clients ask of the first.
fn leaf(chain: &[CertificateDer<'static>], demand: &Demand<'_>, report: &mut Report) {
    let Some((first, _)) = chain.split_first() else {
        return;
    };
    let Ok(certificate) = ClientCertificate::from_der(first) else {
        return;
    };
    if let Ok(parsed) = Certificate::from_der(first)
        && let Ok(Some((_, usage))) = parsed.tbs_certificate().get_extension::<ExtendedKeyUsage>()
        && !usage.0.contains(&SERVER_AUTH)
    {
        let evidence = format!("{} may not be a server's", certificate.subject());
        report.found(&checks::CERTIFICATE_NOT_FOR_SERVERS, evidence);
    }
    for host in demand.hosts {
        match judge(chain, host, demand.roots, certificate.not_before()) {
            Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
                let names = certificate.subject_alt_names();
                let ips = names.ip().iter().map(ToString::to_string);
                let names: Vec<String> = names.dns().iter().cloned().chain(ips).collect();
                let evidence = format!("clients come to {host}; it is for {}", names.join(", "));
                report.found(&checks::CERTIFICATE_OTHER_NAME, evidence);
            }
            Some(CertificateError::UnknownIssuer) => {
                let last = chain
                    .last()
                    .and_then(|last| ClientCertificate::from_der(last).ok());
                let issuer = last.map(|last| last.issuer().to_string()).unwrap_or_default();
                let evidence = format!(
                    "{} certificates; the last is signed by {issuer}, which is not trusted here",
                    chain.len()
                );
                report.found(&checks::CERTIFICATE_INCOMPLETE, evidence);
            }
            Some(_) | None => {}
        }
    }
}

/// What a client that trusts these authorities says of a chain.
pub(super) fn judge(
    chain: &[CertificateDer<'_>],
    host: &str,
    roots: &Arc<RootCertStore>,
    at: UnixTime,
) -> Option<CertificateError> {
    let (first, rest) = chain.split_first()?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider)
        .build()
        .ok()?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).ok()?;
    match verifier.verify_server_cert(first, rest, &name, &[], at) {
        Err(rustls::Error::InvalidCertificate(error)) => Some(error),
        Ok(_) | Err(_) => None,
    }
}
