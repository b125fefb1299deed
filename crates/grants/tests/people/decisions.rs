//! What `decide` may never do, whatever is known.

use super::support::{
    CALLBACK, at, client, demo, person_project, project, scope, session_of, user, web, with,
};
use proptest::prelude::*;
use sealstone_grants::consent::Consent;
use sealstone_grants::interaction::{
    Answer, Approved, AuthorizePurpose, Authorizing, Given, LoginDemand, Next, Projects, SignedIn, Steps,
    decide,
};
use sealstone_grants::scopes;
use sealstone_identity::PersonProject;
use sealstone_login::{Acr, Session};
use sealstone_oauth_types::{MaxAge, PromptSet, RedirectUri, ResponseMode, ScopeSet};
use sealstone_registry::{Client, ConsentPolicy};
use serde_json::json;
use std::sync::Arc;

const PROMPTS: [&str; 7] = [
    "",
    "none",
    "login",
    "consent",
    "select_account",
    "login consent",
    "consent select_account",
];
const SCOPES: [&str; 5] = [
    "",
    "openid",
    "openid email",
    "openid openstack:api",
    "openid email openstack:api",
];
const ACRS: [Option<Acr>; 3] = [None, Some(Acr::TwoFactor), Some(Acr::PhishingResistant)];
const PEOPLE: [&str; 2] = ["ada", "eve"];

/// Everything that may be known, drawn.
#[derive(Debug, Clone)]
struct Drawn {
    prompt: usize,
    asked: usize,
    max_age: Option<u32>,
    required: usize,
    wished: usize,
    subject: Option<usize>,
    signed_in: Option<usize>,
    two_factors: bool,
    steps: (bool, bool, bool),
    given: Option<(usize, Option<usize>)>,
    consent: Option<(usize, usize, Option<usize>)>,
    projects: Option<usize>,
    own_client: bool,
    now: u64,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let person = 0..PEOPLE.len();
    let demand = (
        0..PROMPTS.len(),
        0..SCOPES.len(),
        prop::option::of(prop_oneof![Just(0), Just(1), Just(100)]),
        0..ACRS.len(),
        0..ACRS.len(),
        prop::option::of(person.clone()),
    );
    let known = (
        prop::option::of(person.clone()),
        any::<bool>(),
        any::<(bool, bool, bool)>(),
        prop::option::of((person.clone(), prop::option::of(0..4_usize))),
        prop::option::of((person, 0..SCOPES.len(), prop::option::of(0..4_usize))),
        prop::option::of(0..3_usize),
        any::<bool>(),
        prop_oneof![Just(0), Just(1), Just(2), Just(200)],
    );
    (demand, known).prop_map(|(demand, known)| {
        let (prompt, asked, max_age, required, wished, subject) = demand;
        let (signed_in, two_factors, steps, given, consent, projects, own_client, now) = known;
        Drawn {
            prompt,
            asked,
            max_age,
            required,
            wished,
            subject,
            signed_in,
            two_factors,
            steps,
            given,
            consent,
            projects,
            own_client,
            now,
        }
    })
}

/// What is drawn, as it is known.
struct Known {
    client: Arc<Client>,
    request: AuthorizePurpose,
    session: Option<Session>,
    given: Option<Given>,
    consent: Option<Consent>,
    projects: Option<Vec<PersonProject>>,
}

impl Known {
    fn of(drawn: &Drawn) -> Self {
        let policy = if drawn.own_client { "never" } else { "ask" };
        let client = client("web", &with(&web(), "consent", json!(policy)));
        let prompt = PROMPTS[drawn.prompt];
        let prompt = if prompt.is_empty() {
            Ok(PromptSet::default())
        } else {
            PromptSet::parse(prompt)
        };
        let request = AuthorizePurpose {
            client_id: client.id().clone(),
            client_created_at: client.created_at(),
            redirect_uri: RedirectUri::parse(CALLBACK).unwrap(),
            redirect_uri_sent: true,
            response_mode: ResponseMode::Query,
            state: None,
            nonce: None,
            scope: scope(SCOPES[drawn.asked]),
            resources: Vec::new(),
            challenge: None,
            demand: LoginDemand {
                prompt: prompt.unwrap(),
                max_age: drawn.max_age.map(MaxAge::from_seconds),
                required_acr: ACRS[drawn.required],
                wished_acr: ACRS[drawn.wished],
                subject: drawn.subject.map(|index| PEOPLE[index].to_owned()),
            },
            claims: None,
            login_hint: None,
            ui_locales: Default::default(),
        };
        let named = |index: usize| project(&format!("p{index}"));
        Self {
            session: drawn
                .signed_in
                .map(|index| session_of(PEOPLE[index], 1, drawn.two_factors, at(0))),
            given: drawn.given.map(|(who, chosen)| Given {
                user_id: user(PEOPLE[who]),
                answer: match chosen {
                    Some(3) => Answer::Refused,
                    chosen => Answer::Allowed {
                        project: chosen.map(named),
                    },
                },
            }),
            consent: drawn.consent.map(|(who, let_before, chosen)| Consent {
                domain: demo(),
                user_id: user(PEOPLE[who]),
                client_id: client.id().clone(),
                client_created_at: client.created_at(),
                scope: scope(SCOPES[let_before]),
                project: chosen.map(named),
                granted_at: at(0),
            }),
            projects: drawn.projects.map(|count| {
                (0..count)
                    .map(|index| person_project(&format!("p{index}")))
                    .collect()
            }),
            client,
            request,
        }
    }

