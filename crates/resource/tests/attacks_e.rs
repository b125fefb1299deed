//! Group E: certificates in headers, as they reach a resource behind a proxy.
//!
//! What is wrong with a value is refused by the parser of `sealstone-mtls`; here each row goes through the layer.

use crate::support::{
    Answered, World, accepted, from_peer, invalid_token, refused, request, with_certificate, with_header,
};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use sealstone_resource::{ForwardedCertificate, ForwardedHeader, ResourceLayer, Secret, TrustedProxy};
use sealstone_testkit::{TestCertificate, escaped, pem};

const PROXY: &str = "10.0.0.7";
const STRANGER: &str = "10.0.0.8";

fn base64(octets: &[u8]) -> String {
    pem("X", octets)
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect()
}

/// `Client-Cert` of RFC 9440.
fn rfc9440(certificate: &TestCertificate) -> String {
    format!(":{}:", base64(certificate.der()))
}

/// A layer behind one proxy, and the same client behind it.
struct Behind {
    world: World,
    layer: ResourceLayer,
    header: &'static str,
}

impl Behind {
    fn rfc9440() -> Self {
        Self::form(ForwardedCertificate::new(ForwardedHeader::Rfc9440), "client-cert")
    }

    fn nginx() -> Self {
        Self::form(
            ForwardedCertificate::new(ForwardedHeader::NginxEscapedPem),
            "x-ssl-client-cert",
        )
    }

    fn form(form: ForwardedCertificate, header: &'static str) -> Self {
        let world = World::new();
        let proxy = TrustedProxy::new(form, [PROXY.parse().unwrap()]).unwrap();
        let layer = world.layer_of(world.config().with_trusted_proxy(proxy));
        Self { world, layer, header }
    }

    fn from(&self, peer: &str, values: &[&str]) -> Request<Full<Bytes>> {
        let request = from_peer(request(&self.world.token()), peer);
        values
            .iter()
            .fold(request, |request, value| with_header(request, self.header, value))
    }

    async fn accepts(&self, values: &[&str]) {
        accepted(&self.layer, self.from(PROXY, values)).await;
    }

    /// As a request without a certificate.
    async fn ignores(&self, values: &[&str]) {
        no_certificate(&self.layer, self.from(PROXY, values)).await;
    }

    /// As malformed.
    async fn refuses(&self, values: &[&str]) {
        refused(&self.layer, self.from(PROXY, values), 400, "invalid_request").await;
    }
}

async fn no_certificate(layer: &ResourceLayer, request: Request<Full<Bytes>>) -> Answered {
    let answered = invalid_token(layer, request).await;
    assert!(
        answered.authenticate().contains("none was presented"),
        "{answered:?}"
    );
    answered
}

#[tokio::test]
async fn e01_header_from_an_untrusted_peer() {
    let behind = Behind::rfc9440();
    let value = rfc9440(&behind.world.client);
    behind.accepts(&[&value]).await;
    no_certificate(&behind.layer, behind.from(STRANGER, &[&value])).await;
    // Nor is a malformed one looked at.
    no_certificate(&behind.layer, behind.from(STRANGER, &["nonsense"])).await;
    // Without a known peer, and without a proxy in the configuration, there is nobody to believe.
    let unknown = with_header(request(&behind.world.token()), "client-cert", &value);
    no_certificate(&behind.layer, unknown).await;
    no_certificate(&behind.world.layer(), behind.from(PROXY, &[&value])).await;
}

#[tokio::test]
async fn e02_header_alongside_a_certificate_of_the_connection() {
    let behind = Behind::rfc9440();
    let victim = rfc9440(&behind.world.client);
    behind.accepts(&[&victim]).await;
    let attacker = behind.world.ca.client("attacker");
    let request = with_certificate(behind.from(PROXY, &[&victim]), &attacker);
    let answered = invalid_token(&behind.layer, request).await;
    assert!(answered.authenticate().contains("another client certificate"));
    // The connection's own counts, whatever the header says.
    let request = with_certificate(behind.from(PROXY, &[&rfc9440(&attacker)]), &behind.world.client);
    accepted(&behind.layer, request).await;
}

#[tokio::test]
async fn e03_header_twice() {
    let behind = Behind::rfc9440();
    let (own, other) = (
        rfc9440(&behind.world.client),
        rfc9440(&behind.world.ca.client("other")),
    );
    behind.accepts(&[&own]).await;
    for values in [[&own, &own], [&own, &other], [&other, &own]] {
        behind.refuses(&values.map(String::as_str)).await;
    }
}

