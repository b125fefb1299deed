//! Group L: the device grant.

use super::support::{
    at, authenticate, client, client_of, grant, person, public, secret, token, user, web, with,
};
use super::world::World;
use sealstone_grants::device::{
    self, DEVICE_INTERVAL_S, DEVICE_LIFETIME, DeviceRequest, DeviceState, Origin, Poll,
};
use sealstone_grants::refresh::FamilyLifetime;
use sealstone_grants::{Denial, GrantDenial, PersonGrant};
use sealstone_identity::LoginRefusal;
use sealstone_oauth_types::{DeviceAuthorizationRequest, Form, UserCode};
use sealstone_registry::Client;
use serde_json::json;
use std::sync::Arc;

const INTERVAL: u64 = DEVICE_INTERVAL_S as u64;

/// What a client's request is kept as.
fn asked(client: &Arc<Client>, scope: &str) -> Result<DeviceRequest, Denial> {
    let secret = secret();
    let secret = match client.auth().secrets() {
        Some(_) => format!("&client_secret={}", secret.expose()),
        None => String::new(),
    };
    let form = format!(
        "grant_type=x&client_id={}{secret}&scope={}",
        client.id(),
        scope.replace(' ', "+")
    );
    let (authenticated, _) = authenticate(Some(Arc::clone(client)), &form, None, at(0))?;
    let form = Form::parse(form.as_bytes()).unwrap();
    let request = DeviceAuthorizationRequest::parse(None, &form).unwrap();
    let authorized = device::authorize(authenticated, request.scope, request.resources, at(0))?;
    Ok(authorized.request(&token(7), UserCode::from_octets([1; 8]), Origin::default(), at(0)))
}

fn approval(client: &Client, scope: &str) -> PersonGrant {
    PersonGrant {
        sid: None,
        session_ends_at: None,
        ..grant(client, scope)
    }
}

fn world(client: &Arc<Client>, scope: &str, state: DeviceState) -> World {
    let mut world = World::new(std::slice::from_ref(client));
    let request = asked(client, scope).unwrap();
    world
        .devices
        .insert(request.hash, DeviceRequest { state, ..request });
    world
}

fn form(client: &str) -> String {
    let (code, secret) = (token(7), secret());
    format!(
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id={client}&client_secret={}&device_code={}",
        secret.expose(),
        code.expose()
    )
}

#[test]
fn an_approved_device_gets_what_was_granted() {
    let web = client("web", &web());
    let grant = approval(&web, "openid openstack:api");
    let mut world = world(
        &web,
        "openid openstack:api",
        DeviceState::Approved(Box::new(grant)),
    );
    let answer = world.ask(&form("web"), at(30)).unwrap();
    assert_eq!(answer.scope, "openid openstack:api");
    assert_eq!(answer.roles, ["member", "reader"]);
    let family = world.family_of(answer.refresh_token.as_deref().unwrap()).unwrap();
    assert_eq!(
        family.lifetime,
        FamilyLifetime::Offline,
        "a device is signed in without the browser"
    );
}

#[test]
fn l03_too_fast_is_slowed_and_at_the_interval_never() {
    let request = asked(&client("web", &web()), "openid").unwrap();
    // The first poll may come at once; one at the interval, or a second early, is in time.
    let (poll, request) = request.polled(at(0));
    assert_eq!(poll, Poll::Pending);
    let (poll, request) = request.polled(at(INTERVAL));
    assert_eq!(poll, Poll::Pending);
    let (poll, mut request) = request.polled(at(2 * INTERVAL - 1));
    assert_eq!(poll, Poll::Pending);
    let mut now = 2 * INTERVAL - 1;
    for want in [10, 15, 20] {
        now += 1;
        let (poll, after) = request.polled(at(now));
        assert_eq!(poll, Poll::SlowDown { interval_s: want });
        request = after;
    }
    // The new interval counts, from the last poll.
    let (poll, _) = request.clone().polled(at(now + 18));
    assert!(matches!(poll, Poll::SlowDown { .. }));
    let (poll, _) = request.polled(at(now + 19));
    assert_eq!(poll, Poll::Pending);
}

#[test]
fn l03_the_interval_stops_growing() {
    let mut request = asked(&client("web", &web()), "openid").unwrap();
    for _ in 0..50 {
        (_, request) = request.polled(at(1));
    }
    assert_eq!(request.interval_s, 60);
}

#[test]
fn l03_one_that_is_decided_is_not_slowed() {
    let web = client("web", &web());
    let mut request = asked(&web, "openid").unwrap();
    (_, request) = request.polled(at(1));
    request.state = DeviceState::Denied;
    assert_eq!(request.polled(at(1)).0, Poll::Denied);
}

#[test]
fn l04_before_after_and_too_late() {
    let web = client("web", &web());
    let approved = || DeviceState::Approved(Box::new(approval(&web, "openid")));
    let life = DEVICE_LIFETIME.as_secs();
    let cases = [
        (
            "nobody decided",
            DeviceState::Pending,
            10,
            GrantDenial::DevicePending,
            "authorization_pending",
        ),
        (
            "refused",
            DeviceState::Denied,
            10,
            GrantDenial::DeviceRefused,
            "access_denied",
        ),
        (
            "too late",
            DeviceState::Pending,
            life,
            GrantDenial::DeviceCodeExpired,
            "expired_token",
        ),
        (
            "refused, too late",
            DeviceState::Denied,
            life,
            GrantDenial::DeviceCodeExpired,
            "expired_token",
        ),
        (
            "approved, too late",
            approved(),
            life,
            GrantDenial::DeviceCodeExpired,
            "expired_token",
        ),
    ];
    for (name, state, now, want, code) in cases {
        let mut world = world(&web, "openid", state);
        let denial = world.ask(&form("web"), at(now)).unwrap_err();
        assert_eq!(denial, Denial::Grant(want), "{name}");
        assert_eq!(
            (denial.code().as_str(), denial.code().status()),
            (code, 400),
            "{name}"
        );
    }
    assert!(
        world(&web, "openid", approved())
            .ask(&form("web"), at(life - 1))
            .is_ok()
    );
}

