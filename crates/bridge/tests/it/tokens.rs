//! What reaches the node, and what comes back to the client, over real sockets.

use crate::pool::{NOW, Pool, WINDOW, at, claims};
use crate::wire::{Options, World, answering, echoing};
use sealstone_bridge::{Rules, Target, TokenForm};
use sealstone_fernet::{FernetKey, ReadAt};

const TO_JWS: Target = Target::Fixed(TokenForm::Jws);
const TO_FERNET: Target = Target::Fixed(TokenForm::Fernet);

async fn world(pool: &Pool, target: Target) -> World {
    World::start(pool.translator(), Options::to(target), echoing()).await
}

#[tokio::test]
async fn every_token_field_is_translated_and_the_clients_own_comes_back() {
    let pool = Pool::new();
    for target in [TO_JWS, TO_FERNET] {
        let mut world = world(&pool, target).await;
        let write = |name| match target {
            TO_JWS => pool.fernet(&claims(name)),
            _ => pool.jws(&claims(name)),
        };
        let read = |text: &str| match target {
            TO_JWS => pool.reader.read(text, at(NOW)).unwrap(),
            _ => pool.fernet.read(text, at(NOW)).unwrap().claims,
        };
        let (caller, subject, service) = (write(1), write(2), write(3));
        let got = world
            .get(&[
                ("X-Auth-Token", &caller),
                ("x-subject-token", &subject),
                ("X-Service-Token", &service),
                ("X-Other", &caller),
            ])
            .await;
        assert_eq!(
            (got.status, got.fields("x-subject-token")),
            (200, vec![subject.clone()])
        );
        let seen = world.node.next().await;
        for (name, number) in [
            ("x-auth-token", 1),
            ("x-subject-token", 2),
            ("x-service-token", 3),
        ] {
            let values = seen.fields(name);
            assert_eq!(values.len(), 1, "{name}");
            assert_eq!(read(&values[0]), claims(number), "{name}");
        }
        assert_eq!(
            seen.fields("x-other"),
            std::slice::from_ref(&caller),
            "nothing else is touched"
        );
        // One token in two fields is one token there too; and it is the same one as before.
        let got = world
            .get(&[("x-auth-token", &subject), ("x-subject-token", &subject)])
            .await;
        assert_eq!(got.fields("x-subject-token"), [subject]);
        let again = world.node.next().await;
        assert_eq!(again.fields("x-auth-token"), again.fields("x-subject-token"));
        assert_eq!(again.fields("x-subject-token"), seen.fields("x-subject-token"));
        let totals = world.bridge.totals();
        assert_eq!(
            (totals.to_jws + totals.to_fernet, totals.remembered, totals.echoes),
            (3, 1, 2)
        );
        world.ended().await;
    }
}

#[tokio::test]
async fn s12_what_the_node_takes_already_is_not_touched() {
    let pool = Pool::new();
    for (target, token) in [
        (TO_JWS, pool.jws(&claims(1))),
        (TO_FERNET, pool.fernet(&claims(1))),
    ] {
        let mut world = world(&pool, target).await;
        // Not even what would not be proved: the node judges its own.
        for token in [
            token.as_str(),
            &token[..token.len() - 4],
            "ADMIN",
            "gAA",
            "eyJ.x",
            "",
        ] {
            let got = world
                .get(&[("x-auth-token", token), ("x-subject-token", token)])
                .await;
            assert_eq!(got.fields("x-subject-token"), [token]);
            assert_eq!(world.node.next().await.fields("x-auth-token"), [token]);
        }
        assert_eq!(world.bridge.totals().refused, 0);
        world.ended().await;
    }
}

#[tokio::test]
async fn s08_what_no_key_proves_never_reaches_the_node() {
    let (pool, stranger) = (Pool::new(), Pool::new());
    let forged = |token: String| format!("{}AAAA", &token[..token.len() - 4]);
    for (target, tokens) in [
        (
            TO_JWS,
            [stranger.fernet(&claims(1)), forged(pool.fernet(&claims(1)))],
        ),
        (
            TO_FERNET,
            [stranger.jws(&claims(1)), forged(pool.jws(&claims(1)))],
        ),
    ] {
        let mut world = world(&pool, target).await;
        for token in tokens {
            for field in ["X-Auth-Token", "X-Subject-Token", "X-Service-Token"] {
                world.get(&[(field, &token)]).await;
                let seen = world.node.next().await;
                assert!(seen.fields(field).is_empty(), "{field}: {}", seen.head);
            }
            let login = format!(
                r#"{{"auth": {{"identity": {{"methods": ["token"], "token": {{"id": "{token}"}}}}}}}}"#
            );
            let got = world.login(&login).await;
            assert_eq!(got.status, 401);
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(got.text()).unwrap(),
                serde_json::json!({"error": {
                    "code": 401,
                    "message": "The request you have made requires authentication.",
                    "title": "Unauthorized",
                }})
            );
            assert_eq!(
                got.fields("www-authenticate"),
                [r#"Keystone uri="http://keystone.test/v3""#]
            );
            assert!(world.node.is_quiet());
        }
        assert_eq!(world.bridge.totals().refused, 8);
        world.ended().await;
    }
}

