use super::{Facts, PersonGranted, Refused, Source, authority, standing};
use crate::{GrantDenial, PersonGrant};
use rustls_pki_types::UnixTime;
use sealstone_identity::{Delegated, LoginRefusal, Person, ProjectId, UserId};
use sealstone_registry::Client;
use std::sync::Arc;

/// What was sent is good; the person who granted it has not been asked about.
#[derive(Debug)]
pub struct NeedsPerson {
    pub(crate) facts: Facts,
    pub(crate) source: Source,
}

impl NeedsPerson {
    /// The client that gets the token.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.facts.client
    }

    /// Whom to ask about.
    #[must_use]
    pub const fn user_id(&self) -> &UserId {
        &self.facts.grant.user_id
    }

    /// What was granted: whom an upstream provider vouched for, the source knows nothing of.
    #[must_use]
    pub const fn grant(&self) -> &PersonGrant {
        &self.facts.grant
    }

    /// Goes on with what the source of people says **now**. An answer that it could not give is no refusal: the driver
    /// stops, and nothing is consumed.
    ///
    /// # Errors
    /// [`Refused`] with [`GrantDenial::PersonRefused`], [`GrantDenial::OtherPerson`], [`GrantDenial::LoginOutdated`].
    pub fn with_person(self, answer: Result<Arc<Person>, LoginRefusal>) -> Result<PersonStep, Refused> {
        let person =
            standing::check(&self.facts.grant, answer).map_err(|denial| self.source.refused(denial))?;
        if !self.facts.is_for_openstack() {
            return Ok(PersonStep::Granted(PersonGranted::new(
                self.facts,
                self.source,
                person,
                None,
            )));
        }
        let Some(project_id) = self.facts.grant.project.clone() else {
            return Err(self.source.refused(GrantDenial::OtherAuthority));
        };
        Ok(PersonStep::NeedsAuthority(NeedsAuthority {
            facts: self.facts,
            source: self.source,
            person,
            project_id,
        }))
    }
}

/// How far the decision came.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum PersonStep {
    /// All is decided.
    Granted(PersonGranted),
    /// All but the authority over OpenStack.
    NeedsAuthority(NeedsAuthority),
}

/// A token for OpenStack services is due; what the person may do there has not been asked.
#[derive(Debug)]
pub struct NeedsAuthority {
    facts: Facts,
    source: Source,
    person: Arc<Person>,
    project_id: ProjectId,
}

impl NeedsAuthority {
    /// Whose authority to ask for.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        self.person.user.id()
    }

    /// In which project.
    #[must_use]
    pub const fn project_id(&self) -> &ProjectId {
        &self.project_id
    }

    /// Goes on with what the source says **now**: fewer roles than before are fewer roles in the token, none is a
    /// refusal.
    ///
    /// # Errors
    /// [`Refused`] with [`GrantDenial::PersonRefused`], [`GrantDenial::OtherAuthority`].
    pub fn with_authority(
        self,
        answer: Result<Arc<Delegated>, LoginRefusal>,
        now: UnixTime,
    ) -> Result<PersonGranted, Refused> {
        let answer = authority::check(&self.person, &self.project_id, answer, now);
        let delegated = answer.map_err(|denial| self.source.refused(denial))?;
        Ok(PersonGranted::new(
            self.facts,
            self.source,
            self.person,
            Some(delegated),
        ))
    }
}
