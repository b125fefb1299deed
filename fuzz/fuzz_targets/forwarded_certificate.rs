//! The header of a TLS-terminating proxy. The first byte picks the form; line feeds part several header fields.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_mtls::{ClientCertificate, ForwardedHeader};

const FORMS: [ForwardedHeader; 5] = [
    ForwardedHeader::Rfc9440,
    ForwardedHeader::NginxEscapedPem,
    ForwardedHeader::ApachePem,
    ForwardedHeader::EnvoyXfcc,
    ForwardedHeader::Traefik,
];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let form = FORMS[usize::from(*first) % FORMS.len()];
    let values: Vec<&[u8]> = rest.split(|byte| *byte == b'\n').collect();
    let parsed = form.parse(&values);
    if values.len() > 1 {
        assert!(parsed.is_err(), "several fields are never one certificate");
    }
    if let Ok(Some(certificate)) = parsed {
        let again = ClientCertificate::from_der(certificate.der()).expect("what a proxy handed on");
        assert_eq!(again.thumbprint(), certificate.thumbprint());
    }
});
