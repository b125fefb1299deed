//! Client authentication (RFC 6749 §2.3, RFC 8705 §2), shared by every endpoint that clients call.
//!
//! ```text
//! NeedsClient ──with_client──▶ NeedsVerdict ──with_verdict──▶ Judged::Authenticated
//!                                                           └▶ Judged::NeedsFirstUse ──with_use──▶ Authenticated
//! ```
//!
//! Only an assertion takes the second way: it counts once, and only when all else about it is right.
//!
//! A client that does not exist goes the whole way, so that it costs what a wrong secret costs.

use crate::assertion::{
    self, AssertionAudiences, AssertionClaims, AssertionFault, AssertionUse, UsedAssertion,
};
use crate::{ChainVerdict, Denial, PresentedCertificate};
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{ClientId, PresentedClient, PresentedCredential, Secret};
use sealstone_registry::{AssertionRules, Client, ClientAuth, SecretSet};
use std::sync::Arc;

/// Whoever asks has named itself; the registry has not been asked yet.
#[derive(Debug)]
pub struct NeedsClient {
    id: Option<ClientId>,
    credential: PresentedCredential,
    certificate: Option<PresentedCertificate>,
}

impl NeedsClient {
    /// Begins with what the request presents. `certificate` is the one of this connection.
    #[must_use]
    pub fn new(presented: PresentedClient, certificate: Option<PresentedCertificate>) -> Self {
        let id = presented
            .id
            .as_deref()
            .and_then(|text| ClientId::parse(text).ok());
        Self {
            id,
            credential: presented.credential,
            certificate,
        }
    }

    /// The client to look up; none if what was sent can't be a client id.
    #[must_use]
    pub const fn client_id(&self) -> Option<&ClientId> {
        self.id.as_ref()
    }

    /// Goes on with what the registry said.
    #[must_use]
    pub fn with_client(self, client: Option<Arc<Client>>) -> NeedsVerdict {
        NeedsVerdict {
            client,
            credential: self.credential,
            certificate: self.certificate,
        }
    }
}

/// What must be found out before the client counts as authenticated.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the driver answers each challenge")]
pub enum Challenge<'a> {
    /// Whether this secret is one of these. `None` stands for a client that does not exist or has no secret: the
    /// driver checks against a decoy, so that both cost the same, and the answer is no.
    Secret {
        /// What the client keeps.
        registered: Option<&'a SecretSet>,
        /// What was sent.
        offered: &'a Secret,
    },
    /// Whether this assertion is signed by the client, and what it claims. `None` stands for a client that does not
    /// exist or makes no assertions: the driver checks against a decoy, so that both cost the same, and the answer is no.
    Assertion {
        /// The client, if it is one that makes assertions.
        client: Option<&'a Client>,
        /// What was sent.
        offered: &'a Secret,
    },
    /// Nothing: the certificate decides.
    None,
}

/// The driver's answer to a [`Challenge`].
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "each challenge has its answers")]
pub enum Verdict<'a> {
    /// The secret is right, or there was nothing to check.
    Holds,
    /// The secret is wrong.
    Fails,
    /// The assertion is the client's own and says this.
    Signed {
        /// What it says.
        claims: Box<AssertionClaims>,
        /// What it may call this server.
        audiences: &'a AssertionAudiences,
    },
    /// The assertion is not the client's own.
    NotSigned(AssertionFault),
}

/// The registry has answered; the credential has not been judged.
#[derive(Debug)]
pub struct NeedsVerdict {
    client: Option<Arc<Client>>,
    credential: PresentedCredential,
    certificate: Option<PresentedCertificate>,
}

impl NeedsVerdict {
    /// What the driver must find out.
    #[must_use]
    pub fn challenge(&self) -> Challenge<'_> {
        let offered = match &self.credential {
            PresentedCredential::SecretBasic(secret) | PresentedCredential::SecretPost(secret) => secret,
            PresentedCredential::Assertion(offered) => {
                let client = self.client.as_deref();
                let client = client.filter(|client| client.auth().assertion_rules().is_some());
                return Challenge::Assertion { client, offered };
            }
            PresentedCredential::None => return Challenge::None,
        };
        let registered = match self.client.as_deref().map(Client::auth) {
            Some(ClientAuth::SecretBasic(set) | ClientAuth::SecretPost(set)) => Some(set),
            Some(
                ClientAuth::TlsClientAuth(_)
                | ClientAuth::SelfSignedTlsClientAuth(_)
                | ClientAuth::PrivateKeyJwt(_)
                | ClientAuth::ClientSecretJwt(_)
                | ClientAuth::None,
            )
            | None => None,
        };
        Challenge::Secret { registered, offered }
    }

    /// Judges the client as one of `domain` at `now`.
    ///
    /// # Errors
    /// A [`Denial`] whose code is `invalid_client`.
    pub fn with_verdict(
        self,
        verdict: Verdict<'_>,
        domain: &DomainId,
        now: UnixTime,
    ) -> Result<Judged, Denial> {
        let client = self.client.ok_or(Denial::UnknownClient)?;
        check_method(&client, &self.credential)?;
        let mut assertion = None;
        match client.auth() {
            // A public client proves nothing; what it is given is bound to what its person proved.
            ClientAuth::None => {}
            ClientAuth::SecretBasic(_) | ClientAuth::SecretPost(_) => match verdict {
                Verdict::Holds => {}
                Verdict::Fails | Verdict::Signed { .. } | Verdict::NotSigned(_) => {
                    return Err(Denial::WrongSecret);
                }
            },
            ClientAuth::PrivateKeyJwt(_) | ClientAuth::ClientSecretJwt(_) => {
                let rules = client.auth().assertion_rules().unwrap_or_default();
                let used = check_assertion(verdict, client.id(), rules, now);
                assertion = Some(used.map_err(Denial::WrongAssertion)?);
            }
            ClientAuth::TlsClientAuth(subject) => {
                let presented = self.certificate.as_ref().ok_or(Denial::NoCertificate)?;
                if let ChainVerdict::NotVerified(reason) = presented.chain {
                    return Err(Denial::UntrustedCertificate(reason));
                }
                check_dates(&presented.certificate, now)?;
                if !subject.matches(&presented.certificate) {
                    return Err(Denial::OtherCertificate);
                }
            }
            ClientAuth::SelfSignedTlsClientAuth(keys) => {
                let presented = self.certificate.as_ref().ok_or(Denial::NoCertificate)?;
                check_dates(&presented.certificate, now)?;
                if !keys.keys().matches(&presented.certificate) {
                    return Err(Denial::OtherCertificate);
                }
            }
        }
        if client.domain() != domain || !client.is_enabled() {
            return Err(Denial::DisabledClient);
        }
        let authenticated = Authenticated {
            client,
            certificate: self.certificate,
        };
        Ok(match assertion {
            None => Judged::Authenticated(authenticated),
            Some(assertion) => Judged::NeedsFirstUse(NeedsFirstUse {
                authenticated,
                assertion,
            }),
        })
    }
}

