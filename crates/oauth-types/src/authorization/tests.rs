use super::{
    Acr, AuthorizationError, AuthorizationFault, AuthorizationHead, AuthorizationHeadError,
    AuthorizationParameters, AuthorizationRequest, Display, LoginHint, MaxAge, Nonce, Prompt, PromptSet,
    ResponseMode, State, UiLocales,
};
use crate::{ErrorResponse, FormError};
use proptest::prelude::*;

const HEAD: &str = "client_id=web&redirect_uri=https%3A%2F%2Fapp.example%2Fcb";
const CHALLENGE: &str =
    "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

fn parameters(query: &str) -> AuthorizationParameters {
    AuthorizationParameters::parse(query.as_bytes()).unwrap()
}

fn head(query: &str) -> Result<AuthorizationHead, AuthorizationHeadError> {
    AuthorizationHead::parse(&parameters(query))
}

/// The rest of a good request, with `more` behind it.
fn request(more: &str) -> Result<AuthorizationRequest, AuthorizationFault> {
    AuthorizationRequest::parse(&parameters(&format!(
        "{HEAD}&response_type=code&{CHALLENGE}&state=s{more}"
    )))
}

#[track_caller]
fn refused(more: &str, want: AuthorizationError) {
    let fault = request(more).expect_err(more);
    assert_eq!(fault.error, want, "{more}");
    assert_eq!(
        fault.state.map(|state| state.as_str().to_owned()).as_deref(),
        Some("s"),
        "{more}"
    );
}

#[test]
fn every_part_is_read() {
    let all = request(
        "&response_mode=form_post&scope=openid+openstack:api&resource=urn:a&resource=urn:b&resource=urn:a&nonce=n\
         &prompt=login+consent&max_age=0&acr_values=phr+urn:x+phr&ui_locales=de-CH+en&display=popup\
         &login_hint=demo&id_token_hint=e30.e30.x&claims=%7B%22id_token%22%3A%7B%22auth_time%22%3Anull%7D%7D\
         &unknown=1&claims_locales=de",
    )
    .unwrap();
    assert_eq!(all.response_mode, ResponseMode::FormPost);
    assert_eq!(all.scope.unwrap().as_str(), "openid openstack:api");
    assert_eq!(all.resources.len(), 2);
    assert_eq!(all.nonce.unwrap().as_str(), "n");
    assert_eq!(
        all.prompt.iter().collect::<Vec<_>>(),
        [Prompt::Login, Prompt::Consent]
    );
    assert_eq!(all.max_age, Some(MaxAge::from_seconds(0)));
    assert_eq!(
        all.acr_values.iter().map(Acr::as_str).collect::<Vec<_>>(),
        ["phr", "urn:x"]
    );
    assert_eq!(all.ui_locales.iter().collect::<Vec<_>>(), ["de-CH", "en"]);
    assert_eq!(
        (all.display, all.login_hint.unwrap().as_str()),
        (Display::Popup, "demo")
    );
    assert_eq!(all.id_token_hint.unwrap().expose(), "e30.e30.x");
    assert!(all.claims.unwrap().id_token.get("auth_time").is_some());

    let least = AuthorizationRequest::parse(&parameters("response_type=code")).unwrap();
    assert_eq!(
        (least.state, least.code_challenge, least.scope),
        (None, None, None)
    );
    assert_eq!(
        (least.response_mode, least.prompt),
        (ResponseMode::Query, PromptSet::default())
    );
    assert!(least.resources.is_empty() && least.acr_values.is_empty() && least.ui_locales.is_empty());
}