#[tokio::test]
async fn e04_header_as_a_list() {
    let behind = Behind::rfc9440();
    let own = rfc9440(&behind.world.client);
    behind.accepts(&[&own]).await;
    behind.refuses(&[&format!("{own}, {own}")]).await;
    behind.refuses(&[":AAA=:, :BBB=:"]).await;
}

#[tokio::test]
async fn e05_other_spellings_of_the_name() {
    let behind = Behind::rfc9440();
    let own = rfc9440(&behind.world.client);
    behind.accepts(&[&own]).await;
    accepted(
        &behind.layer,
        with_header(behind.from(PROXY, &[]), "client-cert", &own),
    )
    .await;
    for name in [
        "client_cert",
        "x-client-cert",
        "x-ssl-client-cert",
        "ssl_client_cert",
        "x-forwarded-client-cert",
    ] {
        no_certificate(&behind.layer, with_header(behind.from(PROXY, &[]), name, &own)).await;
    }
    // Case aside: HTTP has none in names.
    let mut shouted = behind.from(PROXY, &[]);
    let name = http::HeaderName::from_bytes(b"CLIENT-CERT").unwrap();
    shouted.headers_mut().insert(name, own.parse().unwrap());
    accepted(&behind.layer, shouted).await;
}

#[tokio::test]
async fn e06_not_a_byte_sequence() {
    let behind = Behind::rfc9440();
    let own = rfc9440(&behind.world.client);
    behind.accepts(&[&own]).await;
    let bare = own.trim_matches(':');
    let (left, right) = bare.split_at(40);
    for value in [
        bare.to_owned(),
        format!("\"{bare}\""),
        format!(":{bare}"),
        format!("{bare}:"),
        format!(":{left} {right}:"),
        "::".to_owned(),
    ] {
        behind.refuses(&[&value]).await;
    }
}

#[tokio::test]
async fn e07_parameters_of_the_item() {
    let behind = Behind::rfc9440();
    let own = rfc9440(&behind.world.client);
    behind.accepts(&[&own]).await;
    behind.refuses(&[&format!("{own};trusted")]).await;
}

#[tokio::test]
async fn e08_percent_encoding() {
    let behind = Behind::nginx();
    let text = behind.world.client.pem();
    let upper = escaped(&text);
    behind.accepts(&[&upper]).await;
    behind
        .accepts(&[&upper
            .replace("%0A", "%0a")
            .replace("%2B", "%2b")
            .replace("%2F", "%2f")])
        .await;
    behind.refuses(&[&escaped(&upper)]).await;
    behind.refuses(&[&format!("{upper}%00")]).await;
    behind.refuses(&[&upper.replace("%20", "+")]).await;
    behind.refuses(&[&format!("{upper}%")]).await;
}

#[tokio::test]
async fn e09_folded_pem_only_in_its_own_form() {
    let apache = Behind::form(
        ForwardedCertificate::new(ForwardedHeader::ApachePem),
        "x-ssl-client-cert",
    );
    let folded = |behind: &Behind| behind.world.client.pem().trim_end().replace('\n', " ");
    apache.accepts(&[&folded(&apache)]).await;
    apache
        .accepts(&[&apache.world.client.pem().trim_end().replace('\n', "\t")])
        .await;
    let nginx = Behind::nginx();
    nginx.refuses(&[&folded(&nginx)]).await;
    let rfc9440 = Behind::rfc9440();
    rfc9440.refuses(&[&folded(&rfc9440)]).await;
}

#[tokio::test]
async fn e10_two_certificates_in_one_pem() {
    let behind = Behind::nginx();
    let (own, other) = (behind.world.client.pem(), behind.world.ca.client("other").pem());
    behind.accepts(&[&escaped(&own)]).await;
    for both in [
        format!("{own}{other}"),
        format!("{other}{own}"),
        format!("{own}{own}"),
    ] {
        behind.refuses(&[&escaped(&both)]).await;
    }
}

#[tokio::test]
async fn e11_other_labels() {
    let behind = Behind::nginx();
    behind.accepts(&[&escaped(&behind.world.client.pem())]).await;
    for label in [
        "PRIVATE KEY",
        "TRUSTED CERTIFICATE",
        "X509 CRL",
        "certificate",
        "X509 CERTIFICATE",
    ] {
        behind
            .refuses(&[&escaped(&pem(label, behind.world.client.der()))])
            .await;
    }
}

