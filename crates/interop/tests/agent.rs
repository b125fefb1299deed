//! `sealstone agent` beside a real server, a real service, and an EST server over OpenSSL.

#[path = "agent/world.rs"]
mod world;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use sealstone_interop::{DevServer, ProtectedService};
use serde_json::Value;

use world::{PATIENCE, Place, Program, at_socket, bound_to, until};

const ROTATIONS: u64 = 4;

/// Renewed by the demo's CA, with certificates of so few seconds that there is one after the other.
fn by_the_ca(server: &DevServer, lifetime: &str) -> String {
    format!(
        "[renewal]\nauthority_file = '{}'\n[renewal.ca]\nfolder = '{}'\nlifetime = '{lifetime}'\n",
        server.ca_path().display(),
        server.data().join("ca").display(),
    )
}

fn proxy(upstream: &str, ca: &Path) -> String {
    format!(
        "[[proxy]]\nlisten = '127.0.0.1:0'\nupstream = '{upstream}'\nca_file = '{}'\nsecret_file = 'secret'\n",
        ca.display()
    )
}

/// Certificates live for twenty seconds here: several rotations go by while eight programs and a reader of the files
/// work without a pause. Every request succeeds, and the service took every token beside its own certificate.
#[test]
fn rotations_under_load_are_invisible() {
    let server = DevServer::start();
    let service = ProtectedService::start(&server);
    let upstream = service.url().trim_end_matches('/');
    let more = by_the_ca(&server, "20s") + &proxy(upstream, server.ca_path());
    let place = Place::new(&server, "load", 15, &more);
    let agent = place.start_ready();
    let (address, secret) = (place.proxy(upstream), place.text("secret"));
    let stop = Arc::new(AtomicBool::new(false));
    let answered = AtomicUsize::new(0);
    let seen = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut program = Program::new(&address, &secret);
                while !stop.load(Ordering::SeqCst) {
                    let (status, body) = program.get("/");
                    let told: Value = serde_json::from_str(&body).unwrap_or_default();
                    if status != 200 || told["client_id"] != "machine" {
                        stop.store(true, Ordering::SeqCst);
                        panic!("{status} {body}\n{}", place.text("agent.log"));
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                // A generation that is gone by now was read too slowly, not wrongly.
                if let Some((certificate, token)) = place.current() {
                    assert_eq!(bound_to(&token), certificate.thumbprint().to_string());
                    seen.lock().unwrap().insert(bound_to(&token));
                }
            }
        });
        let begun = std::time::Instant::now();
        while place.status().1["rotations"].as_u64().unwrap_or_default() < ROTATIONS
            && begun.elapsed() < PATIENCE * 2
            && !stop.load(Ordering::SeqCst)
        {
            thread::sleep(std::time::Duration::from_millis(100));
        }
        stop.store(true, Ordering::SeqCst);
    });
    let (code, status) = place.status();
    assert_eq!(code, 0, "{status}");
    assert!(
        status["rotations"].as_u64().unwrap() >= ROTATIONS,
        "{status}\n{}",
        place.text("agent.log")
    );
    assert!(answered.load(Ordering::SeqCst) > 200, "{answered:?}");
    assert!(seen.lock().unwrap().len() >= 3, "{seen:?}");
    let log = place.text("agent.log");
    assert!(
        !log.contains(&secret) && !log.contains("eyJ"),
        "no secret in the log:\n{log}"
    );
    assert_eq!(agent.terminate(), 0);
}

struct EstServer {
    child: Child,
    url: String,
}

