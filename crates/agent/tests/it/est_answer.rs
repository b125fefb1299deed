//! The answers of EST servers, as OpenSSL writes them, and as nobody should.

use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use sealstone_agent::certificates_of_est_answer;

const CACERTS: &str = include_str!("../vectors/cacerts.p7.b64");
const ONE: &str = include_str!("../vectors/one.p7.b64");

fn der(text: &str) -> Vec<u8> {
    let packed: String = text.split_whitespace().collect();
    base64_simd::STANDARD.decode_to_vec(packed).unwrap()
}

fn read(der: &[u8]) -> Result<usize, &'static str> {
    let text = base64_simd::STANDARD.encode_to_string(der);
    certificates_of_est_answer(text.as_bytes()).map(|found| found.len())
}

#[test]
fn what_openssl_writes_is_read_as_openssl_reads_it() {
    let pem = include_str!("../vectors/cacerts.pem");
    let want: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    let mut got = certificates_of_est_answer(CACERTS.as_bytes()).unwrap();
    // A SET has an order of its own.
    got.sort_by_key(|certificate| want.iter().position(|one| one == certificate));
    assert_eq!(got, want);
    for (name, text) in [
        ("one", ONE),
        ("with a list", include_str!("../vectors/with-crl.p7.b64")),
    ] {
        let got = certificates_of_est_answer(text.as_bytes()).unwrap();
        assert_eq!(got, want[1..], "{name}");
    }
    // Line ends wherever the server likes them.
    let spread: String = ONE.chars().flat_map(|one| [one, '\r', '\n', ' ', '\t']).collect();
    assert_eq!(certificates_of_est_answer(spread.as_bytes()).unwrap(), want[1..]);
}

#[test]
fn anything_else_is_refused() {
    let good = der(ONE);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    // Where the elements of OpenSSL's answer stand: SEQUENCE, OID, [0], SEQUENCE, version, digests, content, [0].
    let position = |bytes: &[u8]| {
        good.windows(bytes.len())
            .position(|window| window == bytes)
            .unwrap()
    };
    let version = position(&[0x02, 0x01, 0x01, 0x31, 0x00]);
    let oid = position(&[0x06, 0x09, 0x2a, 0x86, 0x48]);
    let last = good.len() - 2;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "not DER"),
        ("cut off", good[..good.len() - 1].to_vec(), "not DER"),
        ("more after it", with(&|der| der.push(0)), "after its end"),
        ("version 3", with(&|der| der[version + 2] = 3), "version"),
        ("not signedData", with(&|der| der[oid + 10] = 3), "not SignedData"),
        (
            "signer infos are no SET",
            with(&|der| der[last] = 0x30),
            "not a certs-only",
        ),
        (
            "a certificate alone",
            certificates_of_est_answer(ONE.as_bytes()).unwrap()[0].to_vec(),
            "certs-only",
        ),
        (
            "signed",
            der(include_str!("../vectors/signed.p7.b64")),
            "though nothing is signed",
        ),
        (
            "a revocation list alone",
            der(include_str!("../vectors/only-crl.p7.b64")),
            "no certificates",
        ),
        (
            "indefinite lengths",
            der(include_str!("../vectors/indefinite.p7.b64")),
            "not DER",
        ),
    ];
    for (name, der, says) in cases {
        let error = read(&der).unwrap_err();
        assert!(error.contains(says), "{name}: {error}");
    }
    for text in [
        &b"MII"[..],
        b"-----BEGIN PKCS7-----",
        b"MII=A",
        b"\xff\xfe",
        b"_-_-",
    ] {
        assert_eq!(certificates_of_est_answer(text), Err("it is not base64"));
    }
}

/// Whatever octet is changed, cut or doubled: an answer or an error, and never a certificate that was not in it.
#[test]
fn no_change_of_one_octet_gives_another_shape() {
    let good = der(ONE);
    for at in 0..good.len().min(120) {
        for octet in [0x00, 0x01, 0x30, 0x31, 0x7f, 0x80, 0x84, 0xa0, 0xff] {
            let mut changed = good.clone();
            changed[at] = octet;
            if let Ok(count) = read(&changed) {
                assert_eq!(count, 1, "octet {at}");
            }
        }
    }
}
