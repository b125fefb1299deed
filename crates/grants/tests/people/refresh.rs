//! Group K: refresh tokens.

use super::support::{
    at, bound, certificate, client, client_of, grant, person, public, secret, session, token, user, web, with,
};
use super::world::{Answer, TOKEN_LIFETIME, World};
use rustls_pki_types::UnixTime;
use sealstone_grants::code::CodeRecord;
use sealstone_grants::refresh::{FamilyLifetime, MAX_LIVE_TOKENS, REFRESH_GRACE, Rotates};
use sealstone_grants::token::Target;
use sealstone_grants::{Denial, GrantDenial, PresentedCertificate};
use sealstone_identity::LoginRefusal;
use sealstone_oauth_types::OpaqueToken;
use sealstone_registry::{Client, DEFAULT_REFRESH_IDLE, DEFAULT_REFRESH_LIFETIME};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

const GRACE: u64 = REFRESH_GRACE.as_secs();

pub(crate) fn form(client: &str, token: &str, more: &str) -> String {
    let secret = secret();
    let secret = secret.expose();
    format!("grant_type=refresh_token&client_id={client}&client_secret={secret}&refresh_token={token}{more}")
}

pub(crate) fn refresh(
    world: &mut World,
    client: &str,
    token: &str,
    more: &str,
    now: UnixTime,
) -> Result<Answer, Denial> {
    world.ask(&form(client, token, more), now)
}

/// A world in which a client has just exchanged a code for this scope.
fn begun(client: &Arc<Client>, scope: &str) -> (World, Answer) {
    begun_with(client, scope, None)
}

fn begun_with(
    client: &Arc<Client>,
    scope: &str,
    certificate: Option<PresentedCertificate>,
) -> (World, Answer) {
    let mut world = World::new(std::slice::from_ref(client));
    let answer = begin_with(&mut world, client, scope, certificate);
    (world, answer)
}

/// The same in a world that is there.
pub(crate) fn begin(world: &mut World, client: &Arc<Client>, scope: &str) -> Answer {
    begin_with(world, client, scope, None)
}

fn begin_with(
    world: &mut World,
    client: &Arc<Client>,
    scope: &str,
    certificate: Option<PresentedCertificate>,
) -> Answer {
    world.put_code(CodeRecord {
        hash: token(7).hash(),
        grant: grant(client, scope),
        redirect_uri: None,
        challenge: None,
        nonce: None,
        issued_at: at(0),
        expires_at: at(60),
        forget_at: at(3600),
    });
    let code = token(7);
    let form = format!(
        "grant_type=authorization_code&client_id={}&code={}",
        client.id(),
        code.expose()
    );
    let form = if client.auth().secrets().is_some() {
        format!("{form}&client_secret={}", secret().expose())
    } else {
        form
    };
    world.ask_with(&form, certificate, at(0)).unwrap()
}

fn of(answer: &Answer) -> &str {
    answer.refresh_token.as_deref().unwrap()
}

#[test]
fn a_refresh_gives_another_token_of_the_same_family() {
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    let second = refresh(&mut world, "web", of(&first), "", at(100)).unwrap();
    let third = refresh(&mut world, "web", of(&second), "", at(200)).unwrap();
    let all: BTreeSet<&str> = [&first, &second, &third].map(of).into();
    assert_eq!(all.len(), 3);
    assert_eq!(world.families.len(), 1);
    let family = world.family_of(of(&third)).unwrap();
    assert_eq!(family.generation, 2);
    assert_eq!(family.live, [first.token, second.token, third.token]);
    assert!(world.revoked.is_empty());
}

#[test]
fn k01_a_token_past_its_grace_ends_the_family() {
    for (name, generations, later) in [
        ("the parent, past its grace", 1, GRACE + 1),
        ("the grandparent, within the minute", 2, 1),
        ("an ancestor, long ago", 5, 100_000),
    ] {
        let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
        let mut last = first.clone();
        for step in 0..generations {
            last = refresh(&mut world, "web", of(&last), "", at(10 + step)).unwrap();
        }
        let got = refresh(
            &mut world,
            "web",
            of(&first),
            "",
            at(10 + generations - 1 + later),
        );
        assert_eq!(got, Err(GrantDenial::RefreshTokenReused.into()), "{name}");
        assert!(world.families.is_empty(), "{name}");
        let is_live = later < TOKEN_LIFETIME;
        assert_eq!(world.is_revoked(&last), is_live, "{name}");
        let next = refresh(&mut world, "web", of(&last), "", at(100_100));
        assert_eq!(next, Err(GrantDenial::UnknownRefreshToken.into()), "{name}");
    }
}

