//! A client's own secret: drawn here, kept as its method asks, shown once.

use sealstone_identity::DomainId;
use sealstone_keyring::{SecretPlace, SecretPurpose};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{ClientSecretText, KeptSecret, SealedSecret, SecretKind, SecretSet};
use zeroize::Zeroizing;

use crate::{failure::Outcome, random, store::Places};

/// A new secret, and what is stored of it.
pub(super) struct Drawn {
    pub(super) text: ClientSecretText,
    pub(super) kept: KeptSecret,
}

impl Drawn {
    /// Draws one for this client.
    pub(super) fn new(
        kind: SecretKind,
        places: &Places,
        (domain, id): (&DomainId, &ClientId),
    ) -> Outcome<Self> {
        match kind {
            SecretKind::Hashed => {
                let text = ClientSecretText::from_random(*Zeroizing::new(random::octets()?));
                let kept = text.hash(&places.pepper()?).into();
                Ok(Self { text, kept })
            }
            SecretKind::Sealed => {
                let text = ClientSecretText::for_assertions(*Zeroizing::new(random::octets()?));
                let place = SecretPlace {
                    purpose: SecretPurpose::ClientSecret,
                    domain: domain.as_str(),
                    client: id.as_str(),
                };
                let sealed = places.key_encryption_key()?.seal_secret(place, text.expose())?;
                let kept = SealedSecret::parse(&sealed)?.into();
                Ok(Self { text, kept })
            }
        }
    }

    /// The first and only secret of a client.
    pub(super) fn alone(&self) -> SecretSet {
        SecretSet::new(self.kept.clone(), None)
    }
}
