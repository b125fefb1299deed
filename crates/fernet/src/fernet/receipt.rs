use rustls_pki_types::UnixTime;

use super::envelope::{head, not_of_the_future};
use super::msgpack::{Reader, Writer};
use super::payload::{read_time, read_user, write_pair};
use super::{AuthMethods, FernetKeys, Iv};
use crate::{DecodeError, IssueError, KeystoneId};

/// What a receipt says: who has passed which factors, until when the others may follow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a receipt says, and nothing else")]
pub struct Receipt {
    /// The user.
    pub user_id: KeystoneId,
    /// The methods that were passed.
    pub methods: Vec<String>,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// The first second at which it is not valid any more.
    pub expires_at: UnixTime,
}

/// Reads and writes receipts (`Openstack-Auth-Receipt`) by the keys of `[fernet_receipts]`.
///
/// They are Fernet whatever the token provider.
#[derive(Debug, Clone)]
pub struct FernetReceipts {
    keys: FernetKeys,
    methods: AuthMethods,
}

impl FernetReceipts {
    /// With a Keystone's receipt keys and `[auth] methods`.
    #[must_use]
    pub const fn new(keys: FernetKeys, methods: AuthMethods) -> Self {
        Self { keys, methods }
    }

    /// Reads a receipt: form, tag, payload, times.
    ///
    /// # Errors
    /// As [`super::FernetTokens::read`].
    pub fn read(&self, receipt: &str, now: UnixTime) -> Result<Receipt, DecodeError> {
        let opened = self.keys.open(receipt)?;
        let mut reader = Reader::new(opened.payload());
        reader.array_of(3)?;
        let user_id = read_user(&mut reader)?;
        let methods = self.methods.names(reader.unsigned()?)?.to_vec();
        let expires_at = read_time(&mut reader)?;
        reader.end()?;
        not_of_the_future(opened.issued_at, now)?;
        if now >= expires_at {
            return Err(DecodeError::Expired);
        }
        Ok(Receipt {
            user_id,
            methods,
            issued_at: opened.issued_at,
            expires_at,
        })
    }

    /// Writes a receipt under the primary key.
    ///
    /// # Errors
    /// As [`super::FernetTokens::issue`].
    pub fn issue(&self, receipt: &Receipt, iv: Iv) -> Result<String, IssueError> {
        let mut writer = Writer::new(head(receipt.issued_at, iv));
        writer.array(3)?;
        write_pair(&mut writer, &receipt.user_id)?;
        writer.unsigned(self.methods.mask(&receipt.methods)?);
        writer.seconds(receipt.expires_at.as_secs());
        self.keys.seal_after_head(writer.into_octets(), iv)
    }
}
