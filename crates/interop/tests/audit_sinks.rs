//! The audit trail carried to real receivers: rsyslog over TLS, RabbitMQ with `oslo.messaging` behind it, an HTTP server.
//!
//! What each has is verified as the trail is, and is CADF by `pycadf`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sealstone_interop::{ServeServer, ServeSetup, free_ports};
use serde_json::Value;

/// A busy machine, and a broker in Erlang.
const LONG: Duration = Duration::from_secs(90);

/// A program that ends with the test.
struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        // With the programs that it started.
        let group = format!("-{}", self.0.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(self.0.wait());
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn python(script: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(folder.join("../../target/interop-python/bin/python"));
    command.arg(folder.join("clients/python").join(script));
    command
}

/// A server with a client.
fn server(configure: impl FnOnce(&mut ServeSetup)) -> ServeServer {
    let mut setup = ServeSetup::new();
    configure(&mut setup);
    setup.write_config();
    let server = setup.start();
    let _secret = server
        .setup()
        .register("ci", &["--grant", "client_credentials", "--scope", "builds:read"]);
    server.wait_for_issuer();
    server
}

/// Asks for a token with a secret that is wrong: one event each.
fn ask(server: &ServeServer) -> Output {
    let token = server.public_url("/token");
    let ca = server.setup().path("ca.pem");
    Command::new("curl")
        .args(["-s", "-i", "--cacert"])
        .arg(ca)
        .args([
            "-d",
            "grant_type=client_credentials&client_id=nobody&client_secret=wrong",
            &token,
        ])
        .output()
        .unwrap()
}

fn status(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().unwrap_or_default().to_owned()
}

fn metric(server: &ServeServer, name: &str) -> u64 {
    let (_, text) = server.admin("/metrics");
    let line = text
        .lines()
        .find(|line| line.starts_with(name))
        .unwrap_or_else(|| panic!("{name}: {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The events that a receiver has, each once, in order.
fn distinct(lines: impl Iterator<Item = String>) -> BTreeMap<u64, String> {
    lines
        .map(|line| {
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            (
                event["attachments"][0]["content"]["sequence"].as_u64().unwrap(),
                line,
            )
        })
        .collect()
}

/// What a receiver has is the node's trail, and every event is CADF.
fn judge(server: &ServeServer, events: &BTreeMap<u64, String>) {
    let text: String = events.values().map(|line| format!("{line}\n")).collect();
    server.setup().write("received.jsonl", &text);
    let received = server.setup().path("received.jsonl");
    // --config gives the key.
    let verified = server
        .setup()
        .sealstone(&["audit", "verify", received.to_str().unwrap()]);
    assert!(
        verified.status.success(),
        "{}{}",
        String::from_utf8_lossy(&verified.stdout),
        String::from_utf8_lossy(&verified.stderr)
    );
    let mut judged = python("cadf_events.py")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    judged.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let judged = judged.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&judged.stdout).trim(),
        events.len().to_string()
    );
}

fn rsyslog(folder: &Path, port: u16) -> Beside {
    let text = format!(
        r#"global(workDirectory="{0}" maxMessageSize="64k" defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="{0}/ca.pem" defaultNetstreamDriverCertFile="{0}/server.pem"
  defaultNetstreamDriverKeyFile="{0}/server.key")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="whole" type="list") {{ property(name="pri") constant(value=" ") property(name="msgid")
  constant(value=" ") property(name="msg") constant(value="\n") }}
action(type="omfile" file="{0}/syslog.out" template="whole")
"#,
        folder.display()
    );
    fs::write(folder.join("rsyslog.conf"), text).unwrap();
    let child = Command::new("/usr/sbin/rsyslogd")
        .args(["-n", "-f"])
        .arg(folder.join("rsyslog.conf"))
        .arg("-i")
        .arg(folder.join("rsyslog.pid"))
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    until("rsyslog listens", || listens(port));
    Beside(child)
}

fn syslog_lines(file: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let (header, event) = line.split_at(line.find('{')?);
            line.ends_with('}')
                .then(|| (header.trim().to_owned(), event.to_owned()))
        })
        .collect()
}

