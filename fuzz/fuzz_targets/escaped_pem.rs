//! A client certificate in percent-encoded PEM.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_mtls::ClientCertificate;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(certificate) = ClientCertificate::from_escaped_pem(text) {
        let plain = ClientCertificate::from_pem(&certificate.to_pem()).expect("its own PEM");
        assert_eq!(plain.thumbprint(), certificate.thumbprint());
    }
});
