//! A request to the token, introspection and revocation endpoints: the first line is the `Authorization` header (none
//! where it is empty), the rest the form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_oauth_types::{
    Form, GrantRequest, IntrospectionRequest, OsOauth2Request, PresentedCredential, RevocationRequest,
    TokenRequest, form_content_type,
};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let header = parts
        .next()
        .and_then(|line| std::str::from_utf8(line).ok())
        .filter(|line| !line.is_empty());
    let body = parts.next().unwrap_or_default();
    if let Some(header) = header {
        let _ = form_content_type(header);
    }
    let Ok(form) = Form::parse(body) else { return };
    for has_certificate in [false, true] {
        if let Ok(request) = OsOauth2Request::parse(header, &form, has_certificate) {
            let id = request.client.id.as_deref().unwrap_or("none");
            assert!((1..=128).contains(&id.len()));
            assert!(!has_certificate || request.client.credential == PresentedCredential::None);
            let _ = format!("{request:?}");
        }
    }
    match TokenRequest::parse(header, &form) {
        Ok(request) => {
            if let GrantRequest::ClientCredentials {
                scope: Some(scope), ..
            } = &request.grant
            {
                let printed = scope.to_string();
                let again = sealstone_oauth_types::ScopeSet::parse(&printed).expect("a printed scope parses");
                assert_eq!(&again, scope);
            }
            let _ = format!("{request:?}");
        }
        Err(error) => {
            let description = error.description();
            assert!(
                description
                    .bytes()
                    .all(|b| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\')
            );
            assert!(
                (400..500).contains(&error.code().status()),
                "the caller's fault is a 4xx"
            );
        }
    }
    let _ = IntrospectionRequest::parse(header, &form);
    let _ = RevocationRequest::parse(header, &form);
});