#[test]
fn rsyslog_has_every_event_also_those_of_while_it_was_away() {
    let [port] = free_ports();
    let mut receiver = None;
    let server = server(|setup| {
        setup.set("audit.syslog", "address", &format!("'localhost:{port}'"));
        setup.set("audit.syslog", "ca_file", "'ca.pem'");
        setup.set("audit.syslog", "mode", "'required'");
        receiver = Some(rsyslog(setup.path("").as_path(), port));
    });
    let out = server.setup().path("syslog.out");
    let has = |least: u64| {
        let lines = syslog_lines(&out);
        distinct(lines.into_iter().map(|(_, event)| event))
            .last_key_value()
            .is_some_and(|(last, _)| *last >= least)
    };
    for _ in 0..5 {
        {
            let answer = ask(&server);
            assert!(status(&answer).contains("401"), "{answer:?}");
        }
    }
    until("events arrive", || {
        has(metric(&server, "sealstone_audit_sequence"))
    });
    drop(receiver.take());
    for _ in 0..5 {
        assert!(status(&ask(&server)).contains("401"), "it is not too far behind");
    }
    until("the failure is told", || {
        metric(&server, "sealstone_audit_sink_failing{sink=\"syslog\"}") == 1
    });
    let _receiver = rsyslog(server.setup().path("").as_path(), port);
    until("it has caught up", || {
        has(metric(&server, "sealstone_audit_sequence"))
    });
    until("that is told", || {
        metric(&server, "sealstone_audit_sink_failing{sink=\"syslog\"}") == 0
    });
    let lines = syslog_lines(&out);
    // Facility 13; a refusal is a warning.
    assert!(
        lines.iter().any(|(header, _)| header == "108 authenticate/token"),
        "{:?}",
        lines[0].0
    );
    judge(&server, &distinct(lines.into_iter().map(|(_, event)| event)));
}

#[test]
fn a_required_receiver_that_refuses_stops_the_server_and_a_best_effort_one_does_not() {
    for required in [true, false] {
        let [port] = free_ports();
        let mut receiver = None;
        let server = server(|setup| {
            setup.set("audit.http", "url", &format!("'http://127.0.0.1:{port}/events'"));
            setup.set("audit.http", "ca_file", "'ca.pem'");
            setup.set("audit.http", "bearer_file", "'bearer'");
            setup.set("audit.http", "most_behind", "20");
            setup.set(
                "audit.http",
                "mode",
                if required { "'required'" } else { "'best-effort'" },
            );
            setup.write_private("bearer", "let-me-in\n");
            let out = setup.path("http.out");
            let child = python("http_receiver.py")
                .arg(port.to_string())
                .arg(&out)
                .process_group(0)
                .spawn()
                .unwrap();
            receiver = Some(Beside(child));
            until("it listens", || listens(port));
        });
        let events = || {
            let text = fs::read_to_string(server.setup().path("http.out")).unwrap_or_default();
            distinct(text.lines().map(str::to_owned))
        };
        {
            let answer = ask(&server);
            assert!(status(&answer).contains("401"), "{answer:?}");
        }
        until("events arrive", || events().len() > 1);
        server.setup().write("refuse", "");
        let mut refused = 0;
        for _ in 0..400 {
            let answer = ask(&server);
            let text = String::from_utf8_lossy(&answer.stdout).to_lowercase();
            if status(&answer).contains("503") {
                assert!(required, "{text}");
                assert!(
                    text.contains("temporarily_unavailable") && text.contains("retry-after:"),
                    "{text}"
                );
                refused += 1;
                if refused == 5 {
                    break;
                }
            } else if !required
                && metric(&server, "sealstone_audit_sink_lost_events_total{sink=\"http\"}") > 0
            {
                break;
            }
        }
        assert_eq!(refused, if required { 5 } else { 0 });
        let ready = || server.admin("/health/ready").0;
        if required {
            until("nobody is sent here", || ready() == 503);
            assert_eq!(metric(&server, "sealstone_audit_closed"), 1);
        }
        fs::remove_file(server.setup().path("refuse")).unwrap();
        until("it serves again", || status(&ask(&server)).contains("401"));
        until("it is ready", || ready() == 200);
        until("it has caught up", || {
            events().last_key_value().map(|(last, _)| *last)
                == Some(metric(&server, "sealstone_audit_sequence"))
        });
        let lost = metric(&server, "sealstone_audit_sink_lost_events_total{sink=\"http\"}");
        if required {
            assert_eq!(lost, 0);
            judge(&server, &events());
        } else {
            let events = events();
            let (first, last) = (
                *events.first_key_value().unwrap().0,
                *events.last_key_value().unwrap().0,
            );
            assert_eq!(
                last - first + 1 - u64::try_from(events.len()).unwrap(),
                lost,
                "each is there or counted"
            );
        }
    }
}

