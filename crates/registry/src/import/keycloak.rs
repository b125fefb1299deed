//! Clients of a Keycloak realm.

use serde_json::{Map, Value};

use super::{ImportedClient, Reader};

pub(super) fn read(mut client: Reader) -> ImportedClient {
    let id = client.text("clientId").unwrap_or_default();
    if client
        .text("protocol")
        .is_some_and(|protocol| protocol != "openid-connect")
    {
        return client.refused(&id, "it speaks another protocol than OpenID Connect");
    }
    if client.is_true("bearerOnly") {
        let why = "it only takes tokens: register it with introspection, if it asks about them";
        return client.refused(&id, why);
    }
    let mut attributes = match client.take("attributes") {
        Some(Value::Object(attributes)) => Attributes(attributes),
        Some(_) | None => Attributes(Map::new()),
    };
    if let Some(name) = client.text("name") {
        client.set("client_name", name);
    }
    let grants = grants(&mut client, &mut attributes);
    if grants.is_empty() {
        return client.refused(&id, "none of its flows is one of this server's");
    }
    let has_code = grants.iter().any(|grant| grant == "authorization_code");
    let has_people =
        has_code || grants.len() > usize::from(grants.iter().any(|grant| grant == "client_credentials"));
    client.set("grant_types", grants);
    let uris = client.texts("redirectUris");
    if has_code {
        client.set("redirect_uris", uris);
    }
    scopes(&mut client, has_people);
    if let Err(why) = authentication(&mut client, &mut attributes) {
        return client.refused(&id, why);
    }
    people(&mut client, &mut attributes, has_people, has_code);
    if client.members.remove("enabled") == Some(Value::Bool(false)) {
        client.set("enabled", false);
    }
    attributes.leave(&mut client);
    client.ignore(&[
        "id",
        "surrogateAuthRequired",
        "alwaysDisplayInConsole",
        "notBefore",
        "nodeReRegistrationTimeout",
        "fullScopeAllowed",
        "access",
        "authenticationFlowBindingOverrides",
        "webOrigins",
        "adminUrl",
    ]);
    let secret = client.text("secret");
    client.done(&id, &id, secret)
}

fn grants(client: &mut Reader, attributes: &mut Attributes) -> Vec<String> {
    let mut grants = Vec::new();
    // Keycloak's own default is on.
    let has_code = client.members.remove("standardFlowEnabled") != Some(Value::Bool(false));
    let has_device = attributes.is_true("oauth2.device.authorization.grant.enabled");
    if has_code {
        grants.push("authorization_code");
    }
    if has_device {
        grants.push("urn:ietf:params:oauth:grant-type:device_code");
    }
    let refreshes = attributes
        .take("use.refresh.tokens")
        .is_none_or(|on| on != "false");
    if (has_code || has_device) && refreshes {
        grants.push("refresh_token");
    }
    if client.is_true("serviceAccountsEnabled") {
        grants.push("client_credentials");
    }
    for (flow, why) in [
        (
            "implicitFlowEnabled",
            "the implicit grant gives tokens away (RFC 9700 §2.1.2): use authorization_code",
        ),
        (
            "directAccessGrantsEnabled",
            "the password grant is never offered (RFC 9700 §2.4): use the device grant",
        ),
    ] {
        if client.is_true(flow) {
            client.drop(flow, why);
        }
    }
    grants.into_iter().map(str::to_owned).collect()
}

fn scopes(client: &mut Reader, has_people: bool) {
    let mut names = client.texts("defaultClientScopes");
    names.extend(client.texts("optionalClientScopes"));
    let known = ["profile", "email", "groups", "offline_access"];
    let mut scope: Vec<String> = has_people.then(|| "openid".to_owned()).into_iter().collect();
    for name in names {
        let is_login = known.contains(&name.as_str());
        // What every realm has, and what says nothing outside Keycloak.
        let is_builtin = [
            "web-origins",
            "acr",
            "basic",
            "roles",
            "address",
            "phone",
            "microprofile-jwt",
            "service_account",
            "organization",
        ];
        if is_builtin.contains(&name.as_str()) {
            continue;
        }
        if has_people || !is_login {
            let fits = name != "offline_access"
                || client.ours.get("grant_types").is_some_and(|grants| {
                    grants
                        .as_array()
                        .into_iter()
                        .flatten()
                        .any(|grant| grant == "refresh_token")
                });
            if fits && !scope.contains(&name) {
                scope.push(name);
            }
        }
    }
    if !scope.is_empty() {
        client.set("scope", scope.join(" "));
    }
}