#[test]
fn g03_g04_what_is_told_on_a_page() {
    use AuthorizationHeadError as Fault;
    assert!(head(HEAD).is_ok());
    assert_eq!(head("client_id=web").unwrap().redirect_uri, None);
    let good = "redirect_uri=https%3A%2F%2Fapp.example%2Fcb";
    for (query, want) in [
        ("", Fault::MissingClientId),
        (good, Fault::MissingClientId),
        ("client_id=", Fault::MissingClientId),
        ("Client_id=web", Fault::MissingClientId),
        ("client_id=../web", Fault::ClientId),
        ("client_id=we%62%20", Fault::ClientId),
        ("client_id=web&client_id=web", Fault::Repeated),
        ("client_id=web&client_id=", Fault::Repeated),
        ("client_id=web&%63lient_id=other", Fault::Repeated),
        (
            &format!("{HEAD}&redirect_uri=https://evil.example/cb"),
            Fault::Repeated,
        ),
        (
            &format!("client_id=web&redirect_uri=https://evil.example/cb&{good}"),
            Fault::Repeated,
        ),
        (&format!("{HEAD}&redirect_uri"), Fault::Repeated),
        (&format!("{HEAD}&redirect_uri=%00"), Fault::Repeated),
        ("client_id=web%00", Fault::Encoding),
        (
            "client_id=web&redirect_uri=https://app.example/%zz",
            Fault::Encoding,
        ),
        (
            "client_id=web&redirect_uri=https://app.example/cb%",
            Fault::Encoding,
        ),
        ("client_id=web&redirect_uri=%ff", Fault::Encoding),
        (&format!("{HEAD}&redirect_ur%ff=x"), Fault::Encoding),
        (&format!("{HEAD}&%00=x"), Fault::Encoding),
        ("client_id=web&redirect_uri=/cb", Fault::RedirectUri),
        (
            "client_id=web&redirect_uri=javascript:alert(1)",
            Fault::RedirectUri,
        ),
        (
            "client_id=web&redirect_uri=https://app.example/cb%23x",
            Fault::RedirectUri,
        ),
    ] {
        assert_eq!(head(query), Err(want), "{query}");
        assert!(!want.to_string().is_empty());
    }
    let long = vec![b'a'; 64 * 1024 + 1];
    assert_eq!(
        AuthorizationParameters::parse(&long).unwrap_err(),
        FormError::TooLarge
    );
    let many = "a&".repeat(65);
    assert_eq!(
        AuthorizationParameters::parse(many.as_bytes()).unwrap_err(),
        FormError::TooManyParameters
    );
}

/// A parameter that only the client is told of does not keep it from being told.
#[test]
fn a_bad_parameter_spoils_no_other() {
    assert!(head(&format!("{HEAD}&state=%00&nonce=%ff&scope=a&scope=b")).is_ok());
    refused("&nonce=%00", AuthorizationError::Encoding);
    refused("&nonce=%ff", AuthorizationError::Encoding);
    refused("&unknown=%zz", AuthorizationError::Encoding);
    let fault = AuthorizationRequest::parse(&parameters("response_type=code&state=a&state=b")).unwrap_err();
    assert_eq!((fault.error, fault.state), (AuthorizationError::Repeated, None));
}

#[test]
fn f04_g20_each_parameter_but_resource_comes_once() {
    for name in [
        "response_type",
        "response_mode",
        "code_challenge",
        "code_challenge_method",
        "scope",
        "nonce",
        "prompt",
        "max_age",
        "acr_values",
        "claims",
        "ui_locales",
        "display",
        "login_hint",
        "id_token_hint",
        "request",
        "request_uri",
        "registration",
        "unknown",
    ] {
        refused(&format!("&{name}=x&{name}=x"), AuthorizationError::Repeated);
        refused(&format!("&{name}&{name}"), AuthorizationError::Repeated);
    }
    assert!(request("&resource=urn:a&resource=urn:b").is_ok());
}

