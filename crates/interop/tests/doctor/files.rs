//! What files tell: configuration, secrets, certificates, authorities, names.

use std::{fs, os::unix::fs::symlink, process::Command};

use sealstone_interop::EXPIRED_AT;
use sealstone_testkit::{CaSpec, CertificateSpec, CrlSpec, TestCa, TestCertificate, unix_time};

use crate::world::{Bench, Case, Diagnosis, doctor, each_is_found, in_days, mode, program};

/// 2048-01-01.
const NOT_YET: u64 = 2_461_449_600;

#[test]
fn sections_of_one_domain_are_known() {
    let mut bench = Bench::new();
    bench.register("first", &[]);
    bench.setup.set("registration_of.ops", "enabled", "true");
    bench.setup.set("people_of.ops", "source", "'directory'");
    bench.setup.write_config();
    let done = bench.diagnose(&["--only", "configuration"]);
    assert!(done.ids().is_empty(), "{done:?}");
}

#[test]
fn configurations() {
    each_is_found(
        "configuration",
        &[
            Case::new("config-unreadable", "sealstoned.toml: TOML parse error", |_| {}).then(|bench| {
                bench.setup.write("sealstoned.toml", "[server\n");
            }),
            Case::new("config-unreadable", "No such file", |_| {}).then(|bench| {
                fs::remove_file(bench.setup.path("sealstoned.toml")).unwrap();
            }),
            Case::new("config-unknown-key", "did you mean `pepper_file`?", |bench| {
                bench.setup.set("secrets", "peper_file", "'pepper'");
            }),
            Case::new("config-unknown-key", "`banana` in", |bench| {
                bench.setup.set("banana", "x", "1");
            }),
            Case::new("config-unknown-key", "`registration.enabld`", |bench| {
                bench.setup.set("registration_of.ops", "enabld", "true");
            }),
            Case::new("config-address", "http://id.example.org", |bench| {
                bench.setup.set("server", "base_url", "'http://id.example.org'");
            }),
            Case::new("config-address", "https://id.example.org/", |bench| {
                bench.setup.set("server", "base_url", "'https://id.example.org/'");
            }),
            Case::new("config-incomplete", "`pepper_file` in [secrets]", |bench| {
                bench.setup.remove("secrets", "pepper_file");
            }),
            Case::new("config-incomplete", "names no database", |bench| {
                bench.setup.remove("storage", "path");
            }),
            Case::new(
                "config-contradiction",
                "mtls_listen and server.mtls_base_url",
                |bench| {
                    bench.setup.remove("server", "mtls_base_url");
                },
            ),
            Case::new("config-contradiction", "two databases", |bench| {
                bench
                    .setup
                    .set("storage.postgres", "url", "'postgresql://x@localhost/x'");
            }),
            Case::new("config-contradiction", "tls.profile", |bench| {
                bench.setup.set("tls", "versions", "['1.3']");
            }),
            Case::new("config-open", "mode 0666", |_| {}).then(|bench| {
                mode(&bench.setup.path("sealstoned.toml"), 0o666);
            }),
            Case::new("config-dangerous", "tls.dangerous_accept_missing_crl", |bench| {
                bench.setup.set("tls", "dangerous_accept_missing_crl", "true");
            }),
            Case::new("limits-off", "0.0.0.0/0", |bench| {
                bench
                    .setup
                    .set("limits", "insecure_unlimited_networks", "['0.0.0.0/0']");
            }),
            Case::new("admin-open", "0.0.0.0:8445", |bench| {
                bench.setup.set("server", "admin_listen", "'0.0.0.0:8445'");
            }),
            Case::new("log-debug", "debug", |bench| {
                bench.setup.set("log", "level", "'debug'");
            }),
            Case::new("keys-policy", "[keys]", |bench| {
                bench.setup.set("keys", "retire_lifetime_s", "1");
            }),
            Case::new("keys-no-rs256", "ES256", |bench| {
                bench.setup.set("keys", "algorithms", "['ES256']");
            }),
        ],
    );
}