fn authentication(client: &mut Reader, attributes: &mut Attributes) -> Result<(), &'static str> {
    let kind = client.text("clientAuthenticatorType").unwrap_or_default();
    if client.is_true("publicClient") {
        client.set("token_endpoint_auth_method", "none");
        client.members.remove("secret");
        return Ok(());
    }
    match kind.as_str() {
        "" | "client-secret" => client.set("token_endpoint_auth_method", "client_secret_basic"),
        "client-secret-jwt" => {
            client.set("token_endpoint_auth_method", "client_secret_jwt");
            // It is kept sealed, and must have the length of its hash: a new one is made.
            if client.members.remove("secret").is_some() {
                client.drop("secret", "a new secret is made, long enough for every algorithm");
            }
        }
        "client-x509" => {
            client.set("token_endpoint_auth_method", "tls_client_auth");
            if attributes.is_true("x509.allow.regex.pattern.comparison") {
                return Err("its certificate is matched by a pattern: name the one subject that it has");
            }
            let subject = attributes.take("x509.subjectdn");
            let subject = subject.ok_or("its certificate's subject is not in the export")?;
            client.set("tls_client_auth_subject_dn", subject);
        }
        "client-jwt" => {
            client.set("token_endpoint_auth_method", "private_key_jwt");
            let keys = attributes.take("jwks.string");
            let keys = keys.and_then(|text| serde_json::from_str::<Value>(&text).ok());
            let keys = keys.ok_or(
                "its keys are not in the export as jwks.string, and this server fetches nothing: put them there",
            )?;
            client.set("jwks", keys);
        }
        _ => return Err("it authenticates in a way that this server does not have"),
    }
    Ok(())
}

fn people(client: &mut Reader, attributes: &mut Attributes, has_people: bool, has_code: bool) {
    if attributes.is_true("tls.client.certificate.bound.access.tokens") {
        client.set("tls_client_certificate_bound_access_tokens", true);
    }
    let pkce = attributes.take("pkce.code.challenge.method");
    let is_public = client.ours.get("token_endpoint_auth_method") == Some(&Value::from("none"));
    if has_code && pkce.is_none() && !is_public {
        client.set("require_pkce", false);
    }
    if !has_people {
        return;
    }
    if let Some(uris) = attributes.take("post.logout.redirect.uris") {
        if uris == "+" {
            if let Some(uris) = client.ours.get("redirect_uris").cloned() {
                client.set("post_logout_redirect_uris", uris);
            }
        } else {
            let uris: Vec<&str> = uris
                .split("##")
                .filter(|uri| !uri.is_empty() && *uri != "-")
                .collect();
            client.set("post_logout_redirect_uris", uris);
        }
    }
    if let Some(uri) = attributes.take("backchannel.logout.url") {
        client.set("backchannel_logout_uri", uri);
        if attributes.is_true("backchannel.logout.session.required") {
            client.set("backchannel_logout_session_required", true);
        }
    }
    if let Some(algorithm) = attributes.take("id.token.signed.response.alg") {
        client.set("id_token_signed_response_alg", algorithm);
    }
    let base = client.text("baseUrl").filter(|url| url.starts_with("https://"));
    if let Some(base) = base {
        client.set("client_uri", base);
    }
    let asks = client.members.remove("consentRequired");
    if asks == Some(Value::Bool(false)) {
        client.drop(
            "consentRequired",
            "people are asked here, unless an administrator registers consent never",
        );
    }
}

/// Keycloak's attributes: texts under names with periods.
struct Attributes(Map<String, Value>);

impl Attributes {
    fn take(&mut self, name: &str) -> Option<String> {
        let text = self.0.remove(name)?.as_str()?.to_owned();
        Some(text).filter(|text| !text.is_empty())
    }

    fn is_true(&mut self, name: &str) -> bool {
        self.take(name).is_some_and(|text| text == "true")
    }

    /// Names those that say something and were not read. What is switched off says nothing.
    fn leave(self, client: &mut Reader) {
        let silent = [
            "client.secret.creation.time",
            "realm_client",
            "display.on.consent.screen",
            "acr.loa.map",
            "backchannel.logout.session.required",
            "backchannel.logout.revoke.offline.tokens",
            "oidc.ciba.grant.enabled",
            "client_credentials.use_refresh_token",
            "require.pushed.authorization.requests",
            "access.token.header.type.rfc9068",
        ];
        for (name, value) in self.0 {
            let is_off = value
                .as_str()
                .is_none_or(|text| ["", "false", "{}"].contains(&text));
            if !is_off && !silent.contains(&name.as_str()) {
                client.drop(&format!("attributes.{name}"), "nothing here reads it");
            }
        }
    }
}