#[test]
fn l05_another_clients_device_code_changes_nothing() {
    let web_client = client("web", &web());
    let grant = approval(&web_client, "openid");
    let mut world = world(&web_client, "openid", DeviceState::Approved(Box::new(grant)));
    let other = client("other", &web());
    world.clients.insert(other.id().clone(), other);
    let before = world.devices.clone();
    assert_eq!(
        world.ask(&form("other"), at(10)),
        Err(GrantDenial::DeviceCodeOfAnotherClient.into())
    );
    assert_eq!(world.devices, before, "the poll does not count");
    assert!(world.ask(&form("web"), at(10)).is_ok());
}

#[test]
fn l05_a_client_made_anew_and_one_of_another_domain_get_nothing() {
    let web_client = client("web", &web());
    let approved = || DeviceState::Approved(Box::new(approval(&web_client, "openid")));
    let mut anew = world(&web_client, "openid", approved());
    anew.clients
        .insert(web_client.id().clone(), client_of("demo", "web", &web(), at(5)));
    assert_eq!(
        anew.ask(&form("web"), at(10)),
        Err(GrantDenial::RegisteredAnew.into())
    );
    let mut elsewhere = world(&web_client, "openid", approved());
    elsewhere.clients.insert(
        web_client.id().clone(),
        client_of("elsewhere", "web", &web(), at(0)),
    );
    assert_eq!(elsewhere.ask(&form("web"), at(10)), Err(Denial::DisabledClient));
}

#[test]
fn l06_a_device_code_gives_once_and_ends_what_it_gave() {
    let web = client("web", &web());
    let grant = approval(&web, "openid");
    let mut world = world(&web, "openid", DeviceState::Approved(Box::new(grant)));
    let one = world.prepare(&form("web"), None, at(10)).unwrap();
    let other = world.prepare(&form("web"), None, at(10)).unwrap();
    let first = world.write(one, at(10)).unwrap();
    assert_eq!(
        world.ask(&form("web"), at(15)),
        Err(GrantDenial::DeviceCodeSpent.into())
    );
    assert_eq!(world.families.len(), 1, "a poll that comes late ends nothing");
    assert_eq!(
        world.write(other, at(16)),
        Err(GrantDenial::DeviceCodeSpent.into())
    );
    assert!(
        world.is_revoked(&first) && world.families.is_empty(),
        "two collections do"
    );
}

#[test]
fn l09_a_client_without_the_grant_gets_no_device_code() {
    let without_grant = with(
        &web(),
        "grant_types",
        json!(["authorization_code", "refresh_token"]),
    );
    let denial = asked(&client("web", &without_grant), "openid").unwrap_err();
    assert_eq!(denial, Denial::UnauthorizedGrantType);
    assert_eq!(denial.code().as_str(), "unauthorized_client");
}

#[test]
fn l10_scope_beyond_the_registration_gets_no_device_code() {
    let little = client("web", &with(&web(), "scope", json!("openid offline_access")));
    for scope in ["openid openstack:api", "admin"] {
        let denial = asked(&little, scope).unwrap_err();
        assert_eq!(denial, Denial::ScopeNotAllowed, "{scope}");
        assert_eq!(denial.code().as_str(), "invalid_scope");
    }
}

#[test]
fn the_person_is_looked_at_when_the_device_collects() {
    let web = client("web", &web());
    let grant = approval(&web, "openid");
    let mut world = world(&web, "openid", DeviceState::Approved(Box::new(grant)));
    world.people.insert(user("ada"), Err(LoginRefusal::Person));
    let want = GrantDenial::PersonRefused(LoginRefusal::Person);
    assert_eq!(world.ask(&form("web"), at(10)), Err(want.into()));
    world.people.insert(user("ada"), Ok(person("ada")));
    assert!(world.ask(&form("web"), at(20)).is_ok(), "nothing was consumed");
}

#[test]
fn a_failed_client_authentication_consumes_nothing() {
    let web = client("web", &web());
    let grant = approval(&web, "openid");
    let mut world = world(&web, "openid", DeviceState::Approved(Box::new(grant)));
    let before = world.devices.clone();
    let wrong = form("web").replace(secret().expose(), "wrong");
    assert_eq!(world.ask(&wrong, at(10)), Err(Denial::WrongSecret));
    assert_eq!(world.devices, before);
    assert!(world.ask(&form("web"), at(10)).is_ok());
}

#[test]
fn a_public_client_asks_and_collects() {
    let cli = client("cli", &public());
    let grant = approval(&cli, "openid");
    let mut world = world(&cli, "openid", DeviceState::Approved(Box::new(grant)));
    let form = form("cli").replace(&format!("&client_secret={}", secret().expose()), "");
    assert!(world.ask(&form, at(10)).unwrap().refresh_token.is_some());
}

#[test]
fn no_record_shows_a_code() {
    let request = asked(&client("web", &web()), "openid").unwrap();
    let kept = serde_json::to_string(&request).unwrap();
    assert!(!kept.contains(token(7).expose()));
    let shown = format!("{request:?}");
    assert!(!shown.contains(&request.user_code.to_string()));
    assert_eq!(serde_json::from_str::<DeviceRequest>(&kept).unwrap(), request);
}
