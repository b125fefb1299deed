//! A client certificate in DER.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_mtls::{
    CertificateThumbprint, ClientCertificate, Confirmation, DistinguishedName, MAX_CERTIFICATE_OCTETS,
};

fuzz_target!(|data: &[u8]| {
    let Ok(certificate) = ClientCertificate::from_der(data) else {
        return;
    };
    assert!(data.len() <= MAX_CERTIFICATE_OCTETS);
    assert_eq!(certificate.der(), data);
    assert_eq!(certificate.thumbprint(), CertificateThumbprint::of_der(data));
    let text = certificate.thumbprint().to_string();
    assert_eq!(
        CertificateThumbprint::parse(&text).expect("its own text"),
        certificate.thumbprint()
    );
    let again = ClientCertificate::from_pem(&certificate.to_pem()).expect("its own PEM");
    assert_eq!(again.der(), data);
    let confirmation = Confirmation::bind(&certificate);
    assert!(confirmation.check(Some(&certificate.thumbprint())).is_ok());
    assert!(confirmation.check(None).is_err());
    for name in [certificate.subject(), certificate.issuer()] {
        let printed = name.to_string();
        if let Ok(parsed) = DistinguishedName::parse_rfc4514(&printed) {
            assert_eq!(&parsed, name, "a printed name is that name: {printed}");
        }
    }
    let _ = (certificate.keystone_thumbprint(), certificate.serial_hex());
    let _ = (
        certificate.not_before(),
        certificate.not_after(),
        certificate.subject_alt_names(),
    );
});
