//! Group H: authorization codes and PKCE at the token endpoint.

use super::support::{
    CALLBACK, CHALLENGE, VERIFIER, at, bound, certificate, client, client_of, grant, person, public, secret,
    session, session_of, token, user, web, with,
};
use super::world::World;
use sealstone_grants::code::{CODE_LIFETIME, CODE_MEMORY, CodeRecord, CodeState};
use sealstone_grants::token::Target;
use sealstone_grants::{Denial, GrantDenial};
use sealstone_identity::LoginRefusal;
use sealstone_oauth_types::{CodeChallenge, Nonce, RedirectUri, ResourceUri};
use sealstone_registry::Client;
use serde_json::json;
use std::sync::Arc;

fn record(client: &Client, scope: &str) -> CodeRecord {
    CodeRecord {
        hash: token(7).hash(),
        grant: grant(client, scope),
        redirect_uri: Some(RedirectUri::parse(CALLBACK).unwrap()),
        challenge: Some(CodeChallenge::parse(CHALLENGE).unwrap()),
        nonce: Nonce::parse("n"),
        issued_at: at(0),
        expires_at: at(CODE_LIFETIME.as_secs()),
        forget_at: at(CODE_MEMORY.as_secs()),
    }
}

fn world(client: &Arc<Client>, scope: &str) -> World {
    let mut world = World::new(std::slice::from_ref(client));
    world.put_code(record(client, scope));
    world
}

fn form(client: &str, more: &str) -> String {
    let code = token(7);
    let (code, secret) = (code.expose(), secret());
    let secret = secret.expose();
    format!("grant_type=authorization_code&client_id={client}&client_secret={secret}&code={code}{more}")
}

fn right() -> String {
    form(
        "web",
        &format!("&redirect_uri={CALLBACK}&code_verifier={VERIFIER}"),
    )
}

fn is_fresh(world: &World) -> bool {
    world
        .codes
        .values()
        .all(|stored| stored.state == CodeState::Fresh)
}

#[test]
fn a_code_gives_what_was_granted() {
    let web = client("web", &web());
    let mut world = world(&web, "openid offline_access openstack:api");
    let answer = world.ask(&right(), at(30)).unwrap();
    assert_eq!(answer.scope, "openid offline_access openstack:api");
    assert_eq!(answer.target, Target::OpenstackServices);
    assert_eq!(answer.roles, ["member", "reader"]);
    let family = world.family_of(answer.refresh_token.as_deref().unwrap()).unwrap();
    assert_eq!(family.live, std::slice::from_ref(&answer.token));
    assert_eq!(family.generation, 0);
}

/// A wrong proof is refused, and the right one comes too late then.
fn spends(name: &str, more: &str, want: GrantDenial) {
    let web = client("web", &web());
    let mut world = world(&web, "openid");
    assert_eq!(world.ask(&form("web", more), at(1)), Err(want.into()), "{name}");
    let again = world.ask(&right(), at(1));
    assert_eq!(again, Err(GrantDenial::CodeSpent.into()), "{name}");
}

#[test]
fn h04_no_verifier_spends_the_code() {
    spends(
        "none",
        &format!("&redirect_uri={CALLBACK}"),
        GrantDenial::NoVerifier,
    );
}

#[test]
fn h05_a_wrong_verifier_spends_the_code() {
    let other = "e9melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (name, wrong) in [("another", other), ("equal to the challenge", CHALLENGE)] {
        let more = format!("&redirect_uri={CALLBACK}&code_verifier={wrong}");
        spends(name, &more, GrantDenial::WrongVerifier);
    }
}

#[test]
fn h10_another_redirect_uri_spends_the_code() {
    let verifier = format!("&code_verifier={VERIFIER}");
    spends("missing", &verifier, GrantDenial::OtherRedirectUri);
    for other in [
        "https://app.example/cb/",
        "https://app.example/",
        "https://evil.example/cb",
    ] {
        spends(
            other,
            &format!("&redirect_uri={other}{verifier}"),
            GrantDenial::OtherRedirectUri,
        );
    }
}

#[test]
fn h06_a_malformed_verifier_is_refused_before_the_code_is_looked_at() {
    let web = client("web", &web());
    for malformed in [
        "a".repeat(42),
        "a".repeat(129),
        format!("{VERIFIER}%2B"),
        format!("{VERIFIER}%3D"),
    ] {
        let mut world = world(&web, "openid");
        let form = form(
            "web",
            &format!("&redirect_uri={CALLBACK}&code_verifier={malformed}"),
        );
        let denial = world.ask(&form, at(1)).unwrap_err();
        assert_eq!(denial.code().as_str(), "invalid_grant", "{malformed}");
        assert!(is_fresh(&world));
    }
}

