use super::{ImportError, ImportRefusal, ImportSource, ImportedClient, MAX_IMPORT, import_clients};
use crate::RegistrationError;
use serde_json::{Value, json};

fn import(source: ImportSource, export: &Value) -> Vec<ImportedClient> {
    import_clients(source, export.to_string().as_bytes()).unwrap()
}

fn one(source: ImportSource, client: Value) -> ImportedClient {
    import(source, &json!([client])).pop().unwrap()
}

fn dropped(client: &ImportedClient) -> Vec<&str> {
    client
        .dropped
        .iter()
        .map(|dropped| dropped.member.as_str())
        .collect()
}

fn registration(client: &ImportedClient) -> Value {
    let (id, registration) = client.registration.as_ref().unwrap();
    let mut members = serde_json::to_value(registration).unwrap();
    members["client_id"] = id.as_str().into();
    members
}

#[test]
fn hydras_clients_come_with_what_means_the_same() {
    let client = one(
        ImportSource::Hydra,
        json!({
            "client_id": "app", "client_name": "App", "redirect_uris": ["https://app.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "scope": "openid offline_access", "audience": ["https://api.example"], "owner": "team", "policy_uri": "",
            "allowed_cors_origins": [], "contacts": null, "client_secret_expires_at": 0, "subject_type": "public",
            "token_endpoint_auth_method": "client_secret_post", "userinfo_signed_response_alg": "none",
            "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "metadata": {"a": 1},
            "jwks": {}, "skip_consent": true, "backchannel_logout_session_required": false,
        }),
    );
    let members = registration(&client);
    assert_eq!(members["resources"], json!(["https://api.example"]));
    assert_eq!(members["token_endpoint_auth_method"], "client_secret_post");
    assert_eq!(members["client_id"], "app");
    let mut named = dropped(&client);
    named.sort_unstable();
    assert_eq!(named, ["metadata", "owner", "skip_consent"]);
    assert!(client.secret.is_none());
    let listed = import(
        ImportSource::Hydra,
        &json!({ "items": [{ "client_id": "a", "grant_types": ["client_credentials"] }] }),
    );
    assert_eq!(registration(&listed[0])["client_id"], "a");
}

#[test]
fn keycloaks_clients_come_as_what_they_do() {
    let secret = "h2Yd8sKq0ZpW4mNv7RtX1cJb5LfG9aEu";
    let client = one(
        ImportSource::Keycloak,
        json!({
            "id": "7a6c", "clientId": "grafana", "name": "Grafana", "enabled": false, "protocol": "openid-connect",
            "clientAuthenticatorType": "client-secret", "secret": secret, "publicClient": false,
            "redirectUris": ["https://grafana.example/login"], "webOrigins": ["+"], "standardFlowEnabled": true,
            "implicitFlowEnabled": true, "directAccessGrantsEnabled": true, "serviceAccountsEnabled": false,
            "consentRequired": false, "frontchannelLogout": false,
            "defaultClientScopes": ["web-origins", "acr", "profile", "roles", "email"], "optionalClientScopes": ["offline_access"],
            "protocolMappers": [{ "name": "groups" }],
            "attributes": { "post.logout.redirect.uris": "+", "backchannel.logout.url": "https://grafana.example/out",
                "pkce.code.challenge.method": "S256", "oidc.ciba.grant.enabled": "false", "login_theme": "ours" },
        }),
    );
    let members = registration(&client);
    assert_eq!(
        members["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(members["scope"], "openid profile email offline_access");
    assert_eq!(members["enabled"], false);
    assert_eq!(
        members["post_logout_redirect_uris"],
        json!(["https://grafana.example/login"])
    );
    assert!(
        members.get("require_pkce").is_none(),
        "its default is to require it"
    );
    assert_eq!(
        client
            .secret
            .as_ref()
            .map(|secret| secret.expose().to_owned())
            .as_deref(),
        Some(secret)
    );
    let named = dropped(&client);
    for member in [
        "implicitFlowEnabled",
        "directAccessGrantsEnabled",
        "consentRequired",
        "protocolMappers",
        "attributes.login_theme",
    ] {
        assert!(named.contains(&member), "{member}: {named:?}");
    }
    assert!(!format!("{client:?}").contains(secret));
}

#[test]
fn o09_secrets_that_can_be_guessed_are_not_kept() {
    for secret in [
        "**********",
        "changeme",
        &"a".repeat(64),
        "correct horse battery staple and so on",
        &"x1".repeat(300),
    ] {
        let client = one(
            ImportSource::Keycloak,
            json!({ "clientId": "app", "redirectUris": ["https://a.example/"], "secret": secret }),
        );
        assert!(
            client.secret.is_none() && dropped(&client).contains(&"secret"),
            "{secret}"
        );
        assert!(!format!("{:?}", client.dropped).contains(secret));
    }
}

#[test]
fn o04_o15_what_cannot_be_represented_is_refused_by_name() {
    use ImportSource::{Hydra, Keycloak, Keystone};
    let cases = [
        (
            "a wildcard",
            Keycloak,
            json!({ "clientId": "app", "redirectUris": ["https://app.example/*"] }),
        ),
        (
            "a path alone",
            Keycloak,
            json!({ "clientId": "app", "redirectUris": ["/cb"] }),
        ),
        (
            "SAML",
            Keycloak,
            json!({ "clientId": "https://sp.example", "protocol": "saml" }),
        ),
        (
            "takes tokens",
            Keycloak,
            json!({ "clientId": "api", "bearerOnly": true }),
        ),
        (
            "no flow",
            Keycloak,
            json!({ "clientId": "x", "standardFlowEnabled": false }),
        ),
        (
            "a pattern",
            Keycloak,
            json!({ "clientId": "m", "standardFlowEnabled": false, "serviceAccountsEnabled": true,
            "clientAuthenticatorType": "client-x509", "attributes": { "x509.allow.regex.pattern.comparison": "true", "x509.subjectdn": ".*" } }),
        ),
        (
            "keys elsewhere",
            Keycloak,
            json!({ "clientId": "m", "redirectUris": ["https://a.example/"],
            "clientAuthenticatorType": "client-jwt", "attributes": { "jwks.url": "https://a.example/jwks" } }),
        ),
        (
            "another method",
            Keycloak,
            json!({ "clientId": "m", "redirectUris": ["https://a.example/"], "clientAuthenticatorType": "own" }),
        ),
        (
            "an id of no client",
            Keycloak,
            json!({ "clientId": "a b", "redirectUris": ["https://a.example/"] }),
        ),
        ("no id", Hydra, json!({ "redirect_uris": ["https://a.example/"] })),
        (
            "keys elsewhere",
            Hydra,
            json!({ "client_id": "a", "jwks_uri": "https://a.example/jwks" }),
        ),
        (
            "implicit",
            Hydra,
            json!({ "client_id": "a", "grant_types": ["implicit"] }),
        ),
        (
            "an id of a user",
            Hydra,
            json!({ "client_id": "7a6c1f0e5b3d42c8a9e0d1f2b3c4d5e6", "grant_types": ["client_credentials"] }),
        ),
        (
            "unrestricted",
            Keystone,
            json!({ "id": "c1", "name": "ci", "unrestricted": true, "user_id": "u", "project_id": "p" }),
        ),
        (
            "whose",
            Keystone,
            json!({ "id": "c1", "name": "ci", "project_id": "p" }),
        ),
    ];
    let pepper = crate::Pepper::from_bytes([1; 32]);
    for (name, source, export) in cases {
        let client = one(source, export);
        // What is read is not yet checked: the rules of a registration do that.
        let refused = client.registration.and_then(|(id, registration)| {
            let hash = crate::ClientSecretText::from_random([2; 32]).hash(&pepper);
            let secrets = registration
                .needs_secret()?
                .then(|| crate::SecretSet::new(hash, None));
            let domain = sealstone_identity::DomainId::parse("demo").unwrap();
            let now = rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(1));
            registration
                .into_client(domain, id, secrets, now)
                .map(drop)
                .map_err(ImportRefusal::from)
        });
        let refused = refused.expect_err(name);
        assert!(refused.to_string().len() > 20, "{name}: {refused}");
    }
}

#[test]
fn keystones_credentials_become_ties_without_their_secrets() {
    let of_api = json!({ "application_credentials": [{ "id": "96ac0e80280047d980fc8c62728b49d2", "name": "ci", "user_id": "u1",
        "project_id": "p1", "roles": [{ "id": "r1", "name": "member" }], "unrestricted": false, "expires_at": null, "links": {} }] });
    let of_cli = json!([{ "ID": "96ac0e80280047d980fc8c62728b49d2", "Name": "ci", "User ID": "u1", "Project ID": "p1",
        "Description": null, "Expires At": "2030-01-01T00:00:00.000000", "Roles": "member", "Unrestricted": false }]);
    for (export, named) in [(of_api, vec![]), (of_cli, vec!["expires_at"])] {
        let clients = import(ImportSource::Keystone, &export);
        let members = registration(&clients[0]);
        assert_eq!(members["client_id"], "ac-96ac0e80280047d980fc8c62728b49d2");
        assert_eq!(members["openstack_minted"], true);
        assert_eq!(members["openstack_user_id"], "u1");
        assert_eq!(dropped(&clients[0]), named);
    }
}

#[test]
fn o10_exports_that_are_none_are_refused() {
    for (export, want) in [
        (b"".to_vec(), ImportError::Json),
        (b"{".to_vec(), ImportError::Json),
        (b"7".to_vec(), ImportError::Shape),
        (b"{}".to_vec(), ImportError::Shape),
        (b"[1]".to_vec(), ImportError::Shape),
        (b"{\"clients\": 1}".to_vec(), ImportError::Shape),
        ("[".repeat(10_000).into_bytes(), ImportError::Json),
        (vec![b' '; MAX_IMPORT + 1], ImportError::TooLarge),
    ] {
        assert_eq!(import_clients(ImportSource::Keycloak, &export).unwrap_err(), want);
    }
    let refused = ImportRefusal::from(RegistrationError::ClientId);
    assert_eq!(refused.to_string(), RegistrationError::ClientId.to_string());
}
