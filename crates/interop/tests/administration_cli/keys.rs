//! Signing keys, and tokens by which programs register themselves, from elsewhere.

use sealstone_interop::ServeSetup;
use sealstone_jose::{Algorithm, PrivateKey};
use serde_json::{Value, json};

use crate::{Done, JSON, Proof, World};

impl World {
    /// `sealstone key …` for the keys of `demo`.
    fn key(&self, proof: Proof<'_>, arguments: &[&str]) -> Done {
        self.asked("demo", proof, &[&["key"], arguments].concat())
    }

    /// The same on the server's machine.
    #[track_caller]
    fn here(&self, arguments: &[&str]) -> Value {
        let done = self.server.setup().sealstone(&[arguments, &JSON].concat());
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        serde_json::from_slice(&done.stdout).unwrap()
    }

    #[track_caller]
    fn active(&self) -> String {
        let keys = self.here(&["key", "list", "--domain", "demo"]);
        let keys = keys.as_array().unwrap();
        let is_active = |key: &&Value| key["state"] == "active" && key["alg"] == "ES256";
        let active = keys.iter().find(is_active).unwrap();
        active["kid"].as_str().unwrap().to_owned()
    }
}

const OPERATOR: Proof<'_> = Proof::Certificate("operator");

fn said(done: &Done) -> String {
    String::from_utf8_lossy(&done.0.stderr).into_owned()
}

/// What is printed is what the same command prints on the server's machine.
#[test]
fn keys_are_looked_after_from_elsewhere() {
    let world = World::new(|_| {});
    let token = world.token("operator", "global", "sealstone:keys");
    for proof in [OPERATOR, Proof::Token(&token)] {
        let with = |arguments: &[&str]| world.key(proof, &[arguments, &JSON].concat());
        let here = || world.here(&["key", "list", "--domain", "demo"]);
        assert_eq!(with(&["list"]).json(), here());
        let table = world.key(proof, &["list"]);
        let table = String::from_utf8(table.0.stdout).unwrap();
        assert!(
            table.starts_with("DOMAIN") && table.contains(&world.active()),
            "{table}"
        );
        let rotated = with(&["rotate"]);
        assert!(said(&rotated).contains("it signs from"), "{:?}", rotated.0);
        assert_eq!(rotated.json(), here());
        let stolen = world.active();
        let revoked = with(&["revoke", &stolen]);
        let told = said(&revoked);
        assert!(told.contains(&format!("{stolen} is revoked")), "{told}");
        assert_eq!(revoked.json(), here());
        let fresh = world.active();
        assert_ne!(fresh, stolen);
        assert!(told.contains(&format!("{fresh} signs now")), "{told}");
        with(&["revoke", &stolen]).refused(1, "revoked already");
    }
    let unknown = ["revoke", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
    world
        .key(OPERATOR, &unknown)
        .refused(1, "`sealstone key list` with the same --url");
}

#[test]
fn o01_who_does_not_administer_the_cloud_is_told_why_and_what_to_do() {
    let world = World::new(|_| {});
    let manager = world.token("manager", "demo", "sealstone:clients");
    let registrar = world.token("operator", "global", "sealstone:clients");
    let before = world.here(&["key", "list", "--domain", "demo"]);
    let kid = world.active();
    let revoke = ["revoke", kid.as_str()];
    for (name, done, status, words) in [
        (
            "nobody",
            world.key(Proof::Environment(&[]), &["list"]),
            1,
            "nothing says who you are",
        ),
        (
            "a manager of this domain",
            world.key(Proof::Certificate("manager"), &revoke),
            1,
            "only an administrator of the cloud administers keys",
        ),
        (
            "a token of another scope",
            world.key(Proof::Token(&registrar), &revoke),
            1,
            "lacks the scope sealstone:keys",
        ),
        (
            "a token of one domain",
            world.key(Proof::Token(&manager), &revoke),
            1,
            "refused (403",
        ),
        (
            "no token of ours",
            world.key(Proof::Token("made-up"), &revoke),
            1,
            "give another token",
        ),
        (
            "a stranger",
            world.key(Proof::Certificate("stranger"), &["rotate"]),
            1,
            "refused (403",
        ),
        (
            "a domain of one's choice",
            world.key(OPERATOR, &["list", "--domain", "elsewhere"]),
            2,
            "the issuer says the domain",
        ),
        (
            "what is for the server's machine",
            world.key(OPERATOR, &["revoke", &kid, "--software-key"]),
            2,
            "revoke the key there",
        ),
        (
            "no key",
            world.key(OPERATOR, &["revoke", "a b"]),
            2,
            "no key identifier",
        ),
        (
            "signed where one is enough",
            world.key(
                OPERATOR,
                &["revoke", &kid, "--as", "x", "--administrator-key", "x.pem"],
            ),
            2,
            "one administrator is enough there",
        ),
        (
            "no such command there",
            world.key(OPERATOR, &["export", &kid]),
            2,
            "--url",
        ),
    ] {
        let told = done.refused(status, words);
        assert!(!told.contains(&manager) && !told.contains(&registrar), "{name}");
    }
    assert_eq!(world.here(&["key", "list", "--domain", "demo"]), before);
}

fn two_administrators(setup: &mut ServeSetup) {
    setup.set("keys", "administrators_file", "'administrators.json'");
    let mut public = Vec::new();
    for name in ["alice", "bob", "mallory"] {
        let key = PrivateKey::generate(Algorithm::Es256).unwrap();
        setup.write_private(&format!("{name}-signs.pem"), &key.to_pkcs8_pem().unwrap());
        public.push(key.public_jwk().clone().with_kid(name).unwrap().to_json());
    }
    let file = format!("{{\"keys\":[{},{}]}}", public[0], public[1]);
    setup.write("administrators.json", &file);
}

#[test]
fn s02_two_agree_from_elsewhere() {
    let world = World::new(two_administrators);
    let stolen = world.active();
    let path = |name: &str| world.path(&format!("{name}-signs.pem"));
    let [alice, bob, mallory] = ["alice", "bob", "mallory"].map(path);
    let sign = |verb: &'static str, what: &str, name: &str, key: &str| {
        world.key(
            OPERATOR,
            &[
                verb,
                what,
                "--as",
                name,
                "--administrator-key",
                key,
                "--output",
                "json",
            ],
        )
    };
    world
        .key(OPERATOR, &["revoke", &stolen])
        .refused(2, "two administrators must agree");
    sign("revoke", &stolen, "mallory", &mallory).refused(1, "refused (403");
    sign("revoke", &stolen, "alice", &bob).refused(1, "refused (403");
    assert_eq!(world.here(&["key", "requests"]), json!([]));

    let asked = sign("revoke", &stolen, "alice", &alice);
    assert_eq!(asked.0.status.code(), Some(1));
    assert!(said(&asked).contains("NOT revoked yet"), "{:?}", asked.0);
    assert_eq!(world.active(), stolen);
    let waiting = world.key(OPERATOR, &[&["requests"], &JSON[..]].concat()).json();
    assert_eq!(waiting, world.here(&["key", "requests"]));
    let id = waiting[0]["request"].as_str().unwrap();
    assert_eq!(waiting[0]["requested_by"], "alice");

    sign("confirm", id, "alice", &alice).refused(1, "whoever asked cannot confirm");
    sign("confirm", id, "mallory", &mallory).refused(1, "refused (403");
    sign("confirm", "0000000000000000", "bob", &bob).refused(1, "no such request waits there");
    assert_eq!(world.active(), stolen, "one is not enough");
    let done = sign("confirm", id, "bob", &bob);
    assert!(
        said(&done).contains(&format!("{stolen} is revoked")),
        "{:?}",
        done.0
    );
    let _list = done.json();
    assert_ne!(world.active(), stolen);
    // One may ask here, and the other there.
    let next = world.active();
    sign("revoke", &next, "bob", &bob);
    let waiting = world.here(&["key", "requests"]);
    let id = waiting[0]["request"].as_str().unwrap();
    let as_alice = ["--as", "alice", "--administrator-key", &alice];
    world.here(&[["key", "confirm", id].as_slice(), &as_alice].concat());
    assert_ne!(world.active(), next);
}

