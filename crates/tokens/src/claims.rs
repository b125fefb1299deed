use crate::context::{DelegationContext, OpenstackContext};
use crate::login::LoginClaims;
use crate::written::Written;
use rustls_pki_types::UnixTime;
use sealstone_claims::{MappedClaims, ReservedClaim};
use sealstone_identity::Authority;
use sealstone_mtls::CertificateThumbprint;
use sealstone_oauth_types::{ClientId, Issuer, ResourceUri, ScopeSet};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// For whom a token is meant (RFC 9068 §2.2, RFC 8707 §2).
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever mints decides between these forms"
)]
pub enum Audience<'a> {
    /// One name: the client itself, or the OpenStack services of a domain.
    One(&'a str),
    /// The resources that the client asked for.
    Resources(&'a [ResourceUri]),
}

impl Serialize for Audience<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(name) => serializer.serialize_str(name),
            Self::Resources([resource]) => serializer.serialize_str(resource.as_str()),
            Self::Resources(resources) => serializer.collect_seq(resources.iter().map(ResourceUri::as_str)),
        }
    }
}

/// Everything that an access token says (RFC 9068 §2.2), borrowed from where it is kept.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "minted in one place; a new claim must be decided there"
)]
pub struct AccessTokenClaims<'a> {
    /// `iss`.
    pub issuer: &'a Issuer,
    /// `sub`: the person, or the client itself for `client_credentials`.
    pub subject: &'a str,
    /// `aud`.
    pub audience: Audience<'a>,
    /// `client_id`.
    pub client_id: &'a ClientId,
    /// `client_version`: of which state of its client's registration the token is, where its `iat` may not tell it from
    /// one of before the client ended.
    pub client_version: Option<u64>,
    /// `iat` and `nbf`.
    pub issued_at: UnixTime,
    /// `exp`.
    pub expires_at: UnixTime,
    /// `jti`: at least 96 random bits.
    pub token_id: &'a str,
    /// `scope`.
    pub scope: &'a ScopeSet,
    /// `cnf`, with `x5t#S256`: the certificate whose key the TLS peer proved (RFC 8705 §3.1).
    pub bound_to: Option<&'a CertificateThumbprint>,
    /// `auth_time`, `acr`, `amr`, `sid`: exactly if the subject is a person.
    pub login: Option<LoginClaims<'a>>,
    /// `userinfo_claims`: what was asked for by name there (OpenID Connect Core §5.5), beyond what the scope gives.
    pub userinfo: &'a [&'a str],
    /// `openstack_context`.
    pub authority: Option<&'a Authority>,
    /// `delegation_context`.
    pub delegation: Option<&'a DelegationContext>,
    /// What the client's template adds; none of the names above can be among them.
    pub mapped: MappedClaims<'a>,
}

#[derive(Serialize)]
struct Cnf<'a> {
    #[serde(rename = "x5t#S256")]
    x5t_s256: &'a CertificateThumbprint,
}

/// A claim of ours is written under a reserved name, so that no template can write it too.
fn put<M: SerializeMap>(
    object: &mut M,
    claim: ReservedClaim,
    value: &(impl Serialize + ?Sized),
) -> Result<(), M::Error> {
    object.serialize_entry(claim.name(), value)
}

