//! `/keys`: signing keys looked after over HTTP, by one administrator of the cloud or by two, through the router.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use sealstone_audit::{Action, Event, Outcome, Target};
use sealstone_jose::{Algorithm, PrivateKey};
use sealstone_keyring::{Administrators, KeyStatement};
use sealstone_provider::Administration;
use sealstone_storage::MemoryStore;
use serde_json::{Value, json};

use crate::administrators::{administration, cloud, each_refused, of_keystone, refused, way, ways_of_nobody};
use crate::support::{Answer, Ask, INTROSPECT, ISSUER, World};

pub(crate) const KEYS: &str = "/v4/oauth2/demo/keys";
const ELSEWHERE: &str = "/v4/oauth2/elsewhere/keys";

/// Keys of administrators, by name; mallory is none.
fn private(name: &str) -> &'static PrivateKey {
    static KEYS: OnceLock<[(&str, PrivateKey); 3]> = OnceLock::new();
    let made = |name| (name, PrivateKey::generate(Algorithm::Es256).unwrap());
    let all = KEYS.get_or_init(|| ["alice", "bob", "mallory"].map(made));
    &all.iter().find(|(known, _)| *known == name).unwrap().1
}

pub(crate) fn by_two(store: Arc<MemoryStore>) -> Administration {
    let public = |name: &str| {
        let key = private(name).public_jwk().clone();
        key.with_kid(name).unwrap().to_json()
    };
    let file = format!(r#"{{"keys":[{},{}]}}"#, public("alice"), public("bob"));
    let mut administration = administration(store);
    administration.keys.administrators = Some(Arc::new(Administrators::parse(&file).unwrap()));
    administration
}

impl World {
    async fn with_keys() -> Self {
        let world = Self::administered(administration, None).await;
        world.clients_of_keys().await;
        world
    }

    async fn clients_of_keys(&self) {
        let scope = |scope: &str| json!({ "scope": scope, "default_scope": scope });
        let both = "sealstone:clients sealstone:keys read";
        self.register("demo", "office", scope(both)).await;
        self.register("global", "cloud-office", scope(both)).await;
        self.register("global", "registrar", scope("sealstone:clients read"))
            .await;
    }

    async fn keys(&self) -> Value {
        let answer = self.send(cloud("GET", KEYS)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// The one that signs.
    pub(crate) async fn active(&self) -> String {
        let told = self.keys().await;
        let keys = told["keys"].as_array().unwrap();
        let active = keys.iter().find(|key| key["state"] == "active").unwrap();
        active["kid"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn is_published(&self, kid: &str) -> bool {
        let answer = self.send(Ask::get(&format!("{ISSUER}/jwks"))).await;
        answer.text.contains(kid)
    }

    pub(crate) async fn is_active(&self, token: &str) -> bool {
        let ask = Ask::post(INTROSPECT)
            .basic("gateway")
            .form(format!("token={token}"));
        let answer = self.send(ask).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["active"] == true
    }

    pub(crate) fn of(&self, action: Action, outcome: Outcome) -> Vec<Event<'static>> {
        let events = self.events().into_iter();
        events
            .filter(|event| event.action == action && event.outcome == outcome)
            .filter(|event| event.request_id != "maintenance")
            .collect()
    }
}

pub(crate) fn revoke(kid: &str) -> Ask {
    cloud("POST", &format!("{KEYS}/{kid}/revoke"))
}

pub(crate) fn confirm(kid: &str) -> Ask {
    cloud("POST", &format!("{KEYS}/{kid}/confirm"))
}

#[derive(Clone, Copy)]
pub(crate) struct Word<'a> {
    /// Whose name is in it, and whose key signed it.
    name: &'a str,
    key: &'a str,
    request: &'a str,
    domain: &'a str,
    kid: &'a str,
}

impl Word<'_> {
    fn signed(self, world: &World) -> String {
        let statement = KeyStatement {
            request: self.request,
            domain: self.domain,
            kid: self.kid,
        };
        statement
            .sign(private(self.key), self.name, world.clock.now())
            .unwrap()
    }

    pub(crate) fn body(self, world: &World) -> Value {
        json!({ "request": self.request, "statement": self.signed(world) })
    }
}

pub(crate) fn word<'a>(name: &'a str, request: &'a str, kid: &'a str) -> Word<'a> {
    Word {
        name,
        key: name,
        request,
        domain: "demo",
        kid,
    }
}

