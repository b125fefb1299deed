//! What an administrator changes in the store acts while the server runs; and the store's own commands.

use crate::harness::{Ask, GRANT, ISSUER, Process, REVOKE, Setup, TOKEN, World, eventually, now, secret};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientId, Secret};
use sealstone_registry::{
    ClientStore as _, Domain, DomainStore as _, Insertion, Pepper, Removal, Replacement,
};
use serde_json::json;
use std::fs;
use std::time::Duration;

fn ask(client: &str, secret: &str) -> Ask {
    Ask::post(TOKEN).basic(client, secret).form(GRANT)
}

async fn status(world: &World, ask: &Ask) -> u16 {
    world
        .https()
        .send(world.public, ask.clone())
        .await
        .status
        .as_u16()
}

/// Waits until the answer is of this status.
async fn becomes(world: &World, ask: &Ask, wanted: u16) {
    eventually(&format!("{wanted}"), || async {
        status(world, ask).await == wanted
    })
    .await;
}

#[tokio::test]
async fn clients_come_change_and_go() {
    let world = World::start().await;
    let pepper = fs::read_to_string(world.setup.path("pepper")).unwrap();
    let pepper = Pepper::from_hex(&pepper).unwrap();
    let first = ask("ci", &secret("ci"));
    assert_eq!(status(&world, &first).await, 401);
    world.register("ci", json!({})).await;
    becomes(&world, &first, 200).await;

    // A new secret; the old one goes on for a while, or ends at once.
    let second = ask("ci", &secret("second"));
    let hash = |text: &str| pepper.hash(&Secret::from(secret(text)));
    let hour = Duration::from_secs(3600);
    world
        .change("ci", |client| {
            client
                .with_rotated_secret(hash("second"), None, hour, now())
                .unwrap()
        })
        .await;
    becomes(&world, &second, 200).await;
    assert_eq!(status(&world, &first).await, 200);
    world
        .change("ci", |client| {
            client
                .with_rotated_secret(hash("third"), None, Duration::ZERO, now())
                .unwrap()
        })
        .await;
    becomes(&world, &second, 401).await;
    assert_eq!(status(&world, &first).await, 401);
    let third = ask("ci", &secret("third"));
    assert_eq!(status(&world, &third).await, 200);

    world.disable("ci").await;
    becomes(&world, &third, 401).await;
    world
        .change("ci", |client| client.with_enabled(true, now()))
        .await;
    becomes(&world, &third, 200).await;
    let removed = world.store.delete(&ClientId::parse("ci").unwrap()).await;
    assert_eq!(removed.unwrap(), Removal::Removed);
    becomes(&world, &third, 401).await;
    world.end().await;
}

#[tokio::test]
async fn domains_come_and_go() {
    let world = World::start().await;
    let metadata = Ask::get("/v4/oauth2/later/.well-known/openid-configuration");
    assert_eq!(status(&world, &metadata).await, 404);
    let later = |enabled| Domain::new(DomainId::parse("later").unwrap(), "Later", enabled).unwrap();
    let inserted = world.store.insert_domain(later(true)).await;
    assert_eq!(inserted.unwrap(), Insertion::Inserted);
    becomes(&world, &metadata, 200).await;
    let keys = Ask::get("/v4/oauth2/later/jwks");
    let own = world.https().send(world.public, keys).await.json();
    let others = Ask::get(&format!("{ISSUER}/jwks"));
    let others = world.https().send(world.public, others).await.json();
    assert_ne!(own["keys"][0]["kid"], others["keys"][0]["kid"]);
    let replaced = world.store.replace_domain(later(false)).await;
    assert_eq!(replaced.unwrap(), Replacement::Replaced);
    becomes(&world, &metadata, 404).await;
    world.end().await;
}

