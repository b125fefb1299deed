//! The engine over a cloud in memory that notices every wrong step, and that can be cut off at any moment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::balancer::{Balancer, BalancerError, Member, Traffic};
use crate::control::{ControlError, NodeControl};
use crate::cutover::journal::JournalError;
use crate::cutover::pool::Stage;
use crate::cutover::ports::{Operator, Prober, Verdict, Wait, Wanted};
use crate::plan::Action;

/// What a process that is killed leaves: nothing.
struct Killed;

#[derive(Clone, Debug)]
struct Machine {
    config: TokenForm,
    runs: TokenForm,
    takes: bool,
    /// Restarted since it was changed, and seen to be good since.
    fit: bool,
    bad: bool,
    fernet_keys: bool,
}

#[derive(Debug)]
struct Cloud {
    machines: BTreeMap<Node, Machine>,
    needed: usize,
    events: Vec<Event>,
    calls: usize,
    /// At which call the process is killed, and whether before it has done its work.
    kill: Option<(usize, bool)>,
    now: u64,
    traffic: Traffic,
    /// Answers a second, and how many of a hundred fail, while a JWS node serves.
    failing: u64,
    agrees: bool,
    removed_at: Option<u64>,
    asked: usize,
}

type Shared = Rc<RefCell<Cloud>>;

fn node(name: &str) -> Node {
    Node::parse(name).unwrap()
}

impl Cloud {
    fn new(count: usize, needed: usize) -> Shared {
        let machine = Machine {
            config: TokenForm::Fernet,
            runs: TokenForm::Fernet,
            takes: true,
            fit: true,
            bad: false,
            fernet_keys: true,
        };
        let names = (0..count).map(|number| node(&format!("n{number}")));
        Rc::new(RefCell::new(Self {
            machines: names.map(|name| (name, machine.clone())).collect(),
            needed,
            events: Vec::new(),
            calls: 0,
            kill: None,
            now: 1_795_302_884,
            traffic: Traffic::default(),
            failing: 0,
            agrees: true,
            removed_at: None,
            asked: 0,
        }))
    }

    /// What must hold whenever anybody looks.
    fn is_right(&self) {
        let serving: Vec<(&Node, &Machine)> = self.machines.iter().filter(|(_, found)| found.takes).collect();
        assert!(serving.len() >= self.needed, "too few serve: {self:?}");
        for (name, machine) in &serving {
            assert!(machine.fit, "{name} serves unchecked: {self:?}");
            assert_eq!(machine.config, machine.runs, "{name}");
        }
        let first = serving.first().map(|(_, found)| found.runs);
        assert!(
            serving.iter().all(|(_, found)| Some(found.runs) == first),
            "side by side: {self:?}"
        );
    }
}

/// One call of a port: it may be the last thing that the process does.
fn call<T>(shared: &Shared, work: impl FnOnce(&mut Cloud) -> T) -> T {
    let mut cloud = shared.borrow_mut();
    cloud.calls += 1;
    let kill = cloud.kill.filter(|(at, _)| *at == cloud.calls);
    if kill.is_some_and(|(_, before)| before) {
        drop(cloud);
        resume_unwind(Box::new(Killed));
    }
    let done = work(&mut cloud);
    drop(cloud);
    if kill.is_some() {
        resume_unwind(Box::new(Killed));
    }
    done
}

struct Port(Shared);

impl Balancer for Port {
    fn look(&mut self, nodes: &[Node]) -> Result<BTreeMap<Node, Member>, BalancerError> {
        call(&self.0, |cloud| {
            let member = |name: &Node| Member {
                takes: cloud.machines[name].takes,
                healthy: true,
                open: 0,
            };
            Ok(nodes.iter().map(|name| (name.clone(), member(name))).collect())
        })
    }

    /// Each server on its own, and the process may be killed in between.
    fn change(&mut self, add: &[Node], drain: &[Node]) -> Result<(), BalancerError> {
        for name in add {
            call(&self.0, |cloud| {
                cloud.machines.get_mut(name).unwrap().takes = true
            });
            assert!(self.0.borrow().machines[name].fit, "{name} serves unchecked");
        }
        for name in drain {
            call(&self.0, |cloud| {
                cloud.machines.get_mut(name).unwrap().takes = false
            });
        }
        self.0.borrow().is_right();
        Ok(())
    }