#[test]
fn g20_response_types() {
    let read = |query: &str| AuthorizationRequest::parse(&parameters(query)).map_err(|fault| fault.error);
    for (query, want) in [
        ("", AuthorizationError::MissingResponseType),
        ("response_type=", AuthorizationError::MissingResponseType),
        ("response_type=token", AuthorizationError::ResponseType),
        ("response_type=id_token", AuthorizationError::ResponseType),
        ("response_type=code+id_token", AuthorizationError::ResponseType),
        ("response_type=code+code", AuthorizationError::ResponseType),
        ("response_type=none", AuthorizationError::ResponseType),
        ("response_type=CODE", AuthorizationError::ResponseType),
        ("response_type=code%20", AuthorizationError::ResponseType),
        (
            "response_type=code&response_type=code",
            AuthorizationError::Repeated,
        ),
    ] {
        assert_eq!(read(query), Err(want), "{query}");
    }
}

#[test]
fn g21_response_modes() {
    for wrong in [
        "fragment",
        "query.jwt",
        "form_post.jwt",
        "web_message",
        "Query",
        "x",
    ] {
        let fault = request(&format!("&response_mode={wrong}")).unwrap_err();
        // What cannot be honoured is told in the only mode that is always right for a code.
        assert_eq!(
            (fault.error, fault.response_mode),
            (AuthorizationError::ResponseMode, ResponseMode::Query)
        );
    }
    let fault = request("&response_mode=form_post&max_age=x").unwrap_err();
    assert_eq!(fault.response_mode, ResponseMode::FormPost);
}

#[test]
fn g23_g24_state_comes_back_unchanged_or_not_at_all() {
    let state = |text: &str| {
        let query = format!("response_type=code&state={text}");
        AuthorizationRequest::parse(&parameters(&query)).map(|request| request.state)
    };
    for (sent, want) in [
        ("", None),
        ("x", Some("x".to_owned())),
        (
            "a+b%26c%3D%22%3E%3Cscript%3E",
            Some("a b&c=\"><script>".to_owned()),
        ),
        ("%C3%A9%E2%80%AE", Some("é\u{202e}".to_owned())),
        (&"s".repeat(2048), Some("s".repeat(2048))),
    ] {
        assert_eq!(state(sent).unwrap().map(|state| state.as_str().to_owned()), want);
    }
    for (sent, want) in [
        (&*"s".repeat(2049), AuthorizationError::State),
        (&*"s".repeat(60_000), AuthorizationError::State),
        ("a%0d%0aLocation:x", AuthorizationError::State),
        ("%01", AuthorizationError::State),
        ("%7f", AuthorizationError::State),
        ("%C2%85", AuthorizationError::State),
        ("%00", AuthorizationError::Encoding),
    ] {
        let fault = state(sent).unwrap_err();
        assert_eq!((fault.error, fault.state), (want, None), "{sent:.20}");
    }
}

#[test]
fn g28_g30_prompt_and_max_age() {
    for wrong in [
        "none+login",
        "login+none",
        "none+none+consent",
        "create",
        "None",
        "login++consent",
        "+login",
    ] {
        refused(&format!("&prompt={wrong}"), AuthorizationError::Prompt);
    }
    assert!(request("&prompt=none+none").unwrap().prompt.none);
    assert!(request("&prompt=").unwrap().prompt == PromptSet::default());
    for wrong in [
        "-1",
        "1e9",
        "abc",
        "+5",
        "%2B5",
        "5.0",
        "0x10",
        "4294967296",
        "%C2%B2",
        "9".repeat(99).as_str(),
    ] {
        refused(&format!("&max_age={wrong}"), AuthorizationError::MaxAge);
    }
    for (right, want) in [
        ("0", 0),
        ("007", 7),
        ("4294967295", u32::MAX),
        ("1000000000", 1_000_000_000),
    ] {
        let max_age = request(&format!("&max_age={right}")).unwrap().max_age.unwrap();
        assert_eq!(max_age.as_seconds(), want);
        assert_eq!(max_age.as_duration().as_secs(), u64::from(want));
    }
    assert_eq!(request("&max_age=").unwrap().max_age, None);
}

