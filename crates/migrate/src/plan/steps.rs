//! The steps for a pool that issues Fernet tokens throughout.

use super::{Action, PlanOptions, Step};
use crate::impact::span;
use crate::inventory::{Inventory, NodeRecord};
use crate::keys::keys_in_place;
use crate::node::{AbsolutePath, Node};

/// What `sealstone migrate inventory` reads where nothing else is said.
const CONFIGURATION: &str = "/etc/keystone/keystone.conf";

struct Runbook<'a> {
    options: &'a PlanOptions,
    /// The life of a token.
    life: String,
    /// How long services may show an expired one.
    late: String,
    steps: Vec<Step>,
}

pub(super) fn draw(inventory: &Inventory, options: &PlanOptions) -> Vec<Step> {
    let greatest = |of: fn(&NodeRecord) -> u64| inventory.nodes.iter().map(of).max().unwrap_or_default();
    let life = greatest(|node| node.settings.expiration_s);
    let late = life.saturating_add(greatest(|node| node.settings.allow_expired_window_s));
    let runbook = Runbook {
        options,
        life: span(life),
        late: span(late),
        steps: Vec::new(),
    };
    if options.bridged {
        runbook.one_by_one(&inventory.nodes)
    } else {
        runbook.by_halves(&inventory.nodes)
    }
}

fn filled(template: &str, node: &NodeRecord, provider: &str) -> String {
    let file = node.configuration.last().map(ToString::to_string);
    template
        .replace("{node}", node.name.as_str())
        .replace("{file}", &file.unwrap_or_default())
        .replace("{provider}", provider)
}

fn names(nodes: &[NodeRecord]) -> Vec<Node> {
    nodes.iter().map(|node| node.name.clone()).collect()
}

fn list(nodes: &[NodeRecord]) -> String {
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

const fn verb<'a>(nodes: &[NodeRecord], one: &'a str, several: &'a str) -> &'a str {
    if nodes.len() == 1 { one } else { several }
}

/// The command that reads the same files anew; none where a name would mean something to a shell.
fn again(nodes: &[NodeRecord]) -> Option<String> {
    let is_plain = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-:@".contains(c))
    };
    let mut words = vec!["sealstone migrate inventory".to_owned()];
    for node in nodes {
        words.push(format!("--node {}={}", node.name, node.source));
        let files: Vec<&str> = node.configuration.iter().map(AbsolutePath::as_str).collect();
        if !is_plain(&node.source) || !files.iter().copied().all(is_plain) {
            return None;
        }
        if files != [CONFIGURATION] {
            words.extend(
                files
                    .iter()
                    .map(|file| format!("--config-file {}={file}", node.name)),
            );
        }
    }
    words.push("--output json > inventory.now.json".to_owned());
    Some(words.join(" "))
}