const REQUEST: &str = "00112233445566aa";

#[tokio::test]
async fn o01_keys_are_for_administrators_of_the_cloud() {
    let world = World::with_keys().await;
    let grant = "grant_type=client_credentials";
    let of_domain = world.token_at("demo", "office", grant).await;
    let of_cloud = world.token_at("global", "cloud-office", grant).await;
    let registrar = world.token_at("global", "registrar", grant).await;
    let narrower = world
        .token_at(
            "global",
            "cloud-office",
            "grant_type=client_credentials&scope=sealstone%3Aclients",
        )
        .await;
    let manager = world.ca.client("manager");
    let kid = world.active().await;
    let mut ways = ways_of_nobody(&world, &of_cloud, &narrower);
    ways.extend([
        way("the office of one domain", 403, "access_denied", |ask| {
            ask.bearer(&of_domain)
        }),
        way("who registers clients of all", 403, "insufficient_scope", |ask| {
            ask.bearer(&registrar)
        }),
        way(
            "a manager of this very domain",
            403,
            "access_denied",
            of_keystone("manager-of-demo"),
        ),
        way("a domain's certificate", 403, "access_denied", |ask| {
            ask.certificate(&manager)
        }),
    ]);
    let before = world.keys().await;
    each_refused(
        &world,
        &ways,
        &[
            ("GET", KEYS),
            ("POST", KEYS),
            ("POST", &format!("{KEYS}/{kid}/revoke")),
            ("POST", &format!("{KEYS}/{kid}/confirm")),
        ],
    )
    .await;
    assert_eq!(world.keys().await, before, "nothing was changed");
    assert_eq!(world.of(Action::RotateKey, Outcome::Success).len(), 0);
    for action in [
        Action::ReadKeys,
        Action::RotateKey,
        Action::RevokeKey,
        Action::ConfirmKeyChange,
    ] {
        let recorded = world.of(action, Outcome::Failure).len();
        assert_eq!(recorded, ways.len(), "{action:?}: each refusal is recorded");
    }
    // What is missing is named to programs too.
    let answer = world.send(Ask::get(KEYS).bearer(&registrar)).await;
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("scope=\"sealstone:keys\""), "{challenge}");
    // The ways that lead in, and another domain's keys by them.
    let operator = world.ca.client("operator");
    for uri in [KEYS, ELSEWHERE] {
        for ask in [
            Ask::get(uri).bearer(&of_cloud),
            Ask::get(uri).certificate(&operator),
            cloud("GET", uri),
        ] {
            assert_eq!(world.send(ask).await.status, 200, "{uri}");
        }
    }
}

