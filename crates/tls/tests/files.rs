//! Certificate and key files: what is read, what is refused, and what the operator is told.

#[path = "support/pki.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod pki;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use der::{Decode, SliceReader, asn1::AnyRef};
use pki::{Draft, Signed};
use rustls_pki_types::PrivateKeyDer;
use sealstone_tls::{
    FileError, ServerTlsConfig, TlsConfigError, load_certificates, load_private_key, parse_private_key,
};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

fn server() -> Signed {
    Draft::server("server").self_signed()
}

#[test]
fn s05_key_files_open_to_others() {
    let folder = Folder::new();
    let key = server().key_pem();
    for mode in [0o600, 0o400] {
        assert!(load_private_key(&folder.write(&format!("good-{mode:o}"), &key, mode)).is_ok());
    }
    for open in [0o640, 0o604, 0o620, 0o666, 0o601] {
        let path = folder.write(&format!("open-{open:o}"), &key, open);
        let error = load_private_key(&path).unwrap_err();
        assert!(
            matches!(error, FileError::KeyTooOpen { mode, .. } if mode == open),
            "{error}"
        );
        let text = error.to_string();
        assert!(
            text.contains(&format!("mode 0{open:o}")) && text.contains("chmod 600 "),
            "{text}"
        );
    }
}

#[test]
fn s05_key_file_behind_a_link() {
    let folder = Folder::new();
    let key = server().key_pem();
    let link = folder.0.path().join("link");
    symlink(folder.write("target", &key, 0o600), &link).unwrap();
    assert!(matches!(
        load_private_key(&link),
        Err(FileError::KeyIsSymlink { .. })
    ));
}

#[test]
fn s05_key_files_that_hold_no_key() {
    let folder = Folder::new();
    let key = server().key_pem();
    let cases = [
        ("empty", String::new(), "is empty"),
        ("blank", "\n \n".to_owned(), "is empty"),
        ("cut", key[..key.len() / 2].to_owned(), "is not whole PEM text"),
        ("two", key.repeat(2), "has 2 private keys"),
        ("certificate", server().pem(), "has no private key"),
        (
            "encrypted",
            key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
            "openssl pkey -in",
        ),
        ("big", "x".repeat(2 * 1024 * 1024), "is larger than 1 MiB"),
    ];
    for (name, text, said) in cases {
        let path = folder.write(name, &text, 0o600);
        let error = load_private_key(&path).unwrap_err().to_string();
        assert!(
            error.contains(said) && error.contains(&path.display().to_string()),
            "{error}"
        );
    }
    let missing = load_private_key(&folder.0.path().join("missing"))
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("missing: No such file") && missing.contains("Check the path"),
        "{missing}"
    );
}

#[test]
fn s06_no_error_and_no_debug_text_has_the_key() {
    let server = server();
    let config = ServerTlsConfig::from_pem(server.pem().as_bytes(), server.key_pem().as_bytes()).unwrap();
    let text = format!("{config:?}");
    assert!(text.contains("[redacted]"), "{text}");
    let damaged = server.key_pem().replacen('\n', "\n*", 1);
    let error = parse_private_key(damaged.as_bytes(), "the key").unwrap_err();
    for line in server.key_pem().lines().filter(|line| !line.starts_with('-')) {
        assert!(!text.contains(&line[..12]));
        assert!(!format!("{error} {error:?}").contains(&line[..12]), "{error:?}");
    }
}

#[test]
fn every_form_of_key_serves() {
    let server = server();
    let PrivateKeyDer::Pkcs8(pkcs8) = server.key() else {
        panic!("rcgen writes PKCS#8")
    };
    // PrivateKeyInfo: version, algorithm, and the SEC1 key in an octet string.
    let info = AnyRef::from_der(pkcs8.secret_pkcs8_der()).unwrap();
    let mut parts = SliceReader::new(info.value()).unwrap();
    AnyRef::decode(&mut parts).unwrap();
    AnyRef::decode(&mut parts).unwrap();
    let sec1 = AnyRef::decode(&mut parts).unwrap();
    let sec1 = pem("EC PRIVATE KEY", sec1.value());
    let with_parameters = format!("{}{sec1}", pem("EC PARAMETERS", &[6, 1, 42]));
    for key in [server.key_pem(), sec1, with_parameters] {
        let config = ServerTlsConfig::from_pem(server.pem().as_bytes(), key.as_bytes()).unwrap();
        assert!(config.build().is_ok(), "{key}");
    }
    let rsa = parse_private_key(pem("RSA PRIVATE KEY", &[0x30, 0]).as_bytes(), "rsa").unwrap();
    assert!(matches!(rsa, PrivateKeyDer::Pkcs1(_)));
    let nonsense = ServerTlsConfig::new(vec![server.der()], rsa).build();
    assert!(matches!(nonsense, Err(TlsConfigError::Unusable { .. })));
}

fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for group in der.chunks(3) {
        let mut octets = [0; 3];
        octets[..group.len()].copy_from_slice(group);
        let [a, b, c] = octets;
        let indexes = [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63];
        for (at, index) in indexes.into_iter().enumerate() {
            let padded = at > group.len();
            text.push(if padded {
                '='
            } else {
                char::from(ALPHABET[usize::from(index)])
            });
        }
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

#[test]
fn certificate_files_and_what_is_said_of_them() {
    let folder = Folder::new();
    let (ours, other) = (server(), server());
    let chain = folder.write("server.pem", &format!("{}{}", ours.pem(), other.pem()), 0o644);
    assert_eq!(load_certificates(&chain).unwrap(), [ours.der(), other.der()]);
    let key = folder.write("server.key", &ours.key_pem(), 0o600);
    assert!(ServerTlsConfig::from_files(&chain, &key).unwrap().build().is_ok());

    let wrong_key = folder.write("other.key", &other.key_pem(), 0o600);
    let mismatch = ServerTlsConfig::from_files(&chain, &wrong_key)
        .unwrap()
        .build()
        .unwrap_err();
    let text = mismatch.to_string();
    assert!(
        text.contains("other.key does not belong to the first certificate in ")
            && text.contains("server.pem")
    );

    let no_chain = load_certificates(&folder.write("nothing.pem", &ours.key_pem(), 0o644)).unwrap_err();
    assert!(matches!(no_chain, FileError::NoCertificate { .. }), "{no_chain}");
    let cut = load_certificates(&folder.write("cut.pem", &ours.pem()[..90], 0o644)).unwrap_err();
    assert!(matches!(cut, FileError::Damaged { .. }), "{cut}");
}