#[test]
fn h07_a_verifier_without_a_challenge_is_a_downgrade() {
    let web = client("web", &with(&web(), "require_pkce", json!(false)));
    for (name, more, want) in [
        ("no verifier", String::new(), None),
        (
            "a verifier",
            format!("&code_verifier={VERIFIER}"),
            Some(GrantDenial::UnexpectedVerifier),
        ),
    ] {
        let mut world = World::new(&[Arc::clone(&web)]);
        world.put_code(CodeRecord {
            challenge: None,
            ..record(&web, "openid")
        });
        let got = world.ask(&form("web", &format!("&redirect_uri={CALLBACK}{more}")), at(1));
        assert_eq!(got.err(), want.map(Denial::from), "{name}");
    }
}

#[test]
fn h08_a_second_use_ends_what_the_first_gave() {
    let web = client("web", &web());
    for later in [1, 30, 59, 60, 899] {
        let mut world = world(&web, "openid offline_access");
        let first = world.ask(&right(), at(0)).unwrap();
        assert_eq!(world.ask(&right(), at(later)), Err(GrantDenial::CodeSpent.into()));
        assert!(world.is_revoked(&first), "{later}");
        assert!(world.families.is_empty(), "{later}");
    }
}

#[test]
fn h08_a_second_use_ends_what_was_refreshed_since() {
    let web = client("web", &web());
    let mut world = world(&web, "openid offline_access");
    let first = world.ask(&right(), at(0)).unwrap();
    let refreshed = super::refresh::refresh(
        &mut world,
        "web",
        first.refresh_token.as_deref().unwrap(),
        "",
        at(10),
    );
    let refreshed = refreshed.unwrap();
    assert_eq!(world.ask(&right(), at(20)), Err(GrantDenial::CodeSpent.into()));
    assert!(world.is_revoked(&first) && world.is_revoked(&refreshed));
    let next = super::refresh::refresh(
        &mut world,
        "web",
        refreshed.refresh_token.as_deref().unwrap(),
        "",
        at(21),
    );
    assert_eq!(next, Err(GrantDenial::UnknownRefreshToken.into()));
}

#[test]
fn h08_two_exchanges_that_race_give_one_answer() {
    let web = client("web", &web());
    let mut world = world(&web, "openid offline_access");
    let one = world.prepare(&right(), None, at(1)).unwrap();
    let other = world.prepare(&right(), None, at(1)).unwrap();
    let first = world.write(one, at(1)).unwrap();
    assert_eq!(world.write(other, at(1)), Err(GrantDenial::CodeSpent.into()));
    assert!(world.is_revoked(&first) && world.families.is_empty());
}

#[test]
fn h09_another_clients_code_is_neither_given_nor_spent() {
    let (web, other) = (client("web", &web()), client("other", &web()));
    let mut world = World::new(&[Arc::clone(&web), other]);
    world.put_code(record(&web, "openid"));
    let stolen = form(
        "other",
        &format!("&redirect_uri={CALLBACK}&code_verifier={VERIFIER}"),
    );
    assert_eq!(
        world.ask(&stolen, at(1)),
        Err(GrantDenial::CodeOfAnotherClient.into())
    );
    assert!(is_fresh(&world));
    assert!(world.ask(&right(), at(2)).is_ok());
}

#[test]
fn h11_a_code_lives_for_a_minute() {
    let web = client("web", &web());
    for (age, is_good) in [(0, true), (59, true), (60, false), (61, false), (3000, false)] {
        let mut world = world(&web, "openid");
        let got = world.ask(&right(), at(age));
        let want = (!is_good).then_some(Denial::Grant(GrantDenial::CodeExpired));
        assert_eq!(got.err(), want, "{age}");
    }
}

#[test]
fn h12_a_code_that_never_was_is_refused() {
    let web = client("web", &web());
    let mut world = world(&web, "openid");
    for guess in [token(1), token(8)] {
        let form = right().replace(token(7).expose(), guess.expose());
        assert_eq!(world.ask(&form, at(1)), Err(GrantDenial::UnknownCode.into()));
    }
    for malformed in ["x", &"a".repeat(44), &"A".repeat(42)] {
        let form = right().replace(token(7).expose(), malformed);
        let denial = world.ask(&form, at(1)).unwrap_err();
        assert_eq!(denial.code().as_str(), "invalid_grant", "{malformed}");
    }
    assert!(is_fresh(&world));
}