#[tokio::test]
async fn o02_another_domains_key_is_as_unknown_as_none() {
    let world = World::with_keys().await;
    let told = world.send(cloud("GET", ELSEWHERE)).await.json();
    let theirs = told["keys"][0]["kid"].as_str().unwrap();
    let of_them = world.send(revoke(theirs)).await;
    let of_nobody = world
        .send(revoke("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
        .await;
    refused(&of_them, 404, "invalid_request", "another domain's");
    assert_eq!(of_them.text, of_nobody.text);
    let after = world.send(cloud("GET", ELSEWHERE)).await.json();
    assert_eq!(after["keys"], told["keys"]);
}

#[tokio::test]
async fn s02_a_revoked_key_is_dead_with_the_answer() {
    let world = World::with_keys().await;
    let (stolen, token) = (world.active().await, world.token_of("ci").await);
    assert!(world.is_active(&token).await && world.is_published(&stolen).await);
    let answer = world.send(revoke(&stolen)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = answer.json();
    let fresh = told["signs_now"].as_str().unwrap();
    assert_eq!(told["revoked"], stolen.as_str());
    // No round of upkeep in between: the node that answers acts.
    assert!(!world.is_active(&token).await);
    assert!(!world.is_published(&stolen).await && world.is_published(fresh).await);
    let list = world.send(Ask::get(&format!("{ISSUER}/jwks/revocation"))).await;
    assert_eq!(list.json()["revoked_keys"], json!([stolen]));
    assert!(world.is_active(&world.token_of("ci").await).await);
    refused(
        &world.send(revoke(&stolen)).await,
        409,
        "invalid_request",
        "twice",
    );
    let done = world.of(Action::RevokeKey, Outcome::Success);
    assert_eq!(done.len(), 1);
    assert_eq!(done[0].target, Target::Key(stolen.as_str().into()));
    let again = world.of(Action::RevokeKey, Outcome::Failure);
    assert!(
        format!("{:?}", again[0].reason).contains("already_revoked"),
        "{again:?}"
    );
}

#[tokio::test]
async fn keys_are_listed_and_rotated_and_nothing_private_is_told() {
    let world = World::with_keys().await;
    let first = world.active().await;
    let told = world.keys().await;
    assert_eq!(
        (
            &told["domain_id"],
            &told["administrators_to_revoke"],
            &told["requests"]
        ),
        (&json!("demo"), &json!(1), &json!([]))
    );
    let answer = world.send(cloud("POST", KEYS)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = answer.json();
    let made = told["published"].as_array().unwrap();
    assert_eq!(made.len(), 1);
    let keys = told["keys"].as_array().unwrap();
    let new = keys.iter().find(|key| key["kid"] == made[0]).unwrap();
    assert_eq!(new["state"], "published");
    assert!(
        new["next_change_at"].as_u64().unwrap() >= world.now() + 360,
        "it waits"
    );
    assert!(world.is_published(made[0].as_str().unwrap()).await);
    assert_eq!(world.active().await, first, "the old one signs until then");
    // A successor waits: there is nothing more to make.
    let again = world.send(cloud("POST", KEYS).json(&json!({}))).await;
    assert_eq!(again.json()["published"], json!([]));
    for key in keys {
        let known = [
            "kid",
            "alg",
            "state",
            "since",
            "published_at",
            "activated_at",
            "next_change_at",
        ];
        assert!(
            key.as_object()
                .unwrap()
                .keys()
                .all(|name| known.contains(&name.as_str())),
            "{key}"
        );
    }
    let targets: Vec<_> = world
        .of(Action::RotateKey, Outcome::Success)
        .into_iter()
        .map(|event| event.target)
        .collect();
    let kid = made[0].as_str().unwrap().to_owned();
    assert_eq!(targets, [Target::Key(kid.into()), Target::Issuer("demo".into())]);
}

#[tokio::test]
async fn o10_requests_for_keys_that_cannot_be_are_refused_and_bounded() {
    let world = World::with_keys().await;
    let kid = world.active().await;
    let before = world.keys().await;
    let long = "x".repeat(128 * 1024 + 1);
    let signed = json!({ "request": REQUEST, "statement": "a.b.c" });
    let half = json!({ "request": REQUEST });
    let path = |end: &str| cloud("POST", &format!("{KEYS}/{end}"));
    let raw = |ask: Ask, text: &str| {
        ask.header("content-type", "application/json")
            .body(Body::from(text.to_owned()))
    };
    for (name, ask, status) in [
        ("too long", raw(revoke(&kid), &long), 413),
        ("not called JSON", revoke(&kid).body(Body::from("{}")), 415),
        ("no JSON", raw(revoke(&kid), "{"), 400),
        (
            "a member twice",
            raw(revoke(&kid), r#"{"request":"a","request":"b"}"#),
            400,
        ),
        (
            "another member",
            revoke(&kid).json(&json!({ "force": true })),
            400,
        ),
        ("another type", revoke(&kid).json(&json!([])), 400),
        ("half of a statement", revoke(&kid).json(&half), 400),
        (
            "an id that is none",
            revoke(&kid).json(&json!({ "request": "../x", "statement": "a.b.c" })),
            400,
        ),
        (
            "a rotation that says something",
            cloud("POST", KEYS).json(&half),
            400,
        ),
        ("a query", cloud("POST", &format!("{KEYS}?now=1")), 400),
        (
            "a query to the list",
            cloud("GET", &format!("{KEYS}?limit=1")),
            400,
        ),
        ("signed where one is enough", revoke(&kid).json(&signed), 409),
        ("confirmed where one is enough", confirm(&kid).json(&signed), 409),
        ("an unknown key", path("nobody/revoke"), 404),
        ("an escaped name", path("%2e%2e/revoke"), 404),
        ("no name", path("/revoke"), 404),
        ("another verb", path(&format!("{kid}/export")), 404),
        ("a key as such", cloud("GET", &format!("{KEYS}/{kid}")), 404),
        ("another method", cloud("DELETE", KEYS), 405),
        (
            "another method of one",
            cloud("GET", &format!("{KEYS}/{kid}/revoke")),
            405,
        ),
        ("an unknown domain", cloud("GET", "/v4/oauth2/nowhere/keys"), 404),
    ] {
        let answer: Answer = world.send(ask).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {answer:?}");
        answer.is_clean();
    }
    assert_eq!(world.keys().await, before);
    // Where nobody administers, there is no such address.
    let plain = World::new().await;
    assert_eq!(plain.send(cloud("GET", KEYS)).await.status, 404);
}

#[tokio::test]
async fn who_guesses_at_keys_is_made_to_wait() {
    let world = World::with_keys().await;
    let guess = || Ask::get(KEYS).bearer("x.y.z").peer("10.9.9.9");
    let mut statuses = Vec::new();
    for _ in 0..100 {
        statuses.push(world.send(guess()).await.status.as_u16());
    }
    assert_eq!(statuses[0], 401);
    assert_eq!(statuses.last(), Some(&429));
    // Nobody else waits for them.
    assert_eq!(world.send(cloud("GET", KEYS).peer("10.9.9.8")).await.status, 200);
}

#[tokio::test]
async fn s02_two_must_agree_over_http_where_that_is_configured() {
    let world = World::administered(by_two, None).await;
    let (kid, other) = (
        world.active().await,
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    );
    assert_eq!(world.keys().await["administrators_to_revoke"], 2);
    let alice = word("alice", REQUEST, &kid);
    let old = alice.body(&world);
    world.clock.advance(Duration::from_secs(16 * 60 + 1));
    let wrong = |word: Word<'_>| revoke(&kid).json(&word.body(&world));
    for (name, ask) in [
        ("nobody signed", revoke(&kid)),
        ("an empty body", revoke(&kid).json(&json!({}))),
        ("a stranger", wrong(word("mallory", REQUEST, &kid))),
        (
            "a stranger as alice",
            wrong(Word {
                key: "mallory",
                ..alice
            }),
        ),
        ("bob as alice", wrong(Word { key: "bob", ..alice })),
        ("for another key", wrong(Word { kid: other, ..alice })),
        (
            "for another domain",
            wrong(Word {
                domain: "elsewhere",
                ..alice
            }),
        ),
        (
            "for another request",
            revoke(&kid).json(&json!({
                "request": "ffffffffffffffff", "statement": alice.signed(&world),
            })),
        ),
        ("signed too long ago", revoke(&kid).json(&old)),
        (
            "no statement",
            revoke(&kid).json(&json!({ "request": REQUEST, "statement": "a.b.c" })),
        ),
    ] {
        refused(&world.send(ask).await, 403, "access_denied", name);
    }
    assert_eq!(world.keys().await["requests"], json!([]));
    let unknown = cloud("POST", &format!("{KEYS}/{other}/revoke"));
    let unknown = unknown.json(&Word { kid: other, ..alice }.body(&world));
    refused(&world.send(unknown).await, 404, "invalid_request", "no such key");

    let asked = world.send(revoke(&kid).json(&alice.body(&world))).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let asked = asked.json();
    assert_eq!(
        (&asked["request"], &asked["requested_by"], &asked["lapses_at"]),
        (&json!(REQUEST), &json!("alice"), &json!(world.now() + 900))
    );
    assert_eq!(world.keys().await["requests"], json!([asked]));
    assert_eq!(world.active().await, kid, "one is not enough");
    let twice = world.send(revoke(&kid).json(&alice.body(&world))).await;
    refused(&twice, 409, "invalid_request", "the same once more");

    let unknown = word("bob", "ffffffffffffffff", &kid).body(&world);
    for (name, ask, status) in [
        ("the same", confirm(&kid).json(&alice.body(&world)), 403),
        ("nobody", confirm(&kid), 403),
        (
            "the same by another's key",
            confirm(&kid).json(&Word { key: "bob", ..alice }.body(&world)),
            403,
        ),
        (
            "a stranger",
            confirm(&kid).json(&word("mallory", REQUEST, &kid).body(&world)),
            403,
        ),
        ("another request", confirm(&kid).json(&unknown), 404),
        (
            "for another key",
            confirm(other).json(&word("bob", REQUEST, other).body(&world)),
            404,
        ),
        (
            "at another domain's issuer",
            cloud("POST", &format!("{ELSEWHERE}/{kid}/confirm")).json(
                &Word {
                    domain: "elsewhere",
                    ..word("bob", REQUEST, &kid)
                }
                .body(&world),
            ),
            404,
        ),
    ] {
        let answer = world.send(ask).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {answer:?}");
        assert_eq!(world.active().await, kid, "{name}");
    }
    let bob = word("bob", REQUEST, &kid);
    let done = world.send(confirm(&kid).json(&bob.body(&world))).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.json()["revoked"], kid.as_str());
    assert_ne!(world.active().await, kid);
    assert!(!world.is_published(&kid).await);
    let again = world.send(confirm(&kid).json(&bob.body(&world))).await;
    refused(&again, 409, "invalid_request", "once more");

    let by = |action| {
        let done = world.of(action, Outcome::Success);
        assert_eq!(done.len(), 1, "{action:?}");
        assert_eq!(done[0].target, Target::Key(kid.as_str().into()));
        done[0]
            .initiator
            .client_id
            .as_deref()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(by(Action::RequestKeyChange), "administrator:alice/operator");
    assert_eq!(by(Action::ConfirmKeyChange), "administrator:bob/operator");
    assert_eq!(by(Action::RevokeKey), "administrator:bob/operator");
}

#[tokio::test]
async fn s02_a_request_lapses_and_few_wait_at_once() {
    let world = World::administered(by_two, None).await;
    let kid = world.active().await;
    let ask = |number: u32| {
        let id = format!("{number:016x}");
        revoke(&kid).json(&word("alice", &id, &kid).body(&world))
    };
    for number in 0..64 {
        assert_eq!(world.send(ask(number)).await.status, 202, "{number}");
    }
    refused(&world.send(ask(64)).await, 409, "invalid_request", "one too many");
    world.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(world.keys().await["requests"], json!([]));
    let late = format!("{:016x}", 7);
    let late = confirm(&kid).json(&word("bob", &late, &kid).body(&world));
    refused(&world.send(late).await, 409, "invalid_request", "too late");
    assert_eq!(world.active().await, kid);
    assert_eq!(world.send(ask(65)).await.status, 202, "there is room again");
}
