//! Every failure that the guide tells of, made for real at Sealstone and at a service.

use std::collections::BTreeMap;

use sealstone_interop::{
    Answer, EXPIRED_AT, Front, FrontKind, FrontSetup, HttpsError, ProtectedService, free_ports,
};
use sealstone_testkit::{CertificateSpec, CrlSpec, TestCa, TestCertificate};
use serde_json::json;

use crate::observed::{Observed, check, front_said, keystone_said, seen, settled};
use crate::place::{FORM, Place, claims, public_keys};
use crate::{filled, folder, soon};

/// What proxies and server share.
const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const KINDS: [FrontKind; 3] = [FrontKind::Nginx, FrontKind::Apache, FrontKind::HaProxy];
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// A place with the proxies of `examples/proxies` before it. The server is told to expect nginx.
struct World {
    place: Place,
    nginx: Front,
    apache: Front,
    haproxy: Front,
    tried: BTreeMap<&'static str, Observed>,
}

#[test]
fn every_failure_is_as_the_guide_says() {
    let mut world = World::start();
    world.certificates();
    world.proxies();
    world.bindings();
    world.credentials();
    services(&world.place);
    world.keystone();
    check("At Sealstone", &world.tried);
}

impl World {
    fn start() -> Self {
        let place = Place::start(|setup| {
            setup.write_private("proxy", SECRET);
            for (key, value) in [
                ("trusted_networks", "['127.0.0.1/32']"),
                ("form", "'nginx-escaped-pem'"),
                ("secret_header", "'X-Proxy-Secret'"),
                ("secret_file", "'proxy'"),
            ] {
                setup.set("proxy", key, value);
            }
        });
        let [nginx, apache, haproxy] = KINDS.map(|kind| proxy(&place, kind));
        Self {
            place,
            nginx,
            apache,
            haproxy,
            tried: BTreeMap::new(),
        }
    }

