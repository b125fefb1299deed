//! Whatever stands in the headers, there is an answer.

use crate::support::{World, from_peer, request, send};
use http::{HeaderValue, StatusCode};
use proptest::prelude::*;
use sealstone_resource::{ForwardedCertificate, ForwardedHeader, TrustedProxy};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_authorization_header_is_answered(
        value in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "(?i:bearer) {1,3}[A-Za-z0-9._~+/=-]{0,300}".prop_map(String::into_bytes),
            "Bearer eyJ[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,90}".prop_map(String::into_bytes),
        ],
        forwarded in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let header = ForwardedCertificate::new(ForwardedHeader::Rfc9440);
            let proxy = TrustedProxy::new(header, ["10.0.0.7".parse().unwrap()]).unwrap();
            let layer = world.layer_of(world.config().with_trusted_proxy(proxy));
            let mut request = from_peer(request(""), "10.0.0.7");
            request.headers_mut().remove("authorization");
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers_mut().insert("authorization", value);
            }
            if let Ok(value) = HeaderValue::from_bytes(&forwarded) {
                request.headers_mut().insert("client-cert", value);
            }
            let answered = send(&layer, request).await;
            assert!(
                matches!(answered.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED),
                "{answered:?}"
            );
        });
    }
}
