//! Whatever the order in which requests come, are prepared and are written.

use super::support::{at, client, grant, scope, token, web};
use super::world::{Answer, Ready, World};
use proptest::prelude::*;
use sealstone_grants::code::CodeRecord;
use sealstone_grants::refresh::FamilyId;
use sealstone_oauth_types::{OpaqueToken, ScopeSet};
use std::collections::BTreeSet;

const GRANTED: &str = "openid profile email groups offline_access";

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// Somebody sends the code.
    Code,
    /// Somebody sends one of the refresh tokens that were ever given, and asks for one of the scopes.
    Refresh { which: usize, scope: usize },
    /// A request that was prepared is written.
    Write { which: usize },
    /// Time passes.
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Code),
        6 => (any::<usize>(), 0..5_usize).prop_map(|(which, scope)| Step::Refresh { which, scope }),
        6 => any::<usize>().prop_map(|which| Step::Write { which }),
        2 => prop_oneof![Just(1), Just(30), Just(61), Just(2_000)].prop_map(|seconds| Step::Wait { seconds }),
    ]
}

const SCOPES: [&str; 5] = [
    "",
    "openid",
    "openid email",
    "groups offline_access",
    "openid admin",
];

struct Run {
    world: World,
    now: u64,
    prepared: Vec<Ready>,
    answers: Vec<Answer>,
    tokens: Vec<String>,
}

impl Run {
    fn new() -> Self {
        let web = client("web", &web());
        let mut world = World::new(std::slice::from_ref(&web));
        world.put_code(CodeRecord {
            hash: token(7).hash(),
            grant: grant(&web, GRANTED),
            redirect_uri: None,
            challenge: None,
            nonce: None,
            issued_at: at(0),
            expires_at: at(60),
            forget_at: at(3600),
        });
        Self {
            world,
            now: 0,
            prepared: Vec::new(),
            answers: Vec::new(),
            tokens: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        let now = at(self.now);
        match step {
            Step::Wait { seconds } => self.now += seconds,
            Step::Code => {
                let code = token(7);
                let form = format!(
                    "grant_type=authorization_code&client_id=web&client_secret={}&code={}",
                    super::support::secret().expose(),
                    code.expose()
                );
                self.prepared.extend(self.world.prepare(&form, None, now));
            }
            Step::Refresh { which, scope } => {
                let Some(token) = self.tokens.get(which % self.tokens.len().max(1)) else {
                    return;
                };
                let more = match SCOPES[*scope] {
                    "" => String::new(),
                    asked => format!("&scope={}", asked.replace(' ', "+")),
                };
                let form = super::refresh::form("web", token, &more);
                self.prepared.extend(self.world.prepare(&form, None, now));
            }
            Step::Write { which } => {
                if self.prepared.is_empty() {
                    return;
                }
                let ready = self.prepared.swap_remove(which % self.prepared.len());
                if let Ok(answer) = self.world.write(ready, now) {
                    self.tokens.extend(answer.refresh_token.clone());
                    self.answers.push(answer);
                }
            }
        }
    }

    /// The refresh tokens that are good for something new: those that a family calls its current one.
    fn live(&self) -> BTreeSet<&str> {
        let is_current = |text: &&String| {
            let token = OpaqueToken::parse(text).unwrap();
            let family = self.world.families.get(&FamilyId::of(&token));
            family.is_some_and(|family| family.current == token.hash())
        };
        self.tokens
            .iter()
            .filter(is_current)
            .map(String::as_str)
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A code is spent once; a family has one live descendant; no token allows more than was granted; no access token
    /// outlives its family unseen.
    #[test]
    fn whatever_the_interleaving(steps in prop::collection::vec(step(), 1..60)) {
        let mut run = Run::new();
        // A first exchange, so that there is something to refresh.
        run.take(&Step::Code);
        run.take(&Step::Write { which: 0 });
        let granted: ScopeSet = scope(GRANTED);
        for step in &steps {
            run.take(step);
            prop_assert!(run.world.families.len() <= 1, "one code, one family");
            prop_assert!(run.live().len() <= 1, "one live descendant");
            let exchanges = run.answers.iter().filter(|answer| answer.issued_at == at(0).as_secs());
            prop_assert!(exchanges.clone().count() >= 1);
            for answer in &run.answers {
                prop_assert!(scope(&answer.scope).is_subset_of(&granted), "{}", answer.scope);
                let is_live = answer.token.is_live(at(run.now));
                let is_known = run.world.families.values().any(|family| family.live.contains(&answer.token));
                prop_assert!(
                    !is_live || is_known || run.world.is_revoked(answer),
                    "an access token is of a family that stands, has ended, or is revoked"
                );
            }
            if run.world.families.is_empty() {
                for answer in &run.answers {
                    prop_assert!(!answer.token.is_live(at(run.now)) || run.world.is_revoked(answer));
                }
            }
        }
    }

    /// Within the grace one parent has one child, whoever asks, and whatever they ask for.
    #[test]
    fn one_parent_has_one_child(asks in prop::collection::vec((0..4_usize, 0..60_u64), 2..20)) {
        let mut run = Run::new();
        run.take(&Step::Code);
        run.take(&Step::Write { which: 0 });
        let parent = run.tokens[0].clone();
        let mut times: Vec<u64> = asks.iter().map(|(_, time)| *time).collect();
        times.sort_unstable();
        let mut children = BTreeSet::new();
        for ((scope, _), time) in asks.iter().zip(times) {
            run.now = time;
            let more = match SCOPES[*scope] {
                "" => String::new(),
                asked => format!("&scope={}", asked.replace(' ', "+")),
            };
            let answer = run.world.ask(&super::refresh::form("web", &parent, &more), at(time)).unwrap();
            children.insert((answer.refresh_token, answer.token.token_id.to_string(), answer.scope, answer.issued_at));
        }
        prop_assert_eq!(children.len(), 1);
    }

    /// Narrowing never widens: of any line of refreshes, each asks what it likes, and gets that or nothing.
    #[test]
    fn narrowing_never_widens(asks in prop::collection::vec(prop::collection::btree_set(0..8_usize, 0..6), 1..12)) {
        let all = ["openid", "profile", "email", "groups", "offline_access", "openstack:api", "reports", "admin"];
        let granted = scope(GRANTED);
        let mut run = Run::new();
        run.take(&Step::Code);
        run.take(&Step::Write { which: 0 });
        let mut last = run.tokens[0].clone();
        for (step, asked) in asks.iter().enumerate() {
            let words: Vec<&str> = asked.iter().map(|index| all[*index]).collect();
            let asked = scope(&words.join(" "));
            let more = if words.is_empty() { String::new() } else { format!("&scope={}", words.join("+")) };
            let time = at(u64::try_from(step).unwrap());
            let got = run.world.ask(&super::refresh::form("web", &last, &more), time);
            prop_assert_eq!(got.is_ok(), asked.is_subset_of(&granted), "{}", asked);
            if let Ok(answer) = got {
                let want = if words.is_empty() { &granted } else { &asked };
                prop_assert_eq!(&scope(&answer.scope), want);
                last = answer.refresh_token.unwrap();
            }
        }
    }
}