/// So that one request makes the bridge verify no more than one forged token. Keystone would look at none of the others.
#[tokio::test]
async fn s08_beside_a_refused_token_no_other_is_proved() {
    let (pool, stranger) = (Pool::new(), Pool::new());
    let forged = stranger.fernet(&claims(1));
    let good = pool.fernet(&claims(2));
    let mut world = world(&pool, TO_JWS).await;
    world
        .get(&[
            ("x-auth-token", &forged),
            ("x-subject-token", &good),
            ("x-service-token", &good),
        ])
        .await;
    let seen = world.node.next().await;
    for field in ["x-auth-token", "x-subject-token", "x-service-token"] {
        assert!(seen.fields(field).is_empty(), "{}", seen.head);
    }
    let totals = world.bridge.totals();
    assert_eq!((totals.refused, totals.to_jws), (3, 0));

    // The login ends there, before its fields are looked at.
    let login =
        format!(r#"{{"auth": {{"identity": {{"methods": ["token"], "token": {{"id": "{forged}"}}}}}}}}"#);
    let length = login.len();
    let got = world
        .ask(format!(
            "POST /v3/auth/tokens HTTP/1.1\r\nHost: k\r\nX-Auth-Token: {good}\r\nContent-Length: {length}\r\n\r\n{login}"
        ))
        .await;
    assert_eq!(got.status, 401);
    assert!(world.node.is_quiet());
    assert_eq!(world.bridge.totals().to_jws, 0);

    // A login whose field is refused is judged by its body; so is a call whose subject is refused, by its caller.
    let login = login.replace(&forged, &good);
    let length = login.len();
    let got = world
        .ask(format!(
            "POST /v3/auth/tokens HTTP/1.1\r\nHost: k\r\nX-Auth-Token: {forged}\r\nContent-Length: {length}\r\n\r\n{login}"
        ))
        .await;
    assert_eq!(got.status, 200);
    let seen = world.node.next().await;
    assert!(seen.fields("x-auth-token").is_empty());
    assert!(String::from_utf8(seen.body).unwrap().contains("\"eyJ"));
    let other = pool.fernet(&claims(3));
    world
        .get(&[("x-auth-token", &other), ("x-subject-token", &forged)])
        .await;
    let seen = world.node.next().await;
    assert_eq!(seen.fields("x-auth-token").len(), 1);
    assert!(seen.fields("x-subject-token").is_empty());

    // What the node takes by itself is the node's to judge, beside whatever.
    let own = pool.jws(&claims(4));
    world
        .get(&[("x-auth-token", &forged), ("x-subject-token", &own)])
        .await;
    assert_eq!(world.node.next().await.fields("x-subject-token"), [own]);
    world.ended().await;
}

#[tokio::test]
async fn s10_an_ended_token_goes_on_as_long_as_keystone_may_be_asked_to_take_it() {
    let pool = Pool::new();
    let mut world = world(&pool, TO_JWS).await;
    let token = pool.fernet(&claims(1));
    let end = NOW + 3600;
    for (now, passes) in [
        (end - 1, true),
        (end, true),
        (end + WINDOW.as_secs() - 1, true),
        (end + WINDOW.as_secs(), false),
    ] {
        *world.clock.lock().unwrap() = at(now);
        world.get(&[("x-subject-token", &token)]).await;
        let seen = world.node.next().await.fields("x-subject-token");
        assert_eq!(!seen.is_empty(), passes, "{now}");
        for text in seen {
            let late = ReadAt {
                now: at(now),
                expired_window: WINDOW,
            };
            assert_eq!(
                pool.reader.read(&text, late).unwrap().expires_at,
                at(end),
                "the end is the same"
            );
        }
    }
    world.ended().await;
}

#[tokio::test]
async fn logins_by_token_are_translated_in_their_body_alone() {
    let pool = Pool::new();
    let mut world = world(&pool, TO_JWS).await;
    let token = pool.fernet(&claims(1));
    let login = |id: &str| {
        format!(
            r#"{{ "auth": {{"identity": {{"methods": ["token", "totp"], "totp": {{"user": {{"passcode": "1"}}}},
            "token": {{"id": "{id}"}}}}, "scope": {{"project": {{"id": "é"}}}}}} }}"#
        )
    };
    let got = world.login(&login(&token)).await;
    assert_eq!(got.status, 200);
    let seen = world.node.next().await;
    let body = String::from_utf8(seen.body.clone()).unwrap();
    let start = body.find("eyJ").unwrap();
    let end = start + body[start..].find('"').unwrap();
    assert_eq!(pool.reader.read(&body[start..end], at(NOW)).unwrap(), claims(1));
    assert_eq!(body, login(&body[start..end]));
    assert_eq!(seen.fields("content-length"), [body.len().to_string()]);

    // In chunks, with a name for its length that no longer holds.
    let body = login(&token);
    let (first, second) = body.split_at(150);
    let chunked = format!(
        "POST /v3/auth/tokens HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    assert_eq!(world.ask(chunked).await.status, 200);
    let seen = world.node.next().await;
    assert_eq!(String::from_utf8(seen.body).unwrap().matches("\"eyJ").count(), 1);
    assert!(seen.head.contains("content-length") && !seen.head.contains("transfer-encoding"));

    // Elsewhere, or otherwise, a body is a body.
    for body in [
        login(&pool.jws(&claims(1))),
        r#"{"auth": {"identity": {"methods": ["password"]}}}"#.to_owned(),
        format!(r#"{{"auth": {{"identity": {{"token": {{"id": "{token}"}}, "token": {{"id": "x"}}}}}}}}"#),
        "no JSON".to_owned(),
        String::new(),
    ] {
        assert_eq!(world.login(&body).await.status, 200);
        assert_eq!(String::from_utf8(world.node.next().await.body).unwrap(), body);
    }
    let elsewhere = login(&token);
    let length = elsewhere.len();
    world
        .ask(format!(
            "POST /v3/users HTTP/1.1\r\nHost: k\r\nContent-Length: {length}\r\n\r\n{elsewhere}"
        ))
        .await;
    assert_eq!(
        String::from_utf8(world.node.next().await.body).unwrap(),
        elsewhere
    );
    // A token that is there with escapes is proved, and can't be put in its place: refused.
    let escaped = login(&token).replace("\"gAAA", "\"\\u0067AAA");
    assert_eq!(world.login(&escaped).await.status, 401);
    assert!(world.node.is_quiet());
    world.ended().await;
}

#[tokio::test]
async fn keystones_words_name_the_clients_token() {
    let pool = Pool::new();
    let said =
        |token: &str| format!(r#"{{"error":{{"code":404,"message":"Could not find token: {token}."}}}}"#);
    let node = std::sync::Arc::new(move |seen: &crate::wire::Seen| {
        let body = said(&seen.fields("x-subject-token")[0]);
        let length = body.len();
        Some(
            format!(
                "HTTP/1.1 404 NOT FOUND\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    });
    let world = World::start(pool.translator(), Options::to(TO_JWS), node).await;
    let token = pool.fernet(&claims(1));
    let got = world.get(&[("x-subject-token", &token)]).await;
    assert_eq!((got.status, got.text()), (404, said(&token).as_str()));
    assert_eq!(got.fields("content-length"), [said(&token).len().to_string()]);
    // One that was not translated is not looked for.
    let own = pool.jws(&claims(1));
    assert_eq!(world.get(&[("x-subject-token", &own)]).await.text(), said(&own));
    world.ended().await;
}

#[tokio::test]
async fn a_new_token_comes_as_the_node_issued_it_and_tells_what_the_node_takes() {
    let pool = Pool::new();
    let issued = pool.fernet(&claims(9));
    let created =
        format!("HTTP/1.1 201 CREATED\r\nX-Subject-Token: {issued}\r\nContent-Length: 2\r\n\r\n{{}}");
    let login = r#"{"auth": {"identity": {"methods": ["password"]}}}"#;
    for (target, after) in [
        (Target::Fixed(TokenForm::Jws), TokenForm::Jws),
        (Target::Learned(TokenForm::Jws), TokenForm::Fernet),
    ] {
        let mut world =
            World::start(pool.translator(), Options::to(target), answering(created.clone())).await;
        let got = world.login(login).await;
        assert_eq!(
            (got.status, got.fields("x-subject-token")),
            (201, vec![issued.clone()])
        );
        world.node.next().await;
        assert_eq!(
            (world.bridge.target(), world.bridge.totals().surprises),
            (after, 1)
        );
        world.get(&[("x-auth-token", &pool.jws(&claims(1)))]).await;
        let seen = world.node.next().await.fields("x-auth-token");
        assert_eq!(TokenForm::of(&seen[0]), Some(after));
        world.bridge.set_target(Target::Fixed(TokenForm::Jws));
        assert_eq!(world.bridge.target(), TokenForm::Jws);
        world.ended().await;
    }
}

#[tokio::test]
async fn a_key_that_is_taken_away_proves_nothing_from_then_on() {
    let old = FernetKey::generate().unwrap();
    let text = old.expose();
    let before = Pool::of(vec![old]);
    let mut world = world(&before, TO_JWS).await;
    let token = before.fernet(&claims(1));
    let passes = async |world: &mut World| {
        world.get(&[("x-auth-token", &token)]).await;
        !world.node.next().await.fields("x-auth-token").is_empty()
    };
    assert!(passes(&mut world).await);
    assert!(passes(&mut world).await, "known still");
    let rotated = Pool::of(vec![
        FernetKey::generate().unwrap(),
        FernetKey::parse(&text).unwrap(),
    ]);
    world.bridge.replace_rules(Rules::new(rotated.translator()));
    assert!(passes(&mut world).await);
    world.bridge.replace_rules(Rules::new(Pool::new().translator()));
    assert!(!passes(&mut world).await, "what is remembered goes with the keys");
    world.bridge.replace_rules(Rules::new(before.translator()));
    assert!(passes(&mut world).await, "so does what is remembered as nobody's");
    world.ended().await;
}
