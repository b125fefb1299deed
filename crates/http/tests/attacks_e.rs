//! Group E: headers of TLS-terminating proxies, as far as the edge decides. How each form is read is `sealstone-mtls`'s.

use http::HeaderMap;
use sealstone_http::{HttpConfig, ProxyAccess, RateLimit, TrustedProxy};
use sealstone_mtls::{ForwardedCertificate, ForwardedHeader};
use sealstone_oauth_types::Secret;
use sealstone_testkit::{CertificateSpec, TestCertificate};

use crate::support::{Ask, GRANT, TOKEN, World};

const PROXY: &str = "192.0.2.8";
const PROXY_SECRET: &str = "0123456789abcdef0123456789abcdef";

fn rfc9440(certificate: &TestCertificate) -> String {
    format!(":{}:", base64_simd::STANDARD.encode_to_string(certificate.der()))
}

fn behind(form: ForwardedCertificate) -> impl FnOnce(HttpConfig) -> HttpConfig {
    let proxy =
        TrustedProxy::new(vec![format!("{PROXY}/32").parse().unwrap()], ProxyAccess::Address).unwrap();
    move |config| config.with_trusted_proxy(proxy.with_certificate(form).with_forwarded_for())
}

async fn world() -> World {
    let proxy = behind(ForwardedCertificate::new(ForwardedHeader::Rfc9440));
    // The rows send more wrong authentications than one client is allowed.
    World::with(|config| proxy(config.with_rate_limit(RateLimit::insecure_off()))).await
}

fn machine() -> Ask {
    Ask::post(TOKEN).form(format!("{GRANT}&client_id=machine"))
}

#[tokio::test]
async fn e01_header_from_an_untrusted_peer() {
    let world = world().await;
    let header = rfc9440(&world.machine);
    world
        .send(machine().peer(PROXY).header("client-cert", &header))
        .await
        .is_token();
    for peer in ["192.0.2.9", "127.0.0.1", "::1", "2001:db8::8"] {
        let answer = world
            .send(machine().peer(peer).header("client-cert", &header))
            .await;
        answer.is_refused(401, "invalid_client");
        // Ignored, not looked at: garbage makes no difference.
        let answer = world
            .send(machine().peer(peer).header("client-cert", "garbage"))
            .await;
        answer.is_refused(401, "invalid_client");
    }
    let socketless = machine().without_address().header("client-cert", &header);
    world.send(socketless).await.is_refused(401, "invalid_client");
    let own = machine()
        .peer("192.0.2.9")
        .certificate(&world.machine)
        .header("client-cert", "garbage");
    world.send(own).await.is_token();
}

#[tokio::test]
async fn e02_header_alongside_a_certificate() {
    let world = world().await;
    let stranger = world.ca.client("stranger");
    // Direct: the connection's certificate counts, whatever the header says.
    let direct = |certificate, header| {
        machine()
            .certificate(certificate)
            .header("client-cert", rfc9440(header))
    };
    world.send(direct(&world.machine, &stranger)).await.is_token();
    world
        .send(direct(&stranger, &world.machine))
        .await
        .is_refused(401, "invalid_client");
    // Through the proxy: its own certificate is nobody's, and both at once are refused.
    let header = rfc9440(&world.machine);
    world
        .send(machine().peer(PROXY).header("client-cert", &header))
        .await
        .is_token();
    let both = machine()
        .peer(PROXY)
        .certificate(&world.machine)
        .header("client-cert", &header);
    world.send(both).await.is_refused(400, "invalid_request");
    let own = machine().peer(PROXY).certificate(&world.machine);
    world.send(own).await.is_refused(401, "invalid_client");
}

#[tokio::test]
async fn e03_e04_e06_e07_e13_header_that_cannot_be_read() {
    let world = world().await;
    let header = rfc9440(&world.machine);
    let ask = |value: &str| machine().peer(PROXY).header("client-cert", value);
    world.send(ask(&header)).await.is_token();
    world
        .send(ask(&header).header("client-cert", &header))
        .await
        .is_refused(400, "invalid_request");
    let bare = header.trim_matches(':');
    let mut longer = world.machine.der().to_vec();
    longer.push(0);
    for value in [
        format!("{header}, {header}"),
        bare.to_owned(),
        format!("\"{bare}\""),
        format!(":{bare}"),
        format!("{header};trusted"),
        format!(":{}:", base64_simd::STANDARD.encode_to_string(longer)),
        world.machine.escaped_pem(),
        ":AAAA:".to_owned(),
        "::".to_owned(),
    ] {
        world.send(ask(&value)).await.is_refused(400, "invalid_request");
    }
    assert_eq!(world.issued(), 1);
}

