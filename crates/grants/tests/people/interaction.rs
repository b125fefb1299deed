//! What is due next in a browser: the rules of `prompt`, `max_age`, hints, classes, consent and projects.

use super::support::{
    CALLBACK, at, client, client_of, demo, person_project, project, scope, session, session_of, token, user,
    web, with,
};
use sealstone_grants::authorize::AuthorizationDenial;
use sealstone_grants::consent::Consent;
use sealstone_grants::device::{DeviceDecision, DeviceRequest, DeviceState, Origin};
use sealstone_grants::interaction::{
    Answer, AuthorizePurpose, Authorizing, ConsentNeed, DeviceNext, Given, LoginCause, LoginDemand, Next,
    ProjectNeed, Projects, SignedIn, Steps, csrf_token, decide, decide_device, is_csrf_token,
};
use sealstone_identity::PersonProject;
use sealstone_login::{Acr, AcrWish, Session};
use sealstone_oauth_types::{
    ClaimsRequest, MaxAge, OpaqueToken, PromptSet, RedirectUri, ResponseMode, Secret, UserCode,
};
use sealstone_registry::Client;
use serde_json::json;
use std::sync::Arc;

fn request(client: &Client, asked: &str) -> AuthorizePurpose {
    AuthorizePurpose {
        client_id: client.id().clone(),
        client_created_at: client.created_at(),
        redirect_uri: RedirectUri::parse(CALLBACK).unwrap(),
        redirect_uri_sent: true,
        response_mode: ResponseMode::Query,
        state: None,
        nonce: None,
        scope: scope(asked),
        resources: Vec::new(),
        challenge: None,
        demand: LoginDemand::default(),
        claims: None,
        login_hint: None,
        ui_locales: Default::default(),
    }
}

fn prompted(client: &Client, prompt: &str) -> AuthorizePurpose {
    let mut request = request(client, "openid");
    request.demand.prompt = PromptSet::parse(prompt).unwrap();
    request
}

fn consent(client: &Client, let_before: &str) -> Consent {
    Consent {
        domain: demo(),
        user_id: user("ada"),
        client_id: client.id().clone(),
        client_created_at: client.created_at(),
        scope: scope(let_before),
        project: None,
        granted_at: at(0),
    }
}

fn allowed(by: &str, chosen: Option<&str>) -> Given {
    Given {
        user_id: user(by),
        answer: Answer::Allowed {
            project: chosen.map(project),
        },
    }
}

/// All that is known, to be changed by each test.
struct Known {
    client: Arc<Client>,
    request: AuthorizePurpose,
    session: Option<Session>,
    subject: &'static str,
    consent: Option<Consent>,
    given: Option<Given>,
    logged_in: bool,
    stepped_up: bool,
    selected: bool,
    projects: Option<Vec<PersonProject>>,
}

impl Known {
    /// Somebody who is signed in and has let the client have what it asks for.
    fn new(request: AuthorizePurpose, client: &Arc<Client>) -> Self {
        Self {
            consent: Some(consent(client, "openid profile email groups offline_access")),
            client: Arc::clone(client),
            request,
            session: Some(session("ada")),
            subject: "ada",
            given: None,
            logged_in: false,
            stepped_up: false,
            selected: false,
            projects: None,
        }
    }

    fn next(&self, now: u64) -> Next {
        let sid = self.session.as_ref().map(Session::sid);
        let known = Authorizing {
            request: &self.request,
            steps: Steps {
                logged_in: sid.filter(|_| self.logged_in),
                stepped_up: sid.filter(|_| self.stepped_up),
                selected: sid.filter(|_| self.selected),
                given: self.given.as_ref(),
            },
            signed_in: self.session.as_ref().map(|session| SignedIn {
                session,
                subject: self.subject,
            }),
            client: &self.client,
            consent: self.consent.as_ref(),
            projects: self
                .projects
                .as_deref()
                .map_or(Projects::NotAsked, Projects::Known),
        };
        decide(&known, at(now))
    }

