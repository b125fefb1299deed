//! The body of a login: where a token may stand in it.

use serde::Deserialize;

/// What of a login is looked at. A name that is there twice on the way makes it unreadable here, and is Keystone's to
/// judge: it reads the last.
#[derive(Deserialize)]
struct Login {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    identity: Identity,
}

#[derive(Deserialize)]
struct Identity {
    token: Method,
}

#[derive(Deserialize)]
struct Method {
    id: String,
}

/// Does the path lead to one of Keystone's logins by body? `/v3/auth/tokens`, wherever Keystone is mounted, and the two
/// that make SAML assertions of a token.
pub(crate) fn is_login(path: &str) -> bool {
    const LOGINS: [&str; 3] = [
        "/auth/tokens",
        "/auth/OS-FEDERATION/saml2",
        "/auth/OS-FEDERATION/saml2/ecp",
    ];
    let path = path.trim_end_matches('/');
    LOGINS.iter().any(|login| path.ends_with(login))
}

/// The token of the method `token`, as the body holds it.
pub(crate) fn token(body: &[u8]) -> Option<String> {
    let login: Login = serde_json::from_slice(body).ok()?;
    Some(login.auth.identity.token.id)
}

/// The body with each `"from"` in it replaced. `None` if it holds none, since it spells the token with escapes.
///
/// Both are texts of base64url and dots, so that a quoted one is a whole JSON string.
pub(crate) fn replaced(body: &[u8], from: &str, to: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let quoted = format!("\"{from}\"");
    text.contains(&quoted)
        .then(|| text.replace(&quoted, &format!("\"{to}\"")).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_beside_other_methods_and_nowhere_else() {
        let cases = [
            (
                r#"{"auth": {"identity": {"methods": ["token"], "token": {"id": "T"}}}}"#,
                Some("T"),
            ),
            (
                r#"{"auth":{"scope":{"project":{"id":"p"}},"identity":{"methods":["token","totp"],
                  "totp":{"user":{"id":"u","passcode":"1"}},"token":{"id":"T","x":[{}]}}},"x":1}"#,
                Some("T"),
            ),
            (r#"{"auth": {"identity": {"methods": ["password"]}}}"#, None),
            (r#"{"auth": {"identity": {"token": {"id": 5}}}}"#, None),
            (
                r#"{"auth": {"identity": {"token": {"id": "A"}, "token": {"id": "B"}}}}"#,
                None,
            ),
            (
                r#"{"auth": {"identity": {"token": {"id": "A", "id": "B"}}}}"#,
                None,
            ),
            (r#"{"auth": {"identity": {"token": {"id": "T"}}}} {}"#, None),
            (r#"{"identity": {"token": {"id": "T"}}}"#, None),
            (r#"["auth"]"#, None),
            ("", None),
        ];
        for (body, want) in cases {
            assert_eq!(token(body.as_bytes()).as_deref(), want, "{body}");
        }
        let deep = format!(r#"{{"auth":{}"#, r#"{"a":"#.repeat(100_000));
        assert_eq!(token(deep.as_bytes()), None);
    }

    #[test]
    fn nothing_but_the_token_is_changed() {
        let body = r#"{ "auth" :{"identity":{"token":{"id" : "T.o-k_"}},"note":"T.o-k_ é"}}"#;
        let want = r#"{ "auth" :{"identity":{"token":{"id" : "new"}},"note":"T.o-k_ é"}}"#;
        assert_eq!(
            replaced(body.as_bytes(), "T.o-k_", "new").as_deref(),
            Some(want.as_bytes())
        );
        assert_eq!(replaced(br#"{"id":"\u0054.o-k_"}"#, "T.o-k_", "new"), None);
    }

    #[test]
    fn paths_of_logins() {
        for path in [
            "/v3/auth/tokens",
            "/v3/auth/tokens/",
            "/identity/v3/auth/tokens",
            "/v3/auth/OS-FEDERATION/saml2",
            "/v3/auth/OS-FEDERATION/saml2/ecp",
        ] {
            assert!(is_login(path), "{path}");
        }
        for path in [
            "/v3/auth/tokens/x",
            "/v3/auth/tokensx",
            "/v3/users",
            "/",
            "",
            "/v3/OS-OAUTH2/token",
        ] {
            assert!(!is_login(path), "{path}");
        }
    }
}
