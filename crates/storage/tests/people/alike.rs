//! Whatever is done to them, both stores answer alike: what the rules were tested on in memory is what the file does.

use std::fmt::Debug;

use proptest::{collection::vec, prelude::*};
use sealstone_directory::{DirectoryUser, UserChange, UserName, UserRegistration};
use sealstone_grants::{
    consent::Consent,
    device::DeviceDecision,
    logout::LogoutNotice,
    refresh::{Ending, FamilyLifetime, RefreshRotation, Rotates},
};
use sealstone_login::{Judged, Kept, ThrottleKey, TotpFactor, UserFactors};
use sealstone_oauth_types::ScopeSet;
use sealstone_storage::{MemoryStore, SqlStore};

use crate::fixtures::{
    Store, add_domain, at, client_id, code, device, domain_id, family, family_id, grant, hash, redemption,
    revoked, session, sid, token_id, user_id,
};

/// What is done, by numbers of which each names one of few: so that things meet.
#[derive(Debug, Clone)]
struct Step {
    what: u8,
    which: u8,
    who: u8,
    version: u64,
    now: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..36_u8, 0..4_u8, 0..3_u8, 0..4_u64, 1_000..5_000_u64);
    let step = step.prop_map(|(what, which, who, version, now)| Step {
        what,
        which,
        who,
        version,
        now,
    });
    vec(step, 1..120)
}

/// An answer as text; errors are alike, whatever their cause. `order` brings lists without an order into one.
fn told<T: Debug, E>(answer: Result<T, E>) -> String {
    answer.map_or_else(|_| "error".to_owned(), |answer| format!("{answer:?}"))
}

fn sorted<T: Debug, E>(answer: Result<Vec<T>, E>) -> String {
    let mut lines: Vec<String> = match answer {
        Ok(answers) => answers.iter().map(|answer| format!("{answer:?}")).collect(),
        Err(_) => return "error".to_owned(),
    };
    lines.sort_unstable();
    lines.join("\n")
}

fn user(who: u8, version: u64) -> DirectoryUser {
    let registration = UserRegistration::new(UserName::parse(&format!("user-{who}")).unwrap());
    let mut user = DirectoryUser::register(domain_id("demo"), registration, [who; 16], at(1_000)).unwrap();
    for step in 1..version {
        let change = UserChange {
            // Sometimes somebody else's name.
            name: Some(UserName::parse(&format!("User-{}", (u64::from(who) + step) % 3)).unwrap()),
            ..UserChange::default()
        };
        user = user.changed(change, at(1_000 + step)).unwrap();
    }
    user
}

fn consent(user: &str, client: &str, now: u64) -> Consent {
    Consent {
        domain: domain_id("demo"),
        user_id: user_id(user),
        client_id: client_id(client),
        client_created_at: at(100),
        scope: ScopeSet::parse("openid").unwrap(),
        project: None,
        granted_at: at(now),
    }
}

fn notice(which: u8, now: u64) -> LogoutNotice {
    LogoutNotice {
        id: token_id(format!("n-{which}")),
        domain: domain_id("demo"),
        client_id: client_id("web"),
        subject: "ada".to_owned(),
        sid: sid(1),
        created_at: at(1_000),
        due_at: at(now),
        tries: 0,
    }
}

fn factors(user: &str, version: u64) -> UserFactors {
    let totp = TotpFactor::new(Kept::of(&"sealed").unwrap(), 100, at(1_000));
    let mut factors = UserFactors::none(domain_id("demo"), user_id(user));
    for _change in 0..version {
        factors = factors.with_totp(totp.clone());
    }
    factors
}

async fn do_grants<S: Store>(store: &S, step: &Step) -> Option<String> {
    let (number, now) = (u64::from(step.which), at(step.now));
    let user = format!("user-{}", step.who);
    let client = format!("client-{}", step.who);
    let (domain, client) = (domain_id("demo"), client_id(&client));
    // Whose a family is never changes.
    let mut own = family(number);
    let owner = number % 3;
    own.grant = grant("demo", &format!("user-{owner}"), &format!("client-{owner}"));
    own.created_at = at(1_000 + number);
    if number == 1 {
        own.rotates = Rotates::Never;
    }
    if owner == 0 {
        own.lifetime = FamilyLifetime::Session;
        own.grant.sid = Some(sid(step.which));
    }
    let given = redemption(Some(own.clone()));
    let end = async |which| sorted(store.end(which, now).await);
    Some(match step.what {
        0 => told(store.insert_code(code(number)).await),
        1 => told(store.redeem(&hash(number), &given, now).await),
        2 => told(store.spend(&hash(number), now).await),
        3 => {
            let mut next = own;
            next.generation = step.version + 1;
            next.last_used_at = now;
            let revoked = if step.version == 3 {
                next.live.clone()
            } else {
                Vec::new()
            };
            let rotation = RefreshRotation {
                expected_generation: step.version,
                next,
                revoked,
            };
            told(store.rotate(&rotation).await)
        }
        4 => end(Ending::Family(&family_id(number))).await,
        5 => {
            let sid = &sid(step.which);
            end(Ending::Session { domain: &domain, sid }).await
        }
        6 => {
            let user_id = &user_id(&user);
            end(Ending::User {
                domain: &domain,
                user_id,
            })
            .await
        }
        7 => end(Ending::Client(&client)).await,
        8 => told(store.families_of(&domain, &user_id(&user), 2).await),
        9 => {
            let mut request = device(number);
            request.created_at = now;
            request.expires_at = at(step.now + 600);
            // Two of four have one user code.
            request.user_code = device(number / 2).user_code;
            told(store.insert_device(request).await)
        }
        10 => told(
            store
                .device_by_user_code(&domain, &device(number / 2).user_code, now)
                .await,
        ),
        11 => {
            let yes = DeviceDecision::Approve(Box::new(grant("demo", &user, "tv")));
            let decision = if step.who == 0 { DeviceDecision::Deny } else { yes };
            told(store.decide(&hash(number), &decision, now).await)
        }
        12 => told(store.poll(&hash(number), now).await),
        13 => told(store.redeem_device(&hash(number), &given, now).await),
        14 => told(
            store
                .put_consent(&consent(&user, client.as_str(), step.now))
                .await,
        ),
        15 => told(store.consents_of(&domain, &user_id(&user), 10).await),
        16 => told(store.remove_consent(&domain, &user_id(&user), &client).await),
        17 => told(store.insert_notices(&[notice(step.which, step.now)]).await),
        18 => sorted(store.take_due(now, 10).await),
        19 => told(store.postpone_notice(&notice(step.which, step.now)).await),
        20 => told(store.remove_notice(&token_id(format!("n-{number}"))).await),
        _ => return None,
    })
}

