//! The floor: the statements of the store on its schema, by one connection of the same driver.

use std::path::Path;

use sealstone_storage::SqlStore;
use sqlx::{
    ConnectOptions as _, Executor as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use crate::records;

pub(crate) struct Bare {
    connection: SqliteConnection,
    rotations: [String; 2],
}

impl Bare {
    pub(crate) async fn open(path: &Path) -> Self {
        // Makes the schema.
        SqlStore::open(path).await.expect("a store").close().await;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("cache_size", "-512")
            .pragma("journal_size_limit", "16777216")
            .disable_statement_logging();
        let connection = options.connect().await.expect("a connection");
        // Their values do not matter to the store: one of each generation is written for all families.
        let family = records::redemption(0).family.expect("one");
        let second = records::rotation(family).next;
        let third = records::rotation(second.clone()).next;
        let rotations = [second, third].map(|family| serde_json::to_string(&family).expect("JSON"));
        Self {
            connection,
            rotations,
        }
    }

    pub(crate) async fn insert_codes(&mut self, numbers: &[u64]) {
        self.connection.execute("BEGIN IMMEDIATE").await.expect("begun");
        for number in numbers {
            let code = records::code(*number);
            let query = sqlx::query("INSERT INTO codes (hash, forget_at, record) VALUES (?1, ?2, ?3)");
            let query = query.bind(code.hash.as_octets().to_vec()).bind(1_800_003_600_i64);
            let query = query.bind(serde_json::to_string(&code).expect("JSON"));
            query.execute(&mut self.connection).await.expect("inserted");
        }
        self.connection.execute("COMMIT").await.expect("committed");
    }

    pub(crate) async fn redeem(&mut self, numbers: &[u64], group: usize) {
        for numbers in numbers.chunks(group) {
            self.connection.execute("BEGIN IMMEDIATE").await.expect("begun");
            for number in numbers {
                let hash = records::hash(*number);
                let hash = hash.as_octets().as_slice();
                let query = sqlx::query("SELECT produced, record FROM codes WHERE hash = ?1");
                let row = query
                    .bind(hash)
                    .fetch_one(&mut self.connection)
                    .await
                    .expect("kept");
                assert!(!row.get::<&str, _>(1).is_empty());
                let query =
                    sqlx::query("UPDATE codes SET produced = ?2 WHERE hash = ?1 AND produced IS NULL");
                let query = query.bind(hash).bind(&self.rotations[0][..200]);
                let done = query.execute(&mut self.connection).await.expect("written");
                assert_eq!(done.rows_affected(), 1);
                let query = sqlx::query(
                    "INSERT INTO refresh_families
                         (id, domain_id, user_id, client_id, sid, generation, created_at, expires_at, record)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                );
                let query = query
                    .bind(hash)
                    .bind("demo")
                    .bind(format!("{:032x}", number / 10));
                let query = query
                    .bind("dashboard")
                    .bind(None::<&str>)
                    .bind(1_i64)
                    .bind(1_800_000_010_i64);
                let query = query.bind(1_801_209_610_i64).bind(&self.rotations[0]);
                query.execute(&mut self.connection).await.expect("inserted");
                let query = sqlx::query(
                    "SELECT id FROM refresh_families
                     WHERE user_id = ?1 AND domain_id = ?2 AND client_id = ?3 AND id <> ?4
                     ORDER BY expires_at DESC, created_at DESC, id DESC LIMIT -1 OFFSET ?5",
                );
                let query = query.bind(format!("{:032x}", number / 10)).bind("demo");
                let query = query.bind("dashboard").bind(hash).bind(99_i64);
                let beyond = query.fetch_all(&mut self.connection).await.expect("read");
                assert!(beyond.is_empty());
            }
            self.connection.execute("COMMIT").await.expect("committed");
        }
    }

    pub(crate) async fn rotate(&mut self, numbers: &[u64], group: usize) {
        for numbers in numbers.chunks(group) {
            self.connection.execute("BEGIN IMMEDIATE").await.expect("begun");
            for number in numbers {
                let hash = records::hash(*number);
                let hash = hash.as_octets().as_slice();
                let query = sqlx::query("SELECT id, record, generation FROM refresh_families WHERE id = ?1");
                let row = query
                    .bind(hash)
                    .fetch_one(&mut self.connection)
                    .await
                    .expect("kept");
                let generation: i64 = row.get(2);
                assert!(!row.get::<&str, _>(1).is_empty());
                let query = sqlx::query(
                    "UPDATE refresh_families SET generation = ?3, expires_at = ?4, record = ?5
                     WHERE id = ?1 AND generation = ?2",
                );
                let query = query.bind(hash).bind(generation).bind(generation + 1);
                let query = query.bind(1_801_209_610 + generation);
                let query = query.bind(&self.rotations[usize::from(generation > 1)]);
                let done = query.execute(&mut self.connection).await.expect("written");
                assert_eq!(done.rows_affected(), 1);
            }
            self.connection.execute("COMMIT").await.expect("committed");
        }
    }

    pub(crate) async fn check(&mut self, families: usize) {
        let row = self
            .connection
            .fetch_one("SELECT count(*) FROM refresh_families WHERE generation > 1")
            .await;
        assert_eq!(row.expect("counted").get::<i64, _>(0), families as i64);
    }
}
