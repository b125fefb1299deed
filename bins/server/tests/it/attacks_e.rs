//! Group E: headers of a proxy that terminates TLS. The server itself is tested here; each form of header is in `http`
//! and `mtls`.

use crate::harness::{Ask, GRANT, Https, Process, Refusal, Setup, TOKEN, World};
use sealstone_testkit::{TestCertificate, base64url};

/// Where the proxy connects from. Strangers are at 127.0.0.1.
const PROXY: &str = "127.0.0.9";
/// What only the proxy knows.
const SHARED: &str = "0123456789abcdef0123456789abcdef";
const NO_CERTIFICATE: Refusal = Refusal::client("no_certificate");
const UNREADABLE: Refusal = Refusal::new(400, "invalid_request", "malformed_request");

fn behind_proxy(setup: &mut Setup, form: &str) {
    setup.write_private("proxy.secret", SHARED);
    for (key, value) in [
        ("trusted_networks", "['127.0.0.9/32']"),
        ("form", form),
        ("secret_header", "'X-Proxy-Secret'"),
        ("secret_file", "'proxy.secret'"),
    ] {
        setup.set("proxy", key, value);
    }
}

/// A world behind a proxy of this form, with the client `ci`.
async fn world(form: &str) -> (World, TestCertificate) {
    let world = World::with(|setup| behind_proxy(setup, form)).await;
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    let ci = world.setup.ca.client("ci");
    (world, ci)
}

/// RFC 9440: a byte sequence.
fn rfc9440(certificate: &TestCertificate) -> String {
    format!(":{}:", base64_simd::STANDARD.encode_to_string(certificate.der()))
}

fn ask() -> Ask {
    Ask::post(TOKEN).form(format!("{GRANT}&client_id=ci"))
}

/// As the proxy asks for a client.
fn proxied(certificate: &TestCertificate) -> Ask {
    ask()
        .header("x-proxy-secret", SHARED)
        .header("client-cert", rfc9440(certificate))
}

impl World {
    fn proxy(&self) -> Https {
        self.https().from(PROXY)
    }

    async fn works(&self, ask: Ask) {
        let answer = self.proxy().send(self.public, self.numbered(ask)).await;
        answer.token();
    }

    async fn refused(&self, https: &Https, ask: Ask, want: Refusal) {
        self.refuses_ask(https, self.public, ask, "ci", want).await;
    }
}

#[tokio::test]
async fn e01_header_of_a_stranger() {
    let (world, ci) = world("'rfc9440'").await;
    world.works(proxied(&ci)).await;
    let header = rfc9440(&ci);
    let without_secret = || ask().header("client-cert", &header);
    for (https, ask) in [
        (world.https(), proxied(&ci)),
        (world.https().from("127.0.0.10"), proxied(&ci)),
        (world.proxy(), without_secret()),
        (world.proxy(), without_secret().header("x-proxy-secret", "")),
        (
            world.proxy(),
            without_secret().header("x-proxy-secret", &SHARED[1..]),
        ),
        (world.proxy(), proxied(&ci).header("x-proxy-secret", SHARED)),
    ] {
        world.refused(&https, ask, NO_CERTIFICATE).await;
    }
    world.works(proxied(&ci)).await;
    world.end().await;
}

/// Without `[proxy]` nobody's header counts.
#[tokio::test]
async fn e01_no_proxy_configured() {
    let world = World::start().await;
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    let ci = world.setup.ca.client("ci");
    world.accepts("ci", &ci).await;
    let ask = proxied(&ci)
        .header("x-ssl-client-cert", ci.escaped_pem())
        .header("ssl_client_cert", ci.escaped_pem())
        .header(
            "x-forwarded-client-cert",
            format!("Cert=\"{}\"", ci.escaped_pem()),
        )
        .header("x-forwarded-tls-client-cert", base64url(ci.der()));
    for https in [world.https(), world.proxy()] {
        world.refused(&https, ask.clone(), NO_CERTIFICATE).await;
    }
    world.end().await;
}

