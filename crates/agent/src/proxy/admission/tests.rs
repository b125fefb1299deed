use super::*;

const SECRET: [u8; 32] = [7; 32];

fn at_port() -> Access {
    Access::Secret {
        hosts: vec!["127.0.0.1:8774".to_owned(), "localhost:8774".to_owned()],
        secret: LocalSecret::new(&SECRET),
    }
}

fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut builder = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap()
}

fn basic(password: &str) -> String {
    let encoded = base64_simd::STANDARD.encode_to_string(format!("agent:{password}"));
    format!("Basic {encoded}")
}

#[test]
fn at_a_port_a_program_shows_the_secret_in_any_of_these_ways() {
    let secret = LocalSecret::new(&SECRET);
    let bearer = format!("bEaReR {}", secret.expose());
    let basic = basic(secret.expose());
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("authorization", &basic),
        ("proxy-authorization", &bearer),
        ("proxy-authorization", &basic),
        ("x-auth-token", secret.expose()),
    ] {
        let asked = request("GET", "/a?b", &[("host", "LOCALHOST:8774"), (name, value)]);
        let admitted = admit(&asked, &at_port(), ForeignToken::Refuse);
        assert_eq!(
            admitted.unwrap().as_deref(),
            Some("LOCALHOST:8774"),
            "{name} {value}"
        );
    }
    let asked = request("GET", "/", &[("host", "anything")]);
    assert_eq!(admit(&asked, &Access::User, ForeignToken::Refuse), Ok(None));
}

/// Method, target, fields, and why it is refused.
type Case<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, Refusal);

#[test]
fn others_are_sent_away_with_the_reason() {
    let secret = LocalSecret::new(&SECRET);
    let other = LocalSecret::new(&[8; 32]);
    let right = ("x-auth-token", secret.expose());
    let here = ("host", "127.0.0.1:8774");
    let wrong = format!("Bearer {}", other.expose());
    let cut = &secret.expose()[..42];
    let long = format!("{}A", secret.expose());
    let wrong_basic = basic(other.expose());
    let no_colon = format!(
        "Basic {}",
        base64_simd::STANDARD.encode_to_string(secret.expose())
    );
    let cases: Vec<Case<'_>> = vec![
        // Another Host: a page whose name leads to this machine, another port, none, two.
        (
            "GET",
            "/",
            vec![("host", "evil.example:8774"), right],
            Refusal::Host,
        ),
        ("GET", "/", vec![("host", "127.0.0.1"), right], Refusal::Host),
        ("GET", "/", vec![("host", "127.0.0.1:8775"), right], Refusal::Host),
        (
            "GET",
            "/",
            vec![("host", "localhost.evil.example:8774"), right],
            Refusal::Host,
        ),
        ("GET", "/", vec![right], Refusal::Host),
        ("GET", "/", vec![here, here, right], Refusal::Host),
        // Pages.
        (
            "POST",
            "/",
            vec![here, right, ("origin", "https://evil.example")],
            Refusal::WebPage,
        ),
        (
            "POST",
            "/",
            vec![here, right, ("origin", "null")],
            Refusal::WebPage,
        ),
        (
            "GET",
            "/",
            vec![here, right, ("sec-fetch-site", "cross-site")],
            Refusal::WebPage,
        ),
        // No secret, or another.
        ("GET", "/", vec![here], Refusal::Secret),
        ("GET", "/", vec![here, ("authorization", &wrong)], Refusal::Secret),
        (
            "GET",
            "/",
            vec![here, ("authorization", &wrong_basic)],
            Refusal::Secret,
        ),
        (
            "GET",
            "/",
            vec![here, ("authorization", &no_colon)],
            Refusal::Secret,
        ),
        (
            "GET",
            "/",
            vec![here, ("authorization", "Basic !")],
            Refusal::Secret,
        ),
        (
            "GET",
            "/",
            vec![here, ("authorization", "Bearer")],
            Refusal::Secret,
        ),
        (
            "GET",
            "/",
            vec![here, ("authorization", secret.expose())],
            Refusal::Secret,
        ),
        ("GET", "/", vec![here, ("x-auth-token", cut)], Refusal::Secret),
        ("GET", "/", vec![here, ("x-auth-token", &long)], Refusal::Secret),
        ("GET", "/", vec![here, ("x-auth-token", "")], Refusal::Secret),
        // A token of its own besides.
        (
            "GET",
            "/",
            vec![here, right, ("authorization", &wrong)],
            Refusal::ForeignToken,
        ),
        (
            "GET",
            "/",
            vec![here, right, ("x-auth-token", "other")],
            Refusal::ForeignToken,
        ),
        // Not as the service itself.
        (
            "GET",
            "http://127.0.0.1:8774/",
            vec![here, right],
            Refusal::Target,
        ),
        (
            "GET",
            "http://169.254.169.254/",
            vec![here, right],
            Refusal::Target,
        ),
        ("OPTIONS", "*", vec![here, right], Refusal::Target),
        (
            "CONNECT",
            "compute.example.org:443",
            vec![here, right],
            Refusal::Method,
        ),
        ("TRACE", "/", vec![here, right], Refusal::Method),
    ];
    for (method, target, headers, want) in cases {
        let asked = request(method, target, &headers);
        let got = admit(&asked, &at_port(), ForeignToken::Refuse);
        assert_eq!(got, Err(want), "{method} {target} {headers:?}");
        let answer = want.answer();
        assert!(answer.status().is_client_error());
    }
}

#[test]
fn a_programs_own_token_is_replaced_only_where_that_is_asked_for() {
    let foreign = [("authorization", "Basic dXNlcjpwdw==")];
    let asked = request("GET", "/", &foreign);
    assert_eq!(
        admit(&asked, &Access::User, ForeignToken::Refuse),
        Err(Refusal::ForeignToken)
    );
    assert_eq!(admit(&asked, &Access::User, ForeignToken::Replace), Ok(None));
    // Replacing is no way around the secret.
    let here = ("host", "127.0.0.1:8774");
    let asked = request("GET", "/", &[here, ("authorization", "Basic dXNlcjpwdw==")]);
    assert_eq!(
        admit(&asked, &at_port(), ForeignToken::Replace),
        Err(Refusal::Secret)
    );
    assert!(!format!("{:?}", at_port()).contains(LocalSecret::new(&SECRET).expose()));
}