#[test]
fn h14_the_person_is_looked_at_again() {
    let web = client("web", &web());
    let mut changed = person("ada");
    changed.valid_since = Some(at(5));
    let cases = [
        (
            "gone or disabled",
            Err(LoginRefusal::Person),
            GrantDenial::PersonRefused(LoginRefusal::Person),
        ),
        ("password changed", Ok(changed), GrantDenial::LoginOutdated),
        ("another person", Ok(person("eve")), GrantDenial::OtherPerson),
    ];
    for (name, now, want) in cases {
        let mut world = world(&web, "openid offline_access");
        world.people.insert(user("ada"), now);
        assert_eq!(world.ask(&right(), at(10)), Err(want.into()), "{name}");
        assert!(world.families.is_empty());
        world.people.insert(user("ada"), Ok(person("ada")));
        assert_eq!(
            world.ask(&right(), at(11)),
            Err(GrantDenial::CodeSpent.into()),
            "{name}"
        );
    }
}

#[test]
fn h14_authority_is_that_of_now() {
    let web = client("web", &web());
    let mut one = world(&web, "openstack:api");
    one.roles = vec!["reader"];
    assert_eq!(one.ask(&right(), at(1)).unwrap().roles, ["reader"]);
    let mut none = world(&web, "openstack:api");
    none.roles = vec![];
    let want = GrantDenial::PersonRefused(LoginRefusal::NoRole);
    assert_eq!(none.ask(&right(), at(1)), Err(want.into()));
}

#[test]
fn n13_a_code_of_a_session_that_ended_gives_nothing() {
    let web = client("web", &web());
    let cases = [
        ("signed out", None),
        ("another session", Some(session_of("ada", 2, false, at(0)))),
        ("another person's", Some(session_of("eve", 1, false, at(0)))),
    ];
    for (name, found) in cases {
        let mut world = world(&web, "openid offline_access");
        world.session = found;
        assert_eq!(
            world.ask(&right(), at(1)),
            Err(GrantDenial::SessionEnded.into()),
            "{name}"
        );
        world.session = Some(session("ada"));
        assert_eq!(
            world.ask(&right(), at(2)),
            Err(GrantDenial::CodeSpent.into()),
            "{name}"
        );
    }
}

#[test]
fn n13_who_signs_out_while_a_code_is_exchanged_is_signed_out() {
    let web = client("web", &web());
    let mut world = world(&web, "openid");
    let ready = world.prepare(&right(), None, at(1)).unwrap();
    world.session = None;
    assert_eq!(world.write(ready, at(1)), Err(GrantDenial::SessionEnded.into()));
    assert!(world.families.is_empty());
    assert_eq!(
        world.revoked.len(),
        1,
        "the access token that was about to be given"
    );
}

#[test]
fn a_code_whose_consent_was_taken_back_gives_nothing() {
    let web = client("web", &web());
    let mut world = world(&web, "openid offline_access");
    world.lets = false;
    assert_eq!(world.ask(&right(), at(1)), Err(GrantDenial::ConsentEnded.into()));
    assert!(world.families.is_empty());
    assert_eq!(
        world.revoked.len(),
        1,
        "the access token that was about to be given"
    );
    world.lets = true;
    assert_eq!(world.ask(&right(), at(2)), Err(GrantDenial::CodeSpent.into()));
}

#[test]
fn a_code_of_a_client_that_needs_no_consent_goes_without() {
    let mut registration = web();
    registration["consent"] = json!("never");
    let web = client("web", &registration);
    let mut world = world(&web, "openid");
    world.lets = false;
    assert!(world.ask(&right(), at(1)).is_ok());
}

#[test]
fn h15_a_client_that_lost_the_grant_gets_nothing() {
    let web_before = client("web", &web());
    let device_only = json!({
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"],
        "scope": "openid"
    });
    let cases = [
        ("the grant type", device_only, Denial::UnauthorizedGrantType),
        (
            "every scope",
            with(&web(), "scope", json!("other")),
            GrantDenial::GrantLost.into(),
        ),
    ];
    for (name, registration, want) in cases {
        let mut world = world(&web_before, "openid profile");
        let now = client("web", &registration);
        world.clients.insert(now.id().clone(), now);
        assert_eq!(world.ask(&right(), at(1)), Err(want), "{name}");
    }
    let mut world = world(&web_before, "openid profile");
    let narrowed = client("web", &with(&web(), "scope", json!("openid")));
    world.clients.insert(narrowed.id().clone(), narrowed);
    assert_eq!(world.ask(&right(), at(1)).unwrap().scope, "openid");
}