    fn traffic(&mut self) -> Result<Option<Traffic>, BalancerError> {
        call(&self.0, |cloud| Ok(Some(cloud.traffic)))
    }
}

impl NodeControl for Port {
    fn records(&mut self) -> Result<Vec<NodeRecord>, ControlError> {
        call(&self.0, |cloud| {
            Ok(cloud
                .machines
                .iter()
                .map(|(name, found)| record(name, found))
                .collect())
        })
    }

    fn set_form(&mut self, name: &Node, form: TokenForm) -> Result<(), ControlError> {
        call(&self.0, |cloud| {
            let machine = cloud.machines.get_mut(name).unwrap();
            assert!(!machine.takes, "{name} is changed while it serves");
            machine.fit = false;
            machine.config = form;
            Ok(())
        })
    }

    fn restart(&mut self, name: &Node) -> Result<(), ControlError> {
        call(&self.0, |cloud| {
            let machine = cloud.machines.get_mut(name).unwrap();
            assert!(!machine.takes, "{name} is restarted while it serves");
            machine.fit = false;
            machine.runs = machine.config;
            Ok(())
        })
    }

    fn remove_fernet_keys(&mut self, name: &Node) -> Result<(), ControlError> {
        call(&self.0, |cloud| {
            cloud.removed_at = Some(cloud.now);
            cloud.machines.get_mut(name).unwrap().fernet_keys = false;
            Ok(())
        })
    }
}

impl Prober for Port {
    fn answers(&mut self, _node: &Node) -> bool {
        call(&self.0, |_cloud| true)
    }

    fn check(&mut self, wanted: &Wanted<'_>) -> Verdict {
        call(&self.0, |cloud| {
            let mut verdict = Verdict::default();
            for (name, form) in wanted.nodes {
                let machine = &cloud.machines[name];
                if machine.bad || machine.runs != *form {
                    verdict.faults.push(format!("{name} is not fit"));
                }
            }
            if verdict.faults.is_empty()
                && let Some(name) = wanted.about
            {
                cloud.machines.get_mut(name).unwrap().fit = true;
            }
            verdict
        })
    }

    fn through_balancer(&mut self) -> Result<(), String> {
        call(&self.0, |_cloud| Ok(()))
    }
}

impl Wait for Port {
    fn now(&mut self) -> u64 {
        call(&self.0, |cloud| cloud.now)
    }

    fn pause(&mut self, span: Duration) {
        call(&self.0, |cloud| {
            cloud.now += span.as_secs().max(1);
            let jws = cloud
                .machines
                .values()
                .any(|found| found.takes && found.runs == TokenForm::Jws);
            cloud.traffic.answers += 100;
            cloud.traffic.failed += if jws { cloud.failing } else { 0 };
        });
    }
}

impl Operator for Port {
    fn agrees(&mut self, _op: &Op, _consequence: &str) -> bool {
        call(&self.0, |cloud| {
            cloud.asked += 1;
            cloud.agrees
        })
    }

    fn begins(&mut self, _number: usize, _of: usize, _op: &Op) {}

    fn told(&mut self, _text: &str) {}
}

impl Journal for Port {
    fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        call(&self.0, |cloud| {
            cloud.events.push(event.clone());
            Ok(())
        })
    }
}

fn record(name: &Node, machine: &Machine) -> NodeRecord {
    let key = |name: &str| serde_json::json!({"name": name, "role": "verifying", "fingerprint": name});
    let keys: Vec<_> = (0..9).map(|number| key(&format!("n{number}"))).collect();
    let fernet = if machine.fernet_keys {
        serde_json::json!({"present": true, "signing": "shared", "keys": [key("shared")], "faults": [], "warnings": []})
    } else {
        serde_json::json!({"present": true, "signing": null, "keys": [], "faults": [], "warnings": []})
    };
    serde_json::from_value(serde_json::json!({
        "name": name, "source": "/", "configuration": ["/etc/keystone/keystone.conf"],
        "settings": {
            "provider": machine.config.as_str(), "expiration_s": 3600, "allow_expired_window_s": 172_800,
            "caching": false, "cache_time_s": 600, "methods": ["password"],
            "fernet_repository": "/f", "default_domain_id": "default", "max_active_keys": 3, "jws_algorithm": "ES256",
            "jws_accepted_algorithms": ["ES256"], "jws_public_repository": "/p", "jws_private_repository": "/k",
        },
        "clock": {"offset_ms": 0, "within_ms": 0},
        "fernet": fernet,
        "jws": {"present": true, "signing": name, "keys": keys, "faults": [], "warnings": []},
        "notes": [],
    }))
    .unwrap()
}