#[test]
fn secrets() {
    each_is_found(
        "secrets",
        &[
            Case::new("secret-missing", "secrets.pepper_file", |bench| {
                bench.setup.set("secrets", "pepper_file", "'gone'");
            }),
            Case::new("secret-open", "has mode 0644", |_| {}).then(|bench| {
                mode(&bench.setup.path("kek"), 0o644);
            }),
            Case::new("secret-link", "->", |bench| {
                symlink(bench.setup.path("kek"), bench.setup.path("link")).unwrap();
                bench.setup.set("secrets", "key_encryption_key_file", "'link'");
            }),
            Case::new("secret-empty", "pepper", |bench| {
                bench.setup.write_private("pepper", "")
            }),
            Case::new("secret-malformed", "secrets.pepper_file", |bench| {
                bench.setup.write_private("pepper", "changeme");
            }),
            Case::new(
                "secrets-alike",
                "pepper_file and secrets.key_encryption_key_file",
                |bench| {
                    let pepper = fs::read_to_string(bench.setup.path("pepper")).unwrap();
                    bench.setup.write_private("kek", &pepper);
                },
            ),
            Case::new("secrets-folder-open", "has mode 0777", |bench| {
                let folder = bench.setup.path("open");
                fs::create_dir(&folder).unwrap();
                mode(&folder, 0o777);
                let pepper = fs::read_to_string(bench.setup.path("pepper")).unwrap();
                bench.setup.write_private("open/pepper", &pepper);
                bench.setup.set("secrets", "pepper_file", "'open/pepper'");
            }),
        ],
    );
}

fn serves(bench: &Bench, certificate: &TestCertificate) {
    bench.setup.write("server.pem", &certificate.chain_pem());
    bench.setup.write_private("server.key", &certificate.key_pem());
}

fn issued(bench: &Bench, change: fn(CertificateSpec) -> CertificateSpec) {
    let certificate = bench.setup.ca().issue(change(CertificateSpec::server()));
    serves(bench, &certificate);
}

/// A certificate as only OpenSSL still makes them.
fn by_openssl(bench: &Bench, key: &str, digest: &str) {
    let script = format!(
        "cd '{}' && openssl req -newkey {key} -nodes -keyout server.key -subj /CN=localhost -out own.csr 2>/dev/null && \
         openssl req -x509 -newkey rsa:2048 -nodes -keyout old.key -subj /CN=Old -days 30 -out old.pem 2>/dev/null && \
         printf 'subjectAltName=DNS:localhost\\nextendedKeyUsage=serverAuth\\n' >own.ext && \
         openssl x509 -req {digest} -in own.csr -CA old.pem -CAkey old.key -CAcreateserial -days 30 -extfile own.ext \
         -out server.pem 2>/dev/null && chmod 600 server.key",
        bench.setup.path(".").display()
    );
    let done = Command::new("sh").args(["-c", &script]).status().unwrap();
    assert!(done.success());
}

#[test]
fn certificates() {
    each_is_found(
        "certificates",
        &[
            Case::new(
                "certificate-unreadable",
                "server.pem has no certificate",
                |bench| {
                    bench.setup.write("server.pem", "nothing");
                },
            ),
            Case::new("certificate-key-mismatch", "server.key", |bench| {
                bench
                    .setup
                    .write("server.pem", &bench.setup.ca().server().chain_pem());
            }),
            Case::new("certificate-expired", "ended", |bench| {
                issued(bench, |spec| spec.not_after(EXPIRED_AT))
            }),
            Case::new("certificate-not-yet", "begins 2048-01-01", |bench| {
                issued(bench, |spec| {
                    spec.not_before(unix_time(NOT_YET))
                        .not_after(unix_time(NOT_YET + 86_400))
                });
            }),
            Case::new("certificate-ends-soon", "ends", |bench| {
                let at = in_days(3);
                let spec = CertificateSpec::server().not_after(at);
                serves(bench, &bench.setup.ca().issue(spec));
            }),
            Case::new(
                "certificate-other-name",
                "clients come to id.example.org; it is for localhost",
                |bench| {
                    bench.setup.set("server", "base_url", "'https://id.example.org'");
                },
            ),
            Case::new("certificate-order", "comes next", |bench| {
                let intermediate = bench.setup.ca().intermediate("Servers");
                let own = intermediate.server();
                serves(bench, &own);
                let chain = [own.pem(), bench.setup.ca().pem(), intermediate.pem()].concat();
                bench.setup.write("server.pem", &chain);
            }),
            Case::new(
                "certificate-incomplete",
                "1 certificates; the last is signed by CN=Servers",
                |bench| {
                    let own = bench.setup.ca().intermediate("Servers").server();
                    serves(bench, &own.without_chain());
                },
            ),
            Case::new("certificate-weak-key", "octets", |bench| {
                by_openssl(bench, "rsa:1024", "-sha256")
            }),
            Case::new("certificate-weak-signature", "1.2.840.113549.1.1.5", |bench| {
                by_openssl(bench, "rsa:2048", "-sha1");
            }),
            Case::new("certificate-not-for-servers", "CN=localhost", |bench| {
                issued(bench, |_| {
                    CertificateSpec::client("localhost").san_dns("localhost")
                });
            }),
        ],
    );
}

