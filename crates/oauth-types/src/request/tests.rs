use super::{GrantRequest, IntrospectionRequest, RequestError, RevocationRequest, TokenRequest};
use crate::{BasicError, ErrorCode, ErrorResponse, Form, FormError, GrantType, TokenTypeHint};

const VALID: &str = "grant_type=client_credentials&client_id=ci&client_secret=s&scope=a+b+a&resource=urn:x";

fn token(body: &str) -> Result<TokenRequest, RequestError> {
    TokenRequest::parse(None, &Form::parse(body.as_bytes())?)
}

#[test]
fn client_credentials() {
    let GrantRequest::ClientCredentials { scope, resources } = token(VALID).unwrap().grant else {
        panic!()
    };
    assert_eq!(scope.unwrap().as_str(), "a b");
    assert_eq!(
        resources.iter().map(|r| r.as_str()).collect::<Vec<_>>(),
        ["urn:x"]
    );
    let body = "grant_type=client_credentials&resource=urn:x&resource=urn:y&resource=urn:x";
    let GrantRequest::ClientCredentials { scope, resources } = token(body).unwrap().grant else {
        panic!()
    };
    assert_eq!(scope, None);
    assert_eq!(resources.len(), 2);
}

#[test]
fn f04_each_parameter_in_turn() {
    assert!(token(VALID).is_ok());
    for name in ["grant_type", "client_id", "client_secret", "scope"] {
        for value in ["a", "client_credentials", ""] {
            let body = format!("{VALID}&{name}={value}");
            assert_eq!(
                token(&body),
                Err(RequestError::Form(FormError::Repeated)),
                "{body}"
            );
        }
    }
}

#[test]
fn f06_f08_missing_grant_type() {
    for body in [
        "",
        "client_id=ci",
        "grant_type=",
        "grant_type",
        "Grant_Type=client_credentials",
    ] {
        assert_eq!(token(body), Err(RequestError::MissingGrantType), "{body}");
    }
}

#[test]
fn f09_grant_types_are_compared_exactly() {
    for name in [
        "password",
        "implicit",
        "urn:example:other",
        "CLIENT_CREDENTIALS",
        "client_credentials%20",
        "%22%3Cscript%3E",
    ] {
        assert_eq!(
            token(&format!("grant_type={name}")).unwrap().grant,
            GrantRequest::Unsupported,
            "{name}"
        );
    }
    for grant in GrantType::ALL
        .iter()
        .filter(|grant| **grant == GrantType::TokenExchange)
    {
        assert_eq!(
            token(&format!("grant_type={grant}")).unwrap().grant,
            GrantRequest::NotOffered(*grant)
        );
    }
}

#[test]
fn f20_scope_and_resource_grammar() {
    for scope in ["a%09b", "%22", "%5C", "a++b", "+a", "a+", "a%0d%0ab", "%C3%A9"] {
        let body = format!("grant_type=client_credentials&scope={scope}");
        assert_eq!(token(&body), Err(RequestError::Scope), "{scope}");
    }
    for resource in ["x", "/x", "https://a.example/%23x", "urn:a%0d%0a", "urn:a+b"] {
        let body = format!("grant_type=client_credentials&resource=urn:ok&resource={resource}");
        assert_eq!(token(&body), Err(RequestError::Resource), "{resource}");
    }
}

#[test]
fn introspection_and_revocation() {
    let form = Form::parse(b"token=abc&token_type_hint=refresh_token&client_id=a").unwrap();
    let request = IntrospectionRequest::parse(None, &form).unwrap();
    assert_eq!(
        (request.token.expose(), request.hint),
        ("abc", Some(TokenTypeHint::RefreshToken))
    );
    assert!(!format!("{request:?}").contains("abc"));
    let request = RevocationRequest::parse(None, &form).unwrap();
    assert_eq!(
        (request.token.expose(), request.hint),
        ("abc", Some(TokenTypeHint::RefreshToken))
    );
    let form = Form::parse(b"token=abc&token_type_hint=banana").unwrap();
    assert_eq!(IntrospectionRequest::parse(None, &form).unwrap().hint, None);
    for body in [&b""[..], b"token=", b"Token=a", b"access_token=a"] {
        let form = Form::parse(body).unwrap();
        assert_eq!(
            IntrospectionRequest::parse(None, &form),
            Err(RequestError::MissingToken)
        );
        assert_eq!(
            RevocationRequest::parse(None, &form),
            Err(RequestError::MissingToken)
        );
    }
}

