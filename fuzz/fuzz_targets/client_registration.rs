//! A registration document, and a stored record of a client.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{Client, ClientRegistration, ClientSecretText, Pepper, Pkce, SecretSet};

const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));

fuzz_target!(|data: &[u8]| {
    if let Ok(client) = Client::from_record(data) {
        kept(&client);
    }
    let Ok(registration) = ClientRegistration::from_json(data) else {
        return;
    };
    let Ok(needs_secret) = registration.needs_secret() else {
        return;
    };
    let pepper = Pepper::from_bytes([7; 32]);
    let secret = ClientSecretText::from_random([9; 32]);
    let secret = needs_secret.then(|| SecretSet::new(secret.hash(&pepper), None));
    let domain = DomainId::parse("demo").expect("a domain");
    let id = ClientId::parse("machine").expect("a client id");
    if let Ok(client) = registration.into_client(domain, id, secret, NOW) {
        kept(&client);
    }
});

fn kept(client: &Client) {
    let record = client.to_record().expect("a client is stored");
    let again = Client::from_record(record.as_bytes()).expect("what was stored is read");
    assert_eq!(again.to_record().expect("and stored again"), record);
    assert_eq!(&again, client);
    for uri in client.redirect_uris() {
        assert_eq!(client.redirect_uri(Some(uri)).as_ref(), Some(uri));
        assert!(!uri.as_str().contains('*'));
    }
    assert!(!client.is_public() || client.pkce() == Pkce::Required);
    assert!(client.refresh_idle() <= client.refresh_lifetime());
}
