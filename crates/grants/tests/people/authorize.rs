//! Group G, and of group H what the authorization endpoint decides.

use super::support::{
    CALLBACK, CHALLENGE, VERIFIER, at, client, client_of, demo, public, scope, token, web, with,
};
use sealstone_grants::authorize::{
    AuthorizationAnswer, AuthorizationDenial, Displayed, Hint, NeedsClient, Redirected,
};
use sealstone_grants::interaction::AuthorizePurpose;
use sealstone_login::Acr;
use sealstone_oauth_types::{
    AuthorizationError, AuthorizationHead, AuthorizationParameters, AuthorizationRequest, Issuer, MaxAge,
    ResponseMode,
};
use sealstone_registry::Client;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a request comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Page(Displayed),
    Told(Redirected),
    Checked(Box<AuthorizePurpose>),
}

fn ask(client: Option<Arc<Client>>, query: &str) -> Outcome {
    ask_with(client, query, Hint::None)
}

fn ask_with(client: Option<Arc<Client>>, query: &str, hint: Hint) -> Outcome {
    let parameters = AuthorizationParameters::parse(query.as_bytes()).unwrap();
    let step = NeedsClient::new(AuthorizationHead::parse(&parameters));
    let step = match step.and_then(|step| step.with_client(client, &demo())) {
        Ok(step) => step,
        Err(displayed) => return Outcome::Page(displayed),
    };
    let step = step.with_request(AuthorizationRequest::parse(&parameters));
    match step.and_then(|step| step.with_hint(hint)) {
        Ok((_, purpose)) => Outcome::Checked(purpose),
        Err(redirected) => Outcome::Told(redirected),
    }
}

fn denial(client: &Arc<Client>, query: &str) -> Option<AuthorizationDenial> {
    match ask(Some(Arc::clone(client)), query) {
        Outcome::Told(redirected) => {
            assert_eq!(redirected.answer.redirect_uri().as_str(), CALLBACK);
            Some(redirected.denial)
        }
        Outcome::Page(_) | Outcome::Checked(_) => None,
    }
}

fn checked(client: &Arc<Client>, query: &str) -> Box<AuthorizePurpose> {
    match ask(Some(Arc::clone(client)), query) {
        Outcome::Checked(purpose) => purpose,
        other @ (Outcome::Page(_) | Outcome::Told(_)) => panic!("{query}: {other:?}"),
    }
}

