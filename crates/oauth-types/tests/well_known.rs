//! Where the metadata of an issuer lies (RFC 8414 §3.1, OpenID Connect Discovery 1.0 §4).

use sealstone_oauth_types::Issuer;

#[test]
fn vectors_of_well_known() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors/well_known.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let issuer = Issuer::parse(case["issuer"].as_str().unwrap()).unwrap();
        assert_eq!(case["oauth"], issuer.well_known_oauth());
        assert_eq!(case["openid"], issuer.well_known_openid());
        if let Some(inserted) = case["openid_rfc8414"].as_str() {
            assert_eq!(inserted, issuer.well_known_openid_inserted());
        }
    }
}
