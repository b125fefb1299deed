//! The records of second factors, read and sealed.

use crate::error::BackendError;
use crate::people::visit::Visit;
use sealstone_factors::{RecoveryCodes, RelyingParty, TotpSecret};
use sealstone_identity::UserId;
use sealstone_keyring::{SecretPlace, SecretPurpose};
use sealstone_login::{Kept, UserFactors};
use serde::de::DeserializeOwned;

impl Visit<'_> {
    pub(crate) async fn factors_of(&self, user: &UserId) -> Result<Option<UserFactors>, BackendError> {
        Ok(self.people.factors.factors(self.domain(), user).await?)
    }

    pub(crate) async fn factors_or_none(&self, user: &UserId) -> Result<UserFactors, BackendError> {
        let factors = self.factors_of(user).await?;
        Ok(factors.unwrap_or_else(|| UserFactors::none(self.domain().clone(), user.clone())))
    }

    fn place<'a>(&'a self, user: &'a UserId) -> SecretPlace<'a> {
        SecretPlace {
            purpose: SecretPurpose::OneTimeCodes,
            domain: self.domain().as_str(),
            client: user.as_str(),
        }
    }

    pub(super) fn seal_totp(&self, user: &UserId, secret: &TotpSecret) -> Result<Kept, BackendError> {
        let kek = &self.provider.0.config.key_encryption_key;
        let sealed = kek.seal_secret(self.place(user), &secret.expose())?;
        Ok(Kept::of(&sealed)?)
    }

    pub(super) fn open_totp(&self, user: &UserId, sealed: &Kept) -> Result<TotpSecret, BackendError> {
        let sealed: String = read(sealed)?;
        let kek = &self.provider.0.config.key_encryption_key;
        let text = kek.open_secret(self.place(user), &sealed)?;
        TotpSecret::parse(&text).map_err(|_malformed| BackendError::Factor("a stored secret is malformed"))
    }

    /// Who asks for passkeys: the host that the pages come from.
    pub(crate) fn relying_party(&self) -> Result<RelyingParty, BackendError> {
        let origin = self.provider.0.config.base.origin();
        RelyingParty::of_origin(&origin, &self.realm.config.service_name)
            .map_err(|_fault| BackendError::Factor("passkeys need a host name as base address"))
    }
}

pub(crate) fn read<T: DeserializeOwned>(kept: &Kept) -> Result<T, BackendError> {
    Ok(kept.read()?)
}

pub(crate) fn recovery_left(factors: Option<&UserFactors>) -> Result<usize, BackendError> {
    let Some(kept) = factors.and_then(UserFactors::recovery) else {
        return Ok(0);
    };
    let codes: RecoveryCodes = read(kept)?;
    Ok(codes.left())
}