#[test]
fn initial_access_tokens_are_made_from_elsewhere() {
    let world = World::new(|setup| setup.set("registration_of.demo", "enabled", "true"));
    let with = |proof, arguments: &[&str]| world.client(proof, &[&["initial-token"], arguments].concat());
    let manager = Proof::Certificate("manager");
    let create = ["create", "--uses", "2", "--expires-in", "1h", "--output", "json"];
    let made = with(manager, &create).json();
    assert_eq!((&made["uses_left"], &made["domain"]), (&json!(2), &json!("demo")));
    let text = made["initial_access_token"].as_str().unwrap();
    world.server.setup().keep_secret(text);
    let listed = with(manager, &["list", "--output", "json"]).json();
    let here = world.here(&["client", "initial-token", "list", "--domain", "demo"]);
    assert_eq!(listed, here);
    let table = with(manager, &["list"]);
    let table = String::from_utf8(table.0.stdout).unwrap();
    assert!(table.starts_with("ID") && !table.contains(text), "{table}");
    let id = made["id"].as_str().unwrap();
    with(Proof::Certificate("stranger"), &["revoke", id]).refused(1, "refused (403");
    with(manager, &["create", "--domain", "demo"]).refused(2, "the issuer says the domain");
    with(manager, &["create", "--expires-in", "10s"]).refused(2, "give 1m to 90d");
    assert!(with(manager, &["revoke", id]).0.status.success());
    with(manager, &["revoke", id]).refused(1, "`sealstone client initial-token list`");
    let none = world.here(&["client", "initial-token", "list", "--domain", "demo"]);
    assert_eq!(none, json!([]));
    world
        .client_of("elsewhere", OPERATOR, &["initial-token", "create"])
        .refused(1, "do not register themselves");
}
