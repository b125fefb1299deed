//! A registration from options, a file, or both.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{ArgAction, Args};
use sealstone_jose::{Jwk, JwkSet};
use sealstone_registry::ClientRegistration;
use serde_json::{Map, Value};

use super::people::{self, PeopleArguments};
use super::tie::forget_other_ties;
use crate::{
    cert,
    failure::{Failure, Outcome},
    input,
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Registration")]
pub(super) struct RegistrationArguments {
    /// A JSON document with members of RFC 7591 and RFC 8705 and ours; options go before it (- for standard input)
    #[arg(long, value_name = "FILE")]
    registration: Option<PathBuf>,
    /// A name for people
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// How the client proves who it is [default: as the other options say, else `client_secret_basic`]
    #[arg(long, value_name = "METHOD", value_parser = METHODS)]
    auth_method: Option<String>,
    /// The subject of its certificate, like "CN=ci,O=Example"
    #[arg(long, value_name = "DN", group = "subject")]
    subject_dn: Option<String>,
    /// A DNS name in its certificate
    #[arg(long, value_name = "NAME", group = "subject")]
    san_dns: Option<String>,
    /// A URI in its certificate
    #[arg(long, value_name = "URI", group = "subject")]
    san_uri: Option<String>,
    /// An IP address in its certificate
    #[arg(long, value_name = "ADDRESS", group = "subject")]
    san_ip: Option<String>,
    /// An e-mail address in its certificate
    #[arg(long, value_name = "ADDRESS", group = "subject")]
    san_email: Option<String>,
    /// Its self-signed certificate: every certificate with this key is accepted
    #[arg(long, value_name = "FILE", group = "subject")]
    certificate: Option<PathBuf>,
    /// Its public keys as a JWK set, for self-signed certificates or for assertions
    #[arg(long, value_name = "FILE", group = "subject")]
    jwks: Option<PathBuf>,
    /// The only algorithm of its assertions [default: each that its keys or its secret can be used with]
    #[arg(long, value_name = "ALG")]
    assertion_alg: Option<String>,
    /// What its assertions may name as audience [default: `issuer_or_token_endpoint`]
    #[arg(long, value_name = "WHICH", value_parser = ["issuer_or_token_endpoint", "issuer"])]
    assertion_audience: Option<String>,
    /// Whether `exp` and `iat` of its assertions may be text, as keystonemiddleware sends them [default: false]
    #[arg(long, value_name = "true|false", action = ArgAction::Set)]
    assertion_dates_as_text: Option<bool>,
    /// What it may ask for, names parted by spaces
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// What it gets when it asks for nothing
    #[arg(long, value_name = "SCOPE")]
    default_scope: Option<String>,
    /// A resource it may name (RFC 8707); may be given several times
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// Whether its tokens are bound to its certificate [default: with certificate methods]
    #[arg(long, value_name = "true|false", action = ArgAction::Set)]
    bound: Option<bool>,
    /// The life of its tokens in seconds: 30 to 3600 for bound ones, 30 to 900 for others
    #[arg(long, value_name = "SECONDS")]
    token_lifetime: Option<u64>,
    /// The algorithm its tokens are signed with [default: the issuer's]
    #[arg(long, value_name = "ALG")]
    signing_alg: Option<String>,
    /// Which tokens it may introspect
    #[arg(long, value_name = "WHICH", value_parser = ["none", "own", "domain"])]
    introspection: Option<String>,
    /// In which words introspection answers it [default: standard]
    #[arg(long, value_name = "FORMAT", value_parser = ["standard", "keystonemiddleware"])]
    introspection_format: Option<String>,
}

const METHODS: [&str; 7] = [
    "client_secret_basic",
    "client_secret_post",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "private_key_jwt",
    "client_secret_jwt",
    "none",
];
/// What only methods with assertions read.
const OF_ASSERTIONS: [&str; 3] = [
    "token_endpoint_auth_signing_alg",
    "client_assertion_audience",
    "accept_assertion_dates_as_text",
];
const SUBJECTS: [&str; 5] = [
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
];

impl RegistrationArguments {
    /// These wishes, and those about its tie and about people, over `before`.
    pub(super) fn over(
        &self,
        before: Option<&ClientRegistration>,
        tie: Map<String, Value>,
        people: &PeopleArguments,
    ) -> Outcome<ClientRegistration> {
        let before = match before {
            Some(registration) => object(serde_json::to_value(registration)?)?,
            None => Map::new(),
        };
        let members = self.members(before, tie, people)?;
        Ok(ClientRegistration::from_json(
            Value::Object(members).to_string().as_bytes(),
        )?)
    }

    /// The same as members, which may hold what is never read back.
    pub(super) fn members(
        &self,
        mut members: Map<String, Value>,
        tie: Map<String, Value>,
        people: &PeopleArguments,
    ) -> Outcome<Map<String, Value>> {
        if let Some(path) = &self.registration {
            let document = input::bytes(path)?;
            // Read strictly first, so that a misspelt member is named.
            ClientRegistration::from_json(&document).with_context(|| path.display().to_string())?;
            let given = object(serde_json::from_slice(&document)?)?;
            if let Some(method) = given.get("token_endpoint_auth_method").and_then(Value::as_str) {
                forget_other_methods(&mut members, method);
            }
            forget_other_ties(&mut members, &given);
            people::forget(&mut members, &given);
            members.extend(given);
        }
        forget_other_ties(&mut members, &tie);
        members.extend(tie);
        self.subject(&mut members, people.auth_method())?;
        self.rest(&mut members);
        people.over(&mut members);
        Ok(members)
    }

    /// How the client proves who it is.
    fn subject(&self, members: &mut Map<String, Value>, meant: Option<&str>) -> Outcome {
        let texts = [
            &self.subject_dn,
            &self.san_dns,
            &self.san_uri,
            &self.san_ip,
            &self.san_email,
        ];
        let subject = SUBJECTS
            .into_iter()
            .zip(texts)
            .find_map(|(name, text)| Some((name, text.as_ref()?)));
        let keys = match (&self.certificate, &self.jwks) {
            (Some(path), _) => Some(keys_of(path)?),
            (None, Some(path)) => Some(
                serde_json::from_slice(&input::bytes(path)?)
                    .with_context(|| format!("{} is not JSON: give a JWK set", path.display()))?,
            ),
            (None, None) => None,
        };
        let named = self.auth_method.as_deref().or(meant);
        let implied = match (subject, &keys) {
            (Some(_), _) => Some("tls_client_auth"),
            // Keys say by which of the two ways they prove anything only if that is named.
            (None, Some(_)) => named
                .filter(|method| *method == "private_key_jwt")
                .or(Some("self_signed_tls_client_auth")),
            (None, None) => None,
        };
        if let (Some(method), Some(implied)) = (named, implied.or(meant))
            && method != implied
        {
            return Err(Failure::usage(format!(
                "the method {method} does not go with these options, which mean {implied}: leave one of them out"
            )));
        }
        if let Some(method) = named.or(implied) {
            forget_other_methods(members, method);
            let before = members.get("token_endpoint_auth_method").and_then(Value::as_str);
            if before != Some(method) && method.contains("tls_client_auth") && self.registration.is_none() {
                // Who comes to certificates gets what they are for, unless told otherwise.
                members.remove("tls_client_certificate_bound_access_tokens");
            }
            members.insert("token_endpoint_auth_method".to_owned(), method.into());
        }
        if let Some((name, text)) = subject {
            SUBJECTS.iter().for_each(|other| drop(members.remove(*other)));
            members.insert(name.to_owned(), text.as_str().into());
        }
        if let Some(keys) = keys {
            members.insert("jwks".to_owned(), keys);
        }
        Ok(())
    }

    fn rest(&self, members: &mut Map<String, Value>) {
        let texts = [
            ("client_name", &self.name),
            ("scope", &self.scope),
            ("default_scope", &self.default_scope),
            ("access_token_signing_alg", &self.signing_alg),
            ("introspection", &self.introspection),
            ("introspection_format", &self.introspection_format),
            ("token_endpoint_auth_signing_alg", &self.assertion_alg),
            ("client_assertion_audience", &self.assertion_audience),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(name, text)| Some((name, Value::from(text.clone()?))));
        let others = [
            (
                "tls_client_certificate_bound_access_tokens",
                self.bound.map(Value::from),
            ),
            ("access_token_lifetime_s", self.token_lifetime.map(Value::from)),
            (
                "accept_assertion_dates_as_text",
                self.assertion_dates_as_text.map(Value::from),
            ),
            (
                "resources",
                (!self.resource.is_empty()).then(|| self.resource.clone().into()),
            ),
        ];
        let others = others
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        members.extend(texts.chain(others).map(|(name, value)| (name.to_owned(), value)));
    }
}

/// Members of another method than the new one would be refused.
fn forget_other_methods(members: &mut Map<String, Value>, method: &str) {
    if method != "tls_client_auth" {
        SUBJECTS.iter().for_each(|name| drop(members.remove(*name)));
    }
    if method != "self_signed_tls_client_auth" && method != "private_key_jwt" {
        members.remove("jwks");
    }
    if method != "private_key_jwt" && method != "client_secret_jwt" {
        OF_ASSERTIONS.iter().for_each(|name| drop(members.remove(*name)));
    }
}

fn object(value: Value) -> Outcome<Map<String, Value>> {
    if let Value::Object(members) = value {
        return Ok(members);
    }
    Err(Failure::failed(
        "a registration is a JSON object: {\"client_name\": ...}",
    ))
}

/// The key alone, so that a renewed certificate of the same key is accepted too.
fn keys_of(path: &std::path::Path) -> Outcome<Value> {
    let certificate = cert::read(path)?;
    let key = Jwk::from_spki_der(certificate.spki_der()).with_context(|| {
        format!(
            "the key in {} cannot be used: take P-256, P-384, Ed25519 or RSA",
            path.display()
        )
    })?;
    Ok(serde_json::from_str(&JwkSet::new(vec![key])?.to_json())?)
}
