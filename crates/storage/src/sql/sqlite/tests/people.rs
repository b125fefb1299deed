use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use sealstone_login::{FactorStore, MAX_THROTTLES, ThrottleKey, ThrottleStore, UserFactors};
use sealstone_tokens::RevocationStore;
use sqlx::{AssertSqlSafe, Row};

use super::{super::migrations::ALL, *};

fn at(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(secs))
}

/// What an earlier program wrote is there after the migration, and what is new can be kept beside it.
#[tokio::test]
async fn databases_of_earlier_versions_are_brought_up_to_date() {
    for old in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let made = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true);
        let mut before = made.connect().await.unwrap();
        for migration in ALL.iter().filter(|migration| migration.version <= old) {
            sqlx::raw_sql(migration.sql).execute(&mut before).await.unwrap();
        }
        let record = client("one").to_record().unwrap();
        let domain = serde_json::to_string(&demo()).unwrap();
        let insert = sqlx::query("INSERT INTO domains (id, record) VALUES ('demo', ?1)").bind(domain);
        insert.execute(&mut before).await.unwrap();
        let insert =
            "INSERT INTO clients (client_id, domain_id, version, record) VALUES ('one', 'demo', 1, ?1)";
        sqlx::query(insert)
            .bind(record)
            .execute(&mut before)
            .await
            .unwrap();
        before
            .execute(
                "INSERT INTO revoked_tokens (domain_id, token_id, expires_at) VALUES ('demo', 'dead', 9000)",
            )
            .await
            .unwrap();
        before.close().await.unwrap();

        let status = Migrations::status(&path).await.unwrap();
        assert_eq!((status.version, status.latest), (old, 6));
        let store = SqlStore::open(&path).await.unwrap();
        assert!(store.status().await.unwrap().pending.is_empty());
        assert_eq!(*store.client(&id("one")).await.unwrap().unwrap(), client("one"));
        let revoked = store.revoked(demo().id(), at(1)).await.unwrap();
        assert_eq!(revoked.len(), 1, "version {old}");
        let user = UserId::parse("ada").unwrap();
        let factors = UserFactors::none(demo().id().clone(), user.clone()).without_totp();
        assert_eq!(
            store.replace_factors(&factors).await.unwrap(),
            sealstone_login::Swap::Done
        );
        assert!(store.factors(demo().id(), &user).await.unwrap().is_some());
        store.check_integrity().await.unwrap();
    }
}

/// Whoever makes up names without end displaces the count that was touched longest ago, one for each.
#[tokio::test]
async fn counts_of_guesses_are_bounded() {
    let (_folder, path) = prepared().await;
    let store = SqlStore::open(&path).await.unwrap();
    let domain = DomainId::parse("demo").unwrap();
    let key = |name: &str| ThrottleKey::password(&domain, name);
    for (second, name) in [(3, "c"), (1, "a"), (2, "b")] {
        assert_eq!(store.count_guess(&key(name), at(second)).await.unwrap(), Ok(()));
    }
    // As if all the others were there.
    let full = format!("UPDATE kept_rows SET kept = {MAX_THROTTLES} WHERE name = 'login_throttles'");
    let mut hand = connect(&path).await;
    sqlx::query(AssertSqlSafe(full)).execute(&mut hand).await.unwrap();
    let kept = async |hand: &mut SqliteConnection| -> Vec<i64> {
        let rows = hand
            .fetch_all("SELECT forget_at - 86400 FROM login_throttles ORDER BY forget_at")
            .await;
        rows.unwrap().iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(store.count_guess(&key("b"), at(4)).await.unwrap(), Ok(()));
    assert_eq!(
        kept(&mut hand).await,
        [1, 3, 4],
        "one that is there needs no room"
    );
    for (second, name, want) in [(5, "d", [3, 4, 5]), (6, "e", [4, 5, 6])] {
        assert_eq!(store.count_guess(&key(name), at(second)).await.unwrap(), Ok(()));
        assert_eq!(kept(&mut hand).await, want);
    }
}

/// A damaged record is an error that names no content: it may be a secret.
#[tokio::test]
async fn a_damaged_record_of_a_person_is_refused_and_not_shown() {
    let (_folder, path) = prepared().await;
    let store = SqlStore::open(&path).await.unwrap();
    let (domain, user) = (DomainId::parse("demo").unwrap(), UserId::parse("ada").unwrap());
    let factors = UserFactors::none(domain.clone(), user.clone()).without_totp();
    assert_eq!(
        store.replace_factors(&factors).await.unwrap(),
        sealstone_login::Swap::Done
    );
    let mut hand = connect(&path).await;
    for (damage, says) in [
        (
            r#"UPDATE user_factors SET record = '{"totp":"hush"}'"#,
            "malformed at line 1",
        ),
        (
            r#"UPDATE user_factors SET record = 'hush'"#,
            "malformed at line 1",
        ),
    ] {
        hand.execute(damage).await.unwrap();
        let error = store.factors(&domain, &user).await.unwrap_err();
        let shown = format!("{error:?}");
        assert!(shown.contains(says) && !shown.contains("hush"), "{shown}");
    }
    let other = UserFactors::none(domain.clone(), UserId::parse("bob").unwrap()).without_totp();
    let record = serde_json::to_string(&other).unwrap();
    sqlx::query("UPDATE user_factors SET record = ?1")
        .bind(record)
        .execute(&mut hand)
        .await
        .unwrap();
    let error = store.factors(&domain, &user).await.unwrap_err();
    assert!(
        format!("{error:?}").contains("not the one that its row names"),
        "{error:?}"
    );
}