impl Serialize for AccessTokenClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        put(&mut object, ReservedClaim::ISS, self.issuer.as_str())?;
        put(&mut object, ReservedClaim::SUB, self.subject)?;
        put(&mut object, ReservedClaim::AUD, &self.audience)?;
        put(&mut object, ReservedClaim::CLIENT_ID, self.client_id.as_str())?;
        if let Some(version) = self.client_version {
            put(&mut object, ReservedClaim::CLIENT_VERSION, &version)?;
        }
        put(&mut object, ReservedClaim::IAT, &self.issued_at.as_secs())?;
        put(&mut object, ReservedClaim::NBF, &self.issued_at.as_secs())?;
        put(&mut object, ReservedClaim::EXP, &self.expires_at.as_secs())?;
        put(&mut object, ReservedClaim::JTI, self.token_id)?;
        put(&mut object, ReservedClaim::SCOPE, self.scope)?;
        if let Some(x5t_s256) = self.bound_to {
            put(&mut object, ReservedClaim::CNF, &Cnf { x5t_s256 })?;
        }
        if let Some(login) = &self.login {
            login.write_into(&mut object)?;
        }
        if !self.userinfo.is_empty() {
            put(&mut object, ReservedClaim::USERINFO_CLAIMS, self.userinfo)?;
        }
        if let Some(authority) = self.authority {
            put(
                &mut object,
                ReservedClaim::OPENSTACK_CONTEXT,
                &OpenstackContext::from(authority),
            )?;
        }
        if let Some(delegation) = self.delegation {
            put(&mut object, ReservedClaim::DELEGATION_CONTEXT, delegation)?;
        }
        self.mapped.write_into(&mut object)?;
        object.end()
    }
}

