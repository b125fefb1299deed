//! The request's JSON, written without a copy of the secrets but the one that is sent.

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};
use zeroize::Zeroizing;

use super::{Authentication, DomainKey, Factor, LoginScope, ProjectKey, UserKey};

/// Larger than any usual request, so that the secrets are not copied by a growing buffer.
const CAPACITY: usize = 16 * 1024;

impl Authentication {
    /// The body of `POST /v3/auth/tokens`.
    pub(crate) fn body(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        let mut body = Zeroizing::new(Vec::with_capacity(CAPACITY));
        serde_json::to_writer(&mut *body, &One("auth", &Auth(self)))?;
        Ok(body)
    }
}

/// An object of one member.
struct One<'a, T>(&'static str, &'a T);

impl<T: Serialize> Serialize for One<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, self.1)?;
        map.end()
    }
}

struct Auth<'a>(&'a Authentication);

impl Serialize for Auth<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("identity", &Identity(&self.0.factors))?;
        if self.0.scope != LoginScope::Default {
            map.serialize_entry("scope", &self.0.scope)?;
        }
        map.end()
    }
}

struct Identity<'a>(&'a [Factor]);

impl Serialize for Identity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let methods: Vec<&str> = self.0.iter().map(Factor::method).collect();
        map.serialize_entry("methods", &methods)?;
        for factor in self.0 {
            map.serialize_entry(factor.method(), factor)?;
        }
        map.end()
    }
}

impl Serialize for Factor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Password { user, password } => {
                map.serialize_entry("user", &User(user, Some(("password", password.expose()))))?;
            }
            Self::Totp { user, passcode } => {
                map.serialize_entry("user", &User(user, Some(("passcode", passcode.expose()))))?;
            }
            Self::ApplicationCredential { id, secret } => {
                map.serialize_entry("id", id)?;
                map.serialize_entry("secret", secret.expose())?;
            }
            Self::NamedApplicationCredential { name, user, secret } => {
                map.serialize_entry("name", name)?;
                map.serialize_entry("user", &User(user, None))?;
                map.serialize_entry("secret", secret.expose())?;
            }
            Self::Token(token) => map.serialize_entry("id", token.expose())?,
        }
        map.end()
    }
}

/// A user, with the proof that Keystone wants beside its name.
struct User<'a>(&'a UserKey, Option<(&'static str, &'a str)>);

impl Serialize for User<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            UserKey::Id(id) => map.serialize_entry("id", id)?,
            UserKey::Name { name, domain } => {
                map.serialize_entry("name", name)?;
                map.serialize_entry("domain", domain)?;
            }
        }
        if let Some((name, proof)) = self.1 {
            map.serialize_entry(name, proof)?;
        }
        map.end()
    }
}

impl Serialize for DomainKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => One("id", id).serialize(serializer),
            Self::Name(name) => One("name", name).serialize(serializer),
        }
    }
}

impl Serialize for ProjectKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Id(id) => map.serialize_entry("id", id)?,
            Self::Name { name, domain } => {
                map.serialize_entry("name", name)?;
                map.serialize_entry("domain", domain)?;
            }
        }
        map.end()
    }
}

impl Serialize for LoginScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Default => Err(S::Error::custom("no scope is said by leaving it out")),
            Self::Unscoped => serializer.serialize_str("unscoped"),
            Self::Project(project) => One("project", project).serialize(serializer),
            Self::Domain(domain) => One("domain", domain).serialize(serializer),
            Self::System => One("system", &One("all", &true)).serialize(serializer),
            Self::Trust(id) => One("OS-TRUST:trust", &One("id", id)).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use sealstone_identity::{ApplicationCredentialId, DomainId, ProjectId, UserId};

    use super::*;
    use crate::{Secret, Token, TrustId};

    fn text(authentication: &Authentication) -> String {
        String::from_utf8(authentication.body().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn bodies_are_those_that_keystone_documents() {
        let alice = UserKey::Id(UserId::parse("u1").unwrap());
        let named = UserKey::Name {
            name: "bob".into(),
            domain: DomainKey::Name("acme".into()),
        };
        let password = |user: &UserKey| Authentication::password(user.clone(), Secret::from("p\"w"));
        let totp = Factor::Totp {
            user: named.clone(),
            passcode: Secret::from("123456"),
        };
        let credential = ApplicationCredentialId::parse("ac1").unwrap();
        let by_name = Factor::NamedApplicationCredential {
            name: "ci".into(),
            user: alice.clone(),
            secret: Secret::from("s"),
        };
        let project = LoginScope::Project(ProjectKey::Id(ProjectId::parse("p1").unwrap()));
        let domain = LoginScope::Domain(DomainKey::Id(DomainId::parse("d1").unwrap()));
        let trust = LoginScope::Trust(TrustId::parse("t1").unwrap());
        let cases = [
            (
                password(&alice),
                r#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"id":"u1","password":"p\"w"}}}}}"#,
            ),
            (
                password(&named).and(totp).with_scope(project),
                r#"{"auth":{"identity":{"methods":["password","totp"],"password":{"user":{"name":"bob","domain":{"name":"acme"},"password":"p\"w"}},"totp":{"user":{"name":"bob","domain":{"name":"acme"},"passcode":"123456"}}},"scope":{"project":{"id":"p1"}}}}"#,
            ),
            (
                Authentication::application_credential(credential, Secret::from("s")),
                r#"{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":"ac1","secret":"s"}}}}"#,
            ),
            (
                Authentication::new(by_name),
                r#"{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"name":"ci","user":{"id":"u1"},"secret":"s"}}}}"#,
            ),
            (
                Authentication::token(Token::parse("gA").unwrap()).with_scope(domain),
                r#"{"auth":{"identity":{"methods":["token"],"token":{"id":"gA"}},"scope":{"domain":{"id":"d1"}}}}"#,
            ),
            (
                Authentication::token(Token::parse("gA").unwrap()).with_scope(LoginScope::System),
                r#"{"auth":{"identity":{"methods":["token"],"token":{"id":"gA"}},"scope":{"system":{"all":true}}}}"#,
            ),
            (
                Authentication::token(Token::parse("gA").unwrap()).with_scope(LoginScope::Unscoped),
                r#"{"auth":{"identity":{"methods":["token"],"token":{"id":"gA"}},"scope":"unscoped"}}"#,
            ),
            (
                Authentication::token(Token::parse("gA").unwrap()).with_scope(trust),
                r#"{"auth":{"identity":{"methods":["token"],"token":{"id":"gA"}},"scope":{"OS-TRUST:trust":{"id":"t1"}}}}"#,
            ),
        ];
        for (authentication, want) in cases {
            assert_eq!(text(&authentication), want);
        }
    }
}
