//! What a client is told of a person.

use super::support::{client, person, scope, web, with};
use sealstone_grants::GrantDenial;
use sealstone_grants::userinfo::{Place, Told, opens_userinfo, told};
use sealstone_identity::{Email, Name, Person};
use sealstone_oauth_types::ClaimsRequest;
use serde_json::json;

fn ada() -> Person {
    let mut ada = person("ada");
    ada.email = Some(Email::new("ada@example.org", true).unwrap());
    ada.groups = vec![Name::parse("staff").unwrap()];
    ada
}

fn names(told: &Told<'_>) -> Vec<&'static str> {
    [
        ("name", told.name.is_some()),
        ("preferred_username", told.preferred_username.is_some()),
        ("email", told.email.is_some()),
        ("groups", told.groups.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_told)| is_told.then_some(name))
    .collect()
}

#[test]
fn n01_userinfo_is_for_people_and_openid() {
    for (text, is_of_person, want) in [
        ("openid", true, Ok(())),
        ("profile openid", true, Ok(())),
        ("profile email", true, Err(GrantDenial::NotForUserinfo)),
        ("", true, Err(GrantDenial::NotForUserinfo)),
        ("openid", false, Err(GrantDenial::NotForUserinfo)),
    ] {
        assert_eq!(
            opens_userinfo(&scope(text), is_of_person),
            want,
            "{text} {is_of_person}"
        );
    }
}

#[test]
fn scopes_give_their_claims_at_both_places() {
    let web = client("web", &web());
    for (granted, want) in [
        ("openid", vec![]),
        ("openid profile", vec!["name", "preferred_username"]),
        ("openid email", vec!["email"]),
        ("openid groups", vec!["groups"]),
        (
            "openid profile email groups",
            vec!["name", "preferred_username", "email", "groups"],
        ),
        ("openid offline_access openstack:api", vec![]),
    ] {
        for place in [Place::IdToken, Place::Userinfo] {
            assert_eq!(
                names(&told(&ada(), &web, &scope(granted), None, place)),
                want,
                "{granted}"
            );
        }
    }
}

#[test]
fn claims_by_name_are_told_where_they_were_asked_for() {
    let web_client = client("web", &web());
    let claims = ClaimsRequest::parse(
        r#"{"userinfo":{"name":{"essential":true},"address":null},"id_token":{"email_verified":null,"sub":null}}"#,
    );
    let openid = scope("openid");
    let of = |client: &sealstone_registry::Client, place| {
        names(&told(&ada(), client, &openid, claims.as_ref(), place))
    };
    assert_eq!(of(&web_client, Place::Userinfo), ["name"]);
    assert_eq!(of(&web_client, Place::IdToken), ["email"]);
    let little = client("web", &with(&web(), "scope", json!("openid offline_access")));
    assert!(
        of(&little, Place::Userinfo).is_empty(),
        "it is not registered for them"
    );
    assert!(of(&little, Place::IdToken).is_empty());
}

#[test]
fn what_is_not_known_is_not_told() {
    let web = client("web", &web());
    let mut bare = ada();
    (bare.full_name, bare.email, bare.groups) = (None, None, Vec::new());
    let all = scope("openid profile email groups");
    let told = told(&bare, &web, &all, None, Place::IdToken);
    assert_eq!(names(&told), ["preferred_username", "groups"]);
    assert_eq!(told.groups, Some(&[][..]));
}