impl AccessTokenClaims<'_> {
    /// Appends what [`Serialize`] writes, in the same order.
    pub(crate) fn write_json(&self, json: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let mut object = Written::open(json);
        object.plain_text(ReservedClaim::ISS.name(), self.issuer.as_str());
        object.text(ReservedClaim::SUB.name(), self.subject);
        match self.audience {
            Audience::One(name) => object.text(ReservedClaim::AUD.name(), name),
            Audience::Resources([resource]) => object.text(ReservedClaim::AUD.name(), resource.as_str()),
            Audience::Resources(resources) => {
                let names = resources.iter().map(ResourceUri::as_str);
                object.texts(ReservedClaim::AUD.name(), names);
            }
        }
        object.plain_text(ReservedClaim::CLIENT_ID.name(), self.client_id.as_str());
        if let Some(version) = self.client_version {
            object.number(ReservedClaim::CLIENT_VERSION.name(), version);
        }
        let names = [ReservedClaim::IAT.name(), ReservedClaim::NBF.name()];
        object.number_twice(names, self.issued_at.as_secs());
        object.number(ReservedClaim::EXP.name(), self.expires_at.as_secs());
        object.text(ReservedClaim::JTI.name(), self.token_id);
        object.plain_text(ReservedClaim::SCOPE.name(), self.scope.as_str());
        if let Some(x5t_s256) = self.bound_to {
            object.object(ReservedClaim::CNF.name(), |object| {
                object.plain_text(
                    "x5t#S256",
                    x5t_s256.encode(&mut [0; CertificateThumbprint::TEXT_LENGTH]),
                );
                Ok(())
            })?;
        }
        if let Some(login) = &self.login {
            login.write_into(&mut object)?;
        }
        if !self.userinfo.is_empty() {
            let names = self.userinfo.iter().copied();
            object.texts(ReservedClaim::USERINFO_CLAIMS.name(), names);
        }
        if let Some(authority) = self.authority {
            let context = authority.written(OpenstackContext::to_json)?;
            object.written(ReservedClaim::OPENSTACK_CONTEXT.name(), context);
        }
        if let Some(delegation) = self.delegation {
            object.object(ReservedClaim::DELEGATION_CONTEXT.name(), |object| {
                object.text("auth_method", &delegation.auth_method);
                object.text("delegated_project_id", &delegation.delegated_project_id);
                Ok(())
            })?;
        }
        self.mapped.write_into(&mut object)?;
        object.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealstone_claims::{ClaimsSubject, ClaimsTemplate};
    use sealstone_identity::{AccessRule, DomainId, Name, ProjectScope, RoleName, Scope, UserRef};
    use serde_json::json;
    use std::time::Duration;

    fn authority(name: &str, scope: Scope, roles: &[&str], rules: bool) -> Authority {
        let user = UserRef::new("u", name, "demo").unwrap();
        let user = user.with_domain_name(name).unwrap();
        let roles = roles.iter().map(|role| RoleName::parse(role).unwrap()).collect();
        let authority = Authority::new(user, scope, roles).unwrap();
        let rule = AccessRule::new("compute", "GET", "/v2.1/servers/**").unwrap();
        if rules {
            authority.with_access_rules(vec![rule]).unwrap()
        } else {
            authority
        }
    }

    fn authorities(name: &str) -> Vec<Option<Authority>> {
        let project = ProjectScope::new("p", name, "demo").unwrap();
        let named = project.clone().with_domain_name(name).unwrap();
        let domain = Scope::Domain {
            id: DomainId::parse("demo").unwrap(),
            name: Name::parse(name).unwrap(),
        };
        vec![
            None,
            Some(authority(name, Scope::Project(project), &["member"], false)),
            Some(authority(
                name,
                Scope::Project(named),
                &["member", "reader"],
                true,
            )),
            Some(authority(name, domain, &["admin"], false)),
            Some(authority(name, Scope::System, &["admin"], true)),
            Some(authority(name, Scope::Unscoped, &[], false)),
        ]
    }

    /// Both ways to write claims write the same text, whatever is in them.
    #[test]
    fn written_by_hand_is_what_serde_writes() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let issuer = Issuer::parse("https://id.example/v4/oauth2/demo").unwrap();
        let client_id = ClientId::parse("ci").unwrap();
        let domain = DomainId::parse("demo").unwrap();
        let resources = ["https://a.example", "https://b.example/x?y=\u{e9}"].map(ResourceUri::parse);
        let resources: Vec<ResourceUri> = resources.into_iter().flatten().collect();
        let scope = ScopeSet::parse("openstack:api a#b").unwrap();
        let thumbprint = CertificateThumbprint::of_der(b"a certificate");
        let delegation: DelegationContext =
            serde_json::from_value(json!({"auth_method": "app_cred", "delegated_project_id": "p"})).unwrap();
        let login = LoginClaims {
            auth_time: at(900),
            acr: Some("urn:example:\"acr\""),
            amr: &["pwd", "otp"],
            sid: Some("s"),
        };
        let template = json!({"name": "${client_name}", "list": ["a", {"b": 1}], "roles_here": "${roles}"});
        let templates = [
            ClaimsTemplate::default(),
            ClaimsTemplate::parse(&template).unwrap(),
        ];
        let mut compared = 0;
        for name in ["plain", "with \"quotes\" and \\", "\u{e9}\u{1F600}", "</script>"] {
            for authority in &authorities(name) {
                for (audience, template) in [
                    (Audience::One(name), &templates[0]),
                    (Audience::Resources(&resources[..1]), &templates[1]),
                    (Audience::Resources(&resources), &templates[0]),
                ] {
                    for full in [false, true] {
                        let subject = ClaimsSubject {
                            subject: name,
                            client_id: "ci",
                            client_name: name,
                            domain: &domain,
                            authority: authority.as_ref(),
                        };
                        let claims = AccessTokenClaims {
                            issuer: &issuer,
                            subject: name,
                            audience,
                            client_id: &client_id,
                            client_version: full.then_some(7),
                            issued_at: at(1_000),
                            expires_at: at(u64::MAX / 2),
                            token_id: "t-_",
                            scope: &scope,
                            bound_to: full.then_some(&thumbprint),
                            login: full.then_some(login),
                            userinfo: if full { &["name", "email"] } else { &[] },
                            authority: authority.as_ref(),
                            delegation: full.then_some(&delegation),
                            mapped: template.map(&subject).unwrap(),
                        };
                        let mut written = Vec::new();
                        claims.write_json(&mut written).unwrap();
                        let expected = serde_json::to_string(&claims).unwrap();
                        assert_eq!(String::from_utf8(written).unwrap(), expected);
                        compared += 1;
                    }
                }
            }
        }
        assert_eq!(compared, 144);
    }
}