/// The broker's own program: the package's wrapper insists on its user.
fn rabbitmq() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/rabbitmq/lib").unwrap();
    let mut found: Vec<PathBuf> = versions
        .map(|entry| entry.unwrap().path().join("sbin/rabbitmq-server"))
        .collect();
    found.sort();
    found.pop().unwrap()
}

fn broker(folder: &Path, [port, distribution, mapper]: [u16; 3]) -> Beside {
    let config = format!(
        "listeners.tcp = none\nlisteners.ssl.default = 127.0.0.1:{port}\nssl_options.cacertfile = {0}/ca.pem\n\
         ssl_options.certfile = {0}/server.pem\nssl_options.keyfile = {0}/server.key\nssl_options.verify = verify_none\n\
         default_user = sealstone\ndefault_pass = not-a-guess\nloopback_users = none\n",
        folder.display()
    );
    fs::write(folder.join("rabbitmq.conf"), config).unwrap();
    fs::write(folder.join("enabled_plugins"), "[].\n").unwrap();
    let child = Command::new(rabbitmq())
        .env("HOME", folder)
        .env("RABBITMQ_NODENAME", "sealstone@localhost")
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
        .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_PID_FILE", folder.join("rabbitmq.pid"))
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env("ERL_EPMD_PORT", mapper.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    until("the broker listens", || listens(port));
    Beside(child)
}

/// Has the broker of [`broker`] do something.
fn broker_does(folder: &Path, [_, _, mapper]: [u16; 3], arguments: &[&str]) {
    let done = Command::new(rabbitmq().with_file_name("rabbitmqctl"))
        .env("HOME", folder)
        .env("RABBITMQ_NODENAME", "sealstone@localhost")
        .env("ERL_EPMD_PORT", mapper.to_string())
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// The broker's port mapper goes on by itself, and ends when it knows of no broker.
fn end_mapper(port: u16) {
    let arguments = ["-port", &port.to_string(), "-kill"];
    drop(Command::new("epmd").args(arguments).output());
}

#[test]
fn what_the_broker_has_no_queue_for_is_not_taken_as_delivered() {
    let ports = free_ports();
    let mut receiver = None;
    let server = server(|setup| {
        setup.set("audit.rabbitmq", "url_file", "'rabbitmq.url'");
        setup.set("audit.rabbitmq", "ca_file", "'ca.pem'");
        setup.set("audit.rabbitmq", "durable", "true");
        setup.set("audit.rabbitmq", "mode", "'required'");
        setup.write_private(
            "rabbitmq.url",
            &format!("amqps://sealstone:not-a-guess@localhost:{}/%2f\n", ports[0]),
        );
        receiver = Some(broker(setup.path("").as_path(), ports));
    });
    let behind = || metric(&server, "sealstone_audit_sink_behind_events{sink=\"rabbitmq\"}");
    until("the broker has them", || behind() == 0);
    let before = metric(&server, "sealstone_audit_sequence");
    let folder = server.setup().path("");
    // Under the eyes of a connection that stands.
    broker_does(&folder, ports, &["delete_queue", "notifications.info"]);
    for _ in 0..5 {
        assert!(status(&ask(&server)).contains("401"), "it is not too far behind");
    }
    until("they are delivered", || {
        metric(&server, "sealstone_audit_sequence") >= before + 5 && behind() == 0
    });
    let heard = python("notifications.py")
        .arg(format!("rabbit://sealstone:not-a-guess@localhost:{}//", ports[0]))
        .arg(server.setup().path("ca.pem"))
        .arg("5")
        .output()
        .unwrap();
    assert!(heard.status.success(), "the events are in no queue: {heard:?}");
    // The client of the broker has its own words for every try: the log has one line for it all.
    assert_eq!(
        server.said().matches("no queue took a message").count(),
        1,
        "{}",
        server.said()
    );
    drop(receiver.take());
    end_mapper(ports[2]);
}

#[test]
fn keystones_consumers_hear_of_every_event_also_of_those_while_their_broker_was_away() {
    let ports = free_ports();
    let mut receiver = None;
    let server = server(|setup| {
        setup.set("audit.rabbitmq", "url_file", "'rabbitmq.url'");
        setup.set("audit.rabbitmq", "ca_file", "'ca.pem'");
        setup.set("audit.rabbitmq", "durable", "true");
        setup.set("log", "level", "'info'");
        setup.write_private(
            "rabbitmq.url",
            &format!("amqps://sealstone:mistyped@localhost:{}/%2f\n", ports[0]),
        );
        receiver = Some(broker(setup.path("").as_path(), ports));
    });
    let failing = || metric(&server, "sealstone_audit_sink_failing{sink=\"rabbitmq\"}");
    for _ in 0..5 {
        let answer = ask(&server);
        assert!(status(&answer).contains("401"), "{answer:?}");
    }
    until("the mistake is told", || failing() == 1);
    // The file is read anew: no restart.
    server.setup().write_private(
        "rabbitmq.url",
        &format!("amqps://sealstone:not-a-guess@localhost:{}/%2f\n", ports[0]),
    );
    let behind = || metric(&server, "sealstone_audit_sink_behind_events{sink=\"rabbitmq\"}");
    until("the broker has them", || {
        metric(
            &server,
            "sealstone_audit_sink_delivered_events_total{sink=\"rabbitmq\"}",
        ) > 5
            && behind() == 0
    });
    // Killed, and back over its folder: what it had confirmed is there, and what it missed comes.
    drop(receiver.take());
    for _ in 0..5 {
        assert!(status(&ask(&server)).contains("401"), "it is not too far behind");
    }
    until("the failure is told", || failing() == 1 && behind() > 0);
    receiver = Some(broker(server.setup().path("").as_path(), ports));
    until("it has caught up", || failing() == 0 && behind() == 0);
    let said = server.said();
    let told: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("\"rabbitmq\""))
        .collect();
    for (line, words) in told.iter().zip([
        ["can't be delivered", "ACCESS_REFUSED"],
        ["takes audit events again", ""],
        ["can't be delivered", "Connection refused"],
        ["takes audit events again", ""],
    ]) {
        assert!(words.iter().all(|word| line.contains(word)), "{told:#?}");
    }
    // Not what the broker's client has to say of each try.
    assert!(!said.contains("io_loop"), "{said}");
    let told = told.concat();
    assert!(
        !told.contains("not-a-guess") && !told.contains("mistyped"),
        "{told}"
    );
    // Nobody listened until now.
    let delivered = metric(
        &server,
        "sealstone_audit_sink_delivered_events_total{sink=\"rabbitmq\"}",
    );
    let heard = python("notifications.py")
        .arg(format!("rabbit://sealstone:not-a-guess@localhost:{}//", ports[0]))
        .arg(server.setup().path("ca.pem"))
        .arg(delivered.to_string())
        .output()
        .unwrap();
    assert!(
        heard.status.success(),
        "{}",
        String::from_utf8_lossy(&heard.stderr)
    );
    let told: Vec<Value> = String::from_utf8_lossy(&heard.stdout)
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let refused = told
        .iter()
        .find(|told| told["event"]["action"] == "authenticate/token")
        .unwrap();
    assert_eq!(refused["type"], "identity.authenticate");
    assert_eq!(refused["message_id"], refused["event"]["id"]);
    assert!(
        refused["publisher"]
            .as_str()
            .unwrap()
            .starts_with("identity.sealstone-")
    );
    // Canonical again, they are the trail.
    let lines = told.iter().map(|told| {
        let sorted: BTreeMap<String, Value> = serde_json::from_value(told["event"].clone()).unwrap();
        serde_json::to_string(&sorted).unwrap()
    });
    judge(&server, &distinct(lines));
    drop(receiver.take());
    end_mapper(ports[2]);
}