fn right() -> String {
    format!(
        "client_id=web&redirect_uri={}&response_type=code&scope=openid&code_challenge={CHALLENGE}&code_challenge_method=S256",
        encoded(CALLBACK)
    )
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn at_redirect(uri: &str) -> String {
    right().replace(&encoded(CALLBACK), &encoded(uri))
}

#[test]
fn a_right_request_is_kept_whole() {
    let query = format!(
        "{}&state=s%20t&nonce=n&prompt=login+consent&max_age=300&login_hint=ada&ui_locales=de+en\
         &response_mode=form_post&display=popup&unknown=x",
        right()
    );
    let purpose = checked(&client("web", &web()), &query);
    assert_eq!(purpose.redirect_uri.as_str(), CALLBACK);
    assert!(purpose.redirect_uri_sent && purpose.demand.prompt.login && purpose.demand.prompt.consent);
    assert_eq!(purpose.state.as_ref().map(|state| state.as_str()), Some("s t"));
    assert_eq!(purpose.nonce.as_ref().map(|nonce| nonce.as_str()), Some("n"));
    assert_eq!(purpose.response_mode, ResponseMode::FormPost);
    assert_eq!(purpose.demand.max_age, Some(MaxAge::from_seconds(300)));
    assert_eq!(purpose.scope, scope("openid"));
    assert_eq!(purpose.ui_locales.iter().collect::<Vec<_>>(), ["de", "en"]);
    let kept = serde_json::to_string(&purpose).unwrap();
    assert_eq!(serde_json::from_str::<AuthorizePurpose>(&kept).unwrap(), *purpose);
}

#[test]
fn g01_g05_to_g14_a_uri_that_is_not_registered_gets_a_page() {
    let web = client(
        "web",
        &with(
            &web(),
            "redirect_uris",
            json!([CALLBACK, "https://app.example/q?a=1&b=2"]),
        ),
    );
    let others = [
        "https://evil.example/cb",
        "https://app.example/cb/../evil",
        "https://app.example/cb/%2e%2e/evil",
        "https://app.example/cb/..;/x",
        "https://app.example/cbevil",
        "https://app.example/cb/",
        "https://app.example/cb?x=1",
        "https://app.example/cb?",
        "https://app.example/q?b=2&a=1",
        "https://app.example/q",
        "https://app.example/cb#x",
        "https://app.example/cb#",
        "https://app.example/cb%23x",
        "https://app.example@evil.example/cb",
        "https://app.example:x@evil.example/cb",
        "https://evil.example\\@app.example/cb",
        "https:/\\evil.example",
        "https:app.example/cb",
        "https://APP.example/cb",
        "https://app.example./cb",
        "https://app.example:443/cb",
        "http://app.example/cb",
        "HTTPS://app.example/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "https://app.example/%63b",
        "https://app.example%2Fcb",
        "https://app.example/%2563b",
        "https://äpp.example/cb",
        "https://app.example\u{ff0f}cb",
        "https://app.example/c\u{200d}b",
        "https://app.example/cb\u{200f}",
        " https://app.example/cb",
        "https://app.example/cb\t",
        "https://app.example/cb\n",
        "https://app.example/cb\0",
    ];
    for other in others {
        match ask(Some(Arc::clone(&web)), &at_redirect(other)) {
            Outcome::Page(Displayed::UnregisteredRedirectUri | Displayed::Malformed(_)) => {}
            wrong => panic!("{other:?}: {wrong:?}"),
        }
    }
    assert!(matches!(
        ask(Some(web), &at_redirect("https://app.example/q?a=1&b=2")),
        Outcome::Checked(_)
    ));
}

#[test]
fn g02_no_redirect_uri_is_enough_for_one_registered() {
    let query = right().replace(&format!("&redirect_uri={}", encoded(CALLBACK)), "");
    let one = checked(&client("web", &web()), &query);
    assert!(!one.redirect_uri_sent);
    assert_eq!(one.redirect_uri.as_str(), CALLBACK);
    let two = with(
        &web(),
        "redirect_uris",
        json!([CALLBACK, "https://app.example/2"]),
    );
    assert_eq!(
        ask(Some(client("web", &two)), &query),
        Outcome::Page(Displayed::UnregisteredRedirectUri)
    );
}

#[test]
fn g03_two_redirect_uris_get_a_page() {
    let web = client("web", &web());
    let (good, evil) = (encoded(CALLBACK), encoded("https://evil.example/"));
    for (first, second) in [(&good, &evil), (&evil, &good), (&good, &good)] {
        let query = format!("{}&redirect_uri={second}", right().replace(&good, first));
        let outcome = ask(Some(Arc::clone(&web)), &query);
        assert!(
            matches!(outcome, Outcome::Page(Displayed::Malformed(_))),
            "{outcome:?}"
        );
    }
}

#[test]
fn g04_an_unknown_or_disabled_client_gets_a_page() {
    let disabled = Arc::new(client("web", &web()).with_enabled(false, at(1)));
    let elsewhere = client_of("elsewhere", "web", &web(), at(0));
    for (name, found, want) in [
        ("unknown", None, Displayed::UnknownClient),
        ("disabled", Some(disabled), Displayed::DisabledClient),
        ("of another domain", Some(elsewhere), Displayed::UnknownClient),
    ] {
        assert_eq!(ask(found, &right()), Outcome::Page(want), "{name}");
    }
    for (name, query) in [
        ("missing", right().replace("client_id=web&", "")),
        ("empty", right().replace("client_id=web", "client_id=")),
        ("malformed", right().replace("client_id=web", "client_id=a%2Fb")),
        ("twice", format!("{}&client_id=web", right())),
    ] {
        let outcome = ask(Some(client("web", &web())), &query);
        assert!(
            matches!(outcome, Outcome::Page(Displayed::Malformed(_))),
            "{name}: {outcome:?}"
        );
    }
}

#[test]
fn g15_to_g19_loopback_and_private_schemes() {
    let native = with(&public(), "application_type", json!("native"));
    let of = |registered: &str, application: &Value| {
        client("web", &with(application, "redirect_uris", json!([registered])))
    };
    let loopback = "http://127.0.0.1/cb";
    let cases = [
        (&native, loopback, "http://127.0.0.1:51004/cb", true),
        (&native, loopback, "http://127.0.0.1:1/cb", true),
        (&native, "http://[::1]/cb", "http://[::1]:51004/cb", true),
        (&native, loopback, "http://localhost:51004/cb", false),
        (&native, loopback, "http://127.0.0.2:51004/cb", false),
        (&native, loopback, "http://0.0.0.0:51004/cb", false),
        (&native, loopback, "http://[::1]:51004/cb", false),
        (&native, loopback, "http://2130706433:51004/cb", false),
        (&native, loopback, "http://127.1:51004/cb", false),
        (&native, loopback, "http://127.0.0.1:51004/evil", false),
        (&native, loopback, "http://127.0.0.1:51004/cb?x=1", false),
        (&native, loopback, "https://127.0.0.1:51004/cb", false),
        (
            &public(),
            "http://127.0.0.1:8080/cb",
            "http://127.0.0.1:8081/cb",
            false,
        ),
        (&native, "com.example.app:/cb", "com.example.app:/cb", true),
        (&native, "com.example.app:/cb", "com.example.app://cb", false),
    ];
    for (application, registered, asked, is_good) in cases {
        let outcome = ask(Some(of(registered, application)), &at_redirect(asked));
        match outcome {
            Outcome::Checked(purpose) if is_good => assert_eq!(purpose.redirect_uri.as_str(), asked),
            Outcome::Page(Displayed::UnregisteredRedirectUri) if !is_good => {}
            wrong => panic!("{registered} {asked}: {wrong:?}"),
        }
    }
}

/// Each of these, beside or in place of a part of a right request, is told to the client.
fn told(cases: &[(&str, &str, AuthorizationError)]) {
    let web = client("web", &web());
    for (part, instead, want) in cases {
        let query = if part.is_empty() {
            format!("{}&{instead}", right())
        } else {
            assert!(right().contains(part), "{part}");
            right().replace(part, instead)
        };
        let got = denial(&web, &query);
        assert_eq!(
            got,
            Some(AuthorizationDenial::Malformed(*want)),
            "{part} {instead:.80}"
        );
    }
}

#[test]
fn g20_only_the_response_type_code_is_offered() {
    use AuthorizationError as E;
    let code = "response_type=code";
    told(&[
        (code, "response_type=token", E::ResponseType),
        (code, "response_type=id_token", E::ResponseType),
        (code, "response_type=code+id_token", E::ResponseType),
        (code, "response_type=code+token", E::ResponseType),
        (code, "response_type=code+code", E::ResponseType),
        (code, "response_type=none", E::ResponseType),
        (code, "response_type=Code", E::ResponseType),
        (code, "x=y", E::MissingResponseType),
        (code, "response_type=", E::MissingResponseType),
        (code, "response_type=code&response_type=code", E::Repeated),
    ]);
    assert_eq!(E::ResponseType.code().as_str(), "unsupported_response_type");
}

#[test]
fn g21_only_query_and_form_post_are_offered() {
    use AuthorizationError as E;
    told(&[
        ("", "response_mode=fragment", E::ResponseMode),
        ("", "response_mode=query.jwt", E::ResponseMode),
        ("", "response_mode=banana", E::ResponseMode),
    ]);
}

#[test]
fn g23_a_state_that_does_not_fit_is_refused_and_never_cut() {
    use AuthorizationError as E;
    let long = format!("state={}", "s".repeat(2049));
    told(&[
        ("", &long, E::State),
        ("", "state=a%0Ab", E::State),
        ("", "state=a%7Fb", E::State),
        ("", "state=a%00b", E::Encoding),
        ("", "state=%FF", E::Encoding),
        ("", "state=a&state=b", E::Repeated),
    ]);
    let longest = format!("{}&state={}", right(), "s".repeat(2048));
    let purpose = checked(&client("web", &web()), &longest);
    assert_eq!(purpose.state.map(|state| state.as_str().len()), Some(2048));
}

#[test]
fn g28_prompt_none_stands_alone() {
    use AuthorizationError as E;
    told(&[
        ("", "prompt=none+login", E::Prompt),
        ("", "prompt=consent+none", E::Prompt),
        ("", "prompt=banana", E::Prompt),
        ("", "prompt=login++consent", E::Prompt),
    ]);
}

#[test]
fn g30_max_age_is_a_number_of_seconds() {
    use AuthorizationError as E;
    told(&[
        ("", "max_age=-1", E::MaxAge),
        ("", "max_age=%2B1", E::MaxAge),
        ("", "max_age=abc", E::MaxAge),
        ("", "max_age=1e9", E::MaxAge),
        ("", "max_age=99999999999", E::MaxAge),
    ]);
    let web = client("web", &web());
    let of = |text: &str| {
        checked(&web, &format!("{}&max_age={text}", right()))
            .demand
            .max_age
    };
    assert_eq!(of("1000000000"), Some(MaxAge::from_seconds(1_000_000_000)));
    assert_eq!(of("0"), Some(MaxAge::from_seconds(0)));
    assert_eq!(of(""), None, "empty is absent");
}

#[test]
fn what_else_cannot_be_read_is_told_to_the_client() {
    use AuthorizationError as E;
    let long = format!("nonce={}", "n".repeat(513));
    told(&[
        ("", &long, E::Nonce),
        ("", "claims=x", E::Claims),
        ("", "request=e30.e30.", E::RequestObject),
        ("", "request_uri=https://app.example/r", E::RequestUri),
        ("", "registration=%7B%7D", E::Registration),
        ("", "scope=openid", E::Repeated),
        ("scope=openid", "scope=a%22b", E::Scope),
        ("", "resource=/x", E::Resource),
    ]);
}

#[test]
fn h02_plain_is_refused_said_or_meant() {
    use AuthorizationError as E;
    told(&[
        ("=S256", "=plain", E::CodeChallengeMethod),
        ("=S256", "=s256", E::CodeChallengeMethod),
        ("&code_challenge_method=S256", "", E::CodeChallengeMethod),
    ]);
}

#[test]
fn h03_a_malformed_challenge_is_refused() {
    use AuthorizationError as E;
    let short = CHALLENGE.get(1..).unwrap();
    let long = format!("{CHALLENGE}{CHALLENGE}{CHALLENGE}");
    told(&[
        (CHALLENGE, short, E::CodeChallenge),
        (CHALLENGE, &long, E::CodeChallenge),
        (CHALLENGE, &format!("{CHALLENGE}A"), E::CodeChallenge),
        (CHALLENGE, &format!("{CHALLENGE}%3D"), E::CodeChallenge),
        ("-cM", "%2BcM", E::CodeChallenge),
        (CHALLENGE, "", E::CodeChallenge),
    ]);
}

#[test]
fn g24_a_state_is_answered_only_if_one_came_and_g25_the_issuer_always() {
    let issuer = Issuer::parse("https://id.example/v4/oauth2/demo").unwrap();
    let web = client("web", &web());
    let names = |query: &str| {
        let answer = AuthorizationAnswer::of(&checked(&web, query));
        let success = answer.success(&token(1), &issuer);
        let refusal = answer.refusal(AuthorizationDenial::Refused, &issuer);
        let iss = success.iter().find(|(name, _)| *name == "iss").unwrap();
        assert_eq!(iss.1.expose(), "https://id.example/v4/oauth2/demo");
        let names =
            |parameters: &[(&'static str, _)]| parameters.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        (names(&success), names(&refusal))
    };
    let (success, refusal) = names(&right());
    assert_eq!(success, ["code", "iss"]);
    assert_eq!(refusal, ["error", "error_description", "iss"]);
    let (success, refusal) = names(&format!("{}&state=x", right()));
    assert_eq!(success, ["code", "state", "iss"]);
    assert_eq!(refusal, ["error", "error_description", "state", "iss"]);
}

#[test]
fn g22_a_state_with_markup_comes_back_as_it_came() {
    let markup = "\"><script>alert(1)</script>é\u{1f600}";
    let issuer = Issuer::parse("https://id.example/v4/oauth2/demo").unwrap();
    let web = client("web", &web());
    let purpose = checked(&web, &format!("{}&state={}", right(), encoded(markup)));
    let success = AuthorizationAnswer::of(&purpose).success(&token(1), &issuer);
    let state = success.iter().find(|(name, _)| *name == "state").unwrap();
    assert_eq!(state.1.expose(), markup);
}

#[test]
fn g31_a_hint_that_is_not_believed_is_passed_over_or_ends_a_silent_request() {
    let web = client("web", &web());
    let silent = format!("{}&prompt=none&id_token_hint=x", right());
    let shown = format!("{}&id_token_hint=x", right());
    let subject = |outcome: Outcome| match outcome {
        Outcome::Checked(purpose) => Ok(purpose.demand.subject),
        Outcome::Told(redirected) => Err(redirected.denial),
        Outcome::Page(page) => panic!("{page:?}"),
    };
    let ask = |query: &str, hint| subject(ask_with(Some(Arc::clone(&web)), query, hint));
    assert_eq!(
        ask(&silent, Hint::NotBelieved),
        Err(AuthorizationDenial::LoginRequired)
    );
    assert_eq!(ask(&shown, Hint::NotBelieved), Ok(None));
    for query in [&silent, &shown] {
        assert_eq!(ask(query, Hint::Of("ada".into())), Ok(Some("ada".into())));
    }
    let claims = encoded(r#"{"id_token":{"sub":{"value":"eve"}}}"#);
    let contradicting = format!("{shown}&claims={claims}");
    assert_eq!(
        ask(&contradicting, Hint::Of("ada".into())),
        Err(AuthorizationDenial::OtherPerson)
    );
    assert_eq!(ask(&contradicting, Hint::None), Ok(Some("eve".into())));
}

#[test]
fn h01_pkce_is_required_unless_a_confidential_client_is_excused() {
    let query = format!(
        "client_id=web&redirect_uri={}&response_type=code",
        encoded(CALLBACK)
    );
    for registration in [web(), public()] {
        assert_eq!(
            denial(&client("web", &registration), &query),
            Some(AuthorizationDenial::NoChallenge)
        );
    }
    let excused = client("web", &with(&web(), "require_pkce", json!(false)));
    assert_eq!(checked(&excused, &query).challenge, None);
    let held = checked(&excused, &right());
    assert!(held.challenge.is_some_and(|challenge| {
        challenge.is_of(&sealstone_oauth_types::CodeVerifier::parse(VERIFIER).unwrap())
    }));
}

#[test]
fn what_a_client_may_not_ask() {
    let device_only = json!({
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"],
        "scope": "openid"
    });
    assert_eq!(
        ask(Some(client("web", &device_only)), &right()),
        Outcome::Page(Displayed::UnregisteredRedirectUri),
        "it has nowhere to be told"
    );
    let web_client = client("web", &web());
    let cases = [
        (
            right().replace("scope=openid", "scope=openid+admin"),
            AuthorizationDenial::ScopeNotAllowed,
        ),
        (
            format!("{}&resource=https://other.example", right()),
            AuthorizationDenial::TargetNotAllowed,
        ),
        (
            format!(
                "{}&resource=https://reports.example",
                right().replace("scope=openid", "scope=openstack:api")
            ),
            AuthorizationDenial::MixedTargets,
        ),
    ];
    for (query, want) in cases {
        assert_eq!(denial(&web_client, &query), Some(want), "{query}");
    }
    let default = client("web", &with(&web(), "default_scope", json!("openid email")));
    let query = right().replace("&scope=openid", "");
    assert_eq!(checked(&default, &query).scope, scope("openid email"));
}

#[test]
fn offline_access_means_nothing_without_refresh_tokens() {
    let without = with(&web(), "grant_types", json!(["authorization_code"]));
    let without = client("web", &with(&without, "scope", json!("openid")));
    let query = right().replace("scope=openid", "scope=openid+offline_access");
    assert_eq!(checked(&without, &query).scope, scope("openid"));
    assert_eq!(
        checked(&client("web", &web()), &query).scope,
        scope("openid offline_access")
    );
}

#[test]
fn how_sure_a_login_must_be() {
    let (one, two) = ("urn:sealstone:acr:one-factor", "urn:sealstone:acr:two-factor");
    let minimum = |acr: &str| with(&web(), "minimum_acr", json!(acr));
    let essential = |values: Value| {
        let claims = json!({"id_token": {"acr": {"essential": true, "values": values}}});
        format!("&claims={}", encoded(&claims.to_string()))
    };
    let cases = [
        ("nothing", web(), String::new(), Ok((None, None))),
        (
            "values",
            web(),
            format!("&acr_values={two}"),
            Ok((None, Some(Acr::TwoFactor))),
        ),
        (
            "the least of values",
            web(),
            format!("&acr_values=phr+{two}"),
            Ok((None, Some(Acr::TwoFactor))),
        ),
        (
            "names of others",
            web(),
            "&acr_values=urn:other".into(),
            Ok((None, None)),
        ),
        (
            "a minimum",
            minimum(two),
            String::new(),
            Ok((Some(Acr::TwoFactor), None)),
        ),
        (
            "essential",
            web(),
            essential(json!(["phr"])),
            Ok((Some(Acr::PhishingResistant), None)),
        ),
        (
            "the least of essential",
            web(),
            essential(json!(["phr", one])),
            Ok((Some(Acr::OneFactor), None)),
        ),
        (
            "the greater demand",
            minimum(two),
            essential(json!([one])),
            Ok((Some(Acr::TwoFactor), None)),
        ),
        (
            "essential of others",
            web(),
            essential(json!(["urn:other"])),
            Err(AuthorizationDenial::AcrUnmet),
        ),
        (
            "the client's own wish",
            with(&web(), "default_acr_values", json!([two])),
            String::new(),
            Ok((None, Some(Acr::TwoFactor))),
        ),
    ];
    for (name, registration, more, want) in cases {
        let got = match ask(Some(client("web", &registration)), &format!("{}{more}", right())) {
            Outcome::Checked(purpose) => Ok((purpose.demand.required_acr, purpose.demand.wished_acr)),
            Outcome::Told(redirected) => Err(redirected.denial),
            Outcome::Page(page) => panic!("{name}: {page:?}"),
        };
        assert_eq!(got, want, "{name}");
    }
}