/// Two servers on one database: what one revokes, the other knows.
#[tokio::test]
async fn two_servers_share_a_database() {
    let world = World::start().await;
    world.register("ci", json!({"introspection": "domain"})).await;
    let config = world.setup.path("sealstoned.toml");
    let mut second = Process::start(&["serve", "--config", config.to_str().unwrap()]);
    let address = second
        .logged(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["public"].as_str().map(str::to_owned)
        })
        .await;
    let address = address.parse().unwrap();
    let token = world
        .https()
        .send(world.public, ask("ci", &secret("ci")))
        .await
        .token();
    let told = Ask::post(&format!("{ISSUER}/introspect"))
        .basic("ci", &secret("ci"))
        .form(format!("token={token}"));
    let active = || async { world.https().send(address, told.clone()).await.json()["active"] == true };
    assert!(active().await, "the second server knows the first one's key");
    let revoke = Ask::post(REVOKE)
        .basic("ci", &secret("ci"))
        .form(format!("token={token}"));
    assert_eq!(status(&world, &revoke).await, 200);
    eventually("the revocation at the other server", || async { !active().await }).await;
    second.stop().await;
    world.end().await;
}

/// S19: whatever is sent, the audit trail has one line for a request, and nothing of it is the sender's own.
#[tokio::test]
async fn s19_forged_lines_stay_inside_their_field() {
    let world = World::start().await;
    world.register("ci", json!({})).await;
    assert_eq!(status(&world, &ask("ci", &secret("ci"))).await, 200);
    let before = world.audit().len();
    let forged = "ci%0A%7B%22outcome%22%3A%22success%22%7D%0D%0A";
    let sent = [
        Ask::post(TOKEN).form(format!(
            "{GRANT}&client_id={forged}&client_secret=hidden-in-the-body"
        )),
        Ask::post(TOKEN).basic(forged, "hidden-in-the-header").form(GRANT),
        Ask::post(TOKEN)
            .header("x-request-id", "a\tb\"outcome\":\"success\"")
            .form(GRANT),
    ];
    for ask in &sent {
        assert_eq!(status(&world, ask).await, 401);
    }
    // Parsed line by line.
    let audit = world.audit();
    let records = audit.get(before..).unwrap();
    assert_eq!(records.len(), sent.len(), "{records:?}");
    for record in records {
        assert_eq!(record["outcome"], "failure");
        let id = record["initiator"]["id"].as_str().unwrap();
        assert!(id.chars().all(|c| c.is_ascii_graphic()), "{id}");
    }
    for text in [
        world.process.log(),
        fs::read_to_string(world.setup.path("audit.jsonl")).unwrap(),
    ] {
        assert!(!text.contains("hidden-in-the"), "{text}");
    }
    world.end().await;
}

#[test]
fn schema_commands() {
    let setup = Setup::new();
    let config = setup.write_config();
    let db = |command: &str| {
        let output = Process::command(&["db", command, "--config", config.to_str().unwrap()])
            .output()
            .unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (status, said, _) = db("status");
    assert!(
        status == Some(0) && said.contains("run `sealstoned db migrate`"),
        "{said}"
    );
    assert!(!setup.path("sealstone.db").exists(), "status makes nothing");
    let (status, said, _) = db("migrate");
    assert!(status == Some(0) && said.contains("done now: 1 ("), "{said}");
    for command in ["status", "migrate"] {
        let (status, said, _) = db(command);
        let now = said.trim_end().ends_with("which is this program's");
        assert!(status == Some(0) && now, "{said}");
    }
    fs::write(setup.path("sealstone.db"), "no database").unwrap();
    let (status, said, complaint) = db("status");
    assert_eq!((status, said.as_str()), (Some(1), ""));
    assert!(
        complaint.contains("sealstone.db") && !complaint.contains("panicked"),
        "{complaint}"
    );
    fs::remove_file(setup.path("sealstone.db")).unwrap();
    fs::create_dir(setup.path("sealstone.db")).unwrap();
    for command in ["status", "migrate"] {
        let (status, _, complaint) = db(command);
        assert_eq!(status, Some(1));
        assert!(complaint.contains("not a regular file"), "{complaint}");
    }
}