impl EstServer {
    fn start(server: &DevServer, place: &Path) -> Self {
        let own = server.authority().server();
        let (cert, key) = (place.join("est.pem"), place.join("est.key"));
        fs::write(&cert, own.chain_pem()).unwrap();
        fs::write(&key, own.key_pem()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agent/est_server.py");
        let mut child = Command::new("python3")
            .arg(script)
            .arg(server.ca_path())
            .arg(server.data().join("ca/ca.key"))
            .args([&cert, &key, &place.join("est.log")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.trim().strip_prefix("serving ").unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for EstServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_est_server_renews_and_its_certificate_is_good_at_server_and_service() {
    let server = DevServer::start();
    let service = ProtectedService::start(&server);
    let upstream = service.url().trim_end_matches('/');
    let folder = server.scratch("");
    let est = EstServer::start(&server, &folder);
    let more = format!(
        "[renewal]\nauthority_file = '{ca}'\nkey = 'p384'\n[renewal.est]\nurl = '{}'\nca_file = '{ca}'\n{}",
        est.url,
        proxy(upstream, server.ca_path()),
        ca = server.ca_path().display(),
    );
    // A certificate that is due at once, and good for long enough to ask with.
    let place = Place::new(&server, "est", 40, &more);
    let _agent = place.start_ready();
    until("a certificate of the EST server", || {
        place.status().1["rotations"] == 1
    });
    let (_, status) = place.status();
    assert_eq!(status["health"], "fresh", "{status}");
    assert_eq!(status["certificate"]["subject"], "CN=machine,O=Sealstone Demo");
    let log = fs::read_to_string(folder.join("est.log")).unwrap();
    assert_eq!(
        log.lines().collect::<Vec<_>>(),
        [
            "POST /.well-known/est/machines/simplereenroll 200",
            "GET /.well-known/est/machines/cacerts 200"
        ]
    );
    let mut program = Program::new(&place.proxy(upstream), &place.text("secret"));
    let (code, body) = program.get("/");
    assert_eq!(code, 200, "{body}");

    // What the server answers, by OpenSSL's reader and by ours.
    let cacerts = Command::new("openssl")
        .args(["crl2pkcs7", "-nocrl", "-certfile"])
        .arg(server.ca_path())
        .args(["-outform", "DER"])
        .output()
        .unwrap();
    let text = base64_simd::STANDARD.encode_to_string(&cacerts.stdout);
    let ours = sealstone_agent::certificates_of_est_answer(text.as_bytes()).unwrap();
    fs::write(folder.join("answer.p7"), &cacerts.stdout).unwrap();
    let theirs = Command::new("openssl")
        .args(["pkcs7", "-inform", "DER", "-print_certs", "-in"])
        .arg(folder.join("answer.p7"))
        .output()
        .unwrap();
    let theirs = String::from_utf8(theirs.stdout).unwrap();
    let theirs = theirs
        .get(theirs.find("-----BEGIN").unwrap()..)
        .unwrap()
        .trim_end();
    let ours = sealstone_mtls::ClientCertificate::from_der(&ours[0])
        .unwrap()
        .to_pem();
    assert_eq!(ours.trim_end(), theirs);
}

#[test]
fn an_est_server_that_is_down_or_refuses_is_said_and_the_old_certificate_serves() {
    let server = DevServer::start();
    let folder = server.scratch("");
    let est = EstServer::start(&server, &folder);
    for (name, url, says) in [
        (
            "label",
            est.url.replace("/machines", "/nobody"),
            "refused with 404 (no such operation)",
        ),
        (
            "down",
            "https://127.0.0.1:1/machines".to_owned(),
            "the EST server gave no answer",
        ),
    ] {
        let more = format!(
            "[renewal]\nauthority_file = '{ca}'\n[renewal.est]\nurl = '{url}'\nca_file = '{ca}'\n",
            ca = server.ca_path().display(),
        );
        let place = Place::new(&server, name, 50, &more);
        let _agent = place.start_ready();
        until("its fault", || place.fault().contains(says));
        let (code, status) = place.status();
        assert_eq!(
            (code, &status["health"]),
            (0, &Value::from("degraded")),
            "{status}"
        );
    }
}

/// A program of the site's own, here one that has the demo's CA sign by OpenSSL.
#[test]
fn a_program_renews() {
    let server = DevServer::start();
    let script = server.scratch("renew.sh");
    let text = "#!/bin/sh\nset -eu\nexec openssl x509 -req -CA \"$1\" -CAkey \"$2\" -CAcreateserial -CAserial \"$3\" \
                -days 90 -copy_extensions copyall 2>/dev/null\n";
    fs::write(&script, text).unwrap();
    let chmod = Command::new("chmod").arg("700").arg(&script).status().unwrap();
    assert!(chmod.success());
    let more = format!(
        "[renewal]\nauthority_file = '{ca}'\nkey = 'keep'\n[renewal.command]\nargv = ['{}', '{ca}', '{}', '{}']\n\
         pass_environment = ['PATH']\n",
        script.display(),
        server.data().join("ca/ca.key").display(),
        server.scratch("serial").display(),
        ca = server.ca_path().display(),
    );
    let place = Place::new(&server, "command", 50, &more);
    let key = place.text("machine.key");
    let _agent = place.start_ready();
    until("a certificate of the program", || {
        let (_, status) = place.status();
        assert!(status["faults"][0].is_null(), "{status}");
        status["rotations"] == 1
    });
    until("its files", || {
        place
            .current()
            .is_some_and(|(certificate, _)| certificate.not_after() > rustls_pki_types::UnixTime::now())
    });
    assert_eq!(
        place.text("state/current/private-key.pem").trim(),
        key.trim(),
        "the key is kept"
    );
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_half_and_goes_on() {
    let server = DevServer::start();
    let more =
        by_the_ca(&server, "15s") + "[[token_file]]\npath = 'token'\n[[socket]]\npath = 'agent.sock'\n";
    let place = Place::new(&server, "killed", 10, &more);
    for round in 0..12_u64 {
        let agent = place.start();
        // At another moment each time, the first ones before there is a token.
        thread::sleep(std::time::Duration::from_millis(round * round * 6));
        drop(agent);
        if let Some((certificate, token)) = place.current() {
            assert_eq!(
                bound_to(&token),
                certificate.thumbprint().to_string(),
                "round {round}"
            );
        }
        let token = place.text("token");
        assert!(
            token.is_empty() || token.split('.').count() == 3,
            "round {round}: {token}"
        );
    }
    // Ended certificates are renewed by the CA in the folder, and then there is a token.
    let agent = place.start_ready();
    let answer = at_socket(
        &place.path("agent.sock"),
        "GET /token HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let second = place.start().ended();
    assert_eq!(second, 1);
    assert_eq!(agent.terminate(), 0);
    assert!(!place.path("agent.sock").exists());
    let left: Vec<String> = fs::read_dir(place.path("state"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!place.path(".token.agent").exists());
}

#[test]
fn a_server_that_is_down_is_said_and_found_again() {
    let mut server = DevServer::start();
    let place = Place::new(&server, "down", 86_400, "[[socket]]\npath = 'agent.sock'\n");
    let issuer = server.issuer().to_owned();
    // Not there at the start.
    fs::write(
        place.path("agent.toml"),
        place
            .text("agent.toml")
            .replace(&issuer, "https://127.0.0.1:1/v4/oauth2/demo"),
    )
    .unwrap();
    let agent = place.start();
    until("its fault", || place.fault().contains("127.0.0.1:1"));
    let (code, status) = place.status();
    assert_eq!(
        (code, &status["health"]),
        (1, &Value::from("failing")),
        "{status}"
    );
    let answer = at_socket(
        &place.path("agent.sock"),
        "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    drop(agent);
    fs::write(
        place.path("agent.toml"),
        place
            .text("agent.toml")
            .replace("https://127.0.0.1:1/v4/oauth2/demo", &issuer),
    )
    .unwrap();
    let _agent = place.start_ready();
    // The client is disabled, and what the server says is said.
    let _told = server.administer(&["client", "disable", "machine"]);
    server.restart();
    drop(_agent);
    let _agent = place.start();
    until("its fault", || place.fault().contains("invalid_client"));
    assert!(
        place.fault().contains("sealstone client show"),
        "{}",
        place.fault()
    );
    let _told = server.administer(&["client", "enable", "machine"]);
    until("fresh again", || place.status().1["health"] == "fresh");
}

#[test]
fn what_is_wrong_at_the_start_is_said_with_what_to_do() {
    let server = DevServer::start();
    let place = Place::new(&server, "wrong", 86_400, "");
    let good = place.text("agent.toml");
    let refused = |change: &dyn Fn() -> String, says: &str| {
        fs::write(place.path("agent.toml"), change()).unwrap();
        for command in ["run", "check"] {
            let told = place.sealstone(&["agent", command, "--config", "agent.toml"]);
            let said = String::from_utf8_lossy(&told.stderr).into_owned();
            assert_eq!(told.status.code(), Some(1), "{command} {says}: {said}");
            assert!(said.contains(says), "{command}: {said}");
            assert!(!said.contains("PRIVATE"));
        }
        fs::write(place.path("agent.toml"), &good).unwrap();
    };
    refused(
        &|| good.replace("client_id", "client_idd"),
        "unknown field `client_idd`",
    );
    refused(
        &|| good.replace("machine.pem", "none.pem"),
        "there is no such file",
    );
    refused(
        &|| good.replace("'machine.key'", "'machine.pem'"),
        "run chmod 600",
    );
    refused(
        &|| format!("{good}[renewal]\nauthority_file = 'machine.pem'\n"),
        "needs one of [renewal.ca], [renewal.command] and [renewal.est]",
    );
    refused(
        &|| {
            format!(
                "{good}[[proxy]]\nlisten = '0.0.0.0:1'\nupstream = 'https://a.example'\nsecret_file = 's'\n"
            )
        },
        "write 127.0.0.1:PORT",
    );
    refused(
        &|| format!("{good}[[proxy]]\nlisten = '127.0.0.1:1'\nupstream = 'https://a.example'\n"),
        "a port can be reached by every user of the machine",
    );
    refused(
        &|| {
            format!(
                "{good}[[proxy]]\nlisten = '127.0.0.1:1'\nupstream = 'http://a.example'\nsecret_file = 's'\n"
            )
        },
        "write https://HOST",
    );
    let told = place.sealstone(&["agent", "status", "--config", "agent.toml"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&told.stderr).contains("no agent runs with"),
        "{told:?}"
    );

    // An ended certificate, without anybody who renews: `check` says it, and so does `run` as long as it is so.
    place.put_certificate(&server, 1);
    thread::sleep(std::time::Duration::from_secs(2));
    let told = place.sealstone(&["agent", "check", "--config", "agent.toml"]);
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(said.contains("issue the machine another certificate"), "{said}");
    let _agent = place.start();
    until("its fault", || {
        place.fault().contains("issue the machine another one")
    });
    place.put_certificate(&server, 86_400);
    until("taken over", || place.status().1["health"] == "fresh");
}

/// Runs as root alone, as the suite does: who else can be somebody else?
#[test]
fn another_users_program_is_sent_away() {
    let outside = tempfile::tempdir().unwrap();
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(outside.path(), open).unwrap();
    if fs::metadata(outside.path()).unwrap().uid() != 0 {
        return;
    }
    let server = DevServer::start();
    let at = |name: &str| outside.path().join(name).display().to_string();
    let more = format!(
        "[[socket]]\npath = '{}'\n[[socket]]\npath = '{}'\nallowed_uids = [54321]\n",
        at("own.sock"),
        at("shared.sock")
    );
    let place = Place::new(&server, "users", 86_400, &more);
    let _agent = place.start_ready();
    let ask = |socket: &str, user: u32| {
        let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.settimeout(20)\ns.connect(sys.argv[1])\n\
                      s.sendall(b'GET /token HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n')\n\
                      print(s.recv(15).decode())\n";
        let told = Command::new("python3")
            .args(["-c", script, &at(socket)])
            .uid(user)
            .gid(user)
            .output()
            .unwrap();
        String::from_utf8_lossy(&told.stdout).trim().to_owned()
    };
    for (socket, user, want) in [
        ("own.sock", 0, "HTTP/1.1 200 OK"),
        ("shared.sock", 0, "HTTP/1.1 200 OK"),
        ("shared.sock", 54_321, "HTTP/1.1 200 OK"),
        // The mode stands in the way, or else the agent does.
        ("own.sock", 54_321, ""),
        ("shared.sock", 54_322, ""),
    ] {
        assert_eq!(
            ask(socket, user),
            want,
            "{socket} {user}\n{}",
            place.text("agent.log")
        );
    }
    assert!(
        place
            .text("agent.log")
            .contains("another user's program was sent away")
    );
}

/// The files are behind, sockets and proxies are not; with room again the files are right by themselves.
#[test]
fn a_full_disk_is_said_and_programs_at_the_socket_are_served() {
    let disk = tempfile::tempdir().unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=128k,mode=0700", "tmpfs"])
        .arg(disk.path())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        return;
    }
    let server = DevServer::start();
    let more = by_the_ca(&server, "15s") + "[[socket]]\npath = 'agent.sock'\n";
    let place = Place::new(&server, "full", 10, &more);
    let text = place.text("agent.toml").replace(
        "path = 'state'",
        &format!("path = '{}/state'", disk.path().display()),
    );
    fs::write(place.path("agent.toml"), text).unwrap();
    let agent = place.start_ready();
    let get = |path: &str| {
        at_socket(
            &place.path("agent.sock"),
            &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        )
    };
    until("the first files", || {
        disk.path().join("state/current/token").exists()
    });
    let filler = disk.path().join("filler");
    let _full = fs::write(&filler, vec![0; 1024 * 1024]).unwrap_err();
    until("its fault", || {
        get("/status").contains("the disk is full: make room")
    });
    let generation = fs::read_link(disk.path().join("state/current")).unwrap();
    let rotations = |answer: &str| {
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let status: Value = serde_json::from_str(body).unwrap();
        assert_eq!(status["health"], "degraded", "{status}");
        status["rotations"].as_u64().unwrap()
    };
    let before = rotations(&get("/status"));
    until("another rotation", || rotations(&get("/status")) > before);
    assert!(get("/token").starts_with("HTTP/1.1 200 "), "{}", get("/token"));
    assert_eq!(
        fs::read_link(disk.path().join("state/current")).unwrap(),
        generation
    );
    let folder = disk.path().join("state").join(generation);
    sealstone_agent::MachinePair::read(&folder.join("certificate.pem"), &folder.join("private-key.pem"))
        .unwrap();
    fs::remove_file(&filler).unwrap();
    until("fresh again", || get("/status").contains("\"health\":\"fresh\""));
    assert_eq!(agent.terminate(), 0);
    assert!(
        Command::new("umount")
            .arg(disk.path())
            .status()
            .unwrap()
            .success()
    );
}
