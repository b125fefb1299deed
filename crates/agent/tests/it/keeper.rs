use std::{sync::Arc, time::Duration};

use sealstone_agent::{Handle, Health, Keeper, MachinePair, Status, Surroundings as _, TokenFault};

use crate::machine::{Ca, DAY, Does, HOUR, Issuer, Machine, Tokens, at};

struct World {
    machine: Arc<Machine>,
    ca: Arc<Ca>,
    tokens: Arc<Tokens>,
    handle: Handle,
    keeper: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// A keeper of a machine whose certificate has this lifetime, and that is renewed by what `issuer` makes.
fn world(
    lifetime: u64,
    tokens: &Arc<Tokens>,
    issuer: impl FnOnce(&Arc<Ca>, &MachinePair) -> Option<Arc<Issuer>>,
) -> World {
    let machine = Machine::new();
    let ca = Arc::new(Ca::new("CN=Machines"));
    let pair = ca.machine(lifetime);
    let issuer = issuer(&ca, &pair);
    let (keeper, handle) = Keeper::new(pair, Arc::clone(tokens) as _, Arc::clone(&machine) as _);
    let keeper = match issuer {
        Some(issuer) => keeper.renewing(issuer, ca.roots()),
        None => keeper,
    };
    World {
        machine,
        ca,
        tokens: Arc::clone(tokens),
        handle,
        keeper: tokio::spawn(keeper.run()),
    }
}

impl World {
    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn status(&self) -> Status {
        self.handle.status()
    }

