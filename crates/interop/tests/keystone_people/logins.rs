//! Name, password and code.

use sealstone_identity::{AuthMethod, LoginError, LoginRefusal, LoginSource as _, OpenLogin, Passcode};
use sealstone_interop::KeystoneLab;
use sealstone_keystone::{DomainKey, KeystonePeople};
use serde_json::json;
use zeroize::Zeroizing;

use crate::world::{Somebody, begin, client, code, done, minting_people, people, refusal};

#[tokio::test]
async fn a_password_is_a_login_where_no_rule_wants_more() {
    let lab = KeystoneLab::shared();
    let somebody = Somebody::new(lab, &["member"]);
    let ops = lab.seed().groups["ops"].clone();
    lab.change(
        "PUT",
        &format!("/groups/{ops}/users/{}", somebody.made.user_id),
        None,
    );
    let people = people(lab);
    let logged_in = somebody.log_in(&people).await;
    assert_eq!(logged_in.methods, [AuthMethod::Password]);
    let person = &logged_in.person;
    assert_eq!(person.user.id(), &somebody.id());
    assert_eq!(person.user.name().as_str(), somebody.made.user_name);
    assert_eq!(person.user.domain_name().map(|name| name.as_str()), Some("acme"));
    let email = person.email.as_ref().unwrap();
    assert_eq!(email.address(), format!("{}@lab.test", somebody.made.user_name));
    assert!(!email.is_verified(), "Keystone makes sure of no address");
    assert_eq!(
        person
            .groups
            .iter()
            .map(|group| group.as_str())
            .collect::<Vec<_>>(),
        ["ops"]
    );
    assert_eq!(people.person(&somebody.id()).await.unwrap(), *person);
    let vouched = people.with_vouched_addresses();
    assert!(
        somebody
            .log_in(&vouched)
            .await
            .person
            .email
            .as_ref()
            .unwrap()
            .is_verified()
    );
}

#[tokio::test]
async fn whatever_is_wrong_with_name_or_password_is_said_in_one_way() {
    let lab = KeystoneLab::shared();
    let somebody = Somebody::new(lab, &["member"]);
    let people = people(lab);
    let (acme, globex) = (lab.seed().domain("acme"), lab.seed().domain("globex"));
    let (name, password) = (somebody.made.user_name.as_str(), somebody.made.password.as_str());
    let disabled = Somebody::new(lab, &["member"]);
    disabled.change(&json!({"enabled": false}));
    let long = "p".repeat(5_000);
    for (domain, user_name, typed) in [
        (acme, name, "wrong"),
        (acme, name, ""),
        (acme, name, "nul\0nul"),
        (acme, name, long.as_str()),
        (acme, "nobody", password),
        (acme, "", password),
        (acme, "  ", password),
        (acme, "nul\0", password),
        (acme, &"n".repeat(300), password),
        (globex, name, password),
        ("no-such-domain", name, password),
        (acme, &disabled.made.user_name, &disabled.made.password),
    ] {
        let refused = refusal(begin(&people, domain, user_name, typed).await);
        assert_eq!(
            refused,
            LoginRefusal::Credentials,
            "{domain} {user_name:?} {typed:?}"
        );
    }
    // None of it counts against Keystone: the next login is asked and answered.
    somebody.log_in(&people).await;
}

#[tokio::test]
async fn a_rule_of_password_and_code_takes_two_steps() {
    let lab = KeystoneLab::shared();
    let somebody = Somebody::with_code(lab);
    let people = people(lab);
    let open = somebody.open(&people).await;
    assert_eq!(open.user().id(), &somebody.id());
    let kept = serde_json::to_string(&open).unwrap();
    let open: OpenLogin = serde_json::from_str(&kept).unwrap();
    let logged_in = done(people.go_on(&open, &code(0)).await);
    assert_eq!(logged_in.methods, [AuthMethod::Password, AuthMethod::OneTimeCode]);
    assert_eq!(logged_in.person.user.id(), &somebody.id());
}

#[tokio::test]
async fn the_seeded_user_with_a_rule_logs_in_by_no_password_alone() {
    let lab = KeystoneLab::shared();
    let bob = lab.seed().user("bob");
    let step = begin(&people(lab), &bob.domain_id, "bob", &bob.password)
        .await
        .unwrap();
    assert!(
        matches!(step, sealstone_identity::LoginStep::NeedsCode(_)),
        "{step:?}"
    );
}

#[tokio::test]
async fn r14_a_code_is_taken_once() {
    let lab = KeystoneLab::shared();
    let somebody = Somebody::with_code(lab);
    let people = people(lab);
    let (first, second) = (somebody.open(&people).await, somebody.open(&people).await);
    let used = code(0);
    done(people.go_on(&first, &used).await);
    for open in [&first, &second] {
        assert_eq!(refusal(people.go_on(open, &used).await), LoginRefusal::Code);
    }
}