#[test]
fn every_error_has_its_code_and_an_allowed_description() {
    for (error, code, status) in [
        (
            RequestError::Form(FormError::TooLarge),
            ErrorCode::InvalidRequest,
            413,
        ),
        (
            RequestError::Form(FormError::TooManyParameters),
            ErrorCode::InvalidRequest,
            400,
        ),
        (
            RequestError::Form(FormError::Repeated),
            ErrorCode::InvalidRequest,
            400,
        ),
        (
            RequestError::Form(FormError::Encoding),
            ErrorCode::InvalidRequest,
            400,
        ),
        (RequestError::ContentType, ErrorCode::InvalidRequest, 400),
        (RequestError::Query, ErrorCode::InvalidRequest, 400),
        (RequestError::ForwardedCertificate, ErrorCode::InvalidRequest, 400),
        (RequestError::Incomplete, ErrorCode::InvalidRequest, 400),
        (RequestError::RepeatedHeader, ErrorCode::InvalidRequest, 400),
        (RequestError::Dpop, ErrorCode::InvalidRequest, 400),
        (
            RequestError::Authorization(BasicError::Scheme),
            ErrorCode::InvalidClient,
            401,
        ),
        (
            RequestError::Authorization(BasicError::TooLarge),
            ErrorCode::InvalidClient,
            401,
        ),
        (
            RequestError::Authorization(BasicError::Malformed),
            ErrorCode::InvalidClient,
            401,
        ),
        (RequestError::TwoAuthentications, ErrorCode::InvalidRequest, 400),
        (RequestError::ClientIdMismatch, ErrorCode::InvalidRequest, 400),
        (RequestError::MissingGrantType, ErrorCode::InvalidRequest, 400),
        (RequestError::MissingToken, ErrorCode::InvalidRequest, 400),
        (RequestError::Scope, ErrorCode::InvalidScope, 400),
        (RequestError::Resource, ErrorCode::InvalidTarget, 400),
    ] {
        assert_eq!((error.code(), error.status()), (code, status), "{error:?}");
        let answer = ErrorResponse::new(code, error.description());
        assert_eq!(
            answer.error_description.as_deref(),
            Some(error.description()),
            "{error:?}"
        );
        assert!(!error.to_string().is_empty());
    }
}

const CODE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[test]
fn the_grants_with_a_person() {
    let code = format!("grant_type=authorization_code&client_id=web&code={CODE}");
    let full =
        format!("{code}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&code_verifier={VERIFIER}&resource=urn:x");
    let GrantRequest::AuthorizationCode {
        code: sent,
        redirect_uri,
        verifier,
        resources,
    } = token(&full).unwrap().grant
    else {
        panic!()
    };
    assert_eq!(
        (sent.expose(), redirect_uri.unwrap().as_str()),
        (CODE, "https://app.example/cb")
    );
    assert!(verifier.is_some() && resources.len() == 1);
    let GrantRequest::AuthorizationCode {
        redirect_uri,
        verifier,
        ..
    } = token(&code).unwrap().grant
    else {
        panic!()
    };
    assert_eq!((redirect_uri, verifier), (None, None));
    let refresh =
        format!("grant_type=refresh_token&refresh_token={CODE}&scope=a&resource=urn:x&resource=urn:x");
    let GrantRequest::RefreshToken {
        token: sent,
        scope,
        resources,
    } = token(&refresh).unwrap().grant
    else {
        panic!()
    };
    assert_eq!(
        (sent.expose(), scope.unwrap().as_str(), resources.len()),
        (CODE, "a", 1)
    );
    let device =
        format!("grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={CODE}&resource=urn:x");
    assert!(matches!(
        token(&device).unwrap().grant,
        GrantRequest::DeviceCode { resources, .. } if resources.len() == 1
    ));
    for request in [&full, &refresh, &device] {
        assert!(!format!("{:?}", token(request)).contains("AAAA"));
    }
}