#[test]
fn h15_a_client_of_the_same_id_is_not_the_one_of_then() {
    let mut world = world(&client("web", &web()), "openid");
    let anew = client_of("demo", "web", &web(), at(1));
    world.clients.insert(anew.id().clone(), anew);
    assert_eq!(
        world.ask(&right(), at(2)),
        Err(GrantDenial::RegisteredAnew.into())
    );
}

#[test]
fn h16_a_code_of_another_domain_is_no_code_here() {
    let there = client_of("elsewhere", "web", &web(), at(0));
    let mut world = World::new(&[client("web", &web())]);
    world.put_code(record(&there, "openid"));
    assert_eq!(
        world.ask(&right(), at(1)),
        Err(GrantDenial::CodeOfAnotherClient.into())
    );
    assert!(is_fresh(&world));
}

#[test]
fn a_failed_client_authentication_consumes_nothing() {
    let web = client("web", &web());
    let mut world = world(&web, "openid offline_access");
    let wrong = right().replace(secret().expose(), "wrong");
    assert_eq!(world.ask(&wrong, at(1)), Err(Denial::WrongSecret));
    assert!(is_fresh(&world));
    assert!(world.ask(&right(), at(2)).is_ok());
}

#[test]
fn a_bound_client_gets_a_bound_token_or_none() {
    let bound = client("bound", &bound());
    let form = form(
        "bound",
        &format!("&redirect_uri={CALLBACK}&code_verifier={VERIFIER}"),
    );
    let form = form.replace(&format!("&client_secret={}", secret().expose()), "");
    let mut world = World::new(&[Arc::clone(&bound)]);
    world.put_code(record(&bound, "openid offline_access"));
    assert_eq!(world.ask(&form, at(1)), Err(Denial::NoCertificate));
    assert!(is_fresh(&world));
    let answer = world.ask_with(&form, Some(certificate(1)), at(2)).unwrap();
    assert!(answer.is_bound);
}

#[test]
fn a_public_client_proves_nothing_but_the_verifier() {
    let cli = client("cli", &public());
    let mut world = World::new(&[Arc::clone(&cli)]);
    world.put_code(record(&cli, "openid"));
    let form = right().replace("client_id=web", "client_id=cli");
    assert_eq!(world.ask(&form, at(1)), Err(Denial::OtherMethod), "with a secret");
    let form = form.replace(&format!("&client_secret={}", secret().expose()), "");
    assert!(world.ask(&form, at(2)).is_ok());
}

#[test]
fn resources_of_the_request_are_the_audience_and_may_be_fewer() {
    let resources = json!(["https://reports.example", "https://logs.example"]);
    let web = client("web", &with(&web(), "resources", resources));
    let of = |names: &[&str]| -> Vec<ResourceUri> {
        let uri = |name: &&str| ResourceUri::parse(&format!("https://{name}.example")).unwrap();
        names.iter().map(uri).collect()
    };
    let cases = [
        ("", Ok(of(&["reports", "logs"]))),
        ("&resource=https://logs.example", Ok(of(&["logs"]))),
        (
            "&resource=https://other.example",
            Err(GrantDenial::TargetBeyondGrant),
        ),
        (
            "&resource=https://logs.example&resource=https://other.example",
            Err(GrantDenial::TargetBeyondGrant),
        ),
    ];
    for (more, want) in cases {
        let mut world = World::new(&[Arc::clone(&web)]);
        let mut record = record(&web, "reports");
        record.grant.resources = of(&["reports", "logs"]);
        world.put_code(record);
        let got = world.ask(&format!("{}{more}", right()), at(1));
        let want = want.map(Target::Resources).map_err(Denial::from);
        assert_eq!(got.map(|answer| answer.target), want, "{more}");
        assert_eq!(
            is_fresh(&world),
            more.contains("other"),
            "what goes too far spends nothing"
        );
    }
}

#[test]
fn openstack_without_a_project_gives_nothing() {
    let web = client("web", &web());
    let mut world = World::new(&[Arc::clone(&web)]);
    let mut record = record(&web, "openstack:api");
    record.grant.project = None;
    world.put_code(record);
    assert_eq!(
        world.ask(&right(), at(1)),
        Err(GrantDenial::OtherAuthority.into())
    );
}
