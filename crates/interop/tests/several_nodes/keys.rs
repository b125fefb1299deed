//! Signing keys looked after over HTTP at one node, as the others see it.

use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustls_pki_types::UnixTime;
use sealstone_interop::{Answer, Https};
use sealstone_jose::{Algorithm, PrivateKey};
use sealstone_keyring::KeyStatement;
use serde_json::{Value, json};

use crate::load::Credentials;
use crate::world::{Node, World, eventually};
use crate::{GRANT, WITHIN};

/// Whoever administers the cloud, at one node's door for certificates.
struct Office {
    https: Https,
}

impl Office {
    fn url(node: &Node, path: &str) -> String {
        format!("https://localhost:{}/v4/oauth2/demo/keys{path}", node.mutual)
    }

    fn list(&self, node: &Node) -> Value {
        let answer = self.https.get(&Self::url(node, ""), &[]).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    fn post(&self, node: &Node, path: &str, body: &Value) -> Answer {
        let json = [("content-type", "application/json")];
        let body = body.to_string();
        let sent = self
            .https
            .send("POST", &Self::url(node, path), &json, body.as_bytes());
        sent.unwrap()
    }

    fn signing(&self, node: &Node) -> String {
        let listed = self.list(node);
        let mut keys = listed["keys"].as_array().unwrap().iter();
        let active = keys.find(|key| key["state"] == "active" && key["alg"] == "ES256");
        active.unwrap()["kid"].as_str().unwrap().to_owned()
    }
}

/// An administrator's word on a key.
fn word(key: &PrivateKey, name: &str, request: &str, kid: &str) -> Value {
    let statement = KeyStatement {
        request,
        domain: "demo",
        kid,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let signed = statement
        .sign(key, name, UnixTime::since_unix_epoch(now))
        .unwrap();
    json!({ "request": request, "statement": signed })
}

/// Asked at the first node and confirmed at the second: the third has it within a second, in every way that a key is seen.
#[test]
fn s02_a_key_that_two_revoke_at_two_nodes_is_dead_at_the_third() {
    let [alice, bob] = [(), ()].map(|()| PrivateKey::generate(Algorithm::Es256).unwrap());
    let public = |key: &PrivateKey, name: &str| key.public_jwk().clone().with_kid(name).unwrap().to_json();
    let file = format!(
        r#"{{"keys":[{},{}]}}"#,
        public(&alice, "alice"),
        public(&bob, "bob")
    );
    let world = World::start_with(|setup| {
        setup.set("keys", "administrators_file", "'administrators.json'");
        setup.write("administrators.json", &file);
    });
    let [one, two, three] = &world.nodes;
    let https = world.https();
    let office = Office {
        https: world.https().with_certificate(&world.setup.ca().client("admin")),
    };
    let machine = Credentials::of(&world.administer(&["client", "rotate-secret", "machine"]));
    let seer = Credentials::of(&world.administer(&[
        "client",
        "create",
        "seer",
        "--domain",
        "demo",
        "--scope",
        "metrics:read",
        "--introspection",
        "domain",
    ]));
    let token_of = |node: &Node| -> Option<String> {
        let answer = machine.ask(&https, &node.url("/token"), &GRANT).unwrap();
        Some(answer.json()["access_token"].as_str()?.to_owned())
    };
    let is_active = |node: &Node, token: &str| {
        let answer = seer.ask(&https, &node.url("/introspect"), &[("token", token)]);
        answer.unwrap().json()["active"] == true
    };
    let mut token = None;
    for node in &world.nodes {
        eventually("the clients are known", || {
            token = token_of(node);
            token.as_ref().is_some_and(|token| is_active(node, token))
        });
    }
    let (token, kid) = (token.unwrap(), office.signing(one));

    // A rotation at one node is seen at the others, and the same once more finds its successor waiting.
    let rotated = office.post(two, "", &json!({})).json();
    let successor = rotated["published"][0].as_str().unwrap().to_owned();
    let since = Instant::now();
    for node in &world.nodes {
        let jwks = || https.get(&node.url("/jwks"), &[]).unwrap().text();
        eventually("the successor is published", || jwks().contains(&successor));
    }
    assert!(since.elapsed() < WITHIN, "{:?}", since.elapsed());
    assert_eq!(office.post(three, "", &json!({})).json()["published"], json!([]));

    let id = "00112233445566aa";
    let path = |end: &str| format!("/{kid}/{end}");
    let asked = office.post(one, &path("revoke"), &word(&alice, "alice", id, &kid));
    assert_eq!(asked.status, 202, "{}", asked.text());
    let again = office.post(three, &path("revoke"), &word(&alice, "alice", id, &kid));
    assert_eq!(again.status, 409, "{}", again.text());
    assert_eq!(office.list(two)["requests"][0]["request"], id);
    assert!(is_active(three, &token), "one is not enough");
    let own = office.post(two, &path("confirm"), &word(&alice, "alice", id, &kid));
    assert_eq!(own.status, 403, "{}", own.text());

    // The same word at two nodes at once is taken once.
    let agreed = word(&bob, "bob", id, &kid);
    let answers = thread::scope(|scope| {
        let confirm = |node| office.post(node, &path("confirm"), &agreed);
        let confirming = [two, three].map(|node| scope.spawn(move || confirm(node)));
        confirming.map(|thread| thread.join().unwrap())
    });
    let since = Instant::now();
    let mut statuses = answers.each_ref().map(|answer| answer.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{:?}", answers.map(|answer| answer.text()));
    let done = answers.iter().find(|answer| answer.status == 200).unwrap().json();
    let fresh = done["signs_now"].as_str().unwrap();
    assert_ne!(fresh, successor, "it lay beside the stolen one");
    for node in &world.nodes {
        let read = |path: &str| https.get(&node.url(path), &[]).unwrap();
        eventually("the key is gone, and the fresh one there", || {
            let jwks = read("/jwks").text();
            !jwks.contains(&kid) && jwks.contains(fresh)
        });
        eventually("it is in the document", || {
            read("/jwks/revocation").json()["revoked_keys"] == json!([kid])
        });
        eventually("its token is dead", || !is_active(node, &token));
    }
    assert!(since.elapsed() < WITHIN, "{:?}", since.elapsed());
    for node in &world.nodes {
        let new = token_of(node).unwrap();
        let header = new.split('.').next().unwrap();
        let header = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(header).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["kid"], fresh, "node {}", node.name);
        for other in &world.nodes {
            eventually("the fresh key's token is good", || is_active(other, &new));
        }
    }
}
