//! `mod_auth_openidc` as a resource server before Keystone's federation: `examples/mod-auth-openidc`, with keystoneauth.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read has failed"
)]

use std::path::Path;
use std::process::Command;

use sealstone_interop::{
    Answer, DevServer, Front, FrontKind, FrontSetup, Https, KeystoneLab, LabOptions, free_ports,
};
use sealstone_testkit::TestCertificate;
use serde_json::{Value, json};

const MODULES: [&str; 6] = ["ssl", "lua", "auth_openidc", "proxy", "proxy_uwsgi", "authz_user"];

/// Keystone behind Apache, and a server whose tokens Apache takes.
struct World {
    server: DevServer,
    lab: KeystoneLab,
    apache: Front,
}

impl World {
    fn start() -> Self {
        // The variable that the example names: set by Apache, which a client can't.
        let lab = KeystoneLab::start(&LabOptions::new().set("openid.remote_id_attribute", "OIDC_iss"));
        let server = DevServer::start();
        federate(&lab, &server);
        let apache = apache(&lab, &server);
        Self { server, lab, apache }
    }

    /// A token of the client called `name`, bound to its certificate.
    fn token(&self, name: &str, scope: &str) -> String {
        let certificate = self.server.certificate(name);
        let https = self.server.https().with_certificate(&certificate);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", name),
            ("scope", scope),
        ];
        let answer = https.post(&self.server.mtls_url("/token"), &[], &form).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    fn federated(
        &self,
        path: &str,
        certificate: Option<&TestCertificate>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let https = self.server.https();
        let https = match certificate {
            Some(certificate) => https.with_certificate(certificate),
            None => https,
        };
        let url = format!("{}/v3/OS-FEDERATION/{path}", self.apache.url());
        https.post(&url, headers, &[]).unwrap()
    }

    fn log_in(&self, certificate: Option<&TestCertificate>, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.federated(AUTH, certificate, &[("authorization", &bearer)])
    }

    /// keystoneauth's `plugin`, with the certificate of the client called `holder` if there is one.
    fn keystoneauth(&self, plugin: &str, own: &Value, holder: Option<&str>) -> Value {
        let mut options = json!({
            "auth_url": format!("{}/v3", self.apache.url()),
            "identity_provider": "sealstone", "protocol": "openid",
            "project_id": self.lab.seed().project("lab"),
        });
        let members = options.as_object_mut().unwrap();
        members.extend(own.as_object().unwrap().clone());
        let client = holder.map(|name| self.server.client(name).registered().clone());
        let parameters = json!({
            "plugin": plugin, "options": options, "ca": self.server.ca_path(),
            "cert": client.as_ref().and_then(|client| client.cert.clone()),
            "key": client.as_ref().and_then(|client| client.key.clone()),
        });
        keystoneauth(&parameters)
    }
}

const AUTH: &str = "identity_providers/sealstone/protocols/openid/auth";

fn keystoneauth(parameters: &Value) -> Value {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(here.join("../../target/interop-python/bin/python"))
        .args(["-W", "ignore"])
        .arg(here.join("clients/python/keystoneauth_client.py"))
        .arg(parameters.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = said
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok());
    last.unwrap_or_else(|| json!({"error": String::from_utf8_lossy(&output.stderr)}))
}

fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mod-auth-openidc");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn filled(name: &str, changes: &[(&str, &str)]) -> String {
    let mut text = example(name);
    for (from, to) in changes {
        assert!(text.contains(from), "{name} does not say `{from}`");
        text = text.replace(from, to);
    }
    text
}

const ISSUER: &str = "https://id.example/v4/oauth2/demo";

/// What an administrator of Keystone does once: identity provider, mapping, protocol.
fn federate(lab: &KeystoneLab, server: &DevServer) {
    let group = lab.seed().groups["fed-users"].clone();
    let mapping = filled("mapping.json", &[(ISSUER, server.issuer()), ("GROUP_ID", &group)]);
    let rules: Value = serde_json::from_str(&mapping).unwrap();
    let provider = json!({"identity_provider": {"enabled": true, "remote_ids": [server.issuer()]}});
    lab.change(
        "PUT",
        "/OS-FEDERATION/identity_providers/sealstone",
        Some(&provider),
    );
    lab.change(
        "PUT",
        "/OS-FEDERATION/mappings/sealstone",
        Some(&json!({"mapping": {"rules": rules}})),
    );
    let protocol = json!({"protocol": {"mapping_id": "sealstone"}});
    let path = "/OS-FEDERATION/identity_providers/sealstone/protocols/openid";
    lab.change("PUT", path, Some(&protocol));
}