#[test]
fn h04_h06_h10_k10_k11_what_was_never_given_here() {
    let code = |more: &str| format!("grant_type=authorization_code&client_id=web{more}");
    let refresh = |more: &str| format!("grant_type=refresh_token&client_id=web{more}");
    let device = |more: &str| format!("grant_type=urn:ietf:params:oauth:grant-type:device_code{more}");
    let with = |more: &str| code(&format!("&code={CODE}{more}"));
    for (body, want, code) in [
        (code(""), RequestError::MissingCode, "invalid_request"),
        (code("&code="), RequestError::MissingCode, "invalid_request"),
        (
            code(&format!("&refresh_token={CODE}")),
            RequestError::MissingCode,
            "invalid_request",
        ),
        (code("&code=x"), RequestError::OpaqueToken, "invalid_grant"),
        (
            code(&format!("&code={CODE}A")),
            RequestError::OpaqueToken,
            "invalid_grant",
        ),
        (
            code(&format!("&code={CODE}%3D")),
            RequestError::OpaqueToken,
            "invalid_grant",
        ),
        (
            code("&code=eyJhbGciOiJFUzI1NiJ9.e30.c2ln"),
            RequestError::OpaqueToken,
            "invalid_grant",
        ),
        (
            with("&redirect_uri=/cb"),
            RequestError::RedirectUri,
            "invalid_grant",
        ),
        (
            with("&redirect_uri=https://app.example/cb%23x"),
            RequestError::RedirectUri,
            "invalid_grant",
        ),
        (
            with(&format!("&code_verifier={}", "a".repeat(42))),
            RequestError::CodeVerifier,
            "invalid_grant",
        ),
        (
            with(&format!("&code_verifier={}", "a".repeat(129))),
            RequestError::CodeVerifier,
            "invalid_grant",
        ),
        (
            with(&format!("&code_verifier=%2B{VERIFIER}")),
            RequestError::CodeVerifier,
            "invalid_grant",
        ),
        (refresh(""), RequestError::MissingRefreshToken, "invalid_request"),
        (
            refresh("&refresh_token=eyJhbGciOiJFUzI1NiJ9.e30.c2ln"),
            RequestError::OpaqueToken,
            "invalid_grant",
        ),
        (
            refresh(&format!("&refresh_token={}B", &CODE[1..])),
            RequestError::OpaqueToken,
            "invalid_grant",
        ),
        (
            refresh(&format!("&refresh_token={CODE}&scope=a%22")),
            RequestError::Scope,
            "invalid_scope",
        ),
        (device(""), RequestError::MissingDeviceCode, "invalid_request"),
        (
            device("&device_code=WDJB-MJHT"),
            RequestError::OpaqueToken,
            "invalid_grant",
        ),
        (
            with(&format!("&code={CODE}")),
            RequestError::Form(FormError::Repeated),
            "invalid_request",
        ),
    ] {
        let read: Result<(), RequestError> = token(&body).and_then(|request| match request.grant {
            GrantRequest::Malformed { grant, fault } => {
                assert!(body.contains(grant.as_str()));
                Err(fault)
            }
            other => panic!("{body}: {other:?}"),
        });
        assert_eq!(read, Err(want), "{body}");
        assert_eq!((want.code().as_str(), want.status()), (code, 400), "{body}");
    }
}
