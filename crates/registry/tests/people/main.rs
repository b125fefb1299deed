//! Clients by way of which people sign in.

mod redirect_uris;
mod rules;

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, Pepper, RegistrationError, SecretSet,
};
use serde_json::{Value, json};

const APP: &str = "https://app.example/cb";

fn register(document: &Value) -> Result<Client, RegistrationError> {
    let registration = ClientRegistration::from_json(document.to_string().as_bytes())?;
    let hash = ClientSecretText::from_random([1; 32]).hash(&Pepper::from_bytes([7; 32]));
    let secrets = registration.needs_secret()?.then(|| SecretSet::new(hash, None));
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000));
    registration.into_client(
        DomainId::parse("demo").unwrap(),
        ClientId::parse("c1").unwrap(),
        secrets,
        now,
    )
}

fn with(base: &Value, change: &Value) -> Value {
    let mut document = base.clone();
    for (member, value) in change.as_object().unwrap() {
        document[member] = value.clone();
    }
    document
}

fn web() -> Value {
    json!({
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://app.example/cb"],
        "scope": "openid profile offline_access",
    })
}

fn native() -> Value {
    json!({
        "token_endpoint_auth_method": "none", "application_type": "native",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        "redirect_uris": ["http://127.0.0.1/cb", "http://[::1]/cb"], "scope": "openid openstack:api",
    })
}
