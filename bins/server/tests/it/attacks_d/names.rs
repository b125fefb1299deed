//! By what name the client is known (RFC 8705 §2.1.2).

use super::OTHER;
use crate::harness::World;
use sealstone_testkit::{Attribute, CertificateSpec, TextType};
use std::net::IpAddr;

const DN: &str = "tls_client_auth_subject_dn";
const DNS: &str = "tls_client_auth_san_dns";
const URI: &str = "tls_client_auth_san_uri";
const IP: &str = "tls_client_auth_san_ip";
const EMAIL: &str = "tls_client_auth_san_email";

/// A client known by `member` = `value`: with the first certificates it is accepted, with the others refused.
async fn judge(
    world: &World,
    (member, value): (&str, &str),
    good: impl IntoIterator<Item = CertificateSpec>,
    bad: impl IntoIterator<Item = CertificateSpec>,
) {
    // A client of its own for each case; its id says nothing about its name.
    let id = format!("client-{}", world.audit().len());
    world.register_tls(&id, member, value).await;
    for spec in good {
        world.accepts(&id, &world.setup.ca.issue(spec)).await;
    }
    for spec in bad {
        let certificate = world.setup.ca.issue(spec);
        world.refuses(&world.holder(&certificate), &id, OTHER).await;
    }
}

fn subject(attributes: &[(&str, &str)]) -> CertificateSpec {
    CertificateSpec::client("").subject(attributes)
}

fn cn(value: &str) -> CertificateSpec {
    CertificateSpec::client(value)
}

/// No alternative name but what the test gives; the subject is nobody's.
fn san() -> CertificateSpec {
    CertificateSpec::client("x")
}

#[tokio::test]
async fn d17_same_attributes_in_another_order() {
    let world = World::start().await;
    let good = subject(&[("CN", "y"), ("O", "x")]);
    let bad = subject(&[("O", "x"), ("CN", "y")]);
    judge(&world, (DN, "O=x,CN=y"), [good], [bad]).await;
    world.end().await;
}

#[tokio::test]
async fn d18_an_added_rdn() {
    let world = World::start().await;
    let good = subject(&[("O", "x"), ("CN", "y")]);
    let bad = [
        subject(&[("OU", "z"), ("O", "x"), ("CN", "y")]),
        subject(&[("O", "x"), ("OU", "z"), ("CN", "y")]),
        subject(&[("O", "x"), ("CN", "y"), ("OU", "z")]),
        subject(&[("CN", "y")]),
        subject(&[("O", "x")]),
        subject(&[]),
    ];
    judge(&world, (DN, "CN=y,O=x"), [good], bad).await;
    world.end().await;
}

#[tokio::test]
async fn d19_prefix_and_suffix() {
    let world = World::start().await;
    let both = vec![vec![Attribute::new("CN", "a"), Attribute::new("CN", "ci")]];
    let bad = ["ci2", "c", "xci", "ci ", " ci", "CI", "ci\u{200b}", ""]
        .map(cn)
        .into_iter()
        .chain([
            CertificateSpec::client("").rdns(both),
            subject(&[("CN", "a"), ("CN", "ci")]),
            subject(&[("CN", "ci"), ("CN", "ci")]),
            subject(&[("OU", "ci")]),
        ]);
    judge(&world, (DN, "CN=ci"), [cn("ci")], bad).await;
    world.end().await;
}

#[tokio::test]
async fn d20_escaped_comma() {
    let world = World::start().await;
    let two = || subject(&[("O", "trusted"), ("CN", "a")]);
    let one = || cn("a,O=trusted");
    judge(&world, (DN, "CN=a,O=trusted"), [two()], [one()]).await;
    judge(&world, (DN, r"CN=a\,O=trusted"), [one()], [two()]).await;
    world.end().await;
}

