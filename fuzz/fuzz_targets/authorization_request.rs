//! A request that a browser brings to the authorization or the end-session endpoint: its query or its form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_oauth_types::{
    AuthorizationHead, AuthorizationParameters, AuthorizationRequest, ClaimsRequest, EndSessionRequest,
    ErrorResponse, RedirectUri, ScopeSet, State,
};

fuzz_target!(|data: &[u8]| {
    let Ok(parameters) = AuthorizationParameters::parse(data) else {
        return;
    };
    if let Ok(head) = AuthorizationHead::parse(&parameters) {
        let _ = format!("{head:?}");
        if let Some(uri) = &head.redirect_uri {
            check_redirect_uri(uri);
        }
    }
    match AuthorizationRequest::parse(&parameters) {
        Ok(request) => {
            let _ = format!("{request:?}");
            assert!(!request.prompt.none || request.prompt.iter().count() == 1);
            assert!(request.ui_locales.iter().count() <= 8);
            if let Some(scope) = &request.scope {
                assert_eq!(
                    &ScopeSet::parse(scope.as_str()).expect("a printed scope parses"),
                    scope
                );
            }
            if let Some(claims) = &request.claims {
                let stored = serde_json::to_string(claims).expect("claims are JSON");
                let again: ClaimsRequest = serde_json::from_str(&stored).expect("stored claims are read");
                assert_eq!(&again, claims);
            }
            if let Some(state) = &request.state {
                check_state(state);
            }
        }
        Err(fault) => {
            let answer = ErrorResponse::new(fault.error.code(), fault.error.description());
            assert!(answer.error_description.is_some(), "a description fits RFC 6749");
            assert_eq!(fault.error.code().status(), 400, "the caller's fault is a 4xx");
            if let Some(state) = &fault.state {
                check_state(state);
            }
        }
    }
    if let Ok(request) = EndSessionRequest::parse(&parameters)
        && let Some(uri) = &request.post_logout_redirect_uri
    {
        check_redirect_uri(uri);
    }
});

/// It is kept as it came, and an answer keeps within it.
fn check_redirect_uri(uri: &RedirectUri) {
    let text = uri.as_str();
    assert!(text.len() <= RedirectUri::MAX_LENGTH && text.is_ascii());
    assert!(!text.contains(['#', '\\', ' ']) && !text.bytes().any(|byte| byte.is_ascii_control()));
    assert_eq!(RedirectUri::parse(text).as_ref(), Ok(uri));
    assert!(text.starts_with(uri.origin()));
    let answer = uri.with_parameters(&[("code", "a&b=c#d\r\n")]);
    assert!(answer.starts_with(text) && answer.ends_with("code=a%26b%3Dc%23d%0D%0A"));
}

fn check_state(state: &State) {
    assert!(!state.as_str().is_empty() && state.as_str().len() <= State::MAX_LENGTH);
    assert!(!state.as_str().chars().any(char::is_control));
}