    fn word(&self, now: u64) -> String {
        match self.next(now) {
            Next::Login(need) => format!("login: {:?}", need.cause),
            Next::SelectAccount => "select".into(),
            Next::AskProjects => "ask projects".into(),
            Next::Consent(need) => format!("consent: {} {:?}", need.new, need.project),
            Next::Denied(denial) => format!("denied: {}", denial.rule()),
            Next::Finish(_) => "finish".into(),
        }
    }
}

fn known(client: &Arc<Client>) -> Known {
    Known::new(request(client, "openid"), client)
}

#[test]
fn who_is_signed_in_and_consented_goes_on_without_a_page() {
    let web = client("web", &web());
    let Next::Finish(approved) = known(&web).next(10) else {
        panic!("no page is due");
    };
    assert_eq!(approved.remembers(), None, "nothing new was let");
    assert_eq!(approved.grant().user_id, user("ada"));
    assert_eq!(approved.grant().authenticated_at, at(0));
    assert_eq!(approved.grant().sid.as_ref(), Some(session("ada").sid()));
    let code = approved.into_code(&token(9), at(10));
    assert_eq!((code.expires_at, code.hash), (at(70), token(9).hash()));
    assert_eq!(code.redirect_uri.unwrap().as_str(), CALLBACK);
}

#[test]
fn g27_prompt_none_shows_no_page() {
    let web = client("web", &web());
    let silent = || Known::new(prompted(&web, "none"), &web);
    assert_eq!(silent().word(10), "finish");
    type Change = fn(&mut Known);
    let cases: [(&str, Change, &str); 7] = [
        ("nobody", |known| known.session = None, "denied: login_required"),
        (
            "too old",
            |known| known.request.demand.max_age = Some(MaxAge::from_seconds(5)),
            "denied: login_required",
        ),
        (
            "not sure enough",
            |known| known.request.demand.required_acr = Some(Acr::TwoFactor),
            "denied: login_required",
        ),
        (
            "another person",
            |known| known.request.demand.subject = Some("eve".into()),
            "denied: login_required",
        ),
        (
            "not let",
            |known| known.consent = None,
            "denied: consent_required",
        ),
        (
            "a project that nobody was asked about",
            |known| {
                known.request.scope = scope("openstack:api");
                let let_before = known.consent.as_mut().unwrap();
                let_before.scope = scope("openstack:api");
                let_before.project = Some(project("p9"));
                known.projects = Some(vec![person_project("p1")]);
            },
            "denied: consent_required",
        ),
        (
            "a project to choose",
            |known| {
                known.request.scope = scope("openstack:api");
                known.consent.as_mut().unwrap().scope = scope("openstack:api");
                known.projects = Some(vec![person_project("p1"), person_project("p2")]);
            },
            "denied: consent_required",
        ),
    ];
    for (name, change, want) in cases {
        let mut known = silent();
        change(&mut known);
        assert_eq!(known.word(10), want, "{name}");
    }
    let mut wished = silent();
    wished.request.demand.wished_acr = Some(Acr::TwoFactor);
    assert_eq!(wished.word(10), "denied: login_required", "a page could bring it");
}

#[test]
fn g29_prompt_login_and_max_age_demand_a_login_in_this_interaction() {
    let web = client("web", &web());
    let with_max_age = |seconds| {
        let mut request = request(&web, "openid");
        request.demand.max_age = Some(MaxAge::from_seconds(seconds));
        request
    };
    let cases = [
        (prompted(&web, "login"), 0, "login: AskedFor"),
        (with_max_age(0), 0, "login: TooOld"),
        (with_max_age(1), 2, "login: TooOld"),
        (with_max_age(1), 1, "finish"),
        (with_max_age(10_000), 10_000, "finish"),
        (with_max_age(10_000), 10_001, "login: TooOld"),
        (with_max_age(u32::MAX), 500_000, "finish"),
    ];
    for (request, now, want) in cases {
        let mut known = Known::new(request, &web);
        assert_eq!(known.word(now), want, "{now}");
        known.logged_in = true;
        assert_eq!(known.word(now), "finish", "a login here will do: {now}");
    }
    // A session that was stepped up, or chosen, is none that logged in.
    let mut known = Known::new(prompted(&web, "login"), &web);
    (known.stepped_up, known.selected) = (true, true);
    assert_eq!(known.word(0), "login: AskedFor");
}

