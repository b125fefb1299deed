//! Answers of EST servers, as text, and as the DER inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_agent::certificates_of_est_answer;

fuzz_target!(|data: &[u8]| {
    let _ = certificates_of_est_answer(data);
    let text = base64_simd::STANDARD.encode_to_string(data);
    let Ok(found) = certificates_of_est_answer(text.as_bytes()) else {
        return;
    };
    assert!((1..=16).contains(&found.len()));
    for certificate in found {
        // Nothing comes out that was not in it, whole.
        assert!(
            data.windows(certificate.len())
                .any(|part| part == &certificate[..])
        );
        let _ = sealstone_mtls::ClientCertificate::from_der(&certificate);
    }
});