#[tokio::test]
async fn e02_header_beside_a_certificate() {
    let (world, ci) = world("'rfc9440'").await;
    world.works(proxied(&ci)).await;
    let other = world.setup.ca.client("other");
    // A stranger's certificate counts, its header does not.
    world.accepts("ci", &ci).await;
    let stranger = world.holder(&other);
    world
        .refuses_ask(
            &stranger,
            world.mtls,
            proxied(&ci),
            "ci",
            Refusal::client("other_certificate"),
        )
        .await;
    let answer = world.holder(&ci).send(world.mtls, proxied(&other)).await;
    answer.token();
    // Two certificates on the proxy's own connection: nobody knows who speaks.
    for certificate in [&ci, &other] {
        let https = world.holder(certificate).from(PROXY);
        let answer = https.send(world.mtls, world.numbered(proxied(&ci))).await;
        world.is_refusal(&answer, "unknown", UNREADABLE);
    }
    // The proxy's own certificate is no client's.
    let https = world.holder(&ci).from(PROXY);
    let bare = ask().header("x-proxy-secret", SHARED);
    world
        .refuses_ask(&https, world.mtls, bare, "ci", NO_CERTIFICATE)
        .await;
    world.end().await;
}

#[tokio::test]
async fn e03_e04_e06_e13_e16_forms() {
    let (world, ci) = world("'rfc9440'").await;
    let other = world.setup.ca.client("other");
    let (good, second) = (rfc9440(&ci), rfc9440(&other));
    world.works(proxied(&ci)).await;
    let bare = || ask().header("x-proxy-secret", SHARED);
    let with = |value: &str| bare().header("client-cert", value);
    let trailing = [ci.der(), &[0]].concat();
    let trailing = format!(":{}:", base64_simd::STANDARD.encode_to_string(trailing));
    for ask in [
        with(&good).header("client-cert", &good),
        with(&good).header("client-cert", &second),
        with(&format!("{good}, {second}")),
        with(good.trim_matches(':')),
        with(&format!("\"{}\"", good.trim_matches(':'))),
        with(good.trim_end_matches(':')),
        with(&trailing),
        with("::"),
        with(&ci.escaped_pem()),
    ] {
        let answer = world.proxy().send(world.public, world.numbered(ask)).await;
        world.is_refusal(&answer, "unknown", UNREADABLE);
    }
    // E25: a chain without its leaf is no certificate.
    let chain = bare().header("client-cert-chain", &good);
    world.refused(&world.proxy(), chain, NO_CERTIFICATE).await;
    // E15: bounded.
    let large = format!(":{}:", "A".repeat(1024 * 1024));
    let answer = world.proxy().try_send(world.public, with(&large)).await;
    if let Ok(answer) = answer {
        assert!(matches!(answer.status.as_u16(), 400 | 431), "{answer:?}");
    }
    world.works(proxied(&ci)).await;
    world.end().await;
}

#[tokio::test]
async fn e05_other_spellings() {
    let (world, ci) = world("'rfc9440'").await;
    let good = rfc9440(&ci);
    let named = |name: &str| ask().header("x-proxy-secret", SHARED).header(name, &good);
    for name in ["client-cert", "Client-Cert", "CLIENT-CERT"] {
        world.works(named(name)).await;
    }
    for name in [
        "client_cert",
        "Client_Cert",
        "x-client-cert",
        "x-ssl-client-cert",
        "ssl_client_cert",
        "x-forwarded-client-cert",
    ] {
        world.refused(&world.proxy(), named(name), NO_CERTIFICATE).await;
    }
    // The secret's name has one spelling, too.
    let ask = ask()
        .header("x_proxy_secret", SHARED)
        .header("client-cert", &good);
    world.refused(&world.proxy(), ask, NO_CERTIFICATE).await;
    world.end().await;
}