#[test]
fn nobody_signed_in_logs_in() {
    let web = client("web", &web());
    for prompt in ["login", "consent", "select_account", "consent login"] {
        let mut known = Known::new(prompted(&web, prompt), &web);
        known.session = None;
        assert_eq!(known.word(0), "login: NobodySignedIn", "{prompt}");
    }
}

#[test]
fn g31_another_person_than_expected() {
    let web = client("web", &web());
    let mut known = known(&web);
    known.request.demand.subject = Some("eve".into());
    assert_eq!(known.word(1), "login: OtherPerson");
    known.logged_in = true;
    assert_eq!(known.word(1), "denied: other_person", "and it is not asked again");
    known.subject = "eve";
    assert_eq!(known.word(1), "finish");
    assert_eq!(AuthorizationDenial::OtherPerson.code().as_str(), "login_required");
}

#[test]
fn a_surer_login_is_a_step_up_and_is_asked_once() {
    let web = client("web", &web());
    let demand = |required: Option<Acr>, wished: Option<Acr>| {
        let mut known = known(&web);
        (known.request.demand.required_acr, known.request.demand.wished_acr) = (required, wished);
        known
    };
    let two = Some(Acr::TwoFactor);
    let wish = |known: &Known| match known.next(1) {
        Next::Login(need) if need.cause == LoginCause::StepUp => Some(need.wish),
        Next::Login(_)
        | Next::SelectAccount
        | Next::AskProjects
        | Next::Consent(_)
        | Next::Denied(_)
        | Next::Finish(_) => None,
    };
    assert_eq!(wish(&demand(two, None)), Some(AcrWish::Required(Acr::TwoFactor)));
    assert_eq!(wish(&demand(None, two)), Some(AcrWish::Preferred(Acr::TwoFactor)));
    assert_eq!(wish(&demand(Some(Acr::OneFactor), None)), None);
    let mut required = demand(two, None);
    required.stepped_up = true;
    assert_eq!(required.word(1), "denied: acr_unmet");
    let mut wished = demand(None, two);
    wished.stepped_up = true;
    assert_eq!(wished.word(1), "finish", "a wish is no demand");
    let mut met = demand(two, None);
    met.session = Some(session_of("ada", 1, true, at(0)));
    assert_eq!(met.word(1), "finish");
}

#[test]
fn select_account_asks_once() {
    let web = client("web", &web());
    let mut known = Known::new(prompted(&web, "select_account"), &web);
    assert_eq!(known.word(1), "select");
    known.selected = true;
    assert_eq!(known.word(1), "finish");
    (known.selected, known.logged_in) = (false, true);
    assert_eq!(known.word(1), "finish", "who logs in has said as whom");
}

#[test]
fn consent_is_asked_for_what_is_new() {
    let web = client("web", &web());
    let cases = [
        ("openid", Some("openid"), "finish"),
        ("openid email", Some("openid email groups"), "finish"),
        ("openid email", Some("openid"), "consent: email NotNeeded"),
        ("openid email", None, "consent: openid email NotNeeded"),
        ("", None, "finish"),
    ];
    for (asked, before, want) in cases {
        let mut known = Known::new(request(&web, asked), &web);
        known.consent = before.map(|before| consent(&web, before));
        assert_eq!(known.word(1), want, "{asked} {before:?}");
    }
}