    fn next(&self, drawn: &Drawn) -> Next {
        let sid = self.session.as_ref().map(Session::sid);
        let (logged_in, stepped_up, selected) = drawn.steps;
        let known = Authorizing {
            request: &self.request,
            steps: Steps {
                logged_in: sid.filter(|_| logged_in),
                stepped_up: sid.filter(|_| stepped_up),
                selected: sid.filter(|_| selected),
                given: self.given.as_ref(),
            },
            signed_in: self.session.as_ref().map(|session| SignedIn {
                session,
                subject: session.user_id().as_str(),
            }),
            client: &self.client,
            consent: self.consent.as_ref(),
            projects: self
                .projects
                .as_deref()
                .map_or(Projects::NotAsked, Projects::Known),
        };
        decide(&known, at(drawn.now))
    }

    /// Whether the client may be given this, by rules that are written here once more, each by itself.
    fn is_right(&self, drawn: &Drawn, approved: &Approved) -> Result<(), &'static str> {
        let session = self.session.as_ref().ok_or("nobody is signed in")?;
        let (demand, grant) = (&self.request.demand, approved.grant());
        let (logged_in, _, selected) = drawn.steps;
        let must = |holds: bool, rule: &'static str| if holds { Ok(()) } else { Err(rule) };
        must(grant.user_id == *session.user_id(), "another person's")?;
        must(grant.scope == self.request.scope, "another scope")?;
        must(Some(session.acr()) >= demand.required_acr, "not sure enough")?;
        let subject = demand.subject.as_deref();
        must(
            subject.is_none_or(|subject| subject == session.user_id().as_str()),
            "not expected",
        )?;
        must(!demand.prompt.login || logged_in, "no login was made")?;
        must(
            !demand.prompt.select_account || selected || logged_in,
            "nobody was selected",
        )?;
        let is_fresh = |limit: MaxAge| limit.as_seconds() > 0 && drawn.now <= u64::from(limit.as_seconds());
        must(demand.max_age.is_none_or(is_fresh) || logged_in, "too old")?;
        let given = self
            .given
            .as_ref()
            .filter(|given| given.user_id == *session.user_id());
        let answer = given.map(|given| &given.answer);
        must(answer != Some(&Answer::Refused), "refused")?;
        let allowed = matches!(answer, Some(Answer::Allowed { .. }));
        must(!demand.prompt.consent || allowed, "not asked again")?;
        let before = self
            .consent
            .as_ref()
            .filter(|consent| consent.user_id == *session.user_id());
        let is_let = |token: &str| {
            let is_own = self.client.consent() == ConsentPolicy::Never && token != scopes::OPENSTACK_API;
            allowed || is_own || before.is_some_and(|before| before.scope.contains(token))
        };
        must(self.request.scope.iter().all(is_let), "not let")?;
        let is_openstack = self.request.scope.contains(scopes::OPENSTACK_API);
        must(
            is_openstack == grant.project.is_some(),
            "a project exactly for OpenStack",
        )?;
        let there = self.projects.as_deref().unwrap_or_default();
        let is_there =
            |id: &sealstone_identity::ProjectId| there.iter().any(|known| known.project.id() == id);
        must(
            grant.project.as_ref().is_none_or(is_there),
            "a project where the person may act",
        )?;
        must(
            approved.remembers().is_none() || given.is_some(),
            "remembered without an answer",
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nothing_is_given_against_a_rule_and_no_page_is_shown_silently(drawn in drawn()) {
        let known = Known::of(&drawn);
        match known.next(&drawn) {
            Next::Finish(approved) => prop_assert_eq!(known.is_right(&drawn, &approved), Ok(())),
            Next::Login(_) | Next::SelectAccount | Next::Consent(_) => {
                prop_assert!(!known.request.demand.prompt.none, "prompt=none shows no page");
            }
            Next::AskProjects => prop_assert!(known.projects.is_none()),
            Next::Denied(_) => {}
        }
    }

    /// What is asked is asked until it is answered, and not beyond: a person who does what each page wants gets through.
    #[test]
    fn who_does_what_is_asked_gets_an_answer(drawn in drawn()) {
        let mut drawn = drawn;
        let mut known = Known::of(&drawn);
        known.given = None;
        drawn.steps = (false, false, false);
        for _page in 0..6 {
            match known.next(&drawn) {
                Next::Denied(_) | Next::Finish(_) => return Ok(()),
                Next::Login(need) => {
                    let who = known.request.demand.subject.clone().unwrap_or_else(|| "ada".to_owned());
                    let is_step_up = need.cause == sealstone_grants::interaction::LoginCause::StepUp;
                    known.session = Some(session_of(&who, 1, true, at(drawn.now)));
                    if is_step_up { drawn.steps.1 = true } else { drawn.steps.0 = true }
                }
                Next::SelectAccount => drawn.steps.2 = true,
                Next::AskProjects => known.projects = Some(vec![person_project("p0"), person_project("p1")]),
                Next::Consent(need) => {
                    let user_id = known.session.as_ref().unwrap().user_id().clone();
                    let chosen = known.projects.as_deref().and_then(<[PersonProject]>::first);
                    let chosen = chosen.map(|chosen| chosen.project.id().clone());
                    let openstack: ScopeSet = scope("openstack:api");
                    let project = chosen.filter(|_| openstack.is_subset_of(&need.scope));
                    known.given = Some(Given { user_id, answer: Answer::Allowed { project } });
                }
            }
        }
        prop_assert!(false, "it goes round in circles");
    }
}
