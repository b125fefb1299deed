//! The configuration, read anew while the server runs: all of it, or nothing.

use crate::harness::{Ask, GRANT, INTROSPECT, Process, REVOKE, TOKEN, World, secret};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Output;

const METADATA: &str = "/v4/oauth2/demo/.well-known/openid-configuration";

fn ask() -> Ask {
    Ask::post(TOKEN).basic("basic", &secret("basic")).form(GRANT)
}

async fn world() -> World {
    let world = World::start().await;
    world.register("basic", json!({})).await;
    world
}

/// `sealstoned reload`, told where the admin listener is: the configuration of a test leaves that to the system.
fn reload_at(world: &World, admin: SocketAddr) -> Output {
    let config = world.setup.write_config();
    Process::command(&["reload", "--config", config.to_str().unwrap()])
        .env("SEALSTONE__SERVER__ADMIN_LISTEN", admin.to_string())
        .output()
        .unwrap()
}

/// What it said on success.
#[track_caller]
fn reloaded(world: &World) -> String {
    let output = reload_at(world, world.admin);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it said when it was refused.
#[track_caller]
fn refused(world: &World) -> String {
    let output = reload_at(world, world.admin);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What the node has recorded of its configuration: action, target, outcome, rule.
fn settings(world: &World) -> Vec<[String; 4]> {
    let text = fs::read_to_string(world.setup.path("audit.jsonl")).unwrap();
    let events = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events = events.map(|event| {
        ["/action", "/target/id", "/outcome", "/reason/policyId"].map(|place| {
            let value = event.pointer(place).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        })
    });
    let of_configuration = |action: &str| ["update/configuration", "configure/node"].contains(&action);
    events.filter(|[action, ..]| of_configuration(action)).collect()
}

async fn metadata(world: &World) -> Value {
    world.https().send(world.public, Ask::get(METADATA)).await.json()
}

#[tokio::test]
async fn limits_act_at_once_and_connections_stand() {
    let mut world = world().await;
    let mut kept = world.https().connect(world.public).await.unwrap();
    kept.send(ask()).await.token();
    world.setup.set("limits", "insecure_unlimited_networks", "[]");
    world.setup.set("limits", "requests_per_s_per_address", "1");
    world.setup.set("limits", "request_burst_per_address", "1");
    let said = reloaded(&world);
    assert_eq!(
        said,
        "reloaded: limits.insecure_unlimited_networks, limits.request_burst_per_address, \
         limits.requests_per_s_per_address in force\n"
    );
    kept.send(ask()).await.token();
    assert_eq!(kept.send(ask()).await.status, 429);
    world
        .setup
        .set("limits", "insecure_unlimited_networks", "['127.0.0.0/8']");
    assert!(world.reload_written().await);
    kept.send(ask()).await.token();
    kept.send(ask()).await.token();
    world.end().await;
}

#[tokio::test]
async fn a_proxy_is_believed_from_then_on_and_no_longer() {
    const SHARED: &str = "a-secret-of-the-proxy-and-nobody-else-0123456789";
    let world = world().await;
    let from = |answer| world.records(&answer)[0]["initiator"]["host"]["address"].clone();
    let send = || async {
        let ask = ask()
            .header("x-proxy-secret", SHARED)
            .header("x-forwarded-for", "192.0.2.9");
        world.https().send(world.public, world.numbered(ask)).await
    };
    assert_eq!(from(send().await), "127.0.0.1");
    world.setup.write_private("shared", SHARED);
    let mut toml = world.setup.toml();
    toml.push_str(
        "[proxy]\ntrusted_networks = ['127.0.0.1/32']\nform = 'rfc9440'\nsecret_header = 'x-proxy-secret'\n\
         secret_file = 'shared'\n",
    );
    world.setup.write("sealstoned.toml", toml);
    assert!(world.reload().await);
    assert_eq!(from(send().await), "192.0.2.9");
    // Taken out as a whole.
    assert!(world.reload_written().await);
    assert_eq!(from(send().await), "127.0.0.1");
    world.end().await;
}

#[tokio::test]
async fn people_authorities_and_receivers_come_and_go() {
    let mut world = World::with(|setup| setup.unset("tls", "client_ca_files")).await;
    let ci = world.setup.ca.client("ci");
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    async fn status(world: &World, ci: &sealstone_testkit::TestCertificate) -> u16 {
        let (https, ask) = (world.holder(ci), world.token_ask("ci"));
        https.send(world.mtls, ask).await.status.as_u16()
    }
    assert!(metadata(&world).await["authorization_endpoint"].is_null());
    assert_eq!(status(&world, &ci).await, 401);
    assert!(!world.plain("/metrics").await.contains("sink=\"http\""));

    world.setup.set("tls", "client_ca_files", "['clients.pem']");
    world.setup.set("people", "source", "'directory'");
    // Nobody listens there: what is not taken waits.
    world
        .setup
        .set("audit.http", "url", "'http://127.0.0.1:9/events'");
    world.setup.set("audit.http", "ca_file", "'clients.pem'");
    let said = reloaded(&world);
    assert!(
        said.contains("audit.http.url") && said.contains("people.source"),
        "{said}"
    );
    assert!(metadata(&world).await["authorization_endpoint"].is_string());
    assert_eq!(status(&world, &ci).await, 200);
    assert!(
        world
            .plain("/metrics")
            .await
            .contains("sealstone_audit_sink_behind_events{sink=\"http\"}")
    );

    for (section, key) in [
        ("tls", "client_ca_files"),
        ("people", "source"),
        ("audit.http", "url"),
        ("audit.http", "ca_file"),
    ] {
        world.setup.unset(section, key);
    }
    world.setup.remove_section("people");
    world.setup.remove_section("audit.http");
    reloaded(&world);
    assert!(metadata(&world).await["authorization_endpoint"].is_null());
    assert_eq!(status(&world, &ci).await, 401);
    assert!(!world.plain("/metrics").await.contains("sink=\"http\""));
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_used_changes_nothing_and_says_so() {
    let mut world = world().await;
    let good = world.setup.toml();
    let before = metadata(&world).await;
    let cases = [
        // A good change beside each: it does not count either.
        ("[people]\nsource = 'keystone'\n", "without [keystone]"),
        (
            "[people]\nsource = 'directory'\nsession_idle_s = 1\n",
            "people.session_idle_s = 1",
        ),
        (
            "[people]\nsource = 'directory'\n[pages]\nfolder = 'nowhere'\n",
            "pages.folder",
        ),
        (
            "[people]\nsource = 'directory'\n[keys]\npublish_lead_s = 1\n",
            "[keys]",
        ),
        (
            "[people]\nsource = 'directory'\n[audit.syslog]\naddress = 'x'\nca_file = 'clients.pem'\n",
            "audit.syslog.address",
        ),
        (
            "[people]\nsource = 'directory'\n[proxy]\ntrusted_networks = ['x']\nform = 'traefik'\n",
            "proxy.trusted_networks",
        ),
        (
            "[people]\nsource = 'directory'\nsorce = 1\n",
            "did you mean `source`?",
        ),
        (
            "[people]\nsource = 'directory'\n[keystone]\nurl = 'ftp://x'\n",
            "keystone.url",
        ),
    ];
    for (number, (more, want)) in cases.iter().enumerate() {
        world.setup.write("sealstoned.toml", format!("{good}{more}"));
        let from = world.process.log_length();
        assert!(!world.reload().await, "{more}");
        let said = |line: &str| line.contains("reload refused").then(|| line.to_owned());
        let said = world.process.logged_from(from, said).await;
        assert!(said.contains(want), "{more}: {said}");
        // Who asks for it hears it too, and has it as the exit status.
        let answer: Value = serde_json::from_str(&world.plain("/reload").await).unwrap();
        assert_eq!(answer["outcome"], "refused");
        assert!(answer["error"].as_str().unwrap().contains(want), "{answer}");
        assert_eq!(answer["number"], number + 1);
        assert_eq!(metadata(&world).await, before);
        world.https().send(world.public, ask()).await.token();
    }
    let [action, _, outcome, rule] = settings(&world).pop().unwrap();
    assert_eq!(
        [action, outcome, rule].each_ref().map(String::as_str),
        ["update/configuration", "failure", "reload_refused"]
    );
    assert_eq!(
        settings(&world).len(),
        cases.len(),
        "no setting was recorded as changed"
    );
    world.setup.set("limits", "requests_per_s_per_address", "0");
    let said = refused(&world);
    assert!(
        said.contains("limits.requests_per_s_per_address must be at least 1"),
        "{said}"
    );
    world.end().await;
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_waits() {
    let mut world = world().await;
    let before = metadata(&world).await;
    for (section, key, value) in [
        ("server", "base_url", "'https://other.example.test'"),
        ("storage", "path", "'other.db'"),
        ("audit", "key_file", "'other.key'"),
        ("limits", "body_deadline_s", "9"),
        ("log", "format", "'text'"),
    ] {
        world.setup.set(section, key, value);
    }
    let waiting = "after a restart: audit.key_file, log.format, server.base_url, storage.path\n";
    assert_eq!(
        reloaded(&world),
        format!("reloaded: limits.body_deadline_s in force\n{waiting}")
    );
    assert_eq!(metadata(&world).await, before);
    let log = world.process.log();
    let told = "audit.key_file, log.format, server.base_url, storage.path";
    assert!(
        log.contains(told) && log.contains("count after a restart"),
        "{log}"
    );
    let event = |key: &str, rule: &str| {
        let outcome = if rule.is_empty() { "success" } else { "failure" };
        ["configure/node", key, outcome, rule].map(str::to_owned)
    };
    assert_eq!(
        settings(&world)[1..],
        [
            event("limits.body_deadline_s", ""),
            event("audit.key_file", "restart_needed"),
            event("log.format", "restart_needed"),
            event("server.base_url", "restart_needed"),
            event("storage.path", "restart_needed"),
        ]
    );
    // They wait until the restart, and are named each time.
    assert_eq!(
        reloaded(&world),
        format!("reloaded: files read anew, no key has another value\n{waiting}")
    );
    world.end().await;
}

/// What was revoked, counted and cached before is so after, and nobody who asks meanwhile is refused.
#[tokio::test]
async fn requests_go_on_while_one_server_takes_the_place_of_another() {
    let world = World::start().await;
    world.register("basic", json!({"introspection": "domain"})).await;
    let revoked = world.https().send(world.public, ask()).await.token();
    let form = |token: &str| format!("token={token}");
    let revoke = Ask::post(REVOKE)
        .basic("basic", &secret("basic"))
        .form(form(&revoked));
    assert_eq!(world.https().send(world.public, revoke).await.status, 200);
    let (https, public) = (world.https(), world.public);
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let asking = tokio::spawn(async move {
        let mut connection = https.connect(public).await.unwrap();
        let mut count = 0_u64;
        while !*stopped.borrow_and_update() {
            connection.send(ask()).await.token();
            count += 1;
        }
        count
    });
    for _reload in 0..10 {
        assert!(world.reload().await);
    }
    stop.send_replace(true);
    let count = asking.await.unwrap();
    assert!(count > 0);
    let introspect = Ask::post(INTROSPECT)
        .basic("basic", &secret("basic"))
        .form(form(&revoked));
    let answer = world.https().send(world.public, introspect).await;
    assert_eq!(answer.text, r#"{"active":false}"#);
    let metrics = world.plain("/metrics").await;
    let counted = format!(
        "sealstone_http_answers_total{{endpoint=\"token\",status=\"200\"}} {}",
        count + 1
    );
    assert!(metrics.contains(&counted), "{counted}: {metrics}");
    world.end().await;
}

/// A key that is revoked after a reload leaves the key set: what keeps the server true goes on for the new one.
#[tokio::test]
async fn upkeep_goes_on_after_a_reload() {
    let world = world().await;
    assert!(world.reload().await);
    world.https().send(world.public, ask()).await.token();
    world.disable("basic").await;
    crate::harness::eventually("refused", || async {
        world.https().send(world.public, ask()).await.status == 401
    })
    .await;
    let domain = sealstone_registry::Domain::new(
        sealstone_identity::DomainId::parse("later").unwrap(),
        "Later",
        true,
    );
    use sealstone_registry::DomainStore as _;
    let _inserted = world.store.insert_domain(domain.unwrap()).await.unwrap();
    crate::harness::eventually("served", || async {
        let jwks = Ask::get("/v4/oauth2/later/jwks");
        world.https().send(world.public, jwks).await.status == 200
    })
    .await;
    world.end().await;
}

/// While the server is down, anybody may listen where it did: no process of theirs is told anything.
#[tokio::test]
async fn nobody_else_is_told_to_reload() {
    let world = world().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let own = std::process::id();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let _read = stream.read(&mut head).unwrap();
        let body =
            json!({"process": own, "number": 0, "outcome": "none", "acting": [], "restart_needed": []});
        let body = body.to_string();
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
    });
    let output = reload_at(&world, address);
    answering.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is no sealstoned"), "{said}");
    // Nobody at all, or an admin listener that is off.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = String::from_utf8(reload_at(&world, free).stderr).unwrap();
    assert!(said.contains("does the server run"), "{said}");
    world.end().await;
}
