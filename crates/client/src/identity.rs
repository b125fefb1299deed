use std::{fmt, sync::Arc};

use sealstone_jose::JwtEncoder;
use sealstone_oauth_types::Secret;

use crate::CertificatePair;

/// How a secret travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6749 §2.3.1 knows these two")]
pub enum SecretMethod {
    /// As the provider's metadata say, in the header if they say nothing.
    #[default]
    Offered,
    /// `client_secret_basic`: in the header.
    Basic,
    /// `client_secret_post`: in the form.
    Post,
}

/// Who we are at a provider, and how we show it.
///
/// Clones share keys and secrets; `Debug` shows none.
#[derive(Clone)]
pub struct ClientIdentity {
    client_id: String,
    proof: Proof,
    binding: Option<CertificatePair>,
}

#[derive(Clone)]
pub(crate) enum Proof {
    Public,
    Secret(Secret, SecretMethod),
    Certificate,
    Assertion(Arc<JwtEncoder>),
}

impl ClientIdentity {
    /// A public client: a program on somebody's machine, which can keep no secret (RFC 8252 §8.5).
    #[must_use]
    pub fn public(client_id: &str) -> Self {
        Self::of(client_id, Proof::Public, None)
    }

    /// A client with a secret.
    #[must_use]
    pub fn with_secret(client_id: &str, secret: Secret, method: SecretMethod) -> Self {
        Self::of(client_id, Proof::Secret(secret, method), None)
    }

    /// A client that shows a certificate (RFC 8705 §2); its tokens are bound to it where the provider does that.
    #[must_use]
    pub fn with_certificate(client_id: &str, certificate: CertificatePair) -> Self {
        Self::of(client_id, Proof::Certificate, Some(certificate))
    }

    /// A client that signs assertions (`private_key_jwt`, RFC 7523 §2.2).
    ///
    /// The encoder's `typ` is `JWT` or what the provider wants.
    #[must_use]
    pub fn with_assertions(client_id: &str, encoder: JwtEncoder) -> Self {
        Self::of(client_id, Proof::Assertion(Arc::new(encoder)), None)
    }

    /// Has tokens bound to this certificate, where the provider offers it: for clients that do not authenticate by
    /// one. A self-signed one will do ([`CertificatePair::self_signed`]).
    #[must_use]
    pub fn bound_to(mut self, certificate: CertificatePair) -> Self {
        self.binding = Some(certificate);
        self
    }

    /// The client's identifier.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The certificate that is shown, if any.
    #[must_use]
    pub const fn certificate(&self) -> Option<&CertificatePair> {
        self.binding.as_ref()
    }

    /// Whether it is the certificate that says who we are.
    #[must_use]
    pub const fn is_mutual_tls(&self) -> bool {
        matches!(self.proof, Proof::Certificate)
    }

    pub(crate) const fn proof(&self) -> &Proof {
        &self.proof
    }

    fn of(client_id: &str, proof: Proof, binding: Option<CertificatePair>) -> Self {
        Self {
            client_id: client_id.to_owned(),
            proof,
            binding,
        }
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proof = match &self.proof {
            Proof::Public => "public",
            Proof::Secret(..) => "secret",
            Proof::Certificate => "certificate",
            Proof::Assertion(_) => "assertions",
        };
        formatter
            .debug_struct("ClientIdentity")
            .field("client_id", &self.client_id)
            .field("proof", &proof)
            .field("certificate", &self.binding)
            .finish()
    }
}
