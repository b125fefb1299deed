use crate::ClaimFault;
use crate::template::{Part, Template, Variable};
use sealstone_identity::{Authority, DomainId, ProjectScope, Scope};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::collections::BTreeMap;

/// What a template may read.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by callers; a new source of claims is a decision for each of them"
)]
pub struct ClaimsSubject<'a> {
    /// The token's `sub`.
    pub subject: &'a str,
    /// The client that asked.
    pub client_id: &'a str,
    /// That client's name.
    pub client_name: &'a str,
    /// The issuer's domain.
    pub domain: &'a DomainId,
    /// What the subject may do in OpenStack, if the token says so.
    pub authority: Option<&'a Authority>,
}

impl ClaimsSubject<'_> {
    fn project(&self) -> Option<&ProjectScope> {
        match self.authority?.scope() {
            Scope::Project(project) => Some(project),
            Scope::Domain { .. } | Scope::System | Scope::Unscoped => None,
        }
    }

    pub(crate) fn variable(&self, variable: Variable) -> Option<&str> {
        let user = self.authority.map(Authority::user);
        match variable {
            Variable::Subject => Some(self.subject),
            Variable::ClientId => Some(self.client_id),
            Variable::ClientName => Some(self.client_name),
            Variable::DomainId => Some(self.domain.as_str()),
            Variable::UserId => user.map(|user| user.id().as_str()),
            Variable::UserName => user.map(|user| user.name().as_str()),
            Variable::UserDomainId => user.map(|user| user.domain_id().as_str()),
            Variable::ProjectId => self.project().map(|project| project.id().as_str()),
            Variable::ProjectName => self.project().map(|project| project.name().as_str()),
            Variable::ProjectDomainId => self.project().map(|project| project.domain_id().as_str()),
        }
    }

    fn text(&self, parts: &[Part]) -> Option<String> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Variable(variable) => text.push_str(self.variable(*variable)?),
            }
        }
        Some(text)
    }
}

/// The claims of one template for one subject; no reserved name and no control character is among them.
#[derive(Debug, Clone, Copy)]
pub struct MappedClaims<'a> {
    templates: &'a BTreeMap<String, Template>,
    subject: &'a ClaimsSubject<'a>,
}

impl<'a> MappedClaims<'a> {
    /// Looks at what each variable would put in: what stands in stores and directories was not written by whoever
    /// wrote the template.
    pub(crate) fn new(
        templates: &'a BTreeMap<String, Template>,
        subject: &'a ClaimsSubject<'a>,
    ) -> Result<Self, ClaimFault> {
        for (name, template) in templates {
            let Template::Text(parts) = template else {
                continue;
            };
            for part in parts {
                let Part::Variable(variable) = part else {
                    continue;
                };
                let value = subject.variable(*variable).unwrap_or_default();
                if value.bytes().any(|byte| !(b' '..0x7f).contains(&byte))
                    && value.chars().any(char::is_control)
                {
                    return Err(ClaimFault::ControlCharacter {
                        claim: name.clone(),
                        variable: variable.name(),
                    });
                }
            }
        }
        Ok(Self { templates, subject })
    }

    /// Writes the claims into a JSON object that is being written.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_into<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        for (name, template) in self.templates {
            match template {
                Template::Literal(value) => object.serialize_entry(name, value)?,
                Template::Text(parts) => {
                    if let Some(text) = self.subject.text(parts) {
                        object.serialize_entry(name, &text)?;
                    }
                }
                Template::Roles => {
                    if let Some(authority) = self.subject.authority {
                        object.serialize_entry(name, authority.roles())?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Serialize for MappedClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        self.write_into(&mut object)?;
        object.end()
    }
}
