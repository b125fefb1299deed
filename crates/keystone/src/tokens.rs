//! `/v3/auth/tokens`: logins, validation, revocation; and the version of the API.

use std::time::Duration;

use http::{Method, StatusCode};
use rustls_pki_types::UnixTime;
use serde::Deserialize;

use crate::{
    Authentication, Fault, IssuedToken, KeystoneClient, KeystoneError, KeystoneRefusal, Label, Login,
    TimeFault, Token, TokenInfo,
    client::{Answer, Call},
    moment,
    token::{ReceiptDocument, TokenDocument},
};

/// How far Keystone's clock may be from ours: three times what a machine without time service drifts in a year.
pub(crate) const MAX_SKEW: Duration = Duration::from_secs(15 * 60);
/// The longest that a token is believed to live, whatever it says: Keystone's own default is one hour.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// From here on a difference of the clocks is worth a line in the log.
const NOTABLE_SKEW: Duration = Duration::from_secs(60);

/// The version of the API that Keystone speaks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ApiVersion {
    /// As in `v3.14`.
    pub id: Label,
    /// As in `stable`.
    pub status: Label,
}

impl KeystoneClient {
    /// Logs in, or finds which factors are still due.
    ///
    /// One call, never repeated: a login may count against its user.
    ///
    /// # Errors
    /// [`KeystoneError`]. An answer for another user, project or credential than was asked about is
    /// [`KeystoneError::Malformed`] with [`Fault::Mismatch`], and its token is dropped. What was asked by name is not
    /// compared: Keystone's databases compare names by rules of their own.
    pub async fn authenticate(&self, authentication: &Authentication) -> Result<Login, KeystoneError> {
        let path = if authentication.wants_catalog() {
            "/auth/tokens"
        } else {
            "/auth/tokens?nocatalog"
        };
        let asked_at = self.now();
        let body = authentication
            .body()
            .map_err(|_unwritable| KeystoneError::Refused {
                operation: "to authenticate",
                refusal: KeystoneRefusal::BadRequest,
                request_id: None,
            })?;
        let call = Call::new("to authenticate", Method::POST, path)
            .receipt(authentication.receipt())
            .body(body);
        let answer = self.call(call).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            let receipt = answer.one_token("openstack-auth-receipt");
            let receipt = receipt.ok_or_else(|| answer.malformed(Fault::SubjectToken))?;
            let receipt = answer.json::<ReceiptDocument>()?.into_receipt(receipt);
            return receipt
                .map(Login::Incomplete)
                .map_err(|fault| answer.malformed(fault));
        }
        answer.expect(StatusCode::CREATED)?;
        let issued = issued(&answer, asked_at)?;
        authentication
            .answered_by(&issued.info)
            .map_err(|fault| answer.malformed(fault))?;
        Ok(Login::Complete(issued))
    }

    /// What `subject` says, if it is valid now. `caller` is the token that asks: the same, or an administrator's.
    ///
    /// # Errors
    /// [`KeystoneRefusal::NotFound`] when the token is not valid, [`KeystoneRefusal::Unauthenticated`] when the
    /// caller's is not, [`KeystoneRefusal::Forbidden`] when the caller may not ask.
    pub async fn validate(&self, caller: &Token, subject: &Token) -> Result<TokenInfo, KeystoneError> {
        let call = Call::new("whether a token is valid", Method::GET, "/auth/tokens?nocatalog");
        let answer = self.call(call.token(caller).subject(subject)).await?;
        answer.expect(StatusCode::OK)?;
        let info = answer.json::<TokenDocument>()?.into_info();
        let info = info.map_err(|fault| answer.malformed(fault))?;
        let repeated = answer.one_token("x-subject-token");
        if repeated.is_some_and(|repeated| repeated.expose() != subject.expose()) {
            return Err(answer.malformed(Fault::Mismatch("token")));
        }
        let ended = moment::after(info.expires_at, MAX_SKEW) <= self.now();
        if info.expires_at <= info.issued_at {
            Err(answer.malformed(Fault::Time(TimeFault::Backwards)))
        } else if ended {
            Err(answer.malformed(Fault::Time(TimeFault::Ended)))
        } else {
            Ok(info)
        }
    }

    /// Whether `subject` is valid now, without what it says (`HEAD`).
    ///
    /// # Errors
    /// As [`KeystoneClient::validate`], but an invalid token is no error.
    pub async fn is_valid(&self, caller: &Token, subject: &Token) -> Result<bool, KeystoneError> {
        let call = Call::new("whether a token is valid", Method::HEAD, "/auth/tokens");
        match self.call(call.token(caller).subject(subject)).await {
            Ok(answer) => answer.expect(StatusCode::OK).map(|()| true),
            Err(error) if error.refusal() == Some(KeystoneRefusal::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Revokes `subject` and all that were made from it.
    ///
    /// # Errors
    /// [`KeystoneRefusal::NotFound`] if it is not valid any more.
    pub async fn revoke(&self, caller: &Token, subject: &Token) -> Result<(), KeystoneError> {
        let call = Call::new("to revoke a token", Method::DELETE, "/auth/tokens");
        let answer = self.call(call.token(caller).subject(subject)).await?;
        answer.expect(StatusCode::NO_CONTENT)
    }

    /// The version of the API; needs no token.
    ///
    /// # Errors
    /// [`KeystoneError`]; [`Fault::Status`] or [`Fault::ContentType`] hint at an address that is not Keystone's.
    pub async fn version(&self) -> Result<ApiVersion, KeystoneError> {
        #[derive(Deserialize)]
        struct Document {
            version: ApiVersion,
        }
        let answer = self
            .call(Call::new("which version it speaks", Method::GET, ""))
            .await?;
        answer.expect(StatusCode::OK)?;
        Ok(answer.json::<Document>()?.version)
    }
}

/// The token of an answer to a login that was asked for at `asked_at` by our clock.
fn issued(answer: &Answer, asked_at: UnixTime) -> Result<IssuedToken, KeystoneError> {
    let token = answer.one_token("x-subject-token");
    let token = token.ok_or_else(|| answer.malformed(Fault::SubjectToken))?;
    let info = answer.json::<TokenDocument>()?.into_info();
    let info = info.map_err(|fault| answer.malformed(fault))?;
    let time = |fault| answer.malformed(Fault::Time(fault));
    let lifetime = moment::since(info.issued_at, info.expires_at).filter(|span| !span.is_zero());
    let lifetime = lifetime.ok_or_else(|| time(TimeFault::Backwards))?;
    let skew = Duration::from_secs(info.issued_at.as_secs().abs_diff(asked_at.as_secs()));
    if skew > MAX_SKEW {
        return Err(time(TimeFault::Skew));
    }
    if skew > NOTABLE_SKEW {
        tracing::warn!(seconds = skew.as_secs(), "Keystone's clock and ours differ");
    }
    Ok(IssuedToken {
        token,
        ends_at: moment::after(asked_at, lifetime.min(MAX_LIFETIME)),
        info,
    })
}