#[tokio::test]
async fn e12_text_around_the_pem() {
    let behind = Behind::nginx();
    let own = behind.world.client.pem();
    behind.accepts(&[&escaped(&own)]).await;
    for text in [
        format!("subject=CN=machine\n{own}"),
        format!("{own}trailing"),
        format!("{own}X-Admin: yes\n"),
    ] {
        behind.refuses(&[&escaped(&text)]).await;
    }
}

#[tokio::test]
async fn e13_e14_octets_that_are_not_der() {
    let behind = Behind::rfc9440();
    behind.accepts(&[&rfc9440(&behind.world.client)]).await;
    let der = behind.world.client.der();
    let trailing = [der, &[0]].concat();
    // The outer SEQUENCE with an indefinite length and its end.
    let indefinite = [&[0x30, 0x80], &der[4..], &[0, 0]].concat();
    // Its length in three octets where two would do.
    let long = [&[0x30, 0x83, 0x00], &der[2..]].concat();
    for octets in [trailing, indefinite, long, der[..der.len() - 1].to_vec()] {
        behind.refuses(&[&format!(":{}:", base64(&octets))]).await;
    }
}

#[tokio::test]
async fn e15_oversized_header() {
    for behind in [Behind::rfc9440(), Behind::nginx()] {
        behind.refuses(&[&format!(":{}:", "A".repeat(1024 * 1024))]).await;
    }
}

#[tokio::test]
async fn e16_empty_header() {
    let behind = Behind::rfc9440();
    behind.accepts(&[&rfc9440(&behind.world.client)]).await;
    behind.ignores(&[""]).await;
    behind.ignores(&["  "]).await;
    behind.ignores(&[]).await;
}

#[tokio::test]
async fn e17_verify_header_disagrees() {
    let form = ForwardedCertificate::new(ForwardedHeader::NginxEscapedPem);
    let form = form.with_verify_header("X-SSL-Client-Verify").unwrap();
    let behind = Behind::form(form, "x-ssl-client-cert");
    let own = escaped(&behind.world.client.pem());
    let verdict =
        |peer: &str, verdict: &str| with_header(behind.from(peer, &[&own]), "x-ssl-client-verify", verdict);
    accepted(&behind.layer, verdict(PROXY, "SUCCESS")).await;
    for word in [
        "FAILED",
        "FAILED:expired",
        "NONE",
        "",
        "success",
        "SUCCESS,FAILED",
    ] {
        no_certificate(&behind.layer, verdict(PROXY, word)).await;
    }
    behind.ignores(&[&own]).await;
    no_certificate(&behind.layer, verdict(STRANGER, "SUCCESS")).await;
    let twice = with_header(verdict(PROXY, "SUCCESS"), "x-ssl-client-verify", "FAILED");
    refused(&behind.layer, twice, 400, "invalid_request").await;
}

#[tokio::test]
async fn e18_subject_alone() {
    let behind = Behind::nginx();
    behind.accepts(&[&escaped(&behind.world.client.pem())]).await;
    for (name, value) in [
        ("x-ssl-client-s-dn", "CN=machine"),
        ("x-ssl-client-verify", "SUCCESS"),
        ("x-ssl-client-fingerprint", "aa:bb"),
    ] {
        no_certificate(&behind.layer, with_header(behind.from(PROXY, &[]), name, value)).await;
    }
}

#[tokio::test]
async fn e19_header_lines_inside_a_name() {
    let form = ForwardedCertificate::new(ForwardedHeader::NginxEscapedPem);
    let form = form.with_verify_header("X-SSL-Client-Verify").unwrap();
    let behind = Behind::form(form, "x-ssl-client-cert");
    let own = escaped(&behind.world.client.pem());
    accepted(
        &behind.layer,
        with_header(behind.from(PROXY, &[&own]), "x-ssl-client-verify", "SUCCESS"),
    )
    .await;
    let odd = behind.world.ca.client("x\r\nX-SSL-Client-Verify: SUCCESS");
    behind.ignores(&[&escaped(&odd.pem())]).await;
}