#[test]
fn k02_uses_at_once_give_one_child() {
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    let form = form("web", of(&first), "");
    let at_once: Vec<_> = (0..50)
        .map(|_| world.prepare(&form, None, at(10)).unwrap())
        .collect();
    let answers: Vec<Answer> = at_once
        .into_iter()
        .map(|ready| world.write(ready, at(10)).unwrap())
        .collect();
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(world.families.len(), 1);
    assert_eq!(world.family_of(of(&first)).unwrap().live.len(), 2);
}

#[test]
fn k03_within_the_grace_the_answer_is_the_same() {
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    let second = refresh(&mut world, "web", of(&first), "", at(10)).unwrap();
    for later in [10, 11, 40, 10 + GRACE] {
        let again = refresh(&mut world, "web", of(&first), "", at(later)).unwrap();
        assert_eq!(again, second, "{later}");
    }
    assert_eq!(
        world.family_of(of(&second)).unwrap().generation,
        1,
        "nothing was written"
    );
    // The answer of then, whatever is asked for now.
    let narrow = refresh(&mut world, "web", of(&first), "&scope=openid", at(12)).unwrap();
    assert_eq!(narrow, second);
    // From here on the child is known to have arrived.
    refresh(&mut world, "web", of(&second), "", at(13)).unwrap();
    let late = refresh(&mut world, "web", of(&first), "", at(14));
    assert_eq!(late, Err(GrantDenial::RefreshTokenReused.into()));
}

#[test]
fn k04_another_clients_token_changes_nothing() {
    let web_client = client("web", &web());
    let (mut world, first) = begun(&web_client, "openid offline_access");
    let other = client("other", &web());
    world.clients.insert(other.id().clone(), other);
    let second = refresh(&mut world, "web", of(&first), "", at(10)).unwrap();
    for stolen in [&first, &second] {
        let got = refresh(&mut world, "other", of(stolen), "", at(200));
        assert_eq!(got, Err(GrantDenial::RefreshTokenOfAnotherClient.into()));
    }
    assert!(refresh(&mut world, "web", of(&second), "", at(201)).is_ok());
}

#[test]
fn k05_scope_beyond_the_grant_is_refused_and_consumes_nothing() {
    let (mut world, first) = begun(&client("web", &web()), "openid email offline_access");
    for wider in ["openid email groups", "groups", "openstack:api"] {
        let got = refresh(
            &mut world,
            "web",
            of(&first),
            &format!("&scope={}", wider.replace(' ', "+")),
            at(10),
        );
        assert_eq!(got, Err(GrantDenial::ScopeBeyondGrant.into()), "{wider}");
    }
    assert!(refresh(&mut world, "web", of(&first), "", at(11)).is_ok());
}

#[test]
fn k06_scope_narrows_and_comes_back_but_never_grows() {
    let (mut world, first) = begun(&client("web", &web()), "openid email offline_access");
    let narrow = refresh(&mut world, "web", of(&first), "&scope=openid", at(11)).unwrap();
    assert_eq!(narrow.scope, "openid");
    let full = refresh(&mut world, "web", of(&narrow), "", at(12)).unwrap();
    assert_eq!(full.scope, "openid email offline_access");
    let named = refresh(&mut world, "web", of(&full), "&scope=email+openid", at(13)).unwrap();
    assert_eq!(named.scope, "email openid");
    let wider = refresh(&mut world, "web", of(&named), "&scope=profile", at(14));
    assert_eq!(wider, Err(GrantDenial::ScopeBeyondGrant.into()));
}

#[test]
fn k06_resources_narrow_and_never_grow() {
    let web = client("web", &web());
    let (mut world, first) = begun(&web, "openid reports offline_access");
    let got = refresh(
        &mut world,
        "web",
        of(&first),
        "&resource=https://reports.example",
        at(10),
    );
    assert_eq!(
        got,
        Err(GrantDenial::TargetBeyondGrant.into()),
        "it was not granted"
    );
    assert_eq!(
        refresh(&mut world, "web", of(&first), "", at(11)).unwrap().target,
        Target::Client
    );
}