#[test]
fn h02_h03_challenges() {
    let read = |query: &str| AuthorizationRequest::parse(&parameters(&format!("response_type=code&{query}")));
    let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    assert!(read(CHALLENGE).unwrap().code_challenge.is_some());
    for (query, want) in [
        (
            format!("code_challenge={good}&code_challenge_method=plain"),
            AuthorizationError::CodeChallengeMethod,
        ),
        (
            format!("code_challenge={good}"),
            AuthorizationError::CodeChallengeMethod,
        ),
        (
            format!("code_challenge={good}&code_challenge_method=s256"),
            AuthorizationError::CodeChallengeMethod,
        ),
        (
            format!("code_challenge={good}&code_challenge_method=S512"),
            AuthorizationError::CodeChallengeMethod,
        ),
        (
            format!("code_challenge={good}%3D&code_challenge_method=S256"),
            AuthorizationError::CodeChallenge,
        ),
        (
            format!("code_challenge={good}A&code_challenge_method=S256"),
            AuthorizationError::CodeChallenge,
        ),
        (
            "code_challenge=&code_challenge_method=S256".to_owned(),
            AuthorizationError::CodeChallenge,
        ),
        (
            "code_challenge_method=plain".to_owned(),
            AuthorizationError::CodeChallenge,
        ),
        (
            format!("code_challenge={}&code_challenge_method=S256", "a".repeat(42)),
            AuthorizationError::CodeChallenge,
        ),
        (
            format!("code_challenge={}&code_challenge_method=S256", "a".repeat(129)),
            AuthorizationError::CodeChallenge,
        ),
        (
            format!(
                "code_challenge={}&code_challenge_method=S256",
                good.replacen('-', "%2B", 1)
            ),
            AuthorizationError::CodeChallenge,
        ),
    ] {
        assert_eq!(read(&query).unwrap_err().error, want, "{query}");
    }
}

#[test]
fn malformed_values_are_told_by_their_code() {
    use AuthorizationError as Error;
    let long_claims = format!("&claims=%7B%22x%22%3A%22{}%22%7D", "a".repeat(8192));
    let many_acr = format!("&acr_values={}", ["a"; 17].join("+"));
    let long_hint = format!("&id_token_hint={}", "a".repeat(8193));
    for (more, want, code) in [
        ("&request=e30.e30.", Error::RequestObject, "request_not_supported"),
        (
            "&request_uri=https://app.example/r",
            Error::RequestUri,
            "request_uri_not_supported",
        ),
        (
            "&request_uri=urn:x&request=x",
            Error::RequestObject,
            "request_not_supported",
        ),
        (
            "&registration=%7B%7D",
            Error::Registration,
            "registration_not_supported",
        ),
        ("&dpop_jkt=0ZcOCORZNYy", Error::DpopJkt, "invalid_request"),
        ("&scope=a%22", Error::Scope, "invalid_scope"),
        ("&scope=a++b", Error::Scope, "invalid_scope"),
        ("&resource=/x", Error::Resource, "invalid_target"),
        (
            "&resource=urn:a&resource=urn:b%23x",
            Error::Resource,
            "invalid_target",
        ),
        ("&nonce=a%0ab", Error::Nonce, "invalid_request"),
        ("&acr_values=a++b", Error::AcrValues, "invalid_request"),
        ("&acr_values=%C3%A9", Error::AcrValues, "invalid_request"),
        (&many_acr, Error::AcrValues, "invalid_request"),
        ("&claims=x", Error::Claims, "invalid_request"),
        ("&claims=%5B%5D", Error::Claims, "invalid_request"),
        (&long_claims, Error::Claims, "invalid_request"),
        (&long_hint, Error::IdTokenHint, "invalid_request"),
    ] {
        refused(more, want);
        assert_eq!(want.code().as_str(), code, "{more:.40}");
    }
    refused(&format!("&nonce={}", "n".repeat(513)), Error::Nonce);
    // A nonce of the length that FAPI's own tests send.
    assert!(request(&format!("&nonce={}", "n".repeat(384))).is_ok());
}