    /// The one message of this work.
    fn fault(&self, work: &str) -> String {
        let faults = self.status().faults;
        let fault = faults.iter().find(|fault| fault.work == work);
        fault
            .unwrap_or_else(|| panic!("no fault of {work} in {faults:?}"))
            .message
            .clone()
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_are_renewed_long_before_they_end() {
    let world = world(90 * DAY, &Tokens::new(900), |_, _| None);
    world.pass(1).await;
    assert_eq!(world.status().health, Health::Fresh);
    for _ in 0..DAY / 10 {
        world.pass(10).await;
        let credential = world.handle.credential().unwrap();
        let left = credential.token().until().as_secs() - world.machine.now().as_secs();
        assert!(left >= 224, "{left} s are left");
    }
    let asked = world.tokens.asked.lock().unwrap().clone();
    assert!((128..=161).contains(&asked.len()), "{}", asked.len());
    let gaps: Vec<u64> = asked
        .windows(2)
        .map(|two| two[1].0.as_secs() - two[0].0.as_secs())
        .collect();
    assert!(gaps.iter().all(|gap| (540..=676).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "no jitter: {gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_down_the_old_token_is_served_as_long_as_it_is_good() {
    let world = world(90 * DAY, &Tokens::new(900), |_, _| None);
    world.pass(1).await;
    let first = world.handle.credential().unwrap();
    world
        .tokens
        .fail(Some(TokenFault::Unanswered("nothing listens there".to_owned())));
    world.pass(880).await;
    assert!(world.handle.credential().unwrap().is(&first));
    let status = world.status();
    assert_eq!(status.health, Health::Degraded);
    assert_eq!(world.fault("token"), "nothing listens there");
    // Not one second beyond: a token of fifteen minutes is kept back for its last five seconds.
    world.pass(16).await;
    assert!(world.handle.credential().is_none());
    assert_eq!(world.status().health, Health::Failing);
    let tries = world.tokens.count();
    world.pass(HOUR).await;
    let tries = world.tokens.count() - tries;
    assert!((55..=125).contains(&tries), "about once a minute: {tries}");
    assert!(world.status().faults[0].attempts > 50);

    world.tokens.fail(None);
    world.pass(61).await;
    assert!(!world.handle.credential().unwrap().is(&first));
    assert_eq!(world.status().health, Health::Fresh);
    assert!(world.status().faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn certificates_are_renewed_before_two_thirds_of_their_life_and_change_with_their_token() {
    let tokens = Tokens::new(900);
    let world = world(9 * DAY, &tokens, |ca, _| {
        Some(Issuer::new(ca, 9 * DAY, Vec::new()))
    });
    let mut changes = world.handle.changes();
    let mut before: Option<MachinePair> = None;
    let mut pairs = 0;
    while world.machine.elapsed() < 40 * DAY {
        changes.changed().await.unwrap();
        let credential = changes.borrow_and_update().clone().unwrap();
        // A token of the machine's server names the certificate that it was asked for with.
        let bound_to = credential.token().expose().split('.').next().unwrap().to_owned();
        assert_eq!(bound_to, credential.pair().thumbprint().to_string());
        if let Some(old) = before
            .replace(credential.pair().clone())
            .filter(|old| old != credential.pair())
        {
            let (begin, end) = (old.certificate().not_before(), old.certificate().not_after());
            let life = end.as_secs() - begin.as_secs();
            let used = world.machine.now().as_secs() - begin.as_secs();
            assert!(used * 3 < life * 2, "{used} of {life}");
            assert!(used * 2 > life, "{used} of {life}");
            assert_ne!(old.expose_key_pem(), credential.pair().expose_key_pem());
            assert_eq!(
                old.certificate().subject(),
                credential.pair().certificate().subject()
            );
            pairs += 1;
        }
    }
    assert!((6..=8).contains(&pairs), "{pairs}");
    assert_eq!(world.status().rotations, pairs);
    assert_eq!(world.status().health, Health::Fresh);
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_that_is_not_the_machines_is_not_used() {
    let other = Arc::new(Ca::new("CN=Machines"));
    let due = 6 * DAY;
    type Wrong = (
        &'static str,
        fn(&Ca, &Ca, &MachinePair) -> MachinePair,
        &'static str,
    );
    let cases: Vec<Wrong> = vec![
        (
            "subject",
            |ca, _, _| {
                ca.issue(
                    "CN=other,O=Example",
                    &["uri:spiffe://example.org/m"],
                    30 * DAY,
                    at(5 * DAY),
                )
            },
            "is for the subject",
        ),
        (
            "no subject alternative name",
            |ca, _, _| ca.issue("CN=machine,O=Example", &[], 30 * DAY, at(5 * DAY)),
            "alternative names are not those",
        ),
        (
            "another besides",
            |ca, _, _| {
                let names = ["uri:spiffe://example.org/m", "dns:api.example.org"];
                ca.issue("CN=machine,O=Example", &names, 30 * DAY, at(5 * DAY))
            },
            "alternative names are not those",
        ),
        (
            "an authority of the same name",
            |_, other, _| {
                other.issue(
                    "CN=machine,O=Example",
                    &["uri:spiffe://example.org/m"],
                    30 * DAY,
                    at(5 * DAY),
                )
            },
            "no configured authority vouches for it",
        ),
        (
            "ended",
            |ca, _, _| {
                ca.issue(
                    "CN=machine,O=Example",
                    &["uri:spiffe://example.org/m"],
                    DAY,
                    at(0),
                )
            },
            "it ended at",
        ),
        (
            "begins later",
            |ca, _, _| {
                ca.issue(
                    "CN=machine,O=Example",
                    &["uri:spiffe://example.org/m"],
                    90 * DAY,
                    at(60 * DAY),
                )
            },
            "compare the authority's clock and this one",
        ),
        (
            "ends no later",
            |ca, _, _| {
                ca.issue(
                    "CN=machine,O=Example",
                    &["uri:spiffe://example.org/m"],
                    3 * DAY,
                    at(5 * DAY),
                )
            },
            "ends no later than the one before",
        ),
        (
            "the same once more",
            |_, _, pair| pair.clone(),
            "ends no later than the one before",
        ),
    ];
    for (name, make, says) in cases {
        let tokens = Tokens::new(900);
        let world = world(9 * DAY, &tokens, |ca, pair| {
            let wrong = (0..100).map(|_| Does::Gives(make(ca, &other, pair))).collect();
            Some(Issuer::new(ca, 9 * DAY, wrong))
        });
        world.pass(1).await;
        let first = world.handle.credential().unwrap();
        world.pass(due).await;
        let now = world.handle.credential().unwrap();
        assert_eq!(now.pair(), first.pair(), "{name}");
        assert!(
            world.fault("certificate").contains(says),
            "{name}: {}",
            world.fault("certificate")
        );
        assert!(
            world.fault("certificate").contains("the test's authority"),
            "{name}"
        );
        assert_eq!(world.status().health, Health::Degraded, "{name}");
        let only: Vec<String> = tokens
            .asked
            .lock()
            .unwrap()
            .iter()
            .map(|asked| asked.1.clone())
            .collect();
        let mine = first.pair().thumbprint().to_string();
        assert!(
            only.iter().all(|asked| *asked == mine),
            "{name}: no token was asked for it"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_is_down_is_asked_again_and_not_too_often() {
    let tokens = Tokens::new(900);
    let mut issuer = None;
    let world = world(9 * DAY, &tokens, |ca, _| {
        let refusals = [500, 503, 403, 404, 400].map(Does::Refuses);
        let made = Issuer::new(
            ca,
            9 * DAY,
            refusals.into_iter().chain([Does::Later(1800)]).collect(),
        );
        issuer = Some(Arc::clone(&made));
        Some(made)
    });
    let issuer = issuer.unwrap();
    world.pass(1).await;
    let first = world.handle.credential().unwrap().pair().clone();
    while issuer.asked.lock().unwrap().len() < 6 {
        world.pass(30).await;
        assert!(world.handle.credential().is_some());
    }
    assert!(
        world.fault("certificate").contains("asked again in 1800 s"),
        "{}",
        world.fault("certificate")
    );
    world.pass(4 * HOUR).await;
    assert_ne!(*world.handle.credential().unwrap().pair(), first);
    assert!(world.status().faults.is_empty());
    let asked = issuer.asked.lock().unwrap().clone();
    let gaps: Vec<u64> = asked
        .windows(2)
        .map(|two| two[1].as_secs() - two[0].as_secs())
        .collect();
    assert!(gaps[0] >= 15 && gaps[..5].is_sorted_by(|a, b| a < b), "{gaps:?}");
    assert!(gaps[5] >= 1800, "as the server asked: {gaps:?}");
}

/// It is kept until it begins, and no other is asked for meanwhile.
#[tokio::test(start_paused = true)]
async fn an_authority_whose_clock_is_ahead_is_waited_for() {
    let tokens = Tokens::new(900);
    let mut issuer = None;
    let world = world(9 * DAY, &tokens, |ca, pair| {
        let ahead = ca.renew(pair, 30 * DAY, at(6 * DAY));
        let made = Issuer::new(ca, 9 * DAY, vec![Does::Gives(ahead)]);
        issuer = Some(Arc::clone(&made));
        Some(made)
    });
    world.pass(6 * DAY - HOUR).await;
    let old = world.handle.credential().unwrap().pair().clone();
    assert!(
        world
            .fault("certificate")
            .contains("compare the authority's clock")
    );
    world.pass(2 * HOUR).await;
    assert_ne!(*world.handle.credential().unwrap().pair(), old);
    assert_eq!(issuer.unwrap().asked.lock().unwrap().len(), 1);
}

/// Certificates of an hour: the waits shrink with what is left, and the last tries come in time.
#[tokio::test(start_paused = true)]
async fn short_lived_certificates_are_asked_for_more_often_towards_their_end() {
    let tokens = Tokens::new(900);
    let world = world(HOUR, &tokens, |ca, _| {
        let refusals = (0..12).map(|_| Does::Refuses(503)).collect();
        Some(Issuer::new(ca, HOUR, refusals))
    });
    world.pass(1).await;
    let first = world.handle.credential().unwrap().pair().clone();
    while *world.handle.credential().unwrap().pair() == first {
        world.pass(5).await;
    }
    let left = first.certificate().not_after().as_secs() - world.machine.now().as_secs();
    assert!(left > 5, "{left}");
    assert!(world.status().faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_counts_when_there_is_a_token_for_it_and_is_not_issued_twice() {
    let tokens = Tokens::new(900);
    let mut issuer = None;
    let world = world(9 * DAY, &tokens, |ca, pair| {
        tokens.know_only(Some(pair));
        let made = Issuer::new(ca, 9 * DAY, Vec::new());
        issuer = Some(Arc::clone(&made));
        Some(made)
    });
    let issuer = issuer.unwrap();
    world.pass(6 * DAY).await;
    let first = world.handle.credential().unwrap();
    let says = world.fault("certificate");
    assert!(
        says.contains("gets no token yet") && says.contains("invalid_client"),
        "{says}"
    );
    assert_eq!(
        issuer.asked.lock().unwrap().len(),
        1,
        "the authority is not asked again"
    );
    tokens.know_only(None);
    world.pass(2 * HOUR).await;
    assert_ne!(world.handle.credential().unwrap().pair(), first.pair());
    assert_eq!(issuer.asked.lock().unwrap().len(), 1);
    assert!(world.status().faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_ended_certificate_says_what_to_do_and_is_replaced_when_somebody_does_it() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("m.pem"), folder.path().join("m.key"));
    let ca = Arc::new(Ca::new("CN=Machines"));
    let put = |pair: &MachinePair| {
        sealstone_agent::files::replace(&key, pair.expose_key_pem().as_bytes()).unwrap();
        sealstone_agent::files::replace(&certificate, pair.chain_pem().as_bytes()).unwrap();
    };
    let ended = ca.machine(DAY);
    put(&ended);
    let machine = Machine::new();
    machine.set_clock(i64::try_from(2 * DAY).unwrap());
    let tokens = Tokens::new(900);
    let watched = sealstone_agent::WatchedPair::new(certificate.clone(), key.clone());
    let (keeper, handle) = Keeper::new(ended, Arc::clone(&tokens) as _, Arc::clone(&machine) as _);
    let keeper = tokio::spawn(keeper.watching(watched).run());
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(handle.credential().is_none());
    assert_eq!(handle.status().health, Health::Failing);
    let said = handle.status().faults[0].message.clone();
    assert!(
        said.contains("it ended at") && said.contains("issue the machine another one"),
        "{said}"
    );
    assert_eq!(tokens.count(), 0, "no server is asked with it");

    // Half way: the key alone.
    let next = ca.issue("CN=machine,O=Example", &[], 90 * DAY, machine.now());
    sealstone_agent::files::replace(&key, next.expose_key_pem().as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let faults = handle.status().faults;
    let said = faults.iter().find(|fault| fault.work == "reload").unwrap();
    assert!(
        said.message.contains("does not belong to the certificate"),
        "{}",
        said.message
    );
    put(&next);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(*handle.credential().unwrap().pair(), next);
    assert_eq!(handle.status().health, Health::Fresh);
    keeper.abort();
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_costs_a_token_and_nothing_else() {
    let world = world(90 * DAY, &Tokens::new(900), |_, _| None);
    world.machine.set_clock(i64::try_from(2 * DAY).unwrap());
    world.pass(61).await;
    let first = world.handle.credential().unwrap();
    // Back by an hour: how long the token is good is not known any more.
    world.machine.set_clock(-3600);
    world.pass(60).await;
    let second = world.handle.credential().unwrap();
    assert!(!second.is(&first));
    // Ahead by ten minutes, as after a sleep: it is due.
    world.machine.set_clock(700);
    world.pass(60).await;
    let third = world.handle.credential().unwrap();
    assert!(!third.is(&second));
    // Before the certificate begins: it says so.
    world.machine.set_clock(-i64::try_from(3 * DAY).unwrap());
    world.pass(60).await;
    assert!(world.handle.credential().is_none());
    assert!(
        world
            .fault("token")
            .contains("compare the authority's clock and this one")
    );
    world.machine.set_clock(i64::try_from(3 * DAY).unwrap());
    world.pass(121).await;
    assert!(world.handle.credential().is_some());
    assert_eq!(world.ca.0.certificate().subject, "CN=Machines");
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once_for_all_who_ask() {
    let world = world(90 * DAY, &Tokens::new(900), |_, _| None);
    world.pass(1).await;
    let refused = world.handle.credential().unwrap();
    // Seconds old: another would be refused as well.
    assert!(world.handle.instead_of(&refused).await.is_none());
    assert_eq!(world.tokens.count(), 1);
    world.pass(30).await;
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let (handle, refused) = (world.handle.clone(), refused.clone());
            tokio::spawn(async move { handle.instead_of(&refused).await })
        })
        .collect();
    for one in asking {
        let now = one.await.unwrap().unwrap();
        assert!(!now.is(&refused));
    }
    assert_eq!(world.tokens.count(), 2, "one request for all of them");
    // The next one is refused too: the service is not made to cost us a token a request.
    let now = world.handle.credential().unwrap();
    for _ in 0..20 {
        assert!(world.handle.instead_of(&now).await.is_none());
    }
    assert_eq!(world.tokens.count(), 2);
    // With the server down, the old one is all there is.
    world.pass(30).await;
    world.tokens.fail(Some(TokenFault::Unbound));
    assert!(world.handle.instead_of(&now).await.is_none());
    assert!(world.handle.credential().unwrap().is(&now));
    assert!(world.fault("token").contains("not bound to the certificate"));
}

/// Nothing that is shown of an agent has a secret in it.
#[tokio::test(start_paused = true)]
async fn no_secret_is_shown() {
    let world = world(90 * DAY, &Tokens::new(900), |_, _| None);
    world.pass(1).await;
    let credential = world.handle.credential().unwrap();
    let shown = format!(
        "{credential:?} {:?} {:?} {}",
        world.handle,
        world.status(),
        serde_json::to_string(&world.status()).unwrap()
    );
    assert!(!shown.contains(credential.token().expose()), "{shown}");
    assert!(!shown.contains("PRIVATE"), "{shown}");
}