#[test]
fn k06_without_openstack_the_token_is_for_the_client() {
    let (mut world, first) = begun(&client("web", &web()), "openid openstack:api offline_access");
    assert_eq!(first.target, Target::OpenstackServices);
    let narrow = refresh(&mut world, "web", of(&first), "&scope=openid", at(10)).unwrap();
    assert_eq!((narrow.target, narrow.roles.len()), (Target::Client, 0));
}

#[test]
fn k07_rest_and_age_end_a_family() {
    let (idle, absolute) = (DEFAULT_REFRESH_IDLE.as_secs(), DEFAULT_REFRESH_LIFETIME.as_secs());
    let web = client("web", &web());
    for (rest, is_good) in [(idle - 1, true), (idle, false), (idle + 1, false)] {
        let (mut world, first) = begun(&web, "openid offline_access");
        let got = refresh(&mut world, "web", of(&first), "", at(rest));
        let want = (!is_good).then_some(Denial::Grant(GrantDenial::RefreshTokenExpired));
        assert_eq!(got.err(), want, "{rest}");
        assert_eq!(world.families.is_empty(), !is_good);
    }
    let (mut world, mut last) = begun(&web, "openid offline_access");
    let mut now = 0;
    while now + idle - 1 < absolute {
        now += idle - 1;
        last = refresh(&mut world, "web", of(&last), "", at(now)).unwrap();
    }
    let got = refresh(&mut world, "web", of(&last), "", at(absolute));
    assert_eq!(got, Err(GrantDenial::RefreshTokenExpired.into()));
}

#[test]
fn k07_limits_are_the_registrations() {
    let short = with(&web(), "refresh_token_lifetime_s", json!(7200));
    let web = client("web", &with(&short, "refresh_token_idle_s", json!(3600)));
    let (mut world, first) = begun(&web, "openid offline_access");
    let second = refresh(&mut world, "web", of(&first), "", at(3599)).unwrap();
    let third = refresh(&mut world, "web", of(&second), "", at(7198)).unwrap();
    let got = refresh(&mut world, "web", of(&third), "", at(7200));
    assert_eq!(got, Err(GrantDenial::RefreshTokenExpired.into()));
}

#[test]
fn k08_the_person_is_looked_at_each_time() {
    let mut changed = person("ada");
    changed.valid_since = Some(at(50));
    let disabled = GrantDenial::PersonRefused(LoginRefusal::Person);
    let cases = [
        ("gone or disabled", Err(LoginRefusal::Person), disabled, false),
        ("password changed", Ok(changed), GrantDenial::LoginOutdated, true),
        (
            "another person",
            Ok(person("eve")),
            GrantDenial::OtherPerson,
            false,
        ),
    ];
    for (name, now, want, ends) in cases {
        let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
        world.people.insert(user("ada"), now);
        assert_eq!(
            refresh(&mut world, "web", of(&first), "", at(60)),
            Err(want.into()),
            "{name}"
        );
        assert_eq!(world.families.is_empty(), ends, "{name}");
        assert_eq!(world.is_revoked(&first), ends, "{name}");
        // A refusal that may pass has consumed nothing.
        world.people.insert(user("ada"), Ok(person("ada")));
        let later = refresh(&mut world, "web", of(&first), "", at(70));
        assert_eq!(later.is_ok(), !ends, "{name}");
    }
}

#[test]
fn k08_roles_are_those_of_now() {
    let (mut world, first) = begun(&client("web", &web()), "openid openstack:api offline_access");
    assert_eq!(first.roles, ["member", "reader"]);
    world.roles = vec!["reader"];
    let fewer = refresh(&mut world, "web", of(&first), "", at(10)).unwrap();
    assert_eq!(fewer.roles, ["reader"]);
    world.roles = vec![];
    let none = refresh(&mut world, "web", of(&fewer), "", at(20));
    assert_eq!(none, Err(GrantDenial::PersonRefused(LoginRefusal::NoRole).into()));
    let without = refresh(&mut world, "web", of(&fewer), "&scope=openid", at(21));
    assert!(without.is_ok(), "what is left of the grant stands");
}

