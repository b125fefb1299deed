//! The engine over a cloud in memory, cut off at any moment.

mod cloud;

use proptest::prelude::*;

use self::cloud::{Cloud, Shared, Way, node, run};
use super::*;
use crate::cutover::pool::Stage;

/// The same cloud with bridges before its nodes.
fn bridged(count: usize, needed: usize) -> Shared {
    let shared = Cloud::new(count, needed);
    shared.borrow_mut().bridged = true;
    shared
}

fn forms(shared: &Shared) -> Vec<TokenForm> {
    shared
        .borrow()
        .machines
        .values()
        .map(|found| found.runs)
        .collect()
}

#[track_caller]
fn is_all(shared: &Shared, form: TokenForm) {
    let cloud = shared.borrow();
    for (name, machine) in &cloud.machines {
        let right = machine.takes && machine.fit && machine.runs == form && machine.config == form;
        assert!(right, "{name}: {machine:?}");
    }
}

#[test]
fn there_and_back_and_there_again_and_then_the_keys_go() {
    let shared = Cloud::new(3, 1);
    let until = match run(&shared, Way::Forward, None).unwrap().unwrap() {
        Outcome::KeysKept(until) => until,
        other => panic!("{other:?}"),
    };
    is_all(&shared, TokenForm::Jws);
    assert_eq!(shared.borrow().asked, 1, "for the switch");
    let back = run(&shared, Way::Back, None).unwrap().unwrap();
    assert!(matches!(back, Outcome::RolledBack(Some(_))), "{back:?}");
    is_all(&shared, TokenForm::Fernet);
    assert!(matches!(
        run(&shared, Way::Back, None).unwrap(),
        Err(CutoverError::Nothing(TokenForm::Fernet))
    ));
    let again = run(&shared, Way::Forward, None).unwrap().unwrap();
    assert!(
        matches!(again, Outcome::KeysKept(later) if later > until),
        "{again:?}"
    );
    is_all(&shared, TokenForm::Jws);
    // The keys stay as long as a Fernet token may be shown.
    let early = run(&shared, Way::Retire, None).unwrap();
    assert!(matches!(early, Err(CutoverError::TooEarly(_))), "{early:?}");
    shared.borrow_mut().now += 172_800;
    assert!(matches!(
        run(&shared, Way::Retire, None).unwrap(),
        Err(CutoverError::TooEarly(_))
    ));
    shared.borrow_mut().now += 3600;
    shared.borrow_mut().machines.get_mut(&node("n1")).unwrap().bad = true;
    assert!(matches!(
        run(&shared, Way::Retire, None).unwrap(),
        Err(CutoverError::NotValidated(_))
    ));
    assert_eq!(shared.borrow().removed_at, None);
    shared.borrow_mut().machines.get_mut(&node("n1")).unwrap().bad = false;
    assert_eq!(
        run(&shared, Way::Retire, None).unwrap().unwrap(),
        Outcome::Retired
    );
    assert!(shared.borrow().machines.values().all(|found| !found.fernet_keys));
    assert!(matches!(
        run(&shared, Way::Back, None).unwrap(),
        Err(CutoverError::KeysGone)
    ));
    assert!(matches!(
        run(&shared, Way::Forward, None).unwrap(),
        Err(CutoverError::Nothing(TokenForm::Jws))
    ));
}

/// S11: killed at every call there is, on the way there and on the way back: run again, it comes to the same end.
#[test]
fn s11_killed_at_any_moment_it_goes_on_to_the_same_end() {
    type Make = fn(usize, usize) -> Shared;
    let pools: [(usize, usize, Make); 4] = [
        (2, 1, Cloud::new),
        (3, 1, Cloud::new),
        (5, 2, Cloud::new),
        (3, 2, bridged),
    ];
    for (count, needed, make) in pools {
        let whole = make(count, needed);
        run(&whole, Way::Forward, None).unwrap().unwrap();
        let there = whole.borrow().calls;
        run(&whole, Way::Back, None).unwrap().unwrap();
        let back = whole.borrow().calls;
        assert!(there > 20 && back > 20);
        for (way, calls, end) in [
            (Way::Forward, there, TokenForm::Jws),
            (Way::Back, back, TokenForm::Fernet),
        ] {
            for kill in (1..=calls).flat_map(|at| [(at, true), (at, false)]) {
                let shared = make(count, needed);
                if way == Way::Back {
                    run(&shared, Way::Forward, None).unwrap().unwrap();
                }
                assert!(run(&shared, way, Some(kill)).is_none(), "{kill:?}");
                let ended = run(&shared, way, None).unwrap();
                // A course whose last line was written is over, whether or not its end was told.
                let over = matches!(ended, Err(CutoverError::Nothing(form)) if form == end);
                assert!(ended.is_ok() || over, "{kill:?} {ended:?}");
                is_all(&shared, end);
            }
        }
    }
}