/// The steps that `Plan` draws up for such a pool.
fn plan(shared: &Shared) -> Plan {
    let cloud = shared.borrow();
    let names: Vec<Node> = cloud.machines.keys().cloned().collect();
    let step = |action| {
        serde_json::json!({
            "action": action, "title": "", "commands": [], "checks": [], "expected": "", "window": "", "way_back": [],
        })
    };
    let half = names.len().div_ceil(2).min(names.len() - cloud.needed);
    let (first, second) = names.split_at(half);
    let change = |name: &Node| {
        [
            Action::Flip(name.clone()),
            Action::Restart(name.clone()),
            Action::Check(name.clone()),
        ]
    };
    let mut actions = vec![Action::Look];
    actions.extend(first.iter().map(|name| Action::Drain(name.clone())));
    actions.extend(first.iter().flat_map(change));
    actions.push(Action::Switch {
        add: first.to_vec(),
        drain: second.to_vec(),
    });
    for name in second {
        actions.extend(change(name));
        actions.push(Action::Add(name.clone()));
    }
    actions.push(Action::Retire);
    let steps: Vec<_> = actions.iter().map(step).collect();
    let plan = serde_json::json!({
        "version": 1, "inventory_taken_at": 0, "needed": cloud.needed, "nodes": names, "steps": steps,
    });
    serde_json::from_value(plan).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Forward,
    Retire,
    Back,
}

/// One run of the program; `None` when it was killed.
fn run(shared: &Shared, way: Way, kill: Option<(usize, bool)>) -> Option<Result<Outcome, CutoverError>> {
    let (events, plan) = (shared.borrow().events.clone(), plan(shared));
    shared.borrow_mut().calls = 0;
    shared.borrow_mut().kill = kill;
    let port = || Port(Rc::clone(shared));
    let (mut journal, mut balancer, mut control, mut prober, mut wait, mut operator) =
        (port(), port(), port(), port(), port(), port());
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let ports = Ports {
            balancer: &mut balancer,
            control: &mut control,
            prober: &mut prober,
            wait: &mut wait,
            operator: &mut operator,
        };
        let options = CutoverOptions {
            retires: way == Way::Retire,
            limits: Limits {
                settle: Duration::from_secs(1),
                ..Limits::default()
            },
            ..CutoverOptions::default()
        };
        let mut cutover = Cutover::new(&mut journal, &events, ports, options)?;
        match way {
            Way::Forward | Way::Retire => cutover.forward(&plan),
            Way::Back => cutover.back(),
        }
    }));
    shared.borrow_mut().kill = None;
    match ran {
        Ok(ended) => Some(ended),
        Err(payload) if payload.is::<Killed>() => None,
        Err(payload) => resume_unwind(payload),
    }
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
    for (count, needed) in [(2, 1), (3, 1), (5, 2)] {
        let whole = Cloud::new(count, needed);
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
                let shared = Cloud::new(count, needed);
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
    let whole = Cloud::new(3, 1);
    run(&whole, Way::Forward, None).unwrap().unwrap();
    let calls = whole.borrow().calls;
    for kill in (1..=calls).flat_map(|at| [(at, true), (at, false)]) {
        let shared = Cloud::new(3, 1);
        assert!(run(&shared, Way::Forward, Some(kill)).is_none());
        match run(&shared, Way::Back, None).unwrap() {
            Ok(_) => {}
            Err(CutoverError::NothingToTakeBack) => assert!(shared.borrow().events.is_empty()),
            Err(error) => panic!("{kill:?}: {error}"),
        }
        is_all(&shared, TokenForm::Fernet);
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
        ways in prop::collection::vec(way(), 1..8),
    ) {
        let shared = Cloud::new(count, count / 2);
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
        picks in prop::collection::vec((0_usize..7, 0_usize..7, any::<bool>()), 0..40),
    ) {
        let names: Vec<Node> = (0..count).map(|number| node(&format!("n{number}"))).collect();
        let mut pool = Pool::serving(&names, count / 2, TokenForm::Fernet);
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