#[test]
fn consent_of_others_counts_for_nothing() {
    let web_client = client("web", &web());
    let of = consent(&web_client, "openid");
    let anew = client_of("demo", "web", &web(), at(5));
    let cases = [
        (
            "another person",
            Consent {
                user_id: user("eve"),
                ..of.clone()
            },
        ),
        (
            "another client",
            Consent {
                client_id: client("other", &web()).id().clone(),
                ..of.clone()
            },
        ),
        (
            "another registration",
            Consent {
                client_created_at: anew.created_at(),
                ..of.clone()
            },
        ),
        (
            "another domain",
            Consent {
                domain: client_of("elsewhere", "web", &web(), at(0)).domain().clone(),
                ..of
            },
        ),
    ];
    for (name, other) in cases {
        let mut known = known(&web_client);
        known.consent = Some(other);
        assert_eq!(known.word(1), "consent: openid NotNeeded", "{name}");
    }
}

#[test]
fn an_answer_counts_for_who_gave_it() {
    let web = client("web", &web());
    let mut known = known(&web);
    known.consent = None;
    known.given = Some(allowed("eve", None));
    assert_eq!(known.word(1), "consent: openid NotNeeded");
    known.given = Some(Given {
        user_id: user("eve"),
        answer: Answer::Refused,
    });
    assert_eq!(known.word(1), "consent: openid NotNeeded");
    known.given = Some(Given {
        user_id: user("ada"),
        answer: Answer::Refused,
    });
    assert_eq!(known.word(1), "denied: consent_refused");
    known.given = Some(allowed("ada", None));
    let Next::Finish(approved) = known.next(1) else {
        panic!("it was allowed");
    };
    assert_eq!(approved.remembers().unwrap().scope, scope("openid"));
}

#[test]
fn what_was_let_before_is_still_let() {
    let web = client("web", &web());
    let mut known = Known::new(request(&web, "openid email"), &web);
    known.consent = Some(consent(&web, "openid groups gone"));
    known.given = Some(allowed("ada", None));
    let Next::Finish(approved) = known.next(1) else {
        panic!("it was allowed");
    };
    let remembered = approved.remembers().unwrap();
    assert_eq!(
        remembered.scope,
        scope("openid email groups"),
        "but for what is no longer registered"
    );
    assert_eq!(
        approved.grant().scope,
        scope("openid email"),
        "and the grant is what was asked for"
    );
}

#[test]
fn prompt_consent_asks_whatever_was_let() {
    let web = client("web", &web());
    let mut known = Known::new(prompted(&web, "consent"), &web);
    assert_eq!(known.word(1), "consent:  NotNeeded");
    known.given = Some(allowed("ada", None));
    assert_eq!(known.word(1), "finish");
}

#[test]
fn the_clouds_own_clients_are_asked_about_openstack_alone() {
    let own = client("web", &with(&web(), "consent", json!("never")));
    for (asked, want) in [
        ("openid profile email offline_access", "finish"),
        (
            "openid openstack:api",
            "consent: openstack:api Settled(ProjectId(\"p1\"))",
        ),
    ] {
        let mut known = Known::new(request(&own, asked), &own);
        known.consent = None;
        known.projects = Some(vec![person_project("p1")]);
        assert_eq!(known.word(1), want, "{asked}");
    }
}

