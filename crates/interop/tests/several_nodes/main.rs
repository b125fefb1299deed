//! Three nodes behind HAProxy, one PostgreSQL server with a synchronous replica, clients at work: and one fault after the
//! other. No acknowledged change is lost, no code and no refresh token is spent twice, no verifier refuses a good token,
//! and who cannot be served is told so by the RFC's error with Retry-After.

mod keys;
mod load;
mod people;
mod wire;
mod world;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use load::{Credentials, Load};
use people::Person;
use world::{World, eventually, is_unavailable};

/// What administrators and clients are promised: a change on one node acts on all.
const WITHIN: Duration = Duration::from_secs(1);

const GRANT: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("scope", "metrics:read")];

#[test]
fn three_nodes_go_on_through_every_fault() {
    let mut world = World::start();
    let web = world.administer(&[
        "client",
        "create",
        "web",
        "--domain",
        "demo",
        "--redirect-uri",
        people::CALLBACK,
        "--grant",
        "authorization_code",
        "--grant",
        "refresh_token",
        "--scope",
        "openid offline_access",
    ]);
    let web = Arc::new(Credentials::of(&web));
    let machine = world.administer(&["client", "rotate-secret", "machine"]);
    let machine = Arc::new(Credentials::of(&machine));
    let mut person = Person::sign_up(&world);
    changes_act_everywhere(&world);
    codes_are_spent_once(&world, &mut person, &web);
    guesses_count_together(&world, &web);

    let families = (0..2).map(|_| person.family(&world, &web)).collect();
    let load = Load::start(
        &world.https(),
        &world.url("/token"),
        &world.url("/jwks"),
        Arc::clone(&machine),
        Arc::clone(&web),
        families,
    );
    load.goes_on("before any fault");

    told("kill -9 of a node", &load, || {
        world.nodes[0].kill();
        load.goes_on("with two nodes");
        world.nodes[0].start(0);
        world.wait_until_all_serve();
    });
    told("a node is paused for longer than its lease", &load, || {
        paused(&world, &load)
    });
    told("a node is cut off from the database", &load, || {
        cut_off(&world, &load, &machine)
    });
    told("the clock of a node is three minutes off", &load, || {
        clock_is_off(&mut world, &load, &machine)
    });
    told("the database restarts", &load, || {
        world.primary.stop();
        answers_as_it_should(&world, &machine);
        world.primary.resume();
    });
    told("the database's disk fills", &load, || {
        disk_fills(&mut world, &machine)
    });
    told("one node after the other is upgraded", &load, || {
        upgraded(&mut world, &load)
    });
    codes_are_spent_once(&world, &mut person, &web);
    let registered = world.administer(&[
        "client",
        "create",
        "acknowledged",
        "--domain",
        "demo",
        "--scope",
        "metrics:read",
    ]);
    told("the database fails over to its replica", &load, || {
        world.primary.kill();
        answers_as_it_should(&world, &machine);
        world.replica.promote();
    });

    // What was acknowledged is there: the client, and the last token that each family was given.
    println!("{load:?}");
    // Tokens flow once two of them serve.
    world.wait_until_all_serve();
    let acknowledged = Credentials::of(&registered);
    for node in &world.nodes {
        let answer = acknowledged
            .ask(&world.https(), &node.url("/token"), &GRANT)
            .unwrap();
        assert_eq!(answer.status, 200, "node {}: {}", node.name, answer.text());
    }
    for token in load.stop() {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        let answer = web.ask(&world.https(), &world.url("/token"), &form).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    for node in &world.nodes {
        assert!(!node.said().contains("panicked"), "{}", node.said());
    }
}

/// One fault, and that all goes on after it.
fn told(what: &str, load: &Load, fault: impl FnOnce()) {
    let begun = Instant::now();
    println!("{what}");
    fault();
    let again = load.goes_on(what);
    println!(
        "  {:.1} s, of which {:.1} s until tokens flow again",
        begun.elapsed().as_secs_f32(),
        again.as_secs_f32()
    );
}

/// A client that comes, is disabled or goes, and a token that is revoked: on every node within a second.
fn changes_act_everywhere(world: &World) {
    let https = world.https();
    let made = world.administer(&[
        "client",
        "create",
        "briefly",
        "--domain",
        "demo",
        "--scope",
        "metrics:read",
        "--introspection",
        "domain",
    ]);
    let client = Credentials::of(&made);
    let everywhere = |what: &str, since: Instant, wanted: u16| {
        for node in &world.nodes {
            eventually(&format!("{what} at node {}", node.name), || {
                let answer = client.ask(&https, &node.url("/token"), &GRANT).unwrap();
                let told = format!("{} {}", answer.status, answer.text());
                assert!([200, 401, 503].contains(&answer.status), "{told}");
                answer.status == wanted
            });
        }
        let spent = since.elapsed();
        assert!(spent < WITHIN, "{what}: {spent:?}");
    };
    everywhere("made", Instant::now(), 200);
    for (verb, wanted) in [("disable", 401), ("enable", 200)] {
        drop(world.administer(&["client", verb, "briefly"]));
        everywhere(verb, Instant::now(), wanted);
    }
    let [one, two, three] = &world.nodes;
    let is_active = |node: &world::Node, token: &str| {
        let answer = client
            .ask(&https, &node.url("/introspect"), &[("token", token)])
            .unwrap();
        let told = answer.text();
        answer.json()["active"]
            .as_bool()
            .unwrap_or_else(|| panic!("{} {told}", answer.status))
    };
    let token_of = |node: &world::Node| {
        let answer = client.ask(&https, &node.url("/token"), &GRANT).unwrap();
        let fresh = answer.json();
        let token = fresh["access_token"].as_str();
        token.unwrap_or_else(|| panic!("{fresh}")).to_owned()
    };
    // Disabled and enabled again, within the second: what it had is over everywhere, what it gets is good everywhere.
    for _ in 0..3 {
        let before = token_of(one);
        drop(world.administer(&["client", "disable", "briefly"]));
        drop(world.administer(&["client", "enable", "briefly"]));
        everywhere("enabled again", Instant::now(), 200);
        for from in &world.nodes {
            let fresh = token_of(from);
            for asked in &world.nodes {
                let told = format!("from {}, asked {}", from.name, asked.name);
                assert!(is_active(asked, &fresh), "{told}");
                eventually("what it had is over", || !is_active(asked, &before));
            }
        }
    }
    let token = token_of(one);
    let token = token.as_str();
    let revoked = client
        .ask(&https, &two.url("/revoke"), &[("token", token)])
        .unwrap();
    assert_eq!(revoked.status, 200);
    let since = Instant::now();
    for node in [one, three] {
        eventually("revoked", || !is_active(node, token));
    }
    assert!(since.elapsed() < WITHIN, "{:?}", since.elapsed());

    // A new key is published by all of them.
    let keys = |node: &world::Node| {
        https.get(&node.url("/jwks"), &[]).unwrap().json()["keys"]
            .as_array()
            .unwrap()
            .len()
    };
    let before = keys(one);
    let rotated = world.setup.sealstone(&["key", "rotate", "--domain", "demo"]);
    assert!(rotated.status.success(), "{rotated:?}");
    let since = Instant::now();
    for node in &world.nodes {
        eventually("a new key", || keys(node) > before);
    }
    assert!(since.elapsed() < WITHIN, "{:?}", since.elapsed());
    drop(world.administer(&["client", "disable", "briefly"]));
    keys_are_revoked_at_any_node(world);
}

/// Over HTTP an administrator comes to whichever node the balancer takes: leader or not, each revokes the key that signs,
/// and within a second no node has it any more.
fn keys_are_revoked_at_any_node(world: &World) {
    let https = world.https();
    let administrator = world.https().with_certificate(&world.setup.ca().client("admin"));
    for node in &world.nodes {
        let at = |path: &str| format!("https://localhost:{}/v4/oauth2/demo{path}", node.mutual);
        let published = https.get(&node.url("/jwks"), &[]).unwrap().json();
        let listed = administrator.get(&at("/keys"), &[]).unwrap().json();
        let signing = listed["keys"].as_array().unwrap().iter();
        let mut active = signing.filter(|key| key["state"] == "active" && key["alg"] == "ES256");
        let kid = active.next().unwrap()["kid"].as_str().unwrap();
        assert!(published.to_string().contains(kid), "{kid}: {published}");
        let asked = [("content-type", "application/json")];
        let revoked = administrator
            .send("POST", &at(&format!("/keys/{kid}/revoke")), &asked, b"{}")
            .unwrap();
        let told = format!("at node {}: {}", node.name, revoked.text());
        assert_eq!(revoked.status, 200, "{told}");
        let since = Instant::now();
        for other in &world.nodes {
            eventually("the key is gone", || {
                let keys = https.get(&other.url("/jwks"), &[]).unwrap();
                !keys.text().contains(kid)
            });
        }
        assert!(since.elapsed() < WITHIN, "{:?}", since.elapsed());
    }
}

/// Of two exchanges of one code, at two nodes at once, one wins at most; and a code that was spent at one node is spent at
/// the next.
fn codes_are_spent_once(world: &World, person: &mut Person, web: &Arc<Credentials>) {
    for round in 0..6_usize {
        let code = person.code(world, web);
        let at = |place: usize| {
            let (https, web, code) = (world.https(), Arc::clone(web), code.clone());
            let url = world.nodes[place % 3].url("/token");
            thread::spawn(move || people::exchange(&https, &url, &web, &code).unwrap())
        };
        let answers = [at(round), at(round + 1)].map(|racer| racer.join().unwrap());
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(won <= 1, "a code was spent twice: {answers:?}");
        let again = people::exchange(
            &world.https(),
            &world.nodes[(round + 2) % 3].url("/token"),
            web,
            &code,
        )
        .unwrap();
        assert_eq!(again.json()["error"], "invalid_grant", "{again:?}");
    }
}

/// Whoever guesses gains nothing by asking another node each time.
fn guesses_count_together(world: &World, web: &Credentials) {
    /// Five are free; three nodes that counted by themselves would give fifteen. A slow machine has waited in between.
    const MOST: usize = 10;
    let mut stranger = Person::stranger(world);
    let told = (0..MOST).find(|_| stranger.guess(world, web, "nobody-is-called-so"));
    assert!(told.is_some(), "{MOST} guesses at three nodes");
}

/// As an operator upgrades: the next version's schema, which adds, comes with the first node; each node ends in order and
/// begins again, and those that have not yet are at work with the new schema.
fn upgraded(world: &mut World, load: &Load) {
    world.primary.sql(
        "test0",
        "ALTER TABLE clients ADD COLUMN of_the_next TEXT NOT NULL DEFAULT 'x';
         CREATE TABLE of_the_next (id BIGINT PRIMARY KEY);
         UPDATE sealstone_schema SET version = version + 1",
    );
    load.goes_on("with the schema of the next version");
    for place in 0..world.nodes.len() {
        world.nodes[place].end();
        load.goes_on("while a node is upgraded");
        world.nodes[place].start(0);
        world.wait_until_all_serve();
    }
}

/// The leader, whichever it is, stands still for longer than its lease, and wakes up: another leads, in a later term.
fn paused(world: &World, load: &Load) {
    let before = world.term();
    for node in &world.nodes[..2] {
        node.signal("STOP");
    }
    // Until the third has taken over, if one of the two led.
    thread::sleep(Duration::from_secs(13));
    load.goes_on("with one node of three");
    for node in &world.nodes[..2] {
        node.signal("CONT");
    }
    world.wait_until_all_serve();
    let after = world.term();
    assert!(after <= before + 1, "one took over at most: {before} {after}");
}

/// It says so within a second or two, and gives nothing; the others go on.
fn cut_off(world: &World, load: &Load, machine: &Credentials) {
    let node = &world.nodes[1];
    node.wire.cut();
    eventually("a node that is cut off is not ready", || !node.is_ready());
    let answer = machine.ask(&world.https(), &node.url("/token"), &GRANT).unwrap();
    assert!(is_unavailable(&answer), "{} {}", answer.status, answer.text());
    // Keys are served on from memory.
    assert_eq!(world.https().get(&node.url("/jwks"), &[]).unwrap().status, 200);
    load.goes_on("with a node cut off");
    node.wire.mend();
    world.wait_until_all_serve();
}

fn clock_is_off(world: &mut World, load: &Load, machine: &Credentials) {
    if !std::path::Path::new(world::FAKETIME).exists() {
        println!("  left out: libfaketime is not installed (`cargo xtask setup`)");
        return;
    }
    for seconds in [180, -180] {
        world.nodes[2].kill();
        let before = world.nodes[2].said().matches("timedatectl").count();
        world.nodes[2].start(seconds);
        let node = &world.nodes[2];
        eventually("it says why", || {
            node.said().matches("timedatectl").count() > before
        });
        assert!(!node.is_ready(), "a node with a wrong clock is not ready");
        let asked = machine.ask(&world.https(), &node.url("/token"), &GRANT);
        assert!(asked.is_err(), "it gives nothing: {asked:?}");
        load.goes_on("with a node whose clock is off");
    }
    world.nodes[2].kill();
    world.nodes[2].start(0);
    world.wait_until_all_serve();
}

/// While the database is away: every node answers, and answers what it must.
fn answers_as_it_should(world: &World, machine: &Credentials) {
    for node in &world.nodes {
        eventually("the outage is told", || {
            let answer = machine.ask(&world.https(), &node.url("/token"), &GRANT).unwrap();
            is_unavailable(&answer)
        });
        assert_eq!(world.https().get(&node.url("/jwks"), &[]).unwrap().status, 200);
    }
    eventually("no node is ready", || {
        world.nodes.iter().all(|node| !node.is_ready())
    });
    answered_through_the_balancer(world, machine);
}

/// No node is ready, and yet clients are told so by the RFC's error, and verifiers have their keys. At most each node's end
/// at the balancer breaks a connection.
fn answered_through_the_balancer(world: &World, machine: &Credentials) {
    /// More than the balancer takes to see that a node is not ready.
    const LONG_ENOUGH: Duration = Duration::from_secs(3);
    let (begun, mut broken) = (Instant::now(), 0);
    while begun.elapsed() < LONG_ENOUGH {
        match machine.ask(&world.https(), &world.url("/token"), &GRANT) {
            Ok(answer) => assert!(is_unavailable(&answer), "{} {}", answer.status, answer.text()),
            Err(_ended) => broken += 1,
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert!(broken <= 3, "{broken} connections ended without an answer");
    for path in ["/jwks", "/jwks/revocation"] {
        let answer = world.https().get(&world.url(path), &[]).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
}

fn disk_fills(world: &mut World, machine: &Credentials) {
    let Some(disk) = &world.disk else {
        println!("  left out: only root may mount a small disk");
        return;
    };
    disk.fill();
    // Something that must be written: many registrations, of which some were still acknowledged.
    let mut acknowledged = Vec::new();
    for number in 0..400 {
        let id = format!("full-{number}");
        let arguments = [
            "client",
            "create",
            &id,
            "--domain",
            "demo",
            "--scope",
            "metrics:read",
            "--output",
            "json",
        ];
        let output = world.setup.sealstone(&arguments);
        if output.status.success() {
            acknowledged.push(id);
            continue;
        }
        println!(
            "  after {} registrations: {}",
            acknowledged.len(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        break;
    }
    world.disk.as_ref().unwrap().free();
    if !world.primary.runs() {
        world.primary.resume();
    }
    eventually("tokens after the disk was full", || {
        let answer = machine.ask(&world.https(), &world.nodes[0].url("/token"), &GRANT);
        answer.is_ok_and(|answer| answer.status == 200)
    });
    for id in &acknowledged {
        drop(world.administer(&["client", "show", id]));
    }
}
