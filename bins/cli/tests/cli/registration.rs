//! Clients of other servers, and the tokens by which clients register themselves.

use std::fs;

use sealstone_oauth_types::{ClientId, Secret};
use sealstone_registry::{ClientStore as _, Pepper};
use sealstone_tokens::RevocationStore as _;
use serde_json::{Value, json};

use crate::{
    program::{now, text},
    store::Data,
};

const SECRET: &str = "h2Yd8sKq0ZpW4mNv7RtX1cJb5LfG9aEu";

fn realm(data: &Data) -> String {
    let export = json!({ "clients": [
        { "clientId": "grafana", "redirectUris": ["https://grafana.example/cb"], "secret": SECRET,
          "directAccessGrantsEnabled": true },
        { "clientId": "wiki", "redirectUris": ["https://wiki.example/cb"], "secret": "**********" },
        { "clientId": "intranet", "redirectUris": ["https://intranet.example/*"] },
    ] });
    let path = data.path().join("realm.json");
    fs::write(&path, export.to_string()).unwrap();
    text(&path).to_owned()
}

fn ids(data: &Data) -> Vec<String> {
    let listed = data.json(&["client", "list"]);
    let id = |client: &Value| client["client_id"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(id).collect()
}

#[test]
fn an_import_changes_nothing_until_it_is_told_to() {
    let data = Data::new();
    let path = realm(&data);
    let import = [
        "client",
        "import",
        path.as_str(),
        "--from",
        "keycloak",
        "--output",
        "json",
    ];
    let tried = data.run(&import);
    assert_eq!(tried.status, 1, "one of them is refused: {}", tried.err);
    let lines: Value = serde_json::from_str(&tried.out).unwrap();
    assert_eq!(lines[0]["result"], "would be registered");
    assert_eq!(lines[0]["dropped"][0]["member"], "directAccessGrantsEnabled");
    assert!(
        lines[2]["refused"].as_str().unwrap().contains("asterisk"),
        "{lines}"
    );
    assert!(lines[1]["client_secret"].is_null());
    assert_eq!(ids(&data), [] as [&str; 0]);
    assert!(tried.err.contains("Nothing was changed"), "{}", tried.err);
    assert!(!tried.out.contains(SECRET) && !tried.err.contains(SECRET));

    let done = data.run(&[&import[..], &["--apply"]].concat());
    let lines: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(ids(&data), ["grafana", "wiki"]);
    // A secret that nobody guesses goes on being good; one that is hidden is made anew, and shown.
    assert!(lines[0]["client_secret"].is_null(), "{lines}");
    assert_eq!(lines[1]["client_secret"].as_str().unwrap().len(), 43);
    assert!(!done.out.contains(SECRET));
    let pepper = fs::read_to_string(data.path().join("secrets/pepper")).unwrap();
    let pepper = Pepper::from_hex(&pepper).unwrap();
    let kept = data.client("grafana");
    let secrets = kept.auth().secrets().unwrap();
    assert!(secrets.verify(&pepper, &Secret::from(SECRET), now()));

    let again = data.run(&[&import[..], &["--apply"]].concat());
    let lines: Value = serde_json::from_str(&again.out).unwrap();
    assert!(
        lines[0]["refused"].as_str().unwrap().contains("already"),
        "{lines}"
    );
}

#[test]
fn tokens_for_registration_are_made_listed_and_taken_back() {
    let data = Data::new();
    let made = data.json(&[
        "client",
        "initial-token",
        "create",
        "--uses",
        "3",
        "--expires-in",
        "7d",
    ]);
    let token = made["initial_access_token"].as_str().unwrap();
    assert_eq!((token.len(), &made["uses_left"]), (43, &json!(3)));
    let listed = data.run(&["client", "initial-token", "list", "--output", "json"]);
    assert!(listed.out.contains(made["id"].as_str().unwrap()) && !listed.out.contains(token));
    for wrong in [
        ["--expires-in", "91d"],
        ["--expires-in", "1s"],
        ["--uses", "0"],
        ["--uses", "1001"],
    ] {
        let refused = data.run(&[&["client", "initial-token", "create"][..], &wrong].concat());
        assert_eq!(refused.status, 2, "{wrong:?}: {}", refused.err);
    }
    let revoke = ["client", "initial-token", "revoke", made["id"].as_str().unwrap()];
    assert_eq!(data.run(&revoke).status, 0);
    assert_eq!(data.run(&revoke).status, 1, "it is gone");
    assert_eq!(data.json(&["client", "initial-token", "list"]), json!([]));
    let audit = fs::read_to_string(data.path().join("audit.jsonl")).unwrap();
    assert!(audit.contains("create/initial_access_token") && audit.contains("delete/initial_access_token"));
    assert!(!audit.contains(token));
}

/// O14: by the command line too, what a client got ends with it.
#[test]
fn o14_what_a_client_got_ends_with_it_by_the_command_line() {
    let data = Data::new();
    for id in ["one", "two"] {
        assert_eq!(data.run(&["client", "create", id, "--scope", "read"]).status, 0);
    }
    assert_eq!(data.run(&["client", "disable", "one"]).status, 0);
    assert_eq!(data.run(&["client", "delete", "two", "--yes"]).status, 0);
    let ended = data.with_store(async |store| {
        assert!(
            store
                .client(&ClientId::parse("two").unwrap())
                .await
                .unwrap()
                .is_none()
        );
        let domain = sealstone_identity::DomainId::parse("demo").unwrap();
        store.ended_clients(&domain, now()).await.unwrap()
    });
    let ended: Vec<&str> = ended.iter().map(|ended| ended.client_id.as_str()).collect();
    assert_eq!(ended, ["one", "two"]);
}
