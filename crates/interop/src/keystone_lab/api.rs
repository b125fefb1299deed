//! Keystone's API as a test arranges a cloud with it, and machines that belong to one test.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::KeystoneLab;
use crate::Answer;
use crate::https::parse;

/// A debug database on a busy machine answers late.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a request is sent when uWSGI closes the connection without a word, which it does now and then when it is
/// busy.
const ATTEMPTS: usize = 3;

/// One request over plain HTTP, `host` being `127.0.0.1:port`.
pub(crate) fn plain(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let request = [request.as_bytes(), body].concat();
    let mut answers = (0..ATTEMPTS).map(|_attempt| exchange(host, &request));
    let raw = answers.find(|raw| !raw.is_empty()).expect("an answer");
    parse(&raw).expect("an HTTP answer")
}

/// Everything that comes back until the connection ends.
fn exchange(host: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(host).expect("a listener");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    stream.write_all(request).expect("a request sent");
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).expect("an answer");
    raw
}

/// A user with roles on a project, and an application credential of it: all made for one test.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LabMachine {
    /// The user's id.
    pub user_id: String,
    /// The user's name.
    pub user_name: String,
    /// The user's password.
    pub password: String,
    /// The domain of user and project.
    pub domain_id: String,
    /// The project's id: the user's default project.
    pub project_id: String,
    /// The application credential's id.
    pub credential_id: String,
    /// The application credential's secret.
    pub credential_secret: String,
}

impl KeystoneLab {
    /// One request to the first node; `path` begins after `/v3`. With a body it is sent as JSON.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let host = self.url().trim_start_matches("http://").trim_end_matches("/v3");
        let mut headers = Vec::new();
        headers.extend(token.map(|token| ("x-auth-token", token)));
        headers.extend(body.map(|_| ("content-type", "application/json")));
        let bytes = body.map(Value::to_string).unwrap_or_default();
        plain(host, method, &format!("/v3{path}"), &headers, bytes.as_bytes())
    }

    /// The same as the cloud's administrator; the answer's JSON, null where there is none.
    ///
    /// # Panics
    /// When Keystone refuses.
    #[must_use]
    #[track_caller]
    pub fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut answer = self.request(method, path, Some(&self.admin_token()), body);
        if answer.status == 401 {
            // The token has ended, or its keys are no longer there.
            *self.admin.lock().expect("not poisoned") = None;
            answer = self.request(method, path, Some(&self.admin_token()), body);
        }
        assert!(
            answer.status < 300,
            "{method} {path}: {} {}",
            answer.status,
            answer.text()
        );
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    /// [`Self::admin`], where nothing in the answer matters.
    #[track_caller]
    pub fn change(&self, method: &str, path: &str, body: Option<&Value>) {
        let _answer = self.admin(method, path, body);
    }

    /// A token of the administrator for the whole system, fetched once.
    #[must_use]
    pub fn admin_token(&self) -> String {
        let mut held = self.admin.lock().expect("not poisoned");
        let fresh = || {
            let user = json!({"name": "admin", "domain": {"id": "default"}, "password": self.variable("OS_PASSWORD")});
            let auth = json!({"auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"system": {"all": true}},
            }});
            self.login(&auth)
        };
        held.get_or_insert_with(fresh).clone()
    }

    /// `POST /v3/auth/tokens` with this body; the token.
    ///
    /// # Panics
    /// When Keystone refuses.
    #[must_use]
    #[track_caller]
    pub fn login(&self, auth: &Value) -> String {
        let answer = self.request("POST", "/auth/tokens?nocatalog", None, Some(auth));
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.header("x-subject-token").expect("a token").to_owned()
    }

    /// A token of a user for a project, by password.
    #[must_use]
    #[track_caller]
    pub fn password_token(&self, user_id: &str, password: &str, project_id: &str) -> String {
        let user = json!({"id": user_id, "password": password});
        self.login(&json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"id": project_id}},
        }}))
    }

    /// What Keystone says of a token: the `token` object, or nothing where it does not know it.
    #[must_use]
    pub fn validated(&self, token: &str) -> Option<Value> {
        let host = self.url().trim_start_matches("http://").trim_end_matches("/v3");
        let admin = self.admin_token();
        let headers = [
            ("x-auth-token", admin.as_str()),
            ("x-subject-token", token),
            // Else it conceals tokens with access rules.
            ("openstack-identity-access-rules", "1.0"),
        ];
        let answer = plain(host, "GET", "/v3/auth/tokens", &headers, b"");
        (answer.status == 200).then(|| answer.json().get("token").cloned().expect("a token object"))
    }

    /// A machine of the caller's own in domain `acme`: a project, a user with these roles on it, and an application
    /// credential with the same roles. No other test knows it.
    #[must_use]
    #[track_caller]
    pub fn machine(&self, roles: &[&str]) -> LabMachine {
        self.machine_with(roles, &json!({}))
    }

    /// The same with more members of the application credential: `access_rules`, `unrestricted`, `expires_at`.
    #[must_use]
    #[track_caller]
    pub fn machine_with(&self, roles: &[&str], more: &Value) -> LabMachine {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let serial = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("machine-{}-{serial}", std::process::id());
        let domain_id = self.seed().domain("acme").to_owned();
        let admin = self.admin_token();
        let object = json!({"name": name, "domain_id": domain_id});
        let project_id = member(&self.made("project", "/projects", &admin, &object), "id");
        let password = format!("{name}-Pw-1");
        let object = json!({
            "name": name, "domain_id": domain_id, "password": password,
            "email": format!("{name}@lab.test"), "default_project_id": project_id,
        });
        let user_id = member(&self.made("user", "/users", &admin, &object), "id");
        for role in roles {
            let role = self.seed().role(role);
            let path = format!("/projects/{project_id}/users/{user_id}/roles/{role}");
            self.change("PUT", &path, None);
        }
        let named: Vec<Value> = roles.iter().map(|role| json!({"name": role})).collect();
        let mut object = json!({"name": name, "roles": named});
        let members = object.as_object_mut().expect("an object");
        members.extend(more.as_object().cloned().unwrap_or_default());
        let path = format!("/users/{user_id}/application_credentials");
        let token = self.password_token(&user_id, &password, &project_id);
        let credential = self.made("application_credential", &path, &token, &object);
        LabMachine {
            user_name: name,
            credential_id: member(&credential, "id"),
            credential_secret: member(&credential, "secret"),
            user_id,
            password,
            domain_id,
            project_id,
        }
    }

    /// What `POST path` with an object of this kind makes.
    #[track_caller]
    fn made(&self, kind: &str, path: &str, token: &str, object: &Value) -> Value {
        let answer = self.request("POST", path, Some(token), Some(&json!({kind: object})));
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
        answer.json().get(kind).cloned().expect("what was made")
    }
}

fn member(object: &Value, name: &str) -> String {
    let found = object.get(name).and_then(Value::as_str);
    found.expect("a member of text").to_owned()
}
