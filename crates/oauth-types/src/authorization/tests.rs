use super::{AuthorizationError, AuthorizationHead, AuthorizationParameters, AuthorizationRequest};

const VALID: &str = "client_id=web&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&response_type=code&state=s\
    &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

#[test]
fn reads_a_request() {
    let parameters = AuthorizationParameters::parse(VALID.as_bytes()).unwrap();
    assert_eq!(
        AuthorizationHead::parse(&parameters).unwrap().client_id.as_str(),
        "web"
    );
    let request = AuthorizationRequest::parse(&parameters).unwrap();
    assert!(request.code_challenge.is_some() && request.claims.is_none());
}

#[test]
fn every_description_is_the_error() {
    for error in AuthorizationError::ALL {
        assert_eq!(error.to_string(), error.description());
    }
}
