//! Group N: signing out.

use super::support::{at, client, client_of, demo, session, web};
use sealstone_grants::interaction::SignedIn;
use sealstone_grants::logout::{AfterLogout, LogoutHint, LogoutNext, LogoutNotice, NeedsHint};
use sealstone_login::Session;
use sealstone_oauth_types::{AuthorizationParameters, ClientId, EndSessionRequest, TokenId};
use sealstone_registry::Client;
use std::sync::Arc;

const BYE: &str = "post_logout_redirect_uri=https://app.example/bye";

fn hint(client: &str, subject: &str) -> LogoutHint {
    LogoutHint::Of {
        client_id: ClientId::parse(client).unwrap(),
        subject: subject.into(),
    }
}

fn ask(query: &str, hint: LogoutHint, found: Option<Arc<Client>>, session: Option<&Session>) -> String {
    let parameters = AuthorizationParameters::parse(query.as_bytes()).unwrap();
    let step = NeedsHint::new(EndSessionRequest::parse(&parameters)).with_hint(hint);
    let found = found.filter(|client| step.client_id() == Some(client.id()));
    let asked = step.with_client(found, &demo());
    let signed_in = session.map(|session| SignedIn {
        session,
        subject: "ada",
    });
    let there = |after: Option<AfterLogout>| after.map_or_else(|| "page".into(), |after| after.url());
    match asked.decide(signed_in) {
        LogoutNext::Ask(purpose) => format!("ask, then {}", there(AfterLogout::of(&purpose))),
        LogoutNext::End(after) => format!("end, then {}", there(after)),
        LogoutNext::NobodySignedIn(after) => format!("nobody, then {}", there(after)),
    }
}

/// Who may sign out whom, and goes where: the cases of one row of the catalogue.
fn holds(row: &str) {
    let web_client = client("web", &web());
    let (bye, other) = ("https://app.example/bye", "https://evil.example/");
    let evil = format!("post_logout_redirect_uri={other}");
    let with_query = format!("{BYE}?x=1");
    let ada = hint("web", "ada");
    let cases = [
        (
            "a hint of who is signed in",
            BYE,
            ada.clone(),
            format!("end, then {bye}"),
        ),
        ("N13 nowhere to go", "", ada.clone(), "end, then page".into()),
        (
            "N09 a state with markup",
            &format!("{BYE}&state=%22%3E%3Cscript%3E"),
            ada.clone(),
            format!("end, then {bye}?state=%22%3E%3Cscript%3E"),
        ),
        (
            "N05 an unregistered address",
            &evil,
            ada.clone(),
            "end, then page".into(),
        ),
        (
            "N06 a query added",
            &with_query,
            ada.clone(),
            "end, then page".into(),
        ),
        (
            "N05 a state without an address",
            "state=x",
            ada.clone(),
            "end, then page".into(),
        ),
        (
            "N07 not believed",
            BYE,
            LogoutHint::NotBelieved,
            "ask, then page".into(),
        ),
        (
            "N07 not believed, the client named",
            &format!("{BYE}&client_id=web"),
            LogoutHint::NotBelieved,
            "ask, then page".into(),
        ),
        (
            "N07 of another person",
            BYE,
            hint("web", "eve"),
            "ask, then page".into(),
        ),
        (
            "N07 of a client that is none",
            BYE,
            hint("gone", "ada"),
            "ask, then page".into(),
        ),
        (
            "N07 of another client than is named",
            &format!("{BYE}&client_id=web"),
            hint("other", "ada"),
            "ask, then page".into(),
        ),
        (
            "N08 nothing at all",
            "",
            LogoutHint::None,
            "ask, then page".into(),
        ),
        (
            "N08 an address alone",
            BYE,
            LogoutHint::None,
            "ask, then page".into(),
        ),
        (
            "N08 a client and its address",
            &format!("{BYE}&client_id=web"),
            LogoutHint::None,
            format!("ask, then {bye}"),
        ),
        (
            "N05 a client and another's address",
            &format!("{evil}&client_id=web"),
            LogoutHint::None,
            "ask, then page".into(),
        ),
        (
            "N08 what can't be read",
            "client_id=web&client_id=web",
            LogoutHint::None,
            "ask, then page".into(),
        ),
        (
            "N05 an address that is none",
            "client_id=web&post_logout_redirect_uri=//evil.example",
            LogoutHint::None,
            "ask, then page".into(),
        ),
    ];
    let ada_session = session("ada");
    assert!(cases.iter().any(|(name, ..)| name.starts_with(row)), "{row}");
    for (name, query, hint, want) in cases.into_iter().filter(|(name, ..)| name.starts_with(row)) {
        let got = ask(query, hint, Some(Arc::clone(&web_client)), Some(&ada_session));
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn n05_an_unregistered_address_is_not_gone_to() {
    holds("N05");
}

#[test]
fn n06_an_address_with_a_query_added_is_another() {
    holds("N06");
}

#[test]
fn n07_a_hint_that_is_not_believed_asks_the_person() {
    holds("N07");
}

#[test]
fn n08_without_a_hint_the_person_is_asked() {
    holds("N08");
}

#[test]
fn n09_a_state_is_encoded() {
    holds("N09");
}

#[test]
fn n13_a_hint_of_who_is_signed_in_ends_the_session() {
    holds("N13");
}

#[test]
fn n13_nobody_signed_in_is_asked_nothing() {
    let web_client = client("web", &web());
    let found = || Some(Arc::clone(&web_client));
    assert_eq!(
        ask(BYE, hint("web", "ada"), found(), None),
        "nobody, then https://app.example/bye"
    );
    let named = format!("{BYE}&client_id=web");
    assert_eq!(ask(&named, LogoutHint::None, found(), None), "nobody, then page");
}

#[test]
fn n07_a_client_of_another_domain_or_a_disabled_one_speaks_for_nobody() {
    let elsewhere = client_of("elsewhere", "web", &web(), at(0));
    let disabled = Arc::new(client("web", &web()).with_enabled(false, at(1)));
    let ada = session("ada");
    for found in [elsewhere, disabled] {
        assert_eq!(
            ask(BYE, hint("web", "ada"), Some(found), Some(&ada)),
            "ask, then page"
        );
    }
}

#[test]
fn n11_a_receiver_that_fails_is_tried_for_a_while_and_given_up() {
    let ada = session("ada");
    let mut notice = LogoutNotice {
        id: TokenId::parse("n1").unwrap(),
        domain: demo(),
        client_id: ClientId::parse("web").unwrap(),
        subject: "ada".into(),
        sid: ada.sid().clone(),
        created_at: at(0),
        due_at: at(0),
        tries: 0,
    };
    let mut waits = Vec::new();
    let mut now = at(0);
    while let Some(next) = notice.clone().after_failure(now) {
        waits.push(next.due_at.as_secs() - now.as_secs());
        (now, notice) = (next.due_at, next);
    }
    assert_eq!(waits, [15, 30, 60, 120, 240, 480]);
}
