//! A change, whichever database it is made in.

use async_trait::async_trait;

use super::{
    connection::{Connection, statement},
    error::Failure,
};
use crate::feed::Counts;

/// A change to be made in a transaction that others may share.
#[async_trait]
pub(super) trait Transaction: Send + Sync + 'static {
    /// What is told to who asked, after the commit.
    type Answer: Send + 'static;

    /// Makes the change inside the transaction that the caller has opened. It may be made again from the start, after
    /// what it did was rolled back.
    async fn make(&self, connection: &mut Connection) -> Result<Self::Answer, Failure>;

    /// Whether this answer means that something was changed that caches hold: clients, domains, key rings,
    /// revocations.
    fn is_counted(&self, _answer: &Self::Answer) -> bool {
        false
    }

    /// Whether, of several nodes, only the one that leads may make it.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(
            dead_code,
            reason = "only several nodes ask: a transaction says it whatever the database"
        )
    )]
    fn is_led(&self) -> bool {
        false
    }

    /// Whether it is one statement, which is whole without a transaction around it.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(
            dead_code,
            reason = "only several nodes ask: a transaction says it whatever the database"
        )
    )]
    fn is_one_statement(&self) -> bool {
        false
    }
}

/// How often each kind of record has changed, as this connection sees the database now.
pub(super) async fn counts(connection: &mut Connection) -> Result<Counts, Failure> {
    let row = statement("SELECT clients, key_rings, revocations FROM change_counts")
        .fetch_one(connection)
        .await?;
    let count = |index: usize| -> Result<u64, Failure> {
        let count: i64 = row.try_get(index)?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    Ok(Counts {
        clients: count(0)?,
        key_rings: count(1)?,
        revocations: count(2)?,
    })
}