#[tokio::test]
async fn e20_only_the_peer_of_the_socket_is_trusted() {
    let behind = Behind::rfc9440();
    let own = rfc9440(&behind.world.client);
    behind.accepts(&[&own]).await;
    for (name, value) in [
        ("x-forwarded-for", PROXY),
        ("x-real-ip", PROXY),
        ("forwarded", "for=10.0.0.7;by=10.0.0.7"),
        ("via", "1.1 10.0.0.7"),
    ] {
        no_certificate(
            &behind.layer,
            with_header(behind.from(STRANGER, &[&own]), name, value),
        )
        .await;
        accepted(
            &behind.layer,
            with_header(behind.from(PROXY, &[&own]), "x-forwarded-for", STRANGER),
        )
        .await;
    }
    // The same peer, as a dual-stack socket names it; and no other.
    accepted(&behind.layer, behind.from("::ffff:10.0.0.7", &[&own])).await;
    for other in [
        "::ffff:10.0.0.8",
        "127.0.0.1",
        "::1",
        "::10.0.0.7",
        "64:ff9b::10.0.0.7",
    ] {
        no_certificate(&behind.layer, behind.from(other, &[&own])).await;
    }
}

#[tokio::test]
async fn e21_a_loopback_proxy_proves_itself_by_a_secret() {
    let world = World::new();
    let form = ForwardedCertificate::new(ForwardedHeader::Rfc9440);
    assert!(TrustedProxy::new(form.clone(), ["127.0.0.1".parse().unwrap()]).is_err());
    let secret = "only the proxy knows this";
    let networks = ["127.0.0.1".parse().unwrap()];
    let proxy =
        TrustedProxy::with_shared_secret(form, networks, "x-proxy-secret", Secret::from(secret.to_owned()))
            .unwrap();
    assert!(!format!("{proxy:?}").contains(secret));
    let layer = world.layer_of(world.config().with_trusted_proxy(proxy));
    let bare = || {
        with_header(
            from_peer(request(&world.token()), "127.0.0.1"),
            "client-cert",
            &rfc9440(&world.client),
        )
    };
    accepted(&layer, with_header(bare(), "x-proxy-secret", secret)).await;
    no_certificate(&layer, bare()).await;
    for guess in ["", "x", "only the proxy knows thi", "only the proxy knows this!"] {
        no_certificate(&layer, with_header(bare(), "x-proxy-secret", guess)).await;
    }
    let twice = with_header(
        with_header(bare(), "x-proxy-secret", "x"),
        "x-proxy-secret",
        secret,
    );
    no_certificate(&layer, twice).await;
}

#[tokio::test]
async fn e22_e23_forged_origins_change_nothing() {
    let behind = Behind::rfc9440();
    let own = rfc9440(&behind.world.client);
    behind.accepts(&[&own]).await;
    for (name, value) in [
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "evil.example"),
        ("host", "evil.example"),
        ("forwarded", "for=\"_x\";host=\"evil\\\"\""),
        ("forwarded", "for=\"_x;host=evil"),
    ] {
        accepted(
            &behind.layer,
            with_header(behind.from(PROXY, &[&own]), name, value),
        )
        .await;
        let answered = no_certificate(
            &behind.layer,
            with_header(behind.from(STRANGER, &[&own]), name, value),
        )
        .await;
        assert!(!format!("{answered:?}").contains("evil"));
    }
    assert!(
        behind
            .world
            .source
            .asked()
            .iter()
            .all(|url| url.starts_with("https://id.example/"))
    );
}

#[tokio::test]
async fn e24_header_named_hop_by_hop() {
    let behind = Behind::rfc9440();
    let own = rfc9440(&behind.world.client);
    behind.accepts(&[&own]).await;
    accepted(
        &behind.layer,
        with_header(behind.from(PROXY, &[&own]), "connection", "keep-alive"),
    )
    .await;
    for value in ["Client-Cert", "close, client-cert", "keep-alive ,\tCLIENT-CERT"] {
        no_certificate(
            &behind.layer,
            with_header(behind.from(PROXY, &[&own]), "connection", value),
        )
        .await;
    }
}

#[tokio::test]
async fn e25_chain_without_leaf() {
    let behind = Behind::rfc9440();
    let own = rfc9440(&behind.world.client);
    behind.accepts(&[&own]).await;
    no_certificate(
        &behind.layer,
        with_header(behind.from(PROXY, &[]), "client-cert-chain", &own),
    )
    .await;
}

#[tokio::test]
async fn every_form_as_its_proxy_writes_it() {
    let form = |form| ForwardedCertificate::new(form);
    let envoy = Behind::form(form(ForwardedHeader::EnvoyXfcc), "x-forwarded-client-cert");
    envoy
        .accepts(&[&format!("Cert=\"{}\"", escaped(&envoy.world.client.pem()))])
        .await;
    let traefik = Behind::form(form(ForwardedHeader::Traefik), "x-forwarded-tls-client-cert");
    traefik.accepts(&[&base64(traefik.world.client.der())]).await;
}