#[tokio::test]
async fn e05_other_spellings_of_the_name() {
    let world = world().await;
    let header = rfc9440(&world.machine);
    for name in ["client-cert", "Client-Cert", "CLIENT-CERT"] {
        world
            .send(machine().peer(PROXY).header(name, &header))
            .await
            .is_token();
    }
    for name in [
        "client_cert",
        "Client_Cert",
        "x-client-cert",
        "x-ssl-client-cert",
        "ssl_client_cert",
        "client-cert-chain",
    ] {
        world
            .send(machine().peer(PROXY).header(name, &header))
            .await
            .is_refused(401, "invalid_client");
    }
}

#[tokio::test]
async fn e16_e24_e25_no_certificate_in_the_header() {
    let world = world().await;
    let header = rfc9440(&world.machine);
    world
        .send(machine().peer(PROXY).header("client-cert", &header))
        .await
        .is_token();
    for ask in [
        machine().peer(PROXY),
        machine().peer(PROXY).header("client-cert", ""),
        machine().peer(PROXY).header("connection", "Client-Cert"),
        machine().peer(PROXY).header("client-cert-chain", &header),
    ] {
        world.send(ask).await.is_refused(401, "invalid_client");
    }
    // A client with a secret needs no certificate there, and gets a token that is bound to none.
    let secret = world
        .send(Ask::post(TOKEN).peer(PROXY).basic("ci").form(GRANT))
        .await;
    secret.is_token();
    assert!(world.claims(&secret).get("cnf").is_none());
    // One that must get bound tokens gets none.
    let both = Ask::post(TOKEN).peer(PROXY).basic("both").form(GRANT);
    world.send(both).await.is_refused(400, "invalid_request");
}

#[tokio::test]
async fn e17_verify_header_disagrees() {
    let form = ForwardedCertificate::new(ForwardedHeader::NginxEscapedPem)
        .with_verify_header("X-SSL-Client-Verify")
        .unwrap();
    let world = World::with(behind(form)).await;
    let ask = || {
        machine()
            .peer(PROXY)
            .header("x-ssl-client-cert", world.machine.escaped_pem())
    };
    world
        .send(ask().header("x-ssl-client-verify", "SUCCESS"))
        .await
        .is_token();
    for verdict in [
        "FAILED",
        "FAILED:unable to verify",
        "NONE",
        "success",
        "SUCCESS ",
        "",
        "SUCCESS,SUCCESS",
    ] {
        let answer = world.send(ask().header("x-ssl-client-verify", verdict)).await;
        answer.is_refused(401, "invalid_client");
    }
    world.send(ask()).await.is_refused(401, "invalid_client");
    let twice = ask()
        .header("x-ssl-client-verify", "SUCCESS")
        .header("x-ssl-client-verify", "SUCCESS");
    world.send(twice).await.is_refused(400, "invalid_request");
    let stranger = ask().peer("192.0.2.9").header("x-ssl-client-verify", "SUCCESS");
    world.send(stranger).await.is_refused(401, "invalid_client");
}

/// The proxy's word is not enough for `tls_client_auth`: the chain is judged here too.
#[tokio::test]
async fn e17_a_proxy_that_verifies_nothing() {
    let world = world().await;
    let forged = CertificateSpec::client("machine").self_signed();
    let ask = |certificate| machine().peer(PROXY).header("client-cert", rfc9440(certificate));
    world.send(ask(&world.machine)).await.is_token();
    world.send(ask(&forged)).await.is_refused(401, "invalid_client");
    let alone = Ask::post(TOKEN)
        .form(format!("{GRANT}&client_id=alone"))
        .peer(PROXY);
    let answer = world
        .send(alone.header("client-cert", rfc9440(&world.alone)))
        .await;
    answer.is_token();
    assert_eq!(world.claims(&answer)["cnf"]["x5t#S256"], world.alone.thumbprint());
}