#[test]
fn k08_a_repeated_refresh_is_judged_on_the_person_too() {
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    refresh(&mut world, "web", of(&first), "", at(10)).unwrap();
    world.people.insert(user("ada"), Err(LoginRefusal::Person));
    let again = refresh(&mut world, "web", of(&first), "", at(11));
    assert_eq!(
        again,
        Err(GrantDenial::PersonRefused(LoginRefusal::Person).into())
    );
}

#[test]
fn k09_a_client_made_anew_has_no_part_in_the_old_ones_grants() {
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    let anew = client_of("demo", "web", &web(), at(5));
    world.clients.insert(anew.id().clone(), anew);
    let got = refresh(&mut world, "web", of(&first), "", at(10));
    assert_eq!(got, Err(GrantDenial::RegisteredAnew.into()));
    assert!(world.families.is_empty() && world.is_revoked(&first));
}

#[test]
fn k10_other_tokens_are_no_refresh_tokens() {
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    let (code, other) = (token(7), token(200));
    for (name, sent) in [
        ("an access token", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln"),
        ("a code", code.expose()),
        ("a token of nobody", other.expose()),
        ("nothing of the kind", "x"),
    ] {
        let denial = refresh(&mut world, "web", sent, "", at(10)).unwrap_err();
        assert_eq!(denial.code().as_str(), "invalid_grant", "{name}");
    }
    assert!(refresh(&mut world, "web", of(&first), "", at(11)).is_ok());
}

#[test]
fn k11_a_token_altered_anywhere_is_refused() {
    for position in 0..OpaqueToken::LENGTH {
        let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
        let mut altered: Vec<u8> = of(&first).bytes().collect();
        altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        let denial = refresh(&mut world, "web", &altered, "", at(10)).unwrap_err();
        assert_eq!(denial.code().as_str(), "invalid_grant", "{position}");
    }
}

#[test]
fn k12_a_lost_answer_is_given_again() {
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    let ready = world.prepare(&form("web", of(&first), ""), None, at(10)).unwrap();
    let lost = world.write(ready, at(10)).unwrap();
    let again = refresh(&mut world, "web", of(&first), "", at(15)).unwrap();
    assert_eq!(again, lost, "the same child and the same access token");
    assert_eq!(world.families.len(), 1);
    assert!(refresh(&mut world, "web", of(&again), "", at(20)).is_ok());
}

#[test]
fn a_failed_client_authentication_consumes_nothing() {
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    let wrong = form("web", of(&first), "").replace(secret().expose(), "wrong");
    assert_eq!(world.ask(&wrong, at(1)), Err(Denial::WrongSecret));
    assert_eq!(world.family_of(of(&first)).unwrap().generation, 0);
    assert!(refresh(&mut world, "web", of(&first), "", at(2)).is_ok());
}

#[test]
fn a_client_without_the_grant_gets_no_refresh_token_and_uses_none() {
    let only_code = with(&web(), "grant_types", json!(["authorization_code"]));
    let only_code = client("web", &with(&only_code, "scope", json!("openid")));
    let (_, answer) = begun(&only_code, "openid");
    assert_eq!(answer.refresh_token, None);
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    world.clients.insert(only_code.id().clone(), only_code);
    assert_eq!(
        refresh(&mut world, "web", of(&first), "", at(1)),
        Err(Denial::UnauthorizedGrantType)
    );
}

#[test]
fn a_family_lives_with_the_session_unless_it_was_granted_for_good() {
    let web = client("web", &web());
    let (world, answer) = begun(&web, "openid");
    let family = world.family_of(of(&answer)).unwrap();
    assert_eq!(family.lifetime, FamilyLifetime::Session);
    assert_eq!(family.ends_at, session("ada").ends_at());
    let (world, answer) = begun(&web, "openid offline_access");
    let family = world.family_of(of(&answer)).unwrap();
    assert_eq!(family.lifetime, FamilyLifetime::Offline);
    assert_eq!(family.ends_at, at(DEFAULT_REFRESH_LIFETIME.as_secs()));
}

#[test]
fn a_client_that_proves_itself_by_certificate_keeps_its_token() {
    let bound = client("bound", &bound());
    let (mut world, first) = begun_with(&bound, "openid offline_access", Some(certificate(1)));
    assert_eq!(world.family_of(of(&first)).unwrap().rotates, Rotates::Never);
    let form = form("bound", of(&first), "").replace(&format!("&client_secret={}", secret().expose()), "");
    assert_eq!(world.ask(&form, at(10)), Err(Denial::NoCertificate));
    // The previous token is replayed after 30 seconds, and after a day.
    for later in [20, 50, 86_400] {
        let answer = world.ask_with(&form, Some(certificate(1)), at(later)).unwrap();
        assert_eq!(answer.refresh_token, first.refresh_token, "{later}");
        assert_ne!(answer.token, first.token, "{later}");
    }
    // A renewed certificate of the same subject is the same client.
    assert!(world.ask_with(&form, Some(certificate(2)), at(90_000)).is_ok());
}

#[test]
fn uses_at_once_of_a_token_that_stays_give_a_token_each() {
    let bound = client("bound", &bound());
    let (mut world, first) = begun_with(&bound, "openid offline_access", Some(certificate(1)));
    let form = form("bound", of(&first), "").replace(&format!("&client_secret={}", secret().expose()), "");
    let mut at_once = Vec::new();
    for _ in 0..5 {
        at_once.push(world.prepare(&form, Some(certificate(1)), at(10)).unwrap());
    }
    let answers = at_once
        .into_iter()
        .map(|ready| world.write(ready, at(10)).unwrap());
    let tokens: BTreeSet<String> = answers.map(|answer| answer.token.token_id.to_string()).collect();
    assert_eq!(tokens.len(), 5);
    assert_eq!(world.family_of(of(&first)).unwrap().live.len(), 6);
}

#[test]
fn a_public_clients_family_is_bound_to_its_certificate() {
    let bound_cli = with(
        &public(),
        "tls_client_certificate_bound_access_tokens",
        json!(true),
    );
    let cli = client("cli", &bound_cli);
    let [own, other] = [certificate(1), certificate(2)].map(Some);
    let (mut world, first) = begun_with(&cli, "openid offline_access", own.clone());
    assert!(world.family_of(of(&first)).unwrap().bound_to.is_some());
    let form = form("cli", of(&first), "").replace(&format!("&client_secret={}", secret().expose()), "");
    assert_eq!(world.ask(&form, at(10)), Err(Denial::BindingImpossible));
    let stolen = world.ask_with(&form, other.clone(), at(10));
    assert_eq!(stolen, Err(GrantDenial::OtherBinding.into()));
    let second = world.ask_with(&form, own.clone(), at(10)).unwrap();
    assert_ne!(
        second.refresh_token, first.refresh_token,
        "a public client's token changes"
    );
    // Whoever stole the parent but not the key ends nothing.
    let stolen = world.ask_with(&form, other.clone(), at(10 + GRACE + 1));
    assert_eq!(stolen, Err(GrantDenial::OtherBinding.into()));
    assert_eq!(world.families.len(), 1);
}

#[test]
fn beyond_the_bound_the_oldest_access_tokens_end() {
    let (mut world, first) = begun(&client("web", &web()), "openid offline_access");
    let mut answers = vec![first];
    for step in 1..=MAX_LIVE_TOKENS {
        let token = of(answers.last().unwrap()).to_owned();
        answers.push(refresh(&mut world, "web", &token, "", at(u64::try_from(step).unwrap())).unwrap());
    }
    let last = answers.last().unwrap().clone();
    assert_eq!(world.family_of(of(&last)).unwrap().live.len(), MAX_LIVE_TOKENS);
    assert!(world.is_revoked(&answers[0]));
    assert!(answers[1..].iter().all(|answer| !world.is_revoked(answer)));
    // Those that have ended by themselves take no room.
    let later = refresh(&mut world, "web", of(&last), "", at(TOKEN_LIFETIME * 2)).unwrap();
    assert_eq!(world.family_of(of(&later)).unwrap().live, [later.token]);
}

#[test]
fn no_record_shows_a_token_or_its_key() {
    let (world, first) = begun(&client("web", &web()), "openid offline_access");
    let family = world.family_of(of(&first)).unwrap();
    let shown = format!("{family:?}");
    let kept = serde_json::to_string(family).unwrap();
    let key = serde_json::to_value(&family.key).unwrap();
    assert!(!shown.contains(key.as_str().unwrap()) && !shown.contains(of(&first)));
    assert!(!kept.contains(of(&first)), "the store keeps hashes");
    let read: sealstone_grants::refresh::RefreshFamily = serde_json::from_str(&kept).unwrap();
    assert_eq!(&read, family);
}