/// What only makes a page nicer is passed over when it is odd.
#[test]
fn g32_hints_that_cannot_be_read_are_none() {
    for (more, hint, locales) in [
        ("&login_hint=%22%3E%3Cimg+src%3Dx%3E", Some("\"><img src=x>"), 0),
        ("&login_hint=a%0ab", None, 0),
        ("&ui_locales=%22%3E%3Cimg+src%3Dx%3E", None, 0),
        ("&ui_locales=de+%3Cb%3E+en+toolongsubtag+x_y", None, 2),
        ("&ui_locales=a+b+c+d+e+f+g+h+i+j", None, 8),
        ("&display=hologram", None, 0),
    ] {
        let request = request(more).unwrap();
        assert_eq!(request.login_hint.as_ref().map(LoginHint::as_str), hint, "{more}");
        assert_eq!(
            (request.ui_locales.iter().count(), request.display),
            (locales, Display::Page),
            "{more}"
        );
    }
    assert_eq!(
        request(&format!("&login_hint={}", "a".repeat(257)))
            .unwrap()
            .login_hint,
        None
    );
}

#[test]
fn g42_no_error_has_a_part_of_the_request() {
    for error in AuthorizationError::ALL {
        assert_eq!(error.to_string(), error.description());
        let answer = ErrorResponse::new(error.code(), error.description());
        assert_eq!(
            answer.error_description.as_deref(),
            Some(error.description()),
            "{error:?}"
        );
        assert_eq!(error.code().status(), 400);
    }
    let request = request("&nonce=secret1&login_hint=secret2&id_token_hint=secret3").unwrap();
    assert!(!format!("{request:?} {:?}", parameters("state=secret4")).contains("secret"));
}

#[test]
fn values_are_stored_and_read_again() {
    let request = request(
        "&nonce=n&prompt=login+consent&max_age=5&acr_values=phr&ui_locales=de\
         &claims=%7B%22userinfo%22%3A%7B%22name%22%3A%7B%22essential%22%3Atrue%7D%2C%22email%22%3Anull%7D%7D",
    )
    .unwrap();
    #[track_caller]
    fn same<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
        let stored = serde_json::to_string(value).unwrap();
        assert_eq!(&serde_json::from_str::<T>(&stored).unwrap(), value);
    }
    same(&request.state);
    same(&request.nonce);
    same(&request.prompt);
    same(&request.max_age);
    same(&request.acr_values);
    same(&request.ui_locales);
    same(&request.claims);
    same(&request.code_challenge);
    same(&(request.response_mode, request.display));
    for wrong in ["[\"none\",\"login\"]", "[\"x\"]", "7"] {
        assert!(serde_json::from_str::<PromptSet>(wrong).is_err(), "{wrong}");
    }
    for wrong in ["\"\"", "\"a\\u0000\"", "1"] {
        assert!(serde_json::from_str::<State>(wrong).is_err(), "{wrong}");
        assert!(serde_json::from_str::<Nonce>(wrong).is_err(), "{wrong}");
        assert!(serde_json::from_str::<Acr>(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    /// Whatever comes: it is read or refused, and a state that is given back is the one that was sent.
    #[test]
    fn any_request_is_read_or_refused(query: Vec<u8>) {
        if let Ok(parameters) = AuthorizationParameters::parse(&query) {
            let _head = AuthorizationHead::parse(&parameters);
            let _request = AuthorizationRequest::parse(&parameters);
        }
    }

    #[test]
    fn a_state_survives_the_way_there_and_back(state in "[^\\p{Cc}]{1,200}") {
        let sent = percent_encoding::utf8_percent_encode(&state, percent_encoding::NON_ALPHANUMERIC);
        let request = AuthorizationRequest::parse(&parameters(&format!("response_type=code&state={sent}"))).unwrap();
        prop_assert_eq!(request.state.map(|state| state.as_str().to_owned()), Some(state));
    }

    #[test]
    fn locales_are_tags_whatever_was_sent(text in "\\PC{0,80}") {
        for tag in UiLocales::parse(&text).iter() {
            prop_assert!(tag.len() <= 35 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        }
    }
}