impl Runbook<'_> {
    fn by_halves(mut self, nodes: &[NodeRecord]) -> Vec<Step> {
        // The half that goes first serves alone for a while: it gets the odd node.
        let half = nodes.len().div_ceil(2);
        let half = half.min(nodes.len().saturating_sub(self.options.needed.max(1)));
        let (first, second) = nodes.split_at_checked(half).unwrap_or_default();
        self.prepare(nodes);
        for node in first {
            self.drain(node);
        }
        for (place, node) in first.iter().enumerate() {
            self.change(node, first.get(..=place).unwrap_or_default());
        }
        self.switch(first, second);
        for (place, node) in second.iter().enumerate() {
            let changed = first.len().saturating_add(place);
            self.change(node, nodes.get(..=changed).unwrap_or_default());
            self.add(node);
        }
        self.retire();
        self.steps
    }

    /// Bridges let those that were changed serve beside those that were not.
    fn one_by_one(mut self, nodes: &[NodeRecord]) -> Vec<Step> {
        self.prepare(nodes);
        for (place, node) in nodes.iter().enumerate() {
            self.drain(node);
            self.change(node, nodes.get(..=place).unwrap_or_default());
            self.add(node);
        }
        self.retire();
        self.steps
    }

    fn all(&self, template: &str, nodes: &[NodeRecord]) -> Vec<String> {
        nodes.iter().map(|node| filled(template, node, "")).collect()
    }

    fn state(&self, node: &NodeRecord) -> String {
        filled(&self.options.state, node, "")
    }

    fn url(&self, node: &NodeRecord) -> String {
        filled(&self.options.url, node, "")
    }

    fn prepare(&mut self, nodes: &[NodeRecord]) {
        self.steps.push(Step {
            action: Action::Look,
            title: "Take the inventory anew, and see that nothing has changed".to_owned(),
            commands: again(nodes).into_iter().collect(),
            checks: vec!["sealstone migrate keys verify --inventory inventory.now.json".to_owned()],
            expected: format!(
                "{}{}",
                keys_in_place(nodes.len(), nodes.first().map_or(0, |node| node.jws.keys.len())),
                if self.options.bridged {
                    "; the balancer's servers lead to a bridge before each node (`sealstone migrate bridge`)"
                } else {
                    ""
                }
            ),
            window: "none: nothing is changed".to_owned(),
            way_back: vec![],
        });
    }

    fn drain(&mut self, node: &NodeRecord) {
        self.steps.push(Step {
            action: Action::Drain(node.name.clone()),
            title: format!("Drain {}", node.name),
            commands: vec![filled(&self.options.drain, node, "")],
            checks: vec![self.state(node)],
            expected: format!(
                "no open request, and the balancer sends {} nothing new; from HAProxy: 0,DRAIN",
                node.name
            ),
            window: "none for users; the pool is smaller until the node serves again".to_owned(),
            way_back: vec![filled(&self.options.add, node, "")],
        });
    }

    /// Flip, restart, check. `changed` are the nodes that issue JWS tokens by then, this one included.
    fn change(&mut self, node: &NodeRecord, changed: &[NodeRecord]) {
        let flip = |provider| filled(&self.options.flip, node, provider);
        let restart = filled(&self.options.restart, node, "");
        let url = self.url(node);
        let quiet = "none: the node does not serve".to_owned();
        let flipped = Step {
            action: Action::Flip(node.name.clone()),
            title: format!("Set [token] provider = jws on {}", node.name),
            commands: vec![flip("jws")],
            checks: vec![],
            expected: "the command ends without an error".to_owned(),
            window: quiet.clone(),
            way_back: vec![flip("fernet")],
        };
        let restarted = Step {
            action: Action::Restart(node.name.clone()),
            title: format!("Restart Keystone on {}", node.name),
            commands: vec![restart.clone()],
            checks: vec![format!("curl -s -o /dev/null -w '%{{http_code}}\\n' {url}")],
            expected: "200".to_owned(),
            window: quiet.clone(),
            way_back: vec![flip("fernet"), restart.clone()],
        };
        let issue = format!("TOKEN=$(openstack --os-auth-url {url} token issue -f value -c id)");
        let mut checks = vec!["printf %s \"$TOKEN\" | tr -cd . | wc -c".to_owned()];
        checks.extend(changed.iter().map(|other| {
            format!(
                "printf 'X-Auth-Token: %s\\nX-Subject-Token: %s\\n' \"$TOKEN\" \"$TOKEN\" | \
                 curl -s -o /dev/null -w '%{{http_code}}\\n' -H @- {}/auth/tokens",
                self.url(other)
            )
        }));
        let checked = Step {
            action: Action::Check(node.name.clone()),
            title: format!(
                "See that {} issues JWS tokens, and that {} {} them",
                node.name,
                list(changed),
                verb(changed, "takes", "take")
            ),
            commands: vec![issue],
            checks,
            expected: "2 (the dots of a JWS token), then 200 from every node".to_owned(),
            window: quiet,
            way_back: vec![flip("fernet"), restart],
        };
        self.steps.extend([flipped, restarted, checked]);
    }

    fn switch(&mut self, first: &[NodeRecord], second: &[NodeRecord]) {
        let joined = |nodes, template| self.all(template, nodes);
        let (add, drain) = (&self.options.add, &self.options.drain);
        let step = Step {
            action: Action::Switch {
                add: names(first),
                drain: names(second),
            },
            title: format!(
                "Switch: {} {}, {} {} drained",
                list(first),
                verb(first, "serves", "serve"),
                list(second),
                verb(second, "is", "are")
            ),
            commands: [joined(first, add), joined(second, drain)].concat(),
            checks: [
                joined(first, &self.options.state),
                joined(second, &self.options.state),
            ]
            .concat(),
            expected: format!(
                "the balancer sends requests to {} alone; from HAProxy: UP for {}, 0,DRAIN for {}",
                list(first),
                list(first),
                list(second)
            ),
            window: format!(
                "tokens of before are refused from here on, for {} at most, and for long operations (allow_expired) \
                 {}; while these commands run, both kinds serve: run them in one go",
                self.life, self.late
            ),
            way_back: [joined(second, add), joined(first, drain)].concat(),
        };
        self.steps.push(step);
    }

    fn add(&mut self, node: &NodeRecord) {
        self.steps.push(Step {
            action: Action::Add(node.name.clone()),
            title: format!("Let {} serve", node.name),
            commands: vec![filled(&self.options.add, node, "")],
            checks: vec![self.state(node)],
            expected: format!("the balancer sends requests to {} again; from HAProxy: UP", node.name),
            window: if self.options.bridged {
                "none while each node has its bridge: without it, nodes that differ refuse each other's tokens (401)"
            } else {
                "none"
            }
            .to_owned(),
            way_back: vec![filled(&self.options.drain, node, "")],
        });
    }

    fn retire(&mut self) {
        self.steps.push(Step {
            action: Action::Retire,
            title: format!("Not before {} have passed: the Fernet keys may go", self.late),
            commands: vec![],
            checks: vec![],
            expected: "nobody was refused for a Fernet token since the last token of before has ended"
                .to_owned(),
            window: "none; receipts of multi-factor logins have keys of their own, which stay".to_owned(),
            way_back: vec![],
        });
    }
}