fn apache(lab: &KeystoneLab, server: &DevServer) -> Front {
    let [port] = free_ports();
    let setup = FrontSetup::new();
    setup.write_certificate("server", &server.authority().server());
    setup.write(
        "sealstone-ca.pem",
        &std::fs::read_to_string(server.ca_path()).unwrap(),
    );
    setup.write("holder.lua", &example("holder.lua"));
    let secret = server
        .client("gateway")
        .registered()
        .client_secret
        .clone()
        .unwrap();
    let client =
        format!("OIDCOAuthClientID gateway\nOIDCOAuthClientSecret {secret}\nOIDCCryptoPassphrase {secret}\n");
    setup.write("client.conf", &client);
    let folder = setup.folder().to_string_lossy().into_owned();
    let [node] = lab.nodes()[..] else {
        unreachable!("one node")
    };
    let node: u16 = node
        .trim_end_matches("/v3")
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    // The lab's node speaks the uWSGI protocol twenty ports on.
    let uwsgi = format!("127.0.0.1:{}", node.checked_add(20).unwrap());
    let config = filled(
        "keystone.conf",
        &[
            (ISSUER, server.issuer()),
            ("/etc/keystone-front", &folder),
            ("*:443", &format!("127.0.0.1:{port}")),
            ("127.0.0.1:5001", &uwsgi),
        ],
    );
    setup.start(FrontKind::Apache, port, &config, &MODULES)
}

fn keystoneauth_gets_keystone_tokens_through_us(world: &World) {
    let token_endpoint = world.server.mtls_url("/token");
    let by_credentials = json!({
        "discovery_endpoint": format!("{}/.well-known/openid-configuration", world.server.issuer()),
        "access_token_endpoint": token_endpoint,
        "client_id": "machine", "client_secret": "", "scope": "openstack:api",
    });
    let by_token = json!({"access_token": world.token("machine", "openstack:api")});
    for (plugin, options) in [
        ("v3oidcclientcredentials", by_credentials),
        ("v3oidcaccesstoken", by_token),
    ] {
        let outcome = world.keystoneauth(plugin, &options, Some("machine"));
        assert_eq!(
            outcome["project_id"],
            world.lab.seed().project("lab"),
            "{plugin}: {outcome}\n{}",
            world.apache.said()
        );
        assert_eq!(outcome["user_name"], "machine", "{plugin}");
        assert_eq!(outcome["roles"], json!(["reader"]), "{plugin}");
        let said = world.lab.validated(outcome["token"].as_str().unwrap()).unwrap();
        assert_eq!(
            said["user"]["OS-FEDERATION"]["identity_provider"]["id"], "sealstone",
            "{plugin}"
        );
        // Without the certificate: no token at the first, nothing for it at the second.
        let stolen = world.keystoneauth(plugin, &options, None);
        assert!(stolen["error"].is_object(), "{plugin}: {stolen}");
    }
}

fn a_stolen_token_is_refused_by_apache(world: &World) {
    let token = world.token("machine", "openstack:api");
    let own = world.server.certificate("machine");
    let answer = world.log_in(Some(&own), &token);
    assert_eq!(answer.status, 201, "{}\n{}", answer.text(), world.apache.said());
    let thieves = [
        ("another client's", Some(world.server.certificate("machine-san"))),
        (
            "of the same name, by another authority",
            Some(world.server.foreign("machine")),
        ),
        (
            "of the same name, signed by itself",
            Some(world.server.self_signed("machine")),
        ),
        ("none", None),
    ];
    for (what, certificate) in thieves {
        let answer = world.log_in(certificate.as_ref(), &token);
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        assert_eq!(answer.header("x-subject-token"), None, "{what}");
    }
}