/// What became of the credential.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum Judged {
    /// The client proved who it is.
    Authenticated(Authenticated),
    /// It did so by an assertion, which must not have been used before.
    NeedsFirstUse(NeedsFirstUse),
}

/// Everything is right about an assertion; it has not been marked as used.
#[derive(Debug)]
pub struct NeedsFirstUse {
    authenticated: Authenticated,
    assertion: UsedAssertion,
}

impl NeedsFirstUse {
    /// What the driver marks as used, in one atomic step.
    #[must_use]
    pub const fn assertion(&self) -> &UsedAssertion {
        &self.assertion
    }

    /// Goes on with what the store said.
    ///
    /// # Errors
    /// [`Denial::WrongAssertion`] unless it was the first use.
    pub fn with_use(self, used: AssertionUse) -> Result<Authenticated, Denial> {
        match used {
            AssertionUse::First => Ok(self.authenticated),
            AssertionUse::Again => Err(Denial::WrongAssertion(AssertionFault::Replayed)),
            AssertionUse::TooMany => Err(Denial::WrongAssertion(AssertionFault::TooMany)),
        }
    }
}

fn check_assertion(
    verdict: Verdict<'_>,
    client_id: &ClientId,
    rules: AssertionRules,
    now: UnixTime,
) -> Result<UsedAssertion, AssertionFault> {
    match verdict {
        Verdict::Signed { claims, audiences } => assertion::judge(&claims, client_id, rules, audiences, now),
        Verdict::NotSigned(fault) => Err(fault),
        Verdict::Holds | Verdict::Fails => Err(AssertionFault::Signature),
    }
}

/// Another method than the registered one proves nothing, even with the right secret (RFC 7591 §2).
fn check_method(client: &Client, credential: &PresentedCredential) -> Result<(), Denial> {
    let takes = match client.auth() {
        ClientAuth::SecretBasic(_) => matches!(credential, PresentedCredential::SecretBasic(_)),
        ClientAuth::SecretPost(_) => matches!(credential, PresentedCredential::SecretPost(_)),
        ClientAuth::PrivateKeyJwt(_) | ClientAuth::ClientSecretJwt(_) => {
            matches!(credential, PresentedCredential::Assertion(_))
        }
        ClientAuth::TlsClientAuth(_) | ClientAuth::SelfSignedTlsClientAuth(_) | ClientAuth::None => {
            matches!(credential, PresentedCredential::None)
        }
    };
    match credential {
        _ if takes => Ok(()),
        PresentedCredential::None => Err(Denial::NoCredential),
        PresentedCredential::SecretBasic(_)
        | PresentedCredential::SecretPost(_)
        | PresentedCredential::Assertion(_) => Err(Denial::OtherMethod),
    }
}

/// Judged on every request: a connection, or the session that it resumed, may be older than the certificate's end.
fn check_dates(certificate: &ClientCertificate, now: UnixTime) -> Result<(), Denial> {
    if certificate.is_in_date(now) {
        Ok(())
    } else {
        Err(Denial::CertificateOutOfDate)
    }
}

/// A client that proved who it is. Only this module makes one.
#[derive(Debug)]
pub struct Authenticated {
    client: Arc<Client>,
    certificate: Option<PresentedCertificate>,
}

impl Authenticated {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The certificate of its connection, if there is one. For a client that authenticates by secret or assertion it
    /// proves possession and nothing else.
    #[must_use]
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref().map(|presented| &presented.certificate)
    }

    pub(crate) fn into_parts(self) -> (Arc<Client>, Option<PresentedCertificate>) {
        (self.client, self.certificate)
    }
}