async fn do_logins<S: Store>(store: &S, step: &Step) -> String {
    let now = at(step.now);
    let name = format!("user-{}", step.who);
    let (domain, person) = (domain_id("demo"), user_id(&name));
    let open = session(step.which, "demo", &name);
    let key = ThrottleKey::password(&domain, &name);
    match step.what {
        21 => told(store.insert_session(&open).await),
        22 => {
            let mut record = serde_json::to_value(&open).unwrap();
            record["id"] = serde_json::to_value(hash(u64::from(step.who))).unwrap();
            record["version"] = (step.version + 1).into();
            let next = serde_json::from_value(record).unwrap();
            told(store.replace_session(step.version, &next).await)
        }
        23 => told(store.end_session(&open.id()).await),
        24 => sorted(store.end_sessions_of(&domain, &person).await),
        25 => told(store.sessions_of(&domain, &person, None, 2).await),
        26 => told(store.replace_factors(&factors(&name, step.version)).await),
        27 => told(store.factors(&domain, &person).await),
        28 => told(store.remove_factors(&domain, &person).await),
        29 => told(store.count_guess(&key, now).await),
        30 => {
            let judged = if step.which == 0 {
                Judged::Right
            } else {
                Judged::NotAtAll
            };
            told(store.settle_guess(&key, judged).await)
        }
        31 => told(store.insert_user(user(step.who, 1)).await),
        32 => told(
            store
                .replace_user(step.version, user(step.who, step.version + 1))
                .await,
        ),
        34 => {
            let browser = ThrottleKey::known_browser(&domain, &name, hash(u64::from(step.which)));
            let counted = told(store.count_guess(&browser, now).await);
            if step.version == 0 {
                counted + &told(store.know_browser(&browser, now).await)
            } else {
                counted
            }
        }
        33 => told(store.delete_user(user(step.who, 1).id()).await),
        _ => {
            let purged = [
                told(store.purge_codes(now).await),
                told(store.purge_families(now).await),
                told(store.purge_devices(now).await),
                told(store.purge_sessions(now).await),
                told(store.purge_throttles(now).await),
                told(store.purge(now).await),
            ];
            purged.join(" ")
        }
    }
}

/// All that is kept.
async fn everything<S: Store>(store: &S) -> String {
    let mut all = vec![format!("{:?}", revoked(store, "demo").await)];
    for number in 0..4 {
        all.push(told(store.code(&hash(number)).await));
        all.push(told(store.family(&family_id(number)).await));
        all.push(told(store.device(&hash(number)).await));
        all.push(told(store.session(&hash(number)).await));
        all.push(told(
            store
                .session_by_sid(&domain_id("demo"), &sid(u8::try_from(number).unwrap()))
                .await,
        ));
    }
    all.push(told(store.next_due().await));
    all.push(told(store.list_users(&domain_id("demo"), None, 10).await));
    all.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn both_stores_answer_alike(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (memory, sql) = (MemoryStore::new(), SqlStore::open(&folder.path().join("test.db")).await.unwrap());
            add_domain(&memory, "demo").await;
            add_domain(&sql, "demo").await;
            for step in &steps {
                let in_memory = match do_grants(&memory, step).await {
                    Some(answer) => answer,
                    None => do_logins(&memory, step).await,
                };
                let on_disk = match do_grants(&sql, step).await {
                    Some(answer) => answer,
                    None => do_logins(&sql, step).await,
                };
                prop_assert_eq!(in_memory, on_disk, "{:?}", step);
            }
            prop_assert_eq!(everything(&memory).await, everything(&sql).await);
            Ok(())
        })?;
    }
}
