//! A cloud in memory that notices every wrong step, and a run over it that can be cut off at any moment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::super::*;
use crate::balancer::{Balancer, BalancerError, Member, Traffic};
use crate::control::{ControlError, NodeControl};
use crate::cutover::journal::JournalError;
use crate::cutover::ports::{Operator, Prober, Verdict, Wait, Wanted};
use crate::plan::Action;

/// What a process that is killed leaves: nothing.
struct Killed;

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) config: TokenForm,
    pub(super) runs: TokenForm,
    pub(super) takes: bool,
    /// Restarted since it was changed, and seen to be good since.
    pub(super) fit: bool,
    pub(super) bad: bool,
    /// It answers nobody, and the balancer knows.
    pub(super) down: bool,
    /// No bridge stands before it.
    pub(super) bare: bool,
    pub(super) fernet_keys: bool,
}

#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) machines: BTreeMap<Node, Machine>,
    pub(super) needed: usize,
    /// Both kinds may serve side by side.
    pub(super) bridged: bool,
    pub(super) events: Vec<Event>,
    pub(super) calls: usize,
    /// At which call the process is killed, and whether before it has done its work.
    pub(super) kill: Option<(usize, bool)>,
    pub(super) now: u64,
    pub(super) traffic: Traffic,
    /// Answers a second, and how many of a hundred fail, while a JWS node serves.
    pub(super) failing: u64,
    pub(super) agrees: bool,
    pub(super) is_absent: bool,
    pub(super) removed_at: Option<u64>,
    pub(super) asked: usize,
    /// Servers that the balancer has beside the nodes.
    pub(super) others: Vec<String>,
    pub(super) told: Vec<String>,
}

pub(super) type Shared = Rc<RefCell<Cloud>>;

pub(super) fn node(name: &str) -> Node {
    Node::parse(name).unwrap()
}

impl Cloud {
    pub(super) fn new(count: usize, needed: usize) -> Shared {
        let machine = Machine {
            config: TokenForm::Fernet,
            runs: TokenForm::Fernet,
            takes: true,
            fit: true,
            bad: false,
            down: false,
            bare: false,
            fernet_keys: true,
        };
        let names = (0..count).map(|number| node(&format!("n{number}")));
        Rc::new(RefCell::new(Self {
            machines: names.map(|name| (name, machine.clone())).collect(),
            needed,
            bridged: false,
            events: Vec::new(),
            calls: 0,
            kill: None,
            now: 1_795_302_884,
            traffic: Traffic::default(),
            failing: 0,
            agrees: true,
            is_absent: false,
            removed_at: None,
            asked: 0,
            others: Vec::new(),
            told: Vec::new(),
        }))
    }

    /// What must hold whenever anybody looks.
    pub(super) fn is_right(&self) {
        let serving: Vec<(&Node, &Machine)> = self.machines.iter().filter(|(_, found)| found.takes).collect();
        assert!(serving.len() >= self.needed, "too few serve: {self:?}");
        for (name, machine) in &serving {
            assert!(machine.fit, "{name} serves unchecked: {self:?}");
            assert_eq!(machine.config, machine.runs, "{name}");
        }
        let first = serving.first().map(|(_, found)| found.runs);
        assert!(
            self.bridged || serving.iter().all(|(_, found)| Some(found.runs) == first),
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
                healthy: !cloud.machines[name].down,
                open: 0,
            };
            Ok(nodes.iter().map(|name| (name.clone(), member(name))).collect())
        })
    }

    fn others(&mut self, nodes: &[Node]) -> Result<Vec<String>, BalancerError> {
        call(&self.0, |cloud| {
            let others = cloud.others.iter();
            Ok(others
                .filter(|name| !nodes.iter().any(|node| node.as_str() == **name))
                .cloned()
                .collect())
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
                if machine.bad || machine.down || machine.runs != *form {
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

    /// Bridges stand before all nodes but those that lack one.
    fn carried(&mut self, issuers: &[Node], _serving: usize) -> Result<(), String> {
        call(&self.0, |cloud| {
            let runs = |name: &Node| cloud.machines[name].runs;
            let mut bare = cloud
                .machines
                .iter()
                .filter(|(_, found)| found.takes && found.bare);
            let refuses = bare.any(|(_, found)| issuers.iter().any(|issuer| runs(issuer) != found.runs));
            if refuses { Err("401".to_owned()) } else { Ok(()) }
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
    fn can_agree(&self) -> bool {
        !self.0.borrow().is_absent
    }

    fn agrees(&mut self, _op: &Op, _consequence: &str) -> bool {
        call(&self.0, |cloud| {
            cloud.asked += 1;
            cloud.agrees
        })
    }

    fn begins(&mut self, _number: usize, _of: usize, _op: &Op) {}

    fn told(&mut self, text: &str) {
        self.0.borrow_mut().told.push(text.to_owned());
    }
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
            "caching": false, "cache_time_s": 600, "verdict_caching": false, "event_caching": false,
            "event_cache_time_s": 3600, "methods": ["password"],
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
pub(super) fn plan(shared: &Shared) -> Plan {
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
    if cloud.bridged {
        for name in &names {
            actions.push(Action::Drain(name.clone()));
            actions.extend(change(name));
            actions.push(Action::Add(name.clone()));
        }
    } else {
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
    }
    actions.push(Action::Retire);
    let steps: Vec<_> = actions.iter().map(step).collect();
    let plan = serde_json::json!({
        "version": 1, "inventory_taken_at": 0, "needed": cloud.needed, "bridged": cloud.bridged, "nodes": names, "steps": steps,
    });
    serde_json::from_value(plan).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Forward,
    Retire,
    Back,
}

/// One run of the program; `None` when it was killed.
pub(super) fn run(
    shared: &Shared,
    way: Way,
    kill: Option<(usize, bool)>,
) -> Option<Result<Outcome, CutoverError>> {
    run_plan(shared, &plan(shared), way, kill)
}

/// The same with another plan.
pub(super) fn run_plan(
    shared: &Shared,
    plan: &Plan,
    way: Way,
    kill: Option<(usize, bool)>,
) -> Option<Result<Outcome, CutoverError>> {
    let events = shared.borrow().events.clone();
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
            is_bridged: shared.borrow().bridged,
            limits: Limits {
                settle: Duration::from_secs(1),
                ..Limits::default()
            },
            ..CutoverOptions::default()
        };
        let mut cutover = Cutover::new(&mut journal, &events, ports, options)?;
        match way {
            Way::Forward | Way::Retire => cutover.forward(plan),
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
