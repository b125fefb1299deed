//! A CA's life, and certificates in every form.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use crate::program::{Done, sealstone, text, with_input};
use tempfile::TempDir;

struct Ca {
    folder: TempDir,
}

impl Ca {
    fn new() -> Self {
        let ca = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        ca.run(&["init", "--subject", "CN=Test CA,O=Example"]).ok();
        ca
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Done {
        let dir = self.path("ca");
        let mut all = vec!["ca", arguments[0], "--dir", text(&dir)];
        all.extend(&arguments[1..]);
        sealstone(&all)
    }

    fn issue(&self, name: &str, more: &[&str]) -> Done {
        let out = self.path(name);
        let mut all = vec!["issue", "--out", text(&out)];
        all.extend(more);
        self.run(&all)
    }

    fn inspect(&self, name: &str) -> serde_json::Value {
        sealstone(&["cert", "inspect", "--output", "json", text(&self.path(name))]).json()
    }
}

#[test]
fn certificates_are_issued_and_renewed() {
    let ca = Ca::new();
    let issued = ca
        .issue(
            "ci",
            &[
                "--subject",
                "CN=ci,O=Example",
                "--san",
                "dns:ci.example.org",
                "--output",
                "json",
            ],
        )
        .json();
    assert_eq!(issued["certificate"], text(&ca.path("ci.pem")));
    let mode = |name| fs::metadata(ca.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("ci.key"), mode("ca/ca.key"), mode("ci.pem")),
        (0o600, 0o600, 0o644)
    );

    let first = ca.inspect("ci.pem");
    assert_eq!(first["subject"], "CN=ci,O=Example");
    assert_eq!(first["issuer"], "CN=Test CA,O=Example");
    assert_eq!(
        first["subject_alt_names"],
        serde_json::json!(["dns:ci.example.org"])
    );
    assert_eq!(first["serial"], issued["serial"]);
    assert_eq!(first["key"], "P-256");
    assert_eq!(first["cnf"]["x5t#S256"], first["x5t#S256"]);

    // In place, with the same key and with another.
    let (cert, key) = (ca.path("ci.pem"), ca.path("ci.key"));
    let renew = ["renew", "--cert", text(&cert), "--key", text(&key), "--replace"];
    let old_key = fs::read(&key).unwrap();
    ca.run(&[&renew[..], &["--same-key"]].concat()).ok();
    assert_eq!(fs::read(&key).unwrap(), old_key);
    ca.run(&renew).ok();
    assert_ne!(fs::read(&key).unwrap(), old_key);
    let third = ca.inspect("ci.pem");
    assert_eq!(third["subject"], first["subject"]);
    assert_eq!(third["subject_alt_names"], first["subject_alt_names"]);
    assert_ne!(third["serial"], first["serial"]);
}

#[test]
fn revoked_certificates_are_listed_and_not_renewed() {
    let ca = Ca::new();
    let issue = |name| ca.issue(name, &["--subject", "CN=ci", "--output", "json"]).json();
    let (first, _, _) = (issue("first"), issue("good"), issue("bad"));
    let (cert, key) = (ca.path("bad.pem"), ca.path("bad.key"));
    ca.run(&["revoke", "--cert", text(&cert), "--reason", "key-compromise"])
        .ok();
    ca.run(&["revoke", "--serial", first["serial"].as_str().unwrap()])
        .ok();
    ca.run(&["revoke", "--cert", text(&cert)])
        .refused(1, "issue a new one");
    ca.run(&["renew", "--cert", text(&cert), "--key", text(&key), "--replace"])
        .refused(1, "revoked");
    let crl = ca.run(&["crl"]).ok();
    assert!(fs::read_to_string(crl.trim()).unwrap().contains("BEGIN X509 CRL"));
    let listed = ca.run(&["list", "--output", "json"]).json();
    let reasons: Vec<_> = (0..3).map(|place| listed[place]["reason"].as_str()).collect();
    assert_eq!(reasons, [Some("unspecified"), None, Some("key_compromise")]);
    assert!(ca.run(&["list"]).ok().contains("revoked (key_compromise)"));
}

