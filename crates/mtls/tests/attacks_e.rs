//! Attack group E, as far as the text of a forwarded certificate alone decides it.

#[path = "support/x509.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod x509;

use sealstone_mtls::{
    BindingError, ClientCertificate, ForwardedCertificate, ForwardedHeader, MAX_FORWARDED_OCTETS,
    SubjectMatcher,
};
use x509::*;

const FORMS: [ForwardedHeader; 5] = [
    ForwardedHeader::Rfc9440,
    ForwardedHeader::NginxEscapedPem,
    ForwardedHeader::ApachePem,
    ForwardedHeader::EnvoyXfcc,
    ForwardedHeader::Traefik,
];

fn certificate() -> ClientCertificate {
    with_subject(common_name("ci"))
}

fn base64(certificate: &ClientCertificate) -> String {
    certificate
        .to_pem()
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect()
}

/// As nginx does it: everything but the unreserved characters.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|octet| match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(octet).to_string()
            }
            _ => format!("%{octet:02X}"),
        })
        .collect()
}

fn written(form: ForwardedHeader, certificate: &ClientCertificate) -> String {
    match form {
        ForwardedHeader::Rfc9440 => format!(":{}:", base64(certificate)),
        ForwardedHeader::NginxEscapedPem => escape(&certificate.to_pem()),
        ForwardedHeader::ApachePem => certificate.to_pem().replace('\n', " "),
        ForwardedHeader::EnvoyXfcc => format!(
            "By=spiffe://a;Hash={};Cert=\"{}\";Subject=\"CN=a\\\",Cert=x\";URI=",
            hex(certificate.thumbprint().as_bytes()),
            escape(&certificate.to_pem())
        ),
        ForwardedHeader::Traefik => base64(certificate),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn refused(form: ForwardedHeader, value: &str) {
    let parsed = form.parse(&[value]);
    assert!(parsed.is_err(), "{form:?} accepted {value:?} as {parsed:?}");
}

#[test]
fn each_form_as_its_proxy_writes_it() {
    let certificate = certificate();
    for form in FORMS {
        assert_eq!(
            form.parse(&[written(form, &certificate)]),
            Ok(Some(certificate.clone())),
            "{form:?}"
        );
        for other in FORMS.into_iter().filter(|other| *other != form) {
            let parsed = other.parse(&[written(form, &certificate)]);
            assert!(
                !matches!(parsed, Ok(Some(_))),
                "{other:?} read the form of {form:?}"
            );
        }
    }
}

#[test]
fn e03_header_twice() {
    for form in FORMS {
        let value = written(form, &certificate());
        assert!(form.parse(&[&value]).unwrap().is_some());
        assert_eq!(
            form.parse(&[&value, &value]),
            Err(BindingError::Repeated),
            "{form:?}"
        );
    }
}

#[test]
fn e04_header_as_a_list() {
    let one = written(ForwardedHeader::Rfc9440, &certificate());
    for list in [
        format!("{one}, {one}"),
        format!("{one},{one}"),
        format!("{one} , x"),
        format!("{one},"),
    ] {
        assert_eq!(
            ForwardedHeader::Rfc9440.parse(&[list]),
            Err(BindingError::Repeated)
        );
    }
    let element = written(ForwardedHeader::EnvoyXfcc, &certificate());
    for list in [
        format!("{element},{element}"),
        format!("By=x,{element}"),
        format!("{element},By=x"),
    ] {
        assert_eq!(
            ForwardedHeader::EnvoyXfcc.parse(&[list]),
            Err(BindingError::Repeated)
        );
    }
    // Traefik's list is the client's own chain: the first counts, and a later one never.
    let other = with_subject(common_name("other"));
    let chain = format!("{},{}", base64(&certificate()), base64(&other));
    assert_eq!(ForwardedHeader::Traefik.parse(&[chain]), Ok(Some(certificate())));
    refused(ForwardedHeader::Traefik, &format!("{},", base64(&certificate())));
    refused(
        ForwardedHeader::Traefik,
        &vec![base64(&certificate()); 11].join(","),
    );
}

#[test]
fn e05_only_plain_names_can_be_configured() {
    let form = ForwardedCertificate::new(ForwardedHeader::Rfc9440);
    assert_eq!(
        form.clone().with_name("Client-Cert").unwrap().name(),
        "client-cert"
    );
    for name in [
        "client_cert",
        "Client_Cert",
        "SSL_CLIENT_CERT",
        "",
        "client cert",
        "client:cert",
        "é",
    ] {
        assert!(
            matches!(form.clone().with_name(name), Err(BindingError::HeaderName(_))),
            "{name}"
        );
        assert!(
            matches!(
                form.clone().with_verify_header(name),
                Err(BindingError::HeaderName(_))
            ),
            "{name}"
        );
    }
}

#[test]
fn e06_not_a_byte_sequence() {
    let b64 = base64(&certificate());
    let wrong = [
        b64.clone(),
        format!("\"{b64}\""),
        format!(":{b64}"),
        format!("{b64}:"),
        format!(": {b64}:"),
        format!(":{b64} :"),
        format!(":{} {}:", &b64[..8], &b64[8..]),
        format!(":{}:", b64.trim_end_matches('=')),
        format!(":{}:", b64.replace('/', "_").replace('+', "-") + "_"),
        format!("::{b64}::"),
        format!(":{b64}: x"),
        "::".to_owned(),
        ":".to_owned(),
    ];
    for value in wrong {
        refused(ForwardedHeader::Rfc9440, &value);
    }
}

/// E07, the documented answer: refused.
#[test]
fn e07_parameters() {
    let value = written(ForwardedHeader::Rfc9440, &certificate());
    for parameters in [";trusted", ";trusted=?1", "; a=1;b", ";"] {
        refused(ForwardedHeader::Rfc9440, &format!("{value}{parameters}"));
    }
}

#[test]
fn e08_percent_encoding_once() {
    let form = ForwardedHeader::NginxEscapedPem;
    let upper = escape(&certificate().to_pem());
    let mut lower = String::new();
    for (at, part) in upper.split('%').enumerate() {
        if at > 0 {
            lower.push('%');
            lower.push_str(&part[..2].to_lowercase());
            lower.push_str(&part[2..]);
        } else {
            lower.push_str(part);
        }
    }
    assert_ne!(upper, lower);
    for value in [&upper, &lower] {
        assert_eq!(form.parse(&[value]), Ok(Some(certificate())));
    }
    // A load balancer that leaves the characters of base64 alone means them.
    let lax = upper.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    assert_eq!(form.parse(&[lax]), Ok(Some(certificate())));

    assert_eq!(
        form.parse(&[upper.replace("%20", "+")]),
        Err(BindingError::Pem(
            "the text must begin with -----BEGIN CERTIFICATE-----"
        ))
    );
    assert_eq!(
        form.parse(&[escape(&upper)]),
        Err(BindingError::Escape("encoded more than once"))
    );
    assert_eq!(
        form.parse(&[format!("{upper}%00")]),
        Err(BindingError::Escape("a NUL character"))
    );
    for broken in ["%", "%4", "%zz", "%+1", "%FF%FE", "%0A%0A"] {
        refused(form, &format!("{upper}{broken}"));
        refused(form, &format!("{broken}{upper}"));
    }
}

#[test]
fn e09_folded_pem_in_its_own_form_only() {
    let folded = certificate().to_pem().replace('\n', "\t");
    let spaced = certificate().to_pem().replace('\n', " ");
    let runs = certificate().to_pem().replace('\n', "  \t");
    for value in [&folded, &spaced, &runs] {
        assert_eq!(
            ForwardedHeader::ApachePem.parse(&[value]),
            Ok(Some(certificate()))
        );
        refused(ForwardedHeader::NginxEscapedPem, value);
        refused(ForwardedHeader::NginxEscapedPem, &escape(value));
        assert!(ClientCertificate::from_pem(value).is_err());
    }
    refused(ForwardedHeader::ApachePem, &certificate().to_pem());
    refused(
        ForwardedHeader::ApachePem,
        &certificate().to_pem().replace('\n', ""),
    );
    assert_eq!(
        ForwardedHeader::ApachePem.parse(&["(null)"]),
        Ok(None),
        "as Apache writes no certificate"
    );
}

/// One PEM text as each form that carries PEM writes it.
fn pem_refused(pem: &str) {
    assert!(ClientCertificate::from_pem(pem).is_err(), "{pem:?}");
    refused(ForwardedHeader::NginxEscapedPem, &escape(pem));
    refused(ForwardedHeader::EnvoyXfcc, &format!("Cert=\"{}\"", escape(pem)));
    refused(ForwardedHeader::ApachePem, &pem.replace('\n', " "));
}

#[test]
fn e10_two_certificates_in_one_pem() {
    let other = with_subject(common_name("victim"));
    pem_refused(&format!("{}{}", certificate().to_pem(), other.to_pem()));
    pem_refused(&format!(
        "{}{}",
        certificate().to_pem().trim_end(),
        other.to_pem()
    ));
    pem_refused(
        &certificate()
            .to_pem()
            .replacen("-----\n", &format!("-----\n{}", other.to_pem()), 1),
    );
}

#[test]
fn e11_other_labels() {
    for label in [
        "PRIVATE KEY",
        "TRUSTED CERTIFICATE",
        "X509 CRL",
        "X509 CERTIFICATE",
        "certificate",
        "CERTIFICATE ",
    ] {
        pem_refused(&certificate().to_pem().replace("CERTIFICATE", label));
        pem_refused(&certificate().to_pem().replacen("CERTIFICATE", label, 1));
    }
}

#[test]
fn e12_text_around_the_pem() {
    let pem = certificate().to_pem();
    for text in [
        "subject=CN = ci\n",
        "x",
        "\u{feff}",
        "-----BEGIN CERTIFICATE-----\n",
    ] {
        pem_refused(&format!("{text}{pem}"));
        pem_refused(&format!("{pem}{text}"));
    }
    pem_refused(&pem.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1));
    for whole in [pem.trim_end().to_owned(), pem.replace('\n', "\r\n")] {
        assert_eq!(ClientCertificate::from_pem(&whole), Ok(certificate()));
    }
    for cut in [
        pem.trim_end_matches("-----\n"),
        &pem[..200],
        "",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    ] {
        assert!(ClientCertificate::from_pem(cut).is_err(), "{cut:?}");
    }
    assert!(ClientCertificate::from_pem(&format!("{pem}\n")).is_err());
    assert!(ClientCertificate::from_pem(&pem.replacen("MI", "M\0I", 1)).is_err());
}

#[test]
fn e13_trailing_octets() {
    let mut der = certificate().der().to_vec();
    assert!(ClientCertificate::from_der(&der).is_ok());
    der.push(0);
    assert!(matches!(
        ClientCertificate::from_der(&der),
        Err(BindingError::Der(_))
    ));
    for cut in 0..der.len() - 1 {
        assert!(ClientCertificate::from_der(&der[..cut]).is_err(), "{cut} octets");
    }
}

#[test]
fn e14_ber() {
    let der = certificate().der().to_vec();
    // 30 82 xx xx …: the outer length in the long form of two octets.
    assert_eq!(der[..2], [0x30, 0x81]);
    let indefinite = [&[0x30, 0x80], &der[3..], &[0, 0]].concat();
    let long_length = [&[0x30, 0x82, 0], &der[2..]].concat();
    for ber in [indefinite, long_length] {
        assert!(matches!(
            ClientCertificate::from_der(&ber),
            Err(BindingError::Der(_))
        ));
    }
}

#[test]
fn e15_oversized() {
    let big = "A".repeat(1024 * 1024);
    for form in FORMS {
        for value in [format!(":{big}:"), big.clone(), format!("Cert=\"{big}\"")] {
            assert_eq!(
                form.parse(&[value]),
                Err(BindingError::TooLarge(MAX_FORWARDED_OCTETS)),
                "{form:?}"
            );
        }
    }
    assert!(matches!(
        ClientCertificate::from_der(&vec![0x30; 17_000]),
        Err(BindingError::TooLarge(_))
    ));
    assert!(matches!(
        ClientCertificate::from_pem(&big),
        Err(BindingError::TooLarge(_))
    ));
    assert!(matches!(
        ClientCertificate::from_escaped_pem(&big),
        Err(BindingError::TooLarge(_))
    ));

    // The largest certificate passes in the widest form.
    let padding = extension("1.2.3.4", &vec![0xfb; 16_000]);
    let large = ClientCertificate::from_der(&certificate_of(common_name("ci"), &[padding], 1, 1)).unwrap();
    for form in FORMS {
        assert_eq!(
            form.parse(&[written(form, &large)]),
            Ok(Some(large.clone())),
            "{form:?}"
        );
    }
}

/// E16, the documented answer: as no certificate.
#[test]
fn e16_empty_header() {
    let none: [&str; 0] = [];
    for form in FORMS {
        assert_eq!(form.parse(&none), Ok(None));
        for empty in ["", " ", "\t "] {
            assert_eq!(form.parse(&[empty]), Ok(None), "{form:?}");
        }
        assert!(form.parse(&[b"\xff\xfe"]).is_err());
    }
}

#[test]
fn e17_verify_header_disagrees() {
    let form = ForwardedHeader::NginxEscapedPem;
    let value = written(form, &certificate());
    let proxy = ForwardedCertificate::new(form)
        .with_verify_header("X-SSL-Client-Verify")
        .unwrap();
    assert_eq!(proxy.verify_name(), Some("x-ssl-client-verify"));
    assert_eq!(
        proxy.parse(&[value.as_str()], &["SUCCESS"]),
        Ok(Some(certificate()))
    );
    for verdict in [
        "FAILED",
        "FAILED:self signed certificate",
        "NONE",
        "",
        "success",
        "SUCCESS ",
        "GENEROUS",
    ] {
        assert_eq!(proxy.parse(&[value.as_str()], &[verdict]), Ok(None), "{verdict}");
    }
    assert_eq!(proxy.parse(&[value.as_str()], &[]), Ok(None), "missing");
    assert_eq!(
        proxy.parse(&[value.as_str()], &["SUCCESS", "SUCCESS"]),
        Err(BindingError::Repeated)
    );
}

#[test]
fn e18_subject_alone_is_never_enough() {
    for value in [
        "Subject=\"CN=ci\"",
        "Hash=00",
        "By=a;URI=b;DNS=ci",
        "Cert=\"\";Subject=\"CN=ci\"",
    ] {
        assert_eq!(ForwardedHeader::EnvoyXfcc.parse(&[value]), Ok(None), "{value}");
    }
    let cert = escape(&certificate().to_pem());
    assert_eq!(
        ForwardedHeader::EnvoyXfcc.parse(&[format!("Chain=\"{cert}\"")]),
        Ok(None)
    );
    assert_eq!(
        ForwardedHeader::EnvoyXfcc.parse(&[format!("cert=\"{cert}\"")]),
        Ok(Some(certificate()))
    );
    for broken in [
        format!("Hash={};Cert=\"{cert}\"", "0".repeat(64)),
        format!("Cert=\"{cert}\";Cert=\"{cert}\""),
        format!("Cert=\"{cert}"),
        format!("Cert=\"{cert}\"x"),
        format!("Cert={cert}\"\""),
        "Cert".to_owned(),
        ";;=".to_owned(),
    ] {
        refused(ForwardedHeader::EnvoyXfcc, &broken);
    }
}

#[test]
fn e19_header_lines_inside_a_name() {
    let hostile = with_subject(common_name("ci\r\nX-SSL-Client-Verify: SUCCESS"));
    for form in FORMS {
        let parsed = form.parse(&[written(form, &hostile)]).unwrap().unwrap();
        let text = parsed.subject().to_string();
        assert_eq!(text, r"CN=ci\0D\0AX-SSL-Client-Verify: SUCCESS");
        assert!(
            !SubjectMatcher::parse("tls_client_auth_subject_dn", "CN=ci")
                .unwrap()
                .matches(&parsed)
        );
    }
}

#[test]
fn e25_chain_without_leaf() {
    // `Client-Cert-Chain` is another header: no field of the configured name is no certificate.
    let none: [&str; 0] = [];
    assert_eq!(ForwardedHeader::Rfc9440.parse(&none), Ok(None));
    assert_ne!(
        ForwardedCertificate::new(ForwardedHeader::Rfc9440).name(),
        "client-cert-chain"
    );
}