/// Rolled back from wherever it was cut.
#[test]
fn s11_from_any_moment_there_is_a_way_back() {
    for make in [Cloud::new, bridged] {
        let whole = make(3, 1);
        run(&whole, Way::Forward, None).unwrap().unwrap();
        let calls = whole.borrow().calls;
        for kill in (1..=calls).flat_map(|at| [(at, true), (at, false)]) {
            let shared = make(3, 1);
            assert!(run(&shared, Way::Forward, Some(kill)).is_none());
            match run(&shared, Way::Back, None).unwrap() {
                Ok(_) => {}
                Err(CutoverError::NothingToTakeBack) => assert!(shared.borrow().events.is_empty()),
                Err(error) => panic!("{kill:?}: {error}"),
            }
            is_all(&shared, TokenForm::Fernet);
        }
    }
}

/// Keys that are gone on one node and not on another are of use to nobody: whoever goes on finishes it.
#[test]
fn s11_a_removal_of_keys_that_was_cut_off_is_finished_by_the_next_run() {
    let whole = Cloud::new(3, 1);
    run(&whole, Way::Forward, None).unwrap().unwrap();
    whole.borrow_mut().now += 1_000_000;
    run(&whole, Way::Retire, None).unwrap().unwrap();
    let calls = whole.borrow().calls;
    for kill in (1..=calls).flat_map(|at| [(at, true), (at, false)]) {
        let shared = Cloud::new(3, 1);
        run(&shared, Way::Forward, None).unwrap().unwrap();
        shared.borrow_mut().now += 1_000_000;
        assert!(run(&shared, Way::Retire, Some(kill)).is_none());
        let begun = shared.borrow().machines.values().any(|found| !found.fernet_keys);
        let ended = run(&shared, Way::Forward, None).unwrap();
        let cloud = shared.borrow();
        let left = cloud.machines.values().filter(|found| found.fernet_keys).count();
        assert!(left == 0 || !begun && left == 3, "{kill:?} {ended:?}");
        drop(cloud);
        is_all(&shared, TokenForm::Jws);
    }
}

#[test]
fn a_node_that_is_not_fit_stays_out() {
    for bad in ["n0", "n1", "n2"] {
        let shared = Cloud::new(3, 1);
        shared.borrow_mut().machines.get_mut(&node(bad)).unwrap().bad = true;
        let stopped = run(&shared, Way::Forward, None).unwrap();
        assert!(
            matches!(&stopped, Err(CutoverError::NotFit { .. })),
            "{bad}: {stopped:?}"
        );
        shared.borrow().is_right();
        let found = shared.borrow().machines[&node(bad)].clone();
        assert!(!found.takes, "{bad}: {found:?}");
        assert!(matches!(
            shared.borrow().events.last(),
            Some(Event::Stopped { .. })
        ));
        // Mended, it goes on.
        shared.borrow_mut().machines.get_mut(&node(bad)).unwrap().bad = false;
        run(&shared, Way::Forward, None).unwrap().unwrap();
        is_all(&shared, TokenForm::Jws);
    }
}

#[test]
fn with_a_node_that_is_down_nothing_is_begun() {
    for shared in [Cloud::new(3, 1), bridged(3, 2)] {
        shared.borrow_mut().machines.get_mut(&node("n2")).unwrap().down = true;
        let refused = run(&shared, Way::Forward, None).unwrap().unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("takes node `n2` for down") && text.contains("nothing was changed"),
            "{text}"
        );
        assert!(shared.borrow().events.is_empty());
        assert!(shared.borrow().machines.values().all(|machine| machine.takes));
        shared.borrow_mut().machines.get_mut(&node("n2")).unwrap().down = false;
        run(&shared, Way::Forward, None).unwrap().unwrap();
        is_all(&shared, TokenForm::Jws);
    }
}

