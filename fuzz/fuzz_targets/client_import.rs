//! Exports of other servers' clients, and what a client says when it registers itself.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, DynamicRegistration, ImportSource, Pepper,
    RegistrationPolicy, SecretSet, import_clients,
};

const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));

fuzz_target!(|data: &[u8]| {
    for source in [
        ImportSource::Hydra,
        ImportSource::Keycloak,
        ImportSource::Keystone,
    ] {
        for imported in import_clients(source, data).into_iter().flatten() {
            assert!(imported.name.is_ascii() && imported.name.len() <= 67);
            assert!(imported.secret.is_none_or(|secret| secret.expose().len() >= 32));
            if let Ok((id, registration)) = imported.registration {
                assert!(chosen(&id));
                drop(client(*registration));
            }
        }
    }
    let policy = RegistrationPolicy::default();
    if let Ok(asked) = DynamicRegistration::from_json(data)
        && let Some(client) = client(asked.within(&policy))
        && policy.check(&client).is_ok()
    {
        assert!(client.scopes().is_subset_of(policy.scopes()));
        assert!(!client.scopes().contains("openstack:api"));
    }
});

fn chosen(id: &ClientId) -> bool {
    sealstone_registry::chosen_client_id(id.as_str()).is_ok()
}

fn client(registration: ClientRegistration) -> Option<Client> {
    let pepper = Pepper::from_bytes([7; 32]);
    let secret = registration.needs_secret().ok()?;
    let secret = secret.then(|| SecretSet::new(ClientSecretText::from_random([9; 32]).hash(&pepper), None));
    let domain = DomainId::parse("demo").expect("a domain");
    let id = ClientId::parse("machine").expect("a client id");
    registration.into_client(domain, id, secret, NOW).ok()
}