#[test]
fn claims_by_name_are_asked_about_as_their_scope() {
    let web = client("web", &web());
    let mut known = known(&web);
    known.request.claims =
        ClaimsRequest::parse(r#"{"userinfo":{"name":{"essential":true},"phone_number":null}}"#);
    known.consent = Some(consent(&web, "openid"));
    assert_eq!(known.word(1), "consent: profile NotNeeded");
    known.given = Some(allowed("ada", None));
    let Next::Finish(approved) = known.next(1) else {
        panic!("it was allowed");
    };
    assert_eq!(approved.remembers().unwrap().scope, scope("openid profile"));
    assert_eq!(approved.grant().scope, scope("openid"));
}

#[test]
fn projects_are_chosen_once_and_only_among_those_that_are_there() {
    let web = client("web", &web());
    let openstack = |before: Option<&str>, there: Option<&[&str]>| {
        let mut known = Known::new(request(&web, "openstack:api"), &web);
        let mut let_before = consent(&web, "openstack:api");
        let_before.project = before.map(project);
        known.consent = Some(let_before);
        known.projects = there.map(|there| there.iter().map(|id| person_project(id)).collect());
        known
    };
    let cases = [
        (
            "they were not asked for",
            openstack(Some("p1"), None),
            "ask projects",
        ),
        (
            "there is none",
            openstack(Some("p1"), Some(&[])),
            "denied: no_project",
        ),
        (
            "the only one, and nobody was asked about it",
            openstack(None, Some(&["p2"])),
            "consent:  Settled(ProjectId(\"p2\"))",
        ),
        ("the only one", openstack(Some("p2"), Some(&["p2"])), "finish"),
        (
            "another than the one that was let, and the only one left",
            openstack(Some("p9"), Some(&["p2"])),
            "consent:  Settled(ProjectId(\"p2\"))",
        ),
        ("remembered", openstack(Some("p2"), Some(&["p1", "p2"])), "finish"),
        (
            "remembered, and gone",
            openstack(Some("p9"), Some(&["p1", "p2"])),
            "consent:  Choose",
        ),
        (
            "to choose",
            openstack(None, Some(&["p1", "p2"])),
            "consent:  Choose",
        ),
    ];
    for (name, known, want) in cases {
        assert_eq!(known.word(1), want, "{name}");
    }
    for (chosen, want) in [
        (Some("p2"), Some(project("p2"))),
        (Some("p9"), None),
        (None, None),
    ] {
        let mut known = openstack(None, Some(&["p1", "p2"]));
        known.given = Some(allowed("ada", chosen));
        let got = match known.next(1) {
            Next::Finish(approved) => approved.grant().project.clone(),
            Next::Consent(ConsentNeed { project, .. }) => {
                assert_eq!(project, ProjectNeed::Choose);
                None
            }
            Next::Login(_) | Next::SelectAccount | Next::AskProjects | Next::Denied(_) => {
                panic!("{chosen:?}")
            }
        };
        assert_eq!(got, want);
    }
    let mut fresh = openstack(Some("p1"), Some(&["p1", "p2"]));
    fresh.given = Some(allowed("ada", Some("p2")));
    let Next::Finish(approved) = fresh.next(1) else {
        panic!("it was chosen");
    };
    assert_eq!(
        approved.remembers().unwrap().project,
        Some(project("p2")),
        "what was said last counts"
    );
}

#[test]
fn a_client_that_changed_meanwhile_gets_nothing() {
    let web_client = client("web", &web());
    let disabled = Arc::new(web_client.with_enabled(false, at(1)));
    for (name, now) in [
        ("disabled", disabled),
        ("made anew", client_of("demo", "web", &web(), at(5))),
        ("another", client("other", &web())),
    ] {
        let mut known = known(&web_client);
        known.client = now;
        assert_eq!(known.word(6), "denied: request_outdated", "{name}");
    }
}

fn device(client: &Client, asked: &str) -> DeviceRequest {
    DeviceRequest {
        hash: token(7).hash(),
        user_code: UserCode::from_octets([1; 8]),
        domain: demo(),
        client_id: client.id().clone(),
        client_created_at: client.created_at(),
        scope: scope(asked),
        resources: Vec::new(),
        bound_to: None,
        origin: Origin::default(),
        created_at: at(0),
        expires_at: at(600),
        interval_s: 5,
        polled_at: None,
        state: DeviceState::Pending,
    }
}

#[test]
fn l07_a_device_is_confirmed_each_time_and_never_by_opening_a_link() {
    let web_client = client("web", &web());
    let ada = session("ada");
    let signed_in = Some(SignedIn {
        session: &ada,
        subject: "ada",
    });
    let next = |request: &DeviceRequest, signed_in, given: Option<&Given>, client: &Client, now| {
        let steps = Steps {
            given,
            ..Steps::default()
        };
        let there = [person_project("p1"), person_project("p2")];
        decide_device(
            request,
            steps,
            signed_in,
            client,
            Projects::Known(&there),
            at(now),
        )
    };
    let request = device(&web_client, "openid");
    assert!(matches!(
        next(&request, None, None, &web_client, 1),
        DeviceNext::Login(_)
    ));
    let confirm = DeviceNext::Confirm(ProjectNeed::NotNeeded);
    assert_eq!(next(&request, signed_in, None, &web_client, 1), confirm);
    assert_eq!(
        next(&request, signed_in, Some(&allowed("eve", None)), &web_client, 1),
        confirm
    );
    assert_eq!(
        next(&request, signed_in, None, &web_client, 600),
        DeviceNext::Over
    );
    let DeviceNext::Decide(DeviceDecision::Approve(grant)) =
        next(&request, signed_in, Some(&allowed("ada", None)), &web_client, 1)
    else {
        panic!("it was allowed");
    };
    assert_eq!((grant.user_id, grant.sid), (user("ada"), None));
    let refused = Given {
        user_id: user("ada"),
        answer: Answer::Refused,
    };
    assert_eq!(
        next(&request, signed_in, Some(&refused), &web_client, 1),
        DeviceNext::Decide(DeviceDecision::Deny)
    );
    let openstack = device(&web_client, "openstack:api");
    assert_eq!(
        next(&openstack, signed_in, Some(&allowed("ada", None)), &web_client, 1),
        DeviceNext::Confirm(ProjectNeed::Choose)
    );
    let DeviceNext::Decide(DeviceDecision::Approve(grant)) = next(
        &openstack,
        signed_in,
        Some(&allowed("ada", Some("p2"))),
        &web_client,
        1,
    ) else {
        panic!("it was allowed");
    };
    assert_eq!(grant.project, Some(project("p2")));
    for (name, state) in [
        ("refused before", DeviceState::Denied),
        ("approved before", DeviceState::Approved(grant)),
    ] {
        let decided = DeviceRequest {
            state,
            ..request.clone()
        };
        let got = next(&decided, signed_in, Some(&allowed("ada", None)), &web_client, 1);
        assert_eq!(got, DeviceNext::Over, "{name}");
    }
    let anew = client_of("demo", "web", &web(), at(5));
    assert_eq!(
        next(&request, signed_in, Some(&allowed("ada", None)), &anew, 6),
        DeviceNext::Over
    );
}

#[test]
fn a_device_logs_in_as_surely_as_its_client_demands() {
    let strict = client(
        "web",
        &with(&web(), "minimum_acr", json!("urn:sealstone:acr:two-factor")),
    );
    let request = device(&strict, "openid");
    let next = |session: &Session, stepped_up: bool| {
        let steps = Steps {
            stepped_up: stepped_up.then(|| session.sid()),
            ..Steps::default()
        };
        let signed_in = SignedIn {
            session,
            subject: "ada",
        };
        decide_device(
            &request,
            steps,
            Some(signed_in),
            &strict,
            Projects::NotAsked,
            at(1),
        )
    };
    let (one, two) = (session("ada"), session_of("ada", 2, true, at(0)));
    assert!(matches!(next(&one, false), DeviceNext::Login(need) if need.cause == LoginCause::StepUp));
    assert_eq!(next(&one, true), DeviceNext::AcrUnmet);
    assert_eq!(next(&two, false), DeviceNext::Confirm(ProjectNeed::NotNeeded));
}

#[test]
fn g34_g35_l08_the_anti_forgery_token_is_of_one_interaction_in_one_browser() {
    let [one, other] = [[1; 32], [2; 32]].map(OpaqueToken::from_octets);
    let right = csrf_token(&one, &other);
    let sent = |token: &OpaqueToken| Secret::from(token.expose());
    assert!(is_csrf_token(&sent(&right), &one, &other));
    for wrong in [
        &one,
        &other,
        &csrf_token(&other, &one),
        &csrf_token(&one, &one),
        &csrf_token(&other, &other),
    ] {
        assert!(!is_csrf_token(&sent(wrong), &one, &other));
    }
    for wrong in ["", "x", &right.expose()[1..]] {
        assert!(!is_csrf_token(&Secret::from(wrong), &one, &other));
    }
}