/// What was begun is taken back without it: those that were drained serve again.
#[test]
fn the_way_back_does_not_wait_for_a_node_that_is_down() {
    let shared = Cloud::new(3, 1);
    let down = |is_down: bool| shared.borrow_mut().machines.get_mut(&node("n2")).unwrap().down = is_down;
    shared.borrow_mut().machines.get_mut(&node("n0")).unwrap().bad = true;
    let stopped = run(&shared, Way::Forward, None).unwrap();
    assert!(matches!(stopped, Err(CutoverError::NotFit { .. })), "{stopped:?}");
    shared.borrow_mut().machines.get_mut(&node("n0")).unwrap().bad = false;
    down(true);
    run(&shared, Way::Back, None).unwrap().unwrap();
    is_all(&shared, TokenForm::Fernet);
    let told = shared.borrow().told.join("; ");
    assert!(
        told.contains("node n2 is down, says the balancer: node n0 is not checked against it"),
        "{told}"
    );
    down(false);
    run(&shared, Way::Forward, None).unwrap().unwrap();
    is_all(&shared, TokenForm::Jws);
}

#[test]
fn it_stops_when_more_fails_than_before() {
    let shared = Cloud::new(4, 1);
    shared.borrow_mut().failing = 10;
    let stopped = run(&shared, Way::Forward, None).unwrap();
    let said = stopped.unwrap_err().to_string();
    assert!(said.contains("were 5xx"), "{said}");
    let forms = forms(&shared);
    assert!(
        forms.contains(&TokenForm::Fernet) && forms.contains(&TokenForm::Jws),
        "the rest is as it was"
    );
    shared.borrow_mut().failing = 0;
    run(&shared, Way::Back, None).unwrap().unwrap();
    is_all(&shared, TokenForm::Fernet);
}

#[test]
fn it_does_nothing_that_was_not_agreed_to() {
    let shared = Cloud::new(3, 1);
    shared.borrow_mut().agrees = false;
    let stopped = run(&shared, Way::Forward, None).unwrap();
    assert!(
        matches!(&stopped, Err(CutoverError::NotAgreed(Op::Switch { .. }))),
        "{stopped:?}"
    );
    let serving: Vec<TokenForm> = shared
        .borrow()
        .machines
        .values()
        .filter(|found| found.takes)
        .map(|found| found.runs)
        .collect();
    assert_eq!(serving, [TokenForm::Fernet], "users are where they were");
}