fn what_is_not_meant_for_keystone_is_refused(world: &World) {
    let own = world.server.certificate("machine");
    let elsewhere = world.token("machine", "demo:read");
    assert_eq!(
        world.log_in(Some(&own), &elsewhere).status,
        401,
        "another audience"
    );
    let unbound = {
        let client = world.server.client("machine-secret");
        let run = client.run(sealstone_interop::Program::Authlib);
        run.access_token().to_owned()
    };
    assert_eq!(world.log_in(Some(&own), &unbound).status, 401, "not bound");
    let token = world.token("machine", "openstack:api");
    let mut broken = token.clone();
    broken.truncate(token.len().saturating_sub(4));
    assert_eq!(
        world.log_in(Some(&own), &broken).status,
        401,
        "a broken signature"
    );
    assert_eq!(world.log_in(Some(&own), "x").status, 401, "no token of ours");
    // A machine that Keystone's mapping does not name gets through Apache, and no further.
    let other = world.server.certificate("machine-san");
    let unmapped = world.log_in(Some(&other), &world.token("machine-san", "openstack:api"));
    assert_eq!(unmapped.status, 401, "{}", unmapped.text());
    assert_eq!(unmapped.json()["error"]["code"], 401, "Keystone's own answer");
}

fn a_revoked_token_is_refused(world: &World) {
    let own = world.server.certificate("machine");
    let token = world.token("machine", "openstack:api");
    let https = world.server.https().with_certificate(&own);
    let form = [("token", token.as_str()), ("client_id", "machine")];
    let revoked = https.post(&world.server.mtls_url("/revoke"), &[], &form).unwrap();
    assert_eq!(revoked.status, 200);
    // Apache has not seen it yet, and so has no answer of before.
    assert_eq!(world.log_in(Some(&own), &token).status, 401);
}

fn claims_sent_by_the_client_count_for_nothing(world: &World) {
    let issuer = world.server.issuer();
    let forged = [
        ("OIDC-iss", issuer),
        ("OIDC_iss", issuer),
        ("OIDC-client_id", "machine"),
        ("OIDC_client_id", "machine"),
        ("OIDC-client-id", "machine"),
        ("REMOTE-USER", "machine"),
    ];
    let ways = [
        AUTH,
        "identity_providers/sealstone/protocols/openid/auth/",
        "identity_providers/sealstone/protocols/openid//auth",
        "identity_providers/sealstone/protocols/openid/%61uth",
        "../OS-FEDERATION/identity_providers/sealstone/protocols/openid/auth",
        "identity_providers/sealstone/protocols/./openid/auth",
    ];
    let own = world.server.certificate("machine");
    for path in ways {
        for certificate in [None, Some(&own)] {
            let answer = world.federated(path, certificate, &forged);
            assert!(
                matches!(answer.status, 401 | 404),
                "{path}: {} {}",
                answer.status,
                answer.text()
            );
            assert_eq!(answer.header("x-subject-token"), None, "{path}");
        }
    }
    // The page for browsers is not behind Apache's check: Keystone finds no claims there.
    let https: Https = world.server.https();
    let page = format!(
        "{}/v3/auth/OS-FEDERATION/websso/openid?origin=http://localhost:9990/auth/websso/",
        world.apache.url()
    );
    assert_eq!(https.get(&page, &forged).unwrap().status, 401);
}

fn the_device_grant_is_not_offered_yet(world: &World) {
    let metadata = format!("{}/.well-known/openid-configuration", world.server.issuer());
    let metadata = world.server.https().get(&metadata, &[]).unwrap().json();
    assert_eq!(metadata.get("device_authorization_endpoint"), None);
    let options = json!({
        "discovery_endpoint": format!("{}/.well-known/openid-configuration", world.server.issuer()),
        "client_id": "machine",
    });
    let outcome = world.keystoneauth("v3oidcdeviceauthz", &options, Some("machine"));
    assert!(outcome["error"].is_object(), "{outcome}");
}

fn no_token_is_in_the_log(world: &World, tokens: &[String]) {
    let said = world.apache.said();
    for token in tokens {
        let (_, signature) = token.rsplit_once('.').unwrap();
        assert!(!said.contains(signature), "a token in Apache's log");
    }
}

/// One world for all: a Keystone of its own takes a quarter of a minute.
#[test]
fn keystone_behind_mod_auth_openidc() {
    let world = World::start();
    keystoneauth_gets_keystone_tokens_through_us(&world);
    a_stolen_token_is_refused_by_apache(&world);
    what_is_not_meant_for_keystone_is_refused(&world);
    a_revoked_token_is_refused(&world);
    claims_sent_by_the_client_count_for_nothing(&world);
    the_device_grant_is_not_offered_yet(&world);
    let token = world.token("machine", "openstack:api");
    assert_eq!(
        world
            .log_in(Some(&world.server.certificate("machine")), &token)
            .status,
        201
    );
    no_token_is_in_the_log(&world, &[token]);
}