#[tokio::test]
async fn e17_verify_header_disagrees() {
    let world = World::with(|setup| {
        behind_proxy(setup, "'nginx-escaped-pem'");
        setup.set("proxy", "header", "'X-SSL-Client-Cert'");
        setup.set("proxy", "verify_header", "'X-SSL-Client-Verify'");
    })
    .await;
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    let ci = world.setup.ca.client("ci");
    let with = |verify: Option<&str>| {
        let ask = ask()
            .header("x-proxy-secret", SHARED)
            .header("x-ssl-client-cert", ci.escaped_pem());
        match verify {
            Some(verify) => ask.header("x-ssl-client-verify", verify),
            None => ask,
        }
    };
    world.works(with(Some("SUCCESS"))).await;
    for verify in [
        None,
        Some("NONE"),
        Some("FAILED"),
        Some("FAILED:certificate has expired"),
        Some(""),
        Some("SUCCESS,FAILED"),
    ] {
        let answer = world
            .proxy()
            .send(world.public, world.numbered(with(verify)))
            .await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 401),
            "{verify:?} {answer:?}"
        );
        assert_eq!(world.records(&answer)[0]["outcome"], "failure");
    }
    world
        .refused(&world.https(), with(Some("SUCCESS")), NO_CERTIFICATE)
        .await;
    // The proxy's word does not stand in for our own judgement of the chain.
    let forged = sealstone_testkit::TestCa::new("Clients").client("ci");
    let ask = ask()
        .header("x-proxy-secret", SHARED)
        .header("x-ssl-client-cert", forged.escaped_pem())
        .header("x-ssl-client-verify", "SUCCESS");
    world
        .refused(&world.proxy(), ask, Refusal::client("untrusted_certificate"))
        .await;
    // E18: names alone are nothing.
    let named = crate::attacks_e::ask()
        .header("x-proxy-secret", SHARED)
        .header("x-ssl-client-verify", "SUCCESS")
        .header("x-ssl-client-s-dn", "CN=ci");
    world.refused(&world.proxy(), named, NO_CERTIFICATE).await;
    world.end().await;
}

#[tokio::test]
async fn e20_whose_word_counts_is_decided_on_the_socket() {
    let (world, ci) = world("'rfc9440'").await;
    world.works(proxied(&ci)).await;
    for (name, value) in [
        ("x-forwarded-for", PROXY),
        ("x-forwarded-for", "127.0.0.9, 127.0.0.9"),
        ("x-real-ip", PROXY),
        ("forwarded", "for=127.0.0.9"),
        ("true-client-ip", PROXY),
    ] {
        let ask = proxied(&ci).header(name, value);
        world.refused(&world.https(), ask, NO_CERTIFICATE).await;
    }
    // The audit trail has the address that the proxy appended, and a stranger's own address whatever he says.
    let address =
        |answer: &crate::harness::Answer| world.records(answer)[0]["initiator"]["host"]["address"].clone();
    let forwarded = "198.51.100.1, 203.0.113.7";
    let ask = world.numbered(proxied(&ci).header("x-forwarded-for", forwarded));
    let answer = world.proxy().send(world.public, ask.clone()).await;
    answer.token();
    assert_eq!(address(&answer), "203.0.113.7");
    let ask = world.numbered(self::ask().header("x-forwarded-for", forwarded));
    let answer = world.https().send(world.public, ask).await;
    assert_eq!(
        (answer.status.as_u16(), address(&answer)),
        (401, "127.0.0.1".into())
    );
    world.end().await;
}

/// E21: a loopback address is everybody's, so that the server does not start without a secret for it.
#[tokio::test]
async fn e21_loopback_without_a_secret() {
    let mut setup = Setup::new();
    behind_proxy(&mut setup, "'rfc9440'");
    let check = |setup: &Setup| {
        let config = setup.write_config();
        let output = Process::command(&["check", "--config", config.to_str().unwrap()]).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check(&setup), (Some(0), String::new()));
    setup.write_private("proxy.secret", "short");
    let (status, said) = check(&setup);
    assert!(status == Some(1) && said.contains("at least 32 bytes"), "{said}");
    setup.unset("proxy", "secret_header");
    setup.unset("proxy", "secret_file");
    for network in ["127.0.0.9/32", "127.0.0.0/8", "0.0.0.0/0", "::1"] {
        setup.set("proxy", "trusted_networks", &format!("['{network}']"));
        let (status, said) = check(&setup);
        assert!(
            status == Some(1) && said.contains("give the proxy a shared secret"),
            "{said}"
        );
    }
    setup.set("proxy", "trusted_networks", "['192.0.2.9']");
    assert_eq!(check(&setup).0, Some(0));
}
