//! Issuers good and broken, and a service that trusts all of them.

use sealstone_interop::{Answer, CertificateIn, Https, WsgiService};
use sealstone_jose::Algorithm;
use sealstone_testkit::{TestCa, TestCertificate};
use serde_json::{Value, json};

use crate::issuer::{Key, TestIssuer, document, now};
use crate::{Filled, NOBODY};

/// Issuers whose documents can't be used.
pub(crate) const BROKEN: [&str; 12] = [
    "no-keys",
    "no-revocations",
    "redirected",
    "others-revocations",
    "ended-revocations",
    "twice",
    "large",
    "deep",
    "not-json",
    "no-lists",
    "half-a-key",
    "odd-key",
];

pub(crate) struct World {
    pub(crate) issuer: TestIssuer,
    pub(crate) keys: [Key; 3],
    pub(crate) revoked: Key,
    pub(crate) service: WsgiService,
    pub(crate) own: TestCertificate,
    pub(crate) ca: String,
}

impl World {
    pub(crate) fn start() -> Self {
        let issuer = TestIssuer::start();
        let keys = [
            Key::new("ec", Algorithm::Es256, "ES256"),
            Key::new("ed", Algorithm::EdDsa, "EdDSA"),
            Key::new("rsa", Algorithm::Rs256, "RS256"),
        ];
        let revoked = Key::new("stolen", Algorithm::Es256, "ES256");
        let all: Vec<Value> = keys.iter().chain([&revoked]).map(Key::jwk).collect();
        let set = json!({"keys": all}).to_string();
        let plain = issuer
            .revocations("demo", &["stolen"], &["known-stolen"])
            .to_string();
        issuer.publish("demo", &set, &plain);
        let other = json!({"keys": [Key::new("other", Algorithm::Es256, "ES256").jwk()]}).to_string();
        issuer.publish(
            "second",
            &other,
            &issuer.revocations("second", &[], &[]).to_string(),
        );
        publish_broken(&issuer, &set);
        let clients = TestCa::new("Clients");
        let urls: Vec<String> = ["demo", "second"]
            .iter()
            .chain(&BROKEN)
            .map(|domain| issuer.url(domain))
            .collect();
        let ca = format!("{}{}", issuer.ca.pem(), clients.pem());
        let filled = Filled {
            issuers: &urls.join(" "),
            ca: &ca,
            keystone: NOBODY,
            password: "none",
            certificate_in: CertificateIn::Environ,
        };
        let service = filled.start(&issuer.ca);
        Self {
            own: clients.client("machine"),
            issuer,
            keys,
            revoked,
            service,
            ca,
        }
    }

    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.issuer.url("demo"), "sub": "machine", "aud": "openstack-apis:demo", "client_id": "machine",
            "iat": now(), "nbf": now(), "exp": now() + 300, "jti": "fresh", "scope": "openstack:api",
            "cnf": {"x5t#S256": self.own.thumbprint()},
            "openstack_context": {
                "user_id": "u1", "user_name": "ci", "user_domain_id": "d1", "user_domain_name": "acme",
                "scope_type": "project", "project_id": "p1", "project_name": "web", "project_domain_id": "d1",
                "roles": ["member", "reader"],
            },
        })
    }

    /// A good token with these members of the claims replaced; null removes one.
    pub(crate) fn token(&self, changes: &Value) -> String {
        let key = &self.keys[0];
        key.sign(&key.header(), &changed(self.claims(), changes).to_string())
    }

    pub(crate) fn get(
        &self,
        path: &str,
        certificate: Option<&TestCertificate>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut https = Https::trusting(&self.ca);
        if let Some(certificate) = certificate {
            https = https.with_certificate(certificate);
        }
        https
            .get(&format!("{}{path}", self.service.url()), headers)
            .unwrap()
    }

    pub(crate) fn bear(&self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.get("/v2.1/servers", Some(&self.own), &[("authorization", &bearer)])
    }
}

fn publish_broken(issuer: &TestIssuer, set: &str) {
    let revocations = |domain: &str| issuer.revocations(domain, &[], &[]);
    let publish =
        |domain: &str, set: &str, revocations: &Value| issuer.publish(domain, set, &revocations.to_string());
    for domain in BROKEN {
        publish(domain, set, &revocations(domain));
    }
    let missing = "404 Not Found\r\nContent-Length: 0\r\n\r\n";
    issuer.answer("/v4/oauth2/no-keys/jwks", missing.to_owned());
    issuer.answer("/v4/oauth2/no-revocations/jwks/revocation", missing.to_owned());
    let elsewhere = format!(
        "302 Found\r\nLocation: {}/jwks\r\nContent-Length: 0\r\n\r\n",
        issuer.url("demo")
    );
    issuer.answer("/v4/oauth2/redirected/jwks", elsewhere);
    publish("others-revocations", set, &revocations("demo"));
    let ended = changed(revocations("ended-revocations"), &json!({"exp": 1}));
    publish("ended-revocations", set, &ended);
    let key: Value = serde_json::from_str(set).unwrap();
    let twice = json!({"keys": [key["keys"][0], key["keys"][0]]}).to_string();
    publish("twice", &twice, &revocations("twice"));
    let large = json!({"filler": "x".repeat(1024 * 1024)});
    publish("large", set, &changed(revocations("large"), &large));
    let deep = format!("{{\"keys\": {}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    publish("deep", &deep, &revocations("deep"));
    let without = changed(revocations("no-lists"), &json!({"revoked_keys": null}));
    publish("no-lists", set, &without);
    let half = changed(key["keys"][0].clone(), &json!({"x": null}));
    publish(
        "half-a-key",
        &json!({"keys": [half]}).to_string(),
        &revocations("half-a-key"),
    );
    let odd = changed(key["keys"][0].clone(), &json!({"x": [1], "y": {}}));
    publish(
        "odd-key",
        &json!({"keys": [odd]}).to_string(),
        &revocations("odd-key"),
    );
    issuer.answer("/v4/oauth2/not-json/jwks", document("{\"keys\": NaN}"));
}

pub(crate) fn changed(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        let members = object.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    object
}