    fn texts(&self, front: Option<&Front>) -> [(&'static str, String); 4] {
        let audit = self.place.server.audit();
        let rules: Vec<String> = audit
            .iter()
            .filter(|event| event["outcome"] == "failure")
            .map(|event| format!("{} {}", event["id"], event["reason"]["policyId"]))
            .collect();
        [
            ("Audit trail", rules.join("\n")),
            ("Our log", self.place.server.said()),
            ("Proxy's log", front.map(front_said).unwrap_or_default()),
            ("Keystone's log", keystone_said(&self.place.lab.log(1))),
        ]
    }

    /// A request to the server itself.
    fn observe(&mut self, what: &'static str, act: impl FnOnce(&Self) -> Result<Answer, HttpsError>) {
        let before = self.texts(None);
        let client = seen(&act(self));
        let mut observed = settled(&before, || self.texts(None));
        observed.insert("The client sees", client);
        self.tried.insert(what, observed);
    }

    /// One through a proxy.
    fn observe_behind(&mut self, what: &'static str, kind: FrontKind, certificate: Option<&TestCertificate>) {
        let fronts = [&self.nginx, &self.apache, &self.haproxy];
        let front = fronts[KINDS.iter().position(|known| *known == kind).unwrap()];
        let before = self.texts(Some(front));
        let client = seen(&self.through(front, certificate));
        let mut observed = settled(&before, || self.texts(Some(front)));
        observed.insert("The client sees", client);
        self.tried.insert(what, observed);
    }

    /// A token request at the server itself.
    fn directly(
        &self,
        certificate: Option<&TestCertificate>,
        form: &[(&str, &str)],
    ) -> Result<Answer, HttpsError> {
        self.place
            .https(certificate)
            .post(&self.place.url("/token"), &[], form)
    }

    /// One through a proxy.
    fn through(&self, front: &Front, certificate: Option<&TestCertificate>) -> Result<Answer, HttpsError> {
        let url = format!("{}/v4/oauth2/ops/token", front.url());
        self.place.https(certificate).post(&url, &[], &FORM)
    }

    /// A certificate of the machines' CA with the subject of `ci`.
    fn same(&self) -> CertificateSpec {
        CertificateSpec::same_subject(&self.place.certificate("ci"))
    }

    fn certificates(&mut self) {
        let expired = self.place.ca.issue(self.same().not_after(EXPIRED_AT));
        let unknown = TestCa::new("Elsewhere").issue(self.same());
        let wrong = self.place.certificate("exporter");
        let revoked = self.place.ca.issue(self.same());
        self.observe("certificate missing", |world| world.directly(None, &FORM));
        self.observe_behind("certificate missing, behind nginx", FrontKind::Nginx, None);
        self.observe("certificate expired", |world| {
            world.directly(Some(&expired), &FORM)
        });
        self.observe_behind(
            "certificate expired, behind nginx",
            FrontKind::Nginx,
            Some(&expired),
        );
        self.observe_behind(
            "certificate expired, behind Apache",
            FrontKind::Apache,
            Some(&expired),
        );
        self.observe("certificate unknown", |world| {
            world.directly(Some(&unknown), &FORM)
        });
        self.observe_behind(
            "certificate unknown, behind nginx",
            FrontKind::Nginx,
            Some(&unknown),
        );
        self.observe("wrong DN", |world| world.directly(Some(&wrong), &FORM));
        let list = self.place.ca.crl(&CrlSpec::new(1_000).revoke(&revoked));
        self.place.server.setup().write("client-ca.crl", &list.pem());
        self.place.server.restart(|_| ());
        self.observe("certificate revoked", |world| {
            world.directly(Some(&revoked), &FORM)
        });
    }

    fn proxies(&mut self) {
        let own = self.place.certificate("ci");
        assert_eq!(self.through(&self.nginx, Some(&own)).unwrap().status, 200);
        self.observe_behind(
            "wrong proxy form: Apache where nginx is configured",
            FrontKind::Apache,
            Some(&own),
        );
        self.observe_behind("wrong proxy form: another header", FrontKind::HaProxy, Some(&own));
        let header = own.escaped_pem();
        let headers = [
            ("x-ssl-client-cert", header.as_str()),
            ("x-proxy-secret", "wrong"),
        ];
        self.observe("proxy not believed", |world| {
            let [public, _] = world.place.server.ports();
            let url = format!("https://localhost:{public}/v4/oauth2/ops/token");
            world.place.https(None).post(&url, &headers, &FORM)
        });
    }

    fn bindings(&mut self) {
        let arguments = [
            "--auth-method",
            "client_secret_post",
            "--bound",
            "true",
            "--scope",
            "metrics:read",
        ];
        let secret = self.register("secretive", &arguments);
        let form = [GRANT, ("client_id", "secretive"), ("client_secret", &secret)];
        self.observe("token would be unbound", |world| world.directly(None, &form));
    }

    /// Registers a client of the domain unasked; its secret, if it has one.
    fn register(&self, id: &str, arguments: &[&str]) -> String {
        let mut all = vec!["client", "create", id, "--domain", "ops", "--output", "json"];
        all.extend(arguments);
        let output = self.place.server.setup().sealstone(&all);
        assert!(output.status.success(), "{output:?}");
        let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        made["client_secret"].as_str().unwrap_or_default().to_owned()
    }

    fn credentials(&mut self) {
        let setup = self.place.server.setup();
        setup.write_private("wrong-secret", &"wrong".repeat(10));
        let path = setup.path("wrong-secret").to_string_lossy().into_owned();
        let id = self.place.exporter.credential_id.clone();
        let arguments = [
            "--subject-dn",
            "CN=wrong,O=Example",
            "--scope",
            "openstack:api",
            "--openstack-application-credential",
            &id,
            "--openstack-application-credential-secret-file",
            &path,
            "--dangerous-without-keystone-check",
        ];
        let _none = self.register("wrong", &arguments);
        let subject = CertificateSpec::client("").subject(&[("O", "Example"), ("CN", "wrong")]);
        let own = self.place.ca.issue(subject);
        self.observe("wrong application credential", |world| {
            world.directly(Some(&own), &[GRANT, ("client_id", "wrong"), FORM[2]])
        });
        self.observe("wrong application credential, Keystone token", |world| {
            let form = [GRANT, ("client_id", &id), ("client_secret", "wrong")];
            world.place.https(None).post(&world.place.os_oauth2(), &[], &form)
        });
    }

    fn keystone(&mut self) {
        let own = self.place.certificate("ci");
        let lab = &self.place.lab;
        let path = format!("/users/{}", self.place.ci.user_id);
        lab.change("PATCH", &path, Some(&json!({"user": {"enabled": false}})));
        self.place.server.restart(|_| ());
        self.observe("Keystone's user disabled", |world| {
            world.directly(Some(&own), &FORM)
        });
        let lab = &self.place.lab;
        lab.change("PATCH", &path, Some(&json!({"user": {"enabled": true}})));
        let roles = format!(
            "/projects/{}/users/{}/roles/",
            self.place.ci.project_id, self.place.ci.user_id
        );
        lab.change("DELETE", &format!("{roles}{}", lab.seed().role("member")), None);
        self.place.server.restart(|_| ());
        self.observe("Keystone's user without a role", |world| {
            world.directly(Some(&own), &FORM)
        });
        let lab = &self.place.lab;
        lab.change("PUT", &format!("{roles}{}", lab.seed().role("member")), None);
        for entry in std::fs::read_dir(public_keys(lab)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("sealstone-")
            {
                std::fs::rename(&path, self.place.home.path().join("key")).unwrap();
            }
        }
        self.place.server.restart(|_| ());
        self.observe("Keystone does not know our key", |world| {
            world.directly(Some(&own), &FORM)
        });
        self.place.lab.stop();
        self.observe("Keystone away", |world| world.directly(Some(&own), &FORM));
    }
}

/// A proxy of `examples/proxies` before the place's public listener.
fn proxy(place: &Place, kind: FrontKind) -> Front {
    let (file, listens, here) = if kind == FrontKind::Apache {
        ("apache.conf", "*:443", "127.0.0.1:")
    } else if kind == FrontKind::Nginx {
        ("nginx.conf", "listen 443", "listen 127.0.0.1:")
    } else {
        ("haproxy.cfg", "bind :443", "bind 127.0.0.1:")
    };
    let [port] = free_ports();
    let setup = FrontSetup::new();
    setup.write_certificate("server", &place.ca.server());
    setup.write("sealstone-ca.pem", &place.ca.pem());
    setup.write("client-ca.pem", &place.ca.pem());
    let secret = if kind == FrontKind::Apache {
        format!("RequestHeader set X-Proxy-Secret \"{SECRET}\"\n")
    } else {
        format!("proxy_set_header X-Proxy-Secret \"{SECRET}\";\n")
    };
    setup.write("secret.conf", &secret);
    let [backend, _] = place.server.ports();
    let config = filled(
        &folder().join("../proxies").join(file),
        &[
            (listens, &format!("{here}{port}")),
            ("sealstone.internal:8443", &format!("localhost:{backend}")),
            ("/etc/sealstone-proxy", &setup.folder().to_string_lossy()),
        ],
    );
    let config = config
        .replace("sealstone.internal", "localhost")
        .replace("mtls.id.example.org", "localhost");
    let named = config.lines().find_map(|line| line.strip_prefix("# a2enmod "));
    let modules: Vec<&str> = named.map(|names| names.split(' ').collect()).unwrap_or_default();
    setup.start_with(
        kind,
        port,
        &config,
        &modules,
        &[("SEALSTONE_PROXY_SECRET", SECRET)],
    )
}

/// A token before the WSGI filter and before `sealstone-resource`, as whoever should not have it shows it.
fn services(place: &Place) {
    let filter = place.service();
    let (ca, own) = (place.machine().join("ca.pem"), place.ca.server());
    let audience = "openstack-apis:ops";
    let rust = ProtectedService::start_with(&place.issuer(), audience, &ca, &own, place.home.path());
    let (own, other) = (place.certificate("ci"), place.certificate("exporter"));
    let bound = place.token(&place.url("/token"), &own);
    let update = ["client", "update", "ci", "--bound", "false"];
    let updated = place.server.setup().sealstone(&update);
    assert!(updated.status.success(), "{updated:?}");
    let mut unbound = bound.clone();
    soon("its tokens are unbound", || {
        unbound = place.token(&place.url("/token"), &own);
        claims(&unbound)["cnf"].is_null()
    });
    let urls = [format!("{}/v2.1/servers", filter.url()), rust.url().to_owned()];
    let ask = |url: &str, certificate: Option<&TestCertificate>, token: &str| {
        let bearer = format!("Bearer {token}");
        place.https(certificate).get(url, &[("authorization", &bearer)])
    };
    for url in &urls {
        assert_eq!(ask(url, Some(&own), &bound).unwrap().status, 200, "{url}");
    }
    let mut tried = BTreeMap::new();
    for (what, certificate, token) in [
        ("certificate missing", None, &bound),
        ("certificate of another machine", Some(&other), &bound),
        ("token unbound", Some(&own), &unbound),
    ] {
        let before = [("The service's log", filter.said())];
        let [by_filter, by_rust] = urls.each_ref().map(|url| seen(&ask(url, certificate, token)));
        let mut observed = settled(&before, || [("The service's log", filter.said())]);
        observed.insert("The WSGI filter answers", by_filter);
        observed.insert("`sealstone-resource` answers", by_rust);
        tried.insert(what, observed);
    }
    check("At a service", &tried);
}
