//! Whether a token of a person still stands, and who may end a refresh token.

use super::support::{at, client, client_of, delegated, person, user, web};
use super::world::World;
use sealstone_grants::inspect::{may_end, person_authority_stands, person_project, person_stands};
use sealstone_identity::{Authority, LoginRefusal, Scope, UserRef};

#[test]
fn m09_a_token_of_a_person_stands_with_the_person() {
    let ada = person("ada");
    let mut changed = ada.clone();
    changed.valid_since = Some(at(10));
    let stands = |answer, since| person_stands(answer, &user("ada"), at(since));
    assert!(stands(Ok(&ada), 5));
    assert!(stands(Ok(&changed), 11));
    for (name, answer, since) in [
        ("gone or disabled", Err(LoginRefusal::Person), 5),
        ("password changed", Ok(&changed), 5),
        ("changed in that very second", Ok(&changed), 10),
        ("another person", Ok(&person("eve")), 5),
    ] {
        assert!(!stands(answer, since), "{name}");
    }
}

#[test]
fn m09_authority_stands_while_it_covers_what_the_token_carries() {
    let carried = delegated("ada", "p1", &["member"]).authority;
    let mut ended = delegated("ada", "p1", &["member"]);
    ended.expires_at = Some(at(10));
    let now = at(10);
    assert!(person_authority_stands(
        &delegated("ada", "p1", &["reader", "member"]),
        &carried,
        now
    ));
    for (name, answer) in [
        ("fewer roles", delegated("ada", "p1", &["reader"])),
        ("another project", delegated("ada", "p2", &["member"])),
        ("another person", delegated("eve", "p1", &["member"])),
        ("at its end", ended),
    ] {
        assert!(!person_authority_stands(&answer, &carried, now), "{name}");
    }
    assert_eq!(person_project(&carried).map(|id| id.as_str()), Some("p1"));
    let nowhere = UserRef::new("ada", "ada", "demo").unwrap();
    let nowhere = Authority::new(nowhere, Scope::Unscoped, vec![]).unwrap();
    assert_eq!(person_project(&nowhere), None);
}

#[test]
fn m10_a_refresh_token_is_ended_by_its_own_client_alone() {
    let web_client = client("web", &web());
    let mut world = World::new(std::slice::from_ref(&web_client));
    let answer = super::refresh::begin(&mut world, &web_client, "openid offline_access");
    let family = world.family_of(answer.refresh_token.as_deref().unwrap()).unwrap();
    assert!(may_end(&web_client, family));
    assert!(!may_end(&client("other", &web()), family));
    assert!(!may_end(&client_of("elsewhere", "web", &web(), at(0)), family));
}
