//! Revoking access tokens within a transaction that ends what they came from.

use sealstone_grants::IssuedToken;
use sealstone_identity::DomainId;

use super::{
    connection::{Connection, either},
    error::Failure,
    rows::to_text,
};

/// Tokens of one domain, to be revoked by one statement.
pub(super) struct Revoking {
    domain: String,
    /// A JSON list of [`IssuedToken`]s.
    tokens: String,
}

impl Revoking {
    /// `None` for no tokens.
    pub(super) fn of(domain: &DomainId, tokens: &[IssuedToken]) -> Result<Option<Self>, Failure> {
        if tokens.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            domain: domain.as_str().to_owned(),
            tokens: to_text(&tokens)?,
        }))
    }

    pub(super) async fn make(&self, connection: &mut Connection) -> Result<(), Failure> {
        // In SQLite, `WHERE true` keeps the parser from reading ON CONFLICT as a join's condition.
        let query = either(
            "INSERT INTO revoked_tokens (domain_id, token_id, expires_at)
             SELECT $1, value ->> 'token_id', max(value ->> 'expires_at') FROM json_each($2) WHERE true
             GROUP BY value ->> 'token_id'
             ON CONFLICT (domain_id, token_id) DO UPDATE SET expires_at = excluded.expires_at
             WHERE excluded.expires_at > revoked_tokens.expires_at",
            "INSERT INTO revoked_tokens (domain_id, token_id, expires_at)
             SELECT $1, value ->> 'token_id', max((value ->> 'expires_at')::bigint)
             FROM json_array_elements($2::json) GROUP BY value ->> 'token_id' ORDER BY 2
             ON CONFLICT (domain_id, token_id) DO UPDATE SET expires_at = excluded.expires_at
             WHERE excluded.expires_at > revoked_tokens.expires_at",
        );
        query
            .bind(&self.domain)
            .bind(&self.tokens)
            .execute(connection)
            .await?;
        Ok(())
    }
}