/// A balancer that was restarted has forgotten who was drained.
#[test]
fn a_balancer_that_forgets_is_told_again_and_nothing_is_changed_before() {
    let whole = Cloud::new(3, 1);
    run(&whole, Way::Forward, None).unwrap().unwrap();
    let calls = whole.borrow().calls;
    let mut seen = 0;
    for at in 1..=calls {
        let shared = Cloud::new(3, 1);
        assert!(run(&shared, Way::Forward, Some((at, true))).is_none());
        let drained: Vec<Node> = shared
            .borrow()
            .machines
            .iter()
            .filter(|(_, found)| !found.takes)
            .map(|(name, _)| name.clone())
            .collect();
        seen += drained.len();
        for name in drained {
            shared.borrow_mut().machines.get_mut(&name).unwrap().takes = true;
        }
        // Whatever it meets, it changes nothing that serves, which the cloud itself asserts.
        for _again in 0..3 {
            if run(&shared, Way::Forward, None).unwrap().is_ok() {
                break;
            }
        }
        is_all(&shared, TokenForm::Jws);
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_node_that_somebody_changed_meanwhile_stops_it() {
    let shared = Cloud::new(3, 1);
    let whole = Cloud::new(3, 1);
    run(&whole, Way::Forward, None).unwrap().unwrap();
    let half = whole.borrow().calls / 3;
    assert!(run(&shared, Way::Forward, Some((half, true))).is_none());
    shared.borrow_mut().machines.get_mut(&node("n2")).unwrap().config = TokenForm::Jws;
    let stopped = run(&shared, Way::Forward, None).unwrap();
    assert!(
        matches!(&stopped, Err(CutoverError::Changed { .. })),
        "{stopped:?}"
    );
    // And one that somebody drained.
    let shared = Cloud::new(3, 1);
    assert!(run(&shared, Way::Forward, Some((half, true))).is_none());
    shared.borrow_mut().machines.get_mut(&node("n2")).unwrap().takes = false;
    let stopped = run(&shared, Way::Forward, None).unwrap();
    assert!(matches!(&stopped, Err(CutoverError::OutOfPool(_))), "{stopped:?}");
}

/// With bridges nodes of both kinds serve while one is changed after the other, there and back: nothing is asked, and all
/// but one serve at any time. Without the word that bridges are there, nobody goes on, and no such plan is begun.
#[test]
fn with_bridges_one_node_is_changed_after_the_other() {
    let shared = bridged(3, 2);
    run(&shared, Way::Forward, None).unwrap().unwrap();
    is_all(&shared, TokenForm::Jws);
    assert_eq!(shared.borrow().asked, 0, "nothing was refused to anybody");
    run(&shared, Way::Back, None).unwrap().unwrap();
    is_all(&shared, TokenForm::Fernet);

    let whole = bridged(3, 2);
    run(&whole, Way::Forward, None).unwrap().unwrap();
    let half = whole.borrow().calls / 2;
    let shared = bridged(3, 2);
    assert!(run(&shared, Way::Forward, Some((half, true))).is_none());
    let way = |way: Way, is_bridged: bool| {
        let plan = cloud::plan(&shared);
        shared.borrow_mut().bridged = is_bridged;
        let ended = cloud::run_plan(&shared, &plan, way, None).unwrap();
        shared.borrow_mut().bridged = true;
        ended
    };
    let refused = way(Way::Forward, false);
    assert!(matches!(refused, Err(CutoverError::Unbridged)), "{refused:?}");
    way(Way::Forward, true).unwrap();
    is_all(&shared, TokenForm::Jws);

    let fresh = bridged(3, 2);
    let plan = cloud::plan(&fresh);
    fresh.borrow_mut().bridged = false;
    let refused = cloud::run_plan(&fresh, &plan, Way::Forward, None).unwrap();
    assert!(
        matches!(refused, Err(CutoverError::NoWay(Unsafe::Mixed))),
        "{refused:?}"
    );
    assert!(fresh.borrow().events.is_empty());
}

/// A bridge that is missing before a node that serves is found before another kind of token is about; one before the node
/// that is added, with the first token that it gets.
#[test]
fn a_bridge_that_is_missing_is_found() {
    let bare = |name: &str| {
        let shared = bridged(3, 1);
        shared.borrow_mut().machines.get_mut(&node(name)).unwrap().bare = true;
        shared
    };
    let shared = bare("n2");
    let stopped = run(&shared, Way::Forward, None).unwrap();
    assert!(
        matches!(&stopped, Err(CutoverError::NotFit { node: first, .. }) if *first == node("n0")),
        "{stopped:?}"
    );
    assert!(!shared.borrow().machines[&node("n0")].takes);
    let shared = bare("n0");
    let stopped = run(&shared, Way::Forward, None).unwrap();
    assert!(
        matches!(&stopped, Err(CutoverError::Errors { .. })),
        "{stopped:?}"
    );
    // Mended, it goes on.
    shared.borrow_mut().machines.get_mut(&node("n0")).unwrap().bare = false;
    run(&shared, Way::Forward, None).unwrap().unwrap();
    is_all(&shared, TokenForm::Jws);
}

#[test]
fn a_rollback_under_way_is_finished_first() {
    let shared = Cloud::new(3, 1);
    run(&shared, Way::Forward, None).unwrap().unwrap();
    assert!(run(&shared, Way::Back, Some((40, true))).is_none());
    let refused = run(&shared, Way::Forward, None).unwrap();
    assert!(matches!(&refused, Err(CutoverError::UnderWay(..))), "{refused:?}");
    run(&shared, Way::Back, None).unwrap().unwrap();
    run(&shared, Way::Forward, None).unwrap().unwrap();
    is_all(&shared, TokenForm::Jws);
}

fn way() -> impl Strategy<Value = (Way, usize, bool)> {
    let ways = prop_oneof![3 => Just(Way::Forward), 2 => Just(Way::Back)];
    (ways, 1_usize..120, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// S11: cut again and again, there and back in any order: what the cloud asserts holds throughout, and whoever lets
    /// it run to its end has one form everywhere.
    #[test]
    fn s11_any_runs_cut_anywhere_keep_the_pool_right(
        count in 2_usize..6,
        with_bridges in any::<bool>(),
        ways in prop::collection::vec(way(), 1..8),
    ) {
        let shared = Cloud::new(count, count / 2);
        shared.borrow_mut().bridged = with_bridges;
        for (way, at, before) in ways {
            let _ = run(&shared, way, Some((at, before)));
        }
        let is_back = History::of(&shared.borrow().events.clone()).unwrap()
            .is_some_and(|history| history.course.target == TokenForm::Fernet && !history.course.is_over());
        let (way, end) = if is_back { (Way::Back, TokenForm::Fernet) } else { (Way::Forward, TokenForm::Jws) };
        let ended = run(&shared, way, None).unwrap();
        prop_assert!(ended.is_ok(), "{:?}", ended);
        is_all(&shared, end);
        shared.borrow().is_right();
    }

    /// Whatever state a pool is in that operations can bring it to, the way back from it is safe.
    #[test]
    fn a_course_is_safe_from_wherever_operations_lead(
        count in 2_usize..7,
        with_bridges in any::<bool>(),
        picks in prop::collection::vec((0_usize..7, 0_usize..7, any::<bool>()), 0..40),
    ) {
        let names: Vec<Node> = (0..count).map(|number| node(&format!("n{number}"))).collect();
        let mut pool = Pool::serving(&names, count / 2, TokenForm::Fernet);
        pool.set_rules(count / 2, with_bridges);
        for (who, what, is_done) in picks {
            let name = names[who % count].clone();
            let form = pool.state(&name).unwrap().form;
            let op = match what {
                0 | 1 => Op::Drain(name),
                2 => Op::Set(name, TokenForm::Jws),
                3 => Op::Restart(name),
                4 => Op::Check(name, form),
                5 => Op::Add(name),
                _ => Op::Switch {
                    add: pool.names(|state| !state.serves && state.stage == Stage::Fit),
                    drain: pool.names(|state| state.serves),
                },
            };
            if pool.may(&op).is_ok() {
                if is_done { pool.done(&op) } else { pool.begun(&op) }
            }
        }
        for target in [TokenForm::Fernet, TokenForm::Jws] {
            let course = pool.course_to(target);
            prop_assert!(pool.verify(&course, target).is_ok(), "{:?} {:?} {:?}", pool, course, pool.verify(&course, target));
        }
    }
}

#[test]
fn where_nobody_can_be_asked_nothing_is_begun() {
    let shared = Cloud::new(3, 1);
    shared.borrow_mut().is_absent = true;
    let stopped = run(&shared, Way::Forward, None).unwrap();
    assert!(
        matches!(&stopped, Err(CutoverError::NotAgreed(Op::Switch { .. }))),
        "{stopped:?}"
    );
    assert!(shared.borrow().machines.values().all(|found| found.takes));
    is_all(&shared, TokenForm::Fernet);
    // The same run goes on when somebody is there; what is to be agreed to later does not hold it up.
    shared.borrow_mut().is_absent = false;
    run(&shared, Way::Forward, None).unwrap().unwrap();
    is_all(&shared, TokenForm::Jws);
}

/// One more server in the balancer's backend, of which nobody told the plan.
#[test]
fn a_server_that_the_plan_does_not_know_stops_it_before_anything_is_changed() {
    for begun in [false, true] {
        let shared = Cloud::new(3, 1);
        if begun {
            shared.borrow_mut().agrees = false;
            let stopped = run(&shared, Way::Forward, None).unwrap();
            assert!(matches!(stopped, Err(CutoverError::NotAgreed(_))), "{stopped:?}");
        }
        let known = shared.borrow().events.len();
        shared.borrow_mut().others = vec!["n9".to_owned()];
        let refused = run(&shared, Way::Forward, None).unwrap().unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("also sends users to `n9`"), "{text}");
        assert_eq!(shared.borrow().events.len(), known);
        // Drained there, it is nobody's any more.
        shared.borrow_mut().others.clear();
        shared.borrow_mut().agrees = true;
        run(&shared, Way::Forward, None).unwrap().unwrap();
        is_all(&shared, TokenForm::Jws);
    }
}

#[test]
fn whoever_brings_another_plan_hears_that_the_first_goes_on() {
    let shared = Cloud::new(3, 1);
    shared.borrow_mut().agrees = false;
    run(&shared, Way::Forward, None).unwrap().unwrap_err();
    let is_told = |shared: &Shared| shared.borrow().told.iter().any(|text| text == ANOTHER_PLAN);
    run(&shared, Way::Forward, None).unwrap().unwrap_err();
    assert!(!is_told(&shared));
    let course = shared.borrow().events[0].clone();
    shared.borrow_mut().needed = 1;
    let other = cloud::plan(&bridged(3, 1));
    cloud::run_plan(&shared, &other, Way::Forward, None)
        .unwrap()
        .unwrap_err();
    assert!(is_told(&shared));
    assert_eq!(shared.borrow().events[0], course);
}