#[tokio::test]
async fn e18_subject_dn_header_alone() {
    let world = world().await;
    world
        .send(
            machine()
                .peer(PROXY)
                .header("client-cert", rfc9440(&world.machine)),
        )
        .await
        .is_token();
    let mut names = HeaderMap::new();
    for name in [
        "x-ssl-client-s-dn",
        "x-ssl-client-subject",
        "ssl-client-s-dn",
        "x-client-dn",
    ] {
        names.insert(name, http::HeaderValue::from_static("CN=machine"));
    }
    for (name, value) in &names {
        let ask = machine()
            .peer(PROXY)
            .header(name.as_str(), value)
            .header("x-ssl-client-verify", "SUCCESS");
        world.send(ask).await.is_refused(401, "invalid_client");
    }
}

#[tokio::test]
async fn e20_trust_is_decided_on_the_socket() {
    let world = world().await;
    let header = rfc9440(&world.machine);
    let ask = |peer| machine().peer(peer).header("client-cert", &header);
    world.send(ask(PROXY)).await.is_token();
    // A dual-stack socket reports the same peer so.
    world.send(ask("::ffff:192.0.2.8")).await.is_token();
    for name in ["x-forwarded-for", "x-real-ip", "true-client-ip"] {
        for value in [PROXY, "127.0.0.1", "192.0.2.8, 192.0.2.9"] {
            world
                .send(ask("192.0.2.9").header(name, value))
                .await
                .is_refused(401, "invalid_client");
        }
    }
    let forwarded = ask("192.0.2.9").header("forwarded", "for=192.0.2.8");
    world.send(forwarded).await.is_refused(401, "invalid_client");
    // What the proxy appended names the client in the audit trail; what a stranger writes does not.
    world
        .send(ask(PROXY).header("x-forwarded-for", "127.0.0.1, 203.0.113.7"))
        .await
        .is_token();
    let address = || world.events().last().unwrap().initiator.address;
    assert_eq!(address().map(|ip| ip.to_string()).as_deref(), Some("203.0.113.7"));
    world
        .send(ask("192.0.2.9").header("x-forwarded-for", "203.0.113.7"))
        .await
        .is_refused(401, "invalid_client");
    assert_eq!(address().map(|ip| ip.to_string()).as_deref(), Some("192.0.2.9"));
}

#[tokio::test]
async fn e21_loopback_needs_a_shared_secret() {
    let loopback = || vec!["127.0.0.1".parse().unwrap()];
    assert!(TrustedProxy::new(loopback(), ProxyAccess::Address).is_err());
    let access = ProxyAccess::SharedSecret {
        header: "X-Proxy-Secret".into(),
        secret: Secret::from(PROXY_SECRET),
    };
    let proxy = TrustedProxy::new(loopback(), access).unwrap();
    let proxy = proxy.with_certificate(ForwardedCertificate::new(ForwardedHeader::Rfc9440));
    let world = World::with(|config| config.with_trusted_proxy(proxy)).await;
    let ask = || {
        machine()
            .peer("127.0.0.1")
            .header("client-cert", rfc9440(&world.machine))
    };
    world
        .send(ask().header("x-proxy-secret", PROXY_SECRET))
        .await
        .is_token();
    for ask in [
        ask(),
        ask().header("x-proxy-secret", ""),
        ask().header("x-proxy-secret", &PROXY_SECRET[1..]),
        ask()
            .header("x-proxy-secret", PROXY_SECRET)
            .header("x-proxy-secret", PROXY_SECRET),
        ask().header("x_proxy_secret", PROXY_SECRET),
        ask().header("x-proxy-secret", PROXY_SECRET).peer("127.0.0.2"),
        ask().header("x-proxy-secret", PROXY_SECRET).without_address(),
    ] {
        world.send(ask).await.is_refused(401, "invalid_client");
    }
}

#[tokio::test]
async fn e22_e23_forged_host_and_scheme() {
    let world = world().await;
    let path = "/v4/oauth2/demo/.well-known/openid-configuration";
    let honest = world.send(Ask::get(path)).await;
    for peer in [PROXY, "192.0.2.9"] {
        let ask = Ask::get(path)
            .peer(peer)
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-prefix", "/evil")
            .header("forwarded", "for=\"_x\";host=\"evil\\\"\";proto=http");
        assert_eq!(world.send(ask).await.text, honest.text);
    }
    let token = world
        .send(
            Ask::post(TOKEN)
                .basic("ci")
                .header("host", "evil.example")
                .form(GRANT),
        )
        .await;
    assert_eq!(world.claims(&token)["iss"], "https://id.example/v4/oauth2/demo");
}