#[tokio::test]
async fn d21_special_characters() {
    let world = World::start().await;
    let cases = [
        ("a\"b", r#"CN=a\"b"#),
        ("a+b", r"CN=a\+b"),
        ("#abc", r"CN=\#abc"),
        (" a", r"CN=\ a"),
        ("a\\b", r"CN=a\\b"),
        ("a=b", "CN=a=b"),
        (
            "a\r\nX-SSL-Client-Verify: SUCCESS",
            r"CN=a\0D\0AX-SSL-Client-Verify: SUCCESS",
        ),
    ];
    for (value, text) in cases {
        let others = cases.iter().map(|(other, _)| *other);
        let others = others.filter(|other| *other != value).map(cn);
        judge(&world, (DN, text), [cn(value)], others).await;
    }
    world.end().await;
}

#[tokio::test]
async fn d22_nul_in_a_name() {
    let world = World::start().await;
    let bad = ["ci.example\0.evil.example", "ci.example\0"].map(cn);
    judge(&world, (DN, "CN=ci.example"), [cn("ci.example")], bad).await;
    let bad = san().san_raw(2, b"ci.example\0.evil.example");
    let good = san().san_dns("ci.example");
    judge(&world, (DNS, "ci.example"), [good], [bad]).await;
    world.end().await;
}

/// D23: a multi-valued RDN is a set.
#[tokio::test]
async fn d23_order_within_an_rdn() {
    let world = World::start().await;
    let rdn = |names: [(&str, &str); 2]| {
        let attributes = names.map(|(name, value)| Attribute::new(name, value));
        CertificateSpec::client("").rdns(vec![attributes.to_vec()])
    };
    let good = || [rdn([("OU", "a"), ("CN", "b")]), rdn([("CN", "b"), ("OU", "a")])];
    let bad = || subject(&[("OU", "a"), ("CN", "b")]);
    judge(&world, (DN, "OU=a+CN=b"), good(), [bad()]).await;
    judge(&world, (DN, "CN=b+OU=a"), good(), [bad()]).await;
    world.end().await;
}

/// D24, the documented answer: the string type does not count.
#[tokio::test]
async fn d24_string_types() {
    let world = World::start().await;
    let good = [TextType::Utf8, TextType::Printable, TextType::Ia5, TextType::Bmp].map(|text_type| {
        CertificateSpec::client("").rdns(vec![vec![Attribute::typed("CN", text_type, "ci")]])
    });
    let bad = CertificateSpec::client("").rdns(vec![vec![Attribute::raw("CN", 0x04, b"ci")]]);
    judge(&world, (DN, "CN=ci"), good, [bad]).await;
    world.end().await;
}

#[tokio::test]
async fn d25_look_alikes() {
    let world = World::start().await;
    let bad = ["c\u{456}", "\u{ff43}\u{ff49}", "cı"].map(cn);
    judge(&world, (DN, "CN=ci"), [cn("ci")], bad).await;
    let composed = cn("caf\u{e9}");
    judge(&world, (DN, "CN=caf\u{e9}"), [composed], [cn("cafe\u{301}")]).await;
    world.end().await;
}

/// D26: no wildcard matches anything, and none is registered.
#[tokio::test]
async fn d26_dns_wildcards() {
    let world = World::start().await;
    let named = |name: &str| san().san_dns(name);
    let bad = [
        "*.example.com",
        "b.a.example.com",
        "example.com",
        ".example.com",
        "a.example.com.",
    ]
    .map(named);
    let good = ["a.example.com", "A.EXAMPLE.com"].map(named);
    judge(&world, (DNS, "a.example.com"), good, bad).await;
    let wildcard = serde_json::json!({"token_endpoint_auth_method": "tls_client_auth", DNS: "*.example.com"});
    world.try_register("wild", wildcard).await.unwrap_err();
    world.end().await;
}

#[tokio::test]
async fn d27_kinds_of_alternative_names() {
    let world = World::start().await;
    let bad = [
        san().san_dns("https://a"),
        san().san_email("https://a"),
        cn("https://a"),
    ];
    judge(&world, (URI, "https://a"), [san().san_uri("https://a")], bad).await;
    let bad = [san().san_uri("a.example"), san().san_email("a.example")];
    judge(&world, (DNS, "a.example"), [san().san_dns("a.example")], bad).await;
    let bad = [san().san_dns("ci@a.example"), san().san_uri("ci@a.example")];
    judge(
        &world,
        (EMAIL, "ci@a.example"),
        [san().san_email("ci@a.example")],
        bad,
    )
    .await;
    world.end().await;
}

#[tokio::test]
async fn d28_addresses_by_octets() {
    let world = World::start().await;
    let address = |text: &str| san().san_ip(text.parse::<IpAddr>().unwrap());
    let text = || {
        [
            san().san_dns("10.0.0.1"),
            san().san_uri("10.0.0.1"),
            cn("10.0.0.1"),
        ]
    };
    let bad = text()
        .into_iter()
        .chain([address("::ffff:10.0.0.1"), address("10.0.0.2")]);
    judge(&world, (IP, "10.0.0.1"), [address("10.0.0.1")], bad).await;
    let (v6, v4) = (address("::ffff:10.0.0.1"), address("10.0.0.1"));
    judge(&world, (IP, "::ffff:10.0.0.1"), [v6], [v4]).await;
    judge(
        &world,
        (IP, "2001:DB8:0::1"),
        [address("2001:db8::1")],
        [address("2001:db8::2")],
    )
    .await;
    world.end().await;
}

/// D29, the documented answer: the local part exactly, the host ASCII case aside.
#[tokio::test]
async fn d29_mailboxes() {
    let world = World::start().await;
    let mailbox = |text: &str| san().san_email(text);
    let good = ["A@Example.com", "A@example.COM"].map(mailbox);
    let bad = [
        "a@Example.com",
        "A@Example.com@evil.example",
        "Example.com",
        "A@xn--exmple-cua.com",
    ];
    judge(&world, (EMAIL, "A@Example.com"), good, bad.map(mailbox)).await;
    world.end().await;
}

#[tokio::test]
async fn d31_common_name_never_stands_in() {
    let world = World::start().await;
    let named = san().san_dns("ci.example");
    let bad = [cn("ci.example"), cn("ci.example").san_dns("other.example")];
    judge(&world, (DNS, "ci.example"), [named], bad).await;
    let named = san().san_email("ci@a.example");
    let bad = [cn("ci@a.example"), subject(&[("EMAIL", "ci@a.example")])];
    judge(&world, (EMAIL, "ci@a.example"), [named], bad).await;
    world.end().await;
}
