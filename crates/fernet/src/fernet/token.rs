use super::envelope::{Room, head, not_of_the_future};
use super::msgpack::Writer;
use super::payload::{self, Payload};
use super::{AuthMethods, FernetKeys, Iv, PayloadVersion};
use crate::{DecodeError, IssueError, KeystoneId, ReadAt, TokenClaims, TokenSubject};

/// Reads and writes Fernet tokens as one Keystone does: by its keys, its `[auth] methods` and its
/// `[identity] default_domain_id`.
#[derive(Debug, Clone)]
pub struct FernetTokens {
    keys: FernetKeys,
    methods: AuthMethods,
    default_domain: KeystoneId,
}

/// A Fernet token, read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FernetToken {
    /// What it says. The methods are those of its mask; a token bound to a certificate has none there.
    pub claims: TokenClaims,
    /// The layout of its payload.
    pub version: PayloadVersion,
    /// Which key proved it: its place among the [`FernetKeys`], 0 for the primary.
    pub key: usize,
    /// The initialization vector.
    pub iv: Iv,
}

impl FernetTokens {
    /// With a Keystone's keys and options.
    #[must_use]
    pub const fn new(keys: FernetKeys, methods: AuthMethods, default_domain: KeystoneId) -> Self {
        Self {
            keys,
            methods,
            default_domain,
        }
    }

    /// Reads a token: form, tag, payload, times.
    ///
    /// Keystone does not look at the time in the envelope; here a token that is more than a minute of the future is
    /// refused, as the specification of Fernet has it.
    ///
    /// # Errors
    /// [`DecodeError`] says what is wrong with it; [`DecodeError::Unauthentic`] means that no key proves it.
    pub fn read(&self, token: &str, at: impl Into<ReadAt>) -> Result<FernetToken, DecodeError> {
        let at = at.into();
        let mut room = Room::new();
        let opened = self.keys.open_in(token, &mut room)?;
        not_of_the_future(opened.issued_at, at.now)?;
        let read = payload::read(opened.payload, &self.default_domain)?;
        at.check_end(read.expires_at)?;
        if let Some(more) = read.more {
            let methods = self.methods.names(read.mask)?;
            let mut subject = TokenSubject::with_methods(read.user_id.id(), methods, read.scope.scope());
            subject.trust_id = more.trust_id;
            subject.federation = more.federation;
            subject.access_token_id = more.access_token_id;
            subject.application_credential_id = more.application_credential_id;
            subject.thumbprint = more.thumbprint;
            return Ok(FernetToken {
                claims: TokenClaims {
                    subject,
                    audit_ids: read.audit_ids,
                    issued_at: opened.issued_at,
                    expires_at: read.expires_at,
                },
                version: read.version,
                key: opened.key,
                iv: opened.iv,
            });
        }
        // In one expression, so that it is made where it is handed out.
        Ok(FernetToken {
            claims: TokenClaims {
                subject: TokenSubject {
                    user_id: read.user_id.id(),
                    methods: self.methods.names(read.mask)?,
                    scope: read.scope.scope(),
                    trust_id: None,
                    federation: None,
                    access_token_id: None,
                    application_credential_id: None,
                    thumbprint: None,
                },
                audit_ids: read.audit_ids,
                issued_at: opened.issued_at,
                expires_at: read.expires_at,
            },
            version: read.version,
            key: opened.key,
            iv: opened.iv,
        })
    }

    /// Writes a token under the primary key, as Keystone does.
    ///
    /// Methods that are not among Keystone's own (`oauth2_credential`) vanish, as they do there.
    ///
    /// # Errors
    /// [`IssueError::Layout`] if no layout has a place for all that the claims say; [`IssueError::Id`] for an
    /// identifier that would come back in another spelling; [`IssueError::Claim`], [`IssueError::TooLong`],
    /// [`IssueError::Backend`].
    pub fn issue(&self, claims: &TokenClaims, iv: Iv) -> Result<String, IssueError> {
        self.keys.seal_after_head(self.written(claims, iv)?, iv)
    }

    /// As [`FernetTokens::issue`], with an initialization vector that the primary key derives from what is written: the
    /// same claims are the same token, for whoever holds the keys. For a token that exists in another form already, so
    /// that a Keystone with a cache knows it again.
    ///
    /// # Errors
    /// As [`FernetTokens::issue`].
    pub fn issue_derived(&self, claims: &TokenClaims) -> Result<String, IssueError> {
        let mut octets = self.written(claims, Iv::new([0; 16]))?;
        let iv = self.keys.derive_iv(&mut octets)?;
        self.keys.seal_after_head(octets, iv)
    }

    /// Has Fernet a bit for each of these methods here? [`FernetTokens::issue`] leaves out those that it has not.
    #[must_use]
    pub fn names_all(&self, methods: &[String]) -> bool {
        self.methods.has_all(methods)
    }

    /// Head and payload, in clear text.
    fn written(&self, claims: &TokenClaims, iv: Iv) -> Result<Vec<u8>, IssueError> {
        claims.check().map_err(IssueError::Claim)?;
        let payload = Payload {
            version: PayloadVersion::of(&claims.subject)?,
            subject: &claims.subject,
            mask: self.methods.mask(&claims.subject.methods)?,
            expires_at: claims.expires_at,
            audit_ids: claims.audit_ids,
        };
        let mut writer = Writer::new(head(claims.issued_at, iv));
        payload.write(&mut writer, &self.default_domain)?;
        Ok(writer.into_octets())
    }
}