#[test]
fn authorities_and_lists() {
    each_is_found(
        "trust",
        &[
            Case::new("client-ca-unreadable", "gone.pem", |bench| {
                bench.setup.set("tls", "client_ca_files", "['gone.pem']");
            }),
            Case::new("client-ca-unreadable", "no revocation list", |bench| {
                bench.setup.write("clients.crl", "nothing");
            }),
            Case::new("client-ca-expired", "CN=Old", |bench| {
                let old = CaSpec::new("Old").not_after(EXPIRED_AT).root();
                bench
                    .setup
                    .write("ca.pem", &[bench.setup.ca().pem(), old.pem()].concat());
            }),
            Case::new("client-ca-ends-soon", "CN=Tired", |bench| {
                let tired = CaSpec::new("Tired").not_after(in_days(5)).root();
                bench
                    .setup
                    .write("ca.pem", &[bench.setup.ca().pem(), tired.pem()].concat());
            }),
            Case::new("crl-none", "no tls.crl_files", |bench| {
                bench.setup.remove("tls", "crl_files")
            }),
            Case::new("crl-missing", "CN=Other", |bench| {
                let other = TestCa::new("Other");
                bench
                    .setup
                    .write("ca.pem", &[bench.setup.ca().pem(), other.pem()].concat());
            }),
            Case::new("crl-expired", "clients.crl", |bench| {
                let spec = CrlSpec::new(2).this_update(in_days(-9)).next_update(in_days(-2));
                bench
                    .setup
                    .write("clients.crl", &bench.setup.ca().crl(&spec).pem());
            }),
            Case::new("crl-ends-soon", "clients.crl", |bench| {
                let soon = unix_time(in_days(0).as_secs() + 3600);
                let spec = CrlSpec::new(2).next_update(soon);
                bench
                    .setup
                    .write("clients.crl", &bench.setup.ca().crl(&spec).pem());
            }),
        ],
    );
}

/// The doctor on a machine whose /etc/hosts says this. `None` where this may not be tried.
fn with_hosts(bench: &Bench, hosts: &str) -> Option<Diagnosis> {
    with_hosts_for(bench, hosts, "dns")
}

pub(crate) fn with_hosts_for(bench: &Bench, hosts: &str, area: &str) -> Option<Diagnosis> {
    bench.setup.write("hosts", hosts);
    bench.setup.write_config();
    let mut unshare = Command::new("unshare");
    unshare
        .args([
            "--mount",
            "sh",
            "-c",
            "mount --bind \"$0\" /etc/hosts && exec \"$@\"",
        ])
        .arg(bench.setup.path("hosts"));
    let tried = Command::new("unshare").args(["--mount", "true"]).status();
    if !tried.is_ok_and(|status| status.success()) {
        println!("left out: only root may put another /etc/hosts in place");
        return None;
    }
    unshare.arg(program().get_program());
    let arguments = ["--output", "json", "--only", area];
    Some(Diagnosis::of(&doctor(
        &bench.setup,
        "sealstoned.toml",
        &arguments,
        &mut unshare,
    )))
}

#[test]
fn names() {
    each_is_found(
        "dns",
        &[Case::new("name-unknown", "nothing.invalid", |bench| {
            bench.setup.set("server", "base_url", "'https://nothing.invalid'");
        })],
    );
    let mut bench = Bench::new();
    bench.register("first", &[]);
    bench
        .diagnose(&["--only", "dns"])
        .has("name-loopback", "localhost is 127.0.0.1");
    // Two addresses of one name; the server listens at one of them.
    let server = bench.started();
    let mut bench = Bench::new();
    let [port, _] = server.0.ports();
    bench
        .setup
        .set("server", "base_url", &format!("'https://id.test:{port}'"));
    bench.setup.remove("server", "mtls_listen");
    bench.setup.remove("server", "mtls_base_url");
    let Some(done) = with_hosts(&bench, "127.0.0.1 id.test\n127.0.0.2 id.test\n") else {
        return;
    };
    done.has("name-not-served", "nothing answers at 127.0.0.2");
    // 192.0.2.0/24 is nobody's (RFC 5737).
    let Some(done) = with_hosts(&bench, "192.0.2.1 id.test\n") else {
        return;
    };
    done.has("listen-loopback", "id.test is 192.0.2.1");
}