#[tokio::test]
async fn r14_of_two_who_show_a_code_at_once_one_gets_in() {
    let lab = KeystoneLab::shared();
    let somebody = Somebody::with_code(lab);
    let people = people(lab);
    let (one, other) = (somebody.open(&people).await, somebody.open(&people).await);
    let used = code(0);
    let (one, other) = tokio::join!(people.go_on(&one, &used), people.go_on(&other, &used));
    assert_eq!(
        u8::from(one.is_ok()) + u8::from(other.is_ok()),
        1,
        "{one:?} {other:?}"
    );
}

#[tokio::test]
async fn r15_codes_of_before_and_ahead_are_refused() {
    let lab = KeystoneLab::shared();
    let somebody = Somebody::with_code(lab);
    let people = people(lab);
    let open = somebody.open(&people).await;
    for steps in [-3, -2, 2, 3] {
        let refused = refusal(people.go_on(&open, &code(steps)).await);
        assert_eq!(refused, LoginRefusal::Code, "{steps}");
    }
    done(people.go_on(&open, &code(0)).await);
}

#[tokio::test]
async fn r16_only_six_digits_are_shown_to_keystone() {
    let lab = KeystoneLab::shared();
    let somebody = Somebody::with_code(lab);
    let people = people(lab);
    let open = somebody.open(&people).await;
    let right = code(0);
    for odd in [
        format!("{}0", right.expose()),
        right.expose()[..5].to_owned(),
        format!("{}a", &right.expose()[..5]),
    ] {
        let odd = Passcode::parse(&odd).unwrap();
        assert_eq!(
            refusal(people.go_on(&open, &odd).await),
            LoginRefusal::Code,
            "{odd:?}"
        );
    }
    let spaced = format!(" {} {} ", &right.expose()[..3], &right.expose()[3..]);
    done(people.go_on(&open, &Passcode::parse(&spaced).unwrap()).await);
}

#[tokio::test]
async fn r18_a_receipt_of_another_person_is_refused() {
    let lab = KeystoneLab::shared();
    let (one, other) = (Somebody::with_code(lab), Somebody::with_code(lab));
    let people = people(lab);
    let (open, others) = (one.open(&people).await, other.open(&people).await);
    // What a browser never sees: the state of one login under the name of another person.
    let state = Zeroizing::new(others.expose_state().to_owned());
    let forged = OpenLogin::new(open.user().clone(), state, open.ends_at());
    assert!(people.go_on(&forged, &code(0)).await.is_err());
    let nonsense = OpenLogin::new(open.user().clone(), Zeroizing::new("{}".into()), open.ends_at());
    let error = people.go_on(&nonsense, &code(0)).await.unwrap_err();
    assert!(matches!(error, LoginError::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_rule_that_no_page_can_ask_for_lets_nobody_in() {
    let lab = KeystoneLab::shared();
    let somebody = Somebody::new(lab, &["member"]);
    somebody.rules(&json!([["password", "token"]]));
    assert_eq!(
        refusal(somebody.begin(&people(lab)).await),
        LoginRefusal::Unsupported
    );
}

#[tokio::test]
async fn one_issuer_may_stand_for_one_domain_of_users() {
    let lab = KeystoneLab::shared();
    let somebody = Somebody::new(lab, &["member"]);
    let of = |domain: &str| people(lab).with_users_of(DomainKey::Name(domain.to_owned()));
    let begin = async |people: KeystonePeople| {
        begin(
            &people,
            "global",
            &somebody.made.user_name,
            &somebody.made.password,
        )
        .await
    };
    done(begin(of("acme")).await);
    assert_eq!(refusal(begin(of("globex")).await), LoginRefusal::Credentials);
}

#[tokio::test]
async fn without_a_service_account_a_login_reads_its_own_records() {
    let lab = KeystoneLab::shared_jws();
    let somebody = Somebody::new(lab, &["member"]);
    let by_mint = minting_people(lab, "people-logins");
    let logged_in = somebody.log_in(&by_mint).await;
    assert!(logged_in.person.email.is_some());
    assert_eq!(by_mint.person(&somebody.id()).await.unwrap(), logged_in.person);
    let bare = KeystonePeople::new(sealstone_keystone::KeystoneIdentity::builder(client(lab)).build());
    somebody.log_in(&bare).await;
    let error = bare.person(&somebody.id()).await.unwrap_err();
    assert!(matches!(error, LoginError::NotConfigured { .. }), "{error:?}");
}