#[test]
fn nothing_is_overwritten() {
    let ca = Ca::new();
    ca.run(&["init", "--subject", "CN=Other"])
        .refused(1, "exists and is not overwritten");
    ca.issue("a", &["--subject", "CN=a"]).ok();
    let key = fs::read(ca.path("a.key")).unwrap();
    ca.issue("a", &["--subject", "CN=a"])
        .refused(1, "exists and is not overwritten");
    fs::remove_file(ca.path("a.pem")).unwrap();
    ca.issue("a", &["--subject", "CN=a"]).refused(1, "a.key exists");
    assert_eq!(fs::read(ca.path("a.key")).unwrap(), key);
    assert_eq!(
        ca.run(&["list", "--output", "json"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn s05_a_ca_key_that_others_may_read_is_refused() {
    let ca = Ca::new();
    ca.issue("a", &["--subject", "CN=a"]).ok();
    fs::set_permissions(ca.path("ca/ca.key"), fs::Permissions::from_mode(0o644)).unwrap();
    ca.issue("b", &["--subject", "CN=b"]).refused(1, "chmod 600");
}

#[test]
fn self_signed_and_server_certificates() {
    let ca = Ca::new();
    let out = ca.path("probe");
    sealstone(&[
        "ca",
        "issue",
        "--self-signed",
        "--subject",
        "CN=probe",
        "--key-type",
        "ed25519",
        "--out",
        text(&out),
    ])
    .ok();
    let probe = ca.inspect("probe.pem");
    assert_eq!(
        (&probe["issuer"], &probe["key"]),
        (&probe["subject"], &"Ed25519".into())
    );
    ca.issue(
        "server",
        &[
            "--usage",
            "server",
            "--san",
            "dns:id.example.org",
            "--san",
            "ip:192.0.2.7",
        ],
    )
    .ok();
    assert_eq!(ca.inspect("server.pem")["subject"], "");
    ca.issue("nobody", &[])
        .refused(1, "subject or an alternative name");
}

#[test]
fn both_thumbprints_from_every_form() {
    let ca = Ca::new();
    ca.issue("a", &["--subject", "CN=a"]).ok();
    let path = ca.path("a.pem");
    let pem = fs::read_to_string(&path).unwrap();
    let want = sealstone(&["cert", "thumbprint", "--output", "json", text(&path)]).json();
    let (x5t, keystone) = (
        want["x5t#S256"].as_str().unwrap(),
        want["keystone_thumbprint"].as_str().unwrap(),
    );
    assert_eq!((x5t.len(), keystone.len()), (43, 44));
    assert_ne!(x5t, &keystone[..43]);

    let der = {
        use rustls_pki_types::pem::PemObject as _;
        rustls_pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    };
    let escaped = pem
        .replace('+', "%2B")
        .replace(' ', "%20")
        .replace('\n', "%0A")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let chain = format!(
        "subject: something\n{pem}{}",
        fs::read_to_string(ca.path("ca/ca.pem")).unwrap()
    );
    for form in [pem.as_bytes(), &der, escaped.as_bytes(), chain.as_bytes()] {
        let only = |which| with_input(&["cert", "thumbprint", "--only", which], form).ok();
        assert_eq!(only("x5t-s256").trim_end(), x5t);
        assert_eq!(only("keystone").trim_end(), keystone);
    }
    let both = with_input(&["cert", "thumbprint"], pem.as_bytes()).ok();
    assert!(
        both.contains(&format!("x5t#S256             {x5t}")) && both.contains("Keystone thumbprint"),
        "{both}"
    );
    for nothing in [
        "",
        "-----BEGIN CERTIFICATE-----\n",
        "hello",
        &pem[..pem.len() / 2],
    ] {
        with_input(&["cert", "inspect"], nothing.as_bytes()).refused(1, "give PEM, DER or url-encoded PEM");
    }
}

/// The CA records what it issues: what cannot be written must not be issued.
#[test]
fn nothing_is_issued_where_it_cannot_be_written() {
    let ca = Ca::new();
    ca.issue("a", &["--subject", "CN=a"]).ok();
    let issued = || fs::read_dir(ca.path("ca/issued")).unwrap().count();
    ca.issue("nowhere/b", &["--subject", "CN=b"])
        .refused(1, "nothing was issued: give --out a folder that exists");
    assert_eq!(issued(), 1);
    let (certificate, successor) = (ca.path("a.pem"), ca.path("nowhere/c"));
    ca.run(&["renew", "--cert", text(&certificate), "--out", text(&successor)])
        .refused(1, "nothing was issued: give --out a folder that exists");
    assert_eq!(issued(), 1);
    ca.issue("b", &["--subject", "CN=b"]).ok();
    assert_eq!(issued(), 2);
}

#[test]
fn a_wrong_file_is_named_for_what_it_is() {
    let ca = Ca::new();
    ca.issue("a", &["--subject", "CN=a"]).ok();
    let key = ca.path("a.key");
    sealstone(&["cert", "inspect", text(&key)]).refused(1, "a.key is a private key: give the certificate");
    ca.run(&["revoke", "--cert", text(&key)])
        .refused(1, "a.key: not a certificate");
    let out = ca.path("b");
    ca.run(&["renew", "--cert", text(&key), "--out", text(&out)])
        .refused(1, "a.key: not a certificate");
}

#[test]
fn a_number_of_days_that_is_none_and_a_file_for_a_folder_say_what_to_give() {
    let ca = Ca::new();
    for days in ["0", "36501", "-1", "many"] {
        ca.issue("x", &["--subject", "CN=x", &format!("--days={days}")])
            .refused(2, "from 1 to 36500");
    }
    let file = ca.path("file");
    fs::write(&file, "").unwrap();
    sealstone(&["ca", "init", "--dir", text(&file), "--subject", "CN=x"])
        .refused(1, "it is a file: name a folder");
}
