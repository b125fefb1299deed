//! What OpenStack says of a client's tie: what to ask, and whether the answer may be used.

mod mapping;

pub use mapping::certificate_assertion;
pub(crate) use mapping::{MappedLogin, mapped};

use crate::Denial;
use rustls_pki_types::UnixTime;
use sealstone_identity::{
    ApplicationCredentialId, Authority, Delegated, MachineLogin, ProjectScope, Refusal, Scope,
};
use sealstone_registry::{CredentialLogin, MachineTie, SealedSecret, TiedCredential};

/// What the driver asks its identity source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver answers each")]
pub enum IdentityQuestion<'a> {
    /// This login.
    Login(MachineLogin<'a>),
    /// An application credential, whose secret the driver opens first.
    Sealed {
        /// Which credential.
        id: &'a ApplicationCredentialId,
        /// Its sealed secret.
        secret: &'a SealedSecret,
    },
}

/// What to ask about a tie that is one identity's; `None` for one that needs no answer, and for rules.
#[must_use]
pub fn tie_question(tie: &MachineTie) -> Option<IdentityQuestion<'_>> {
    question(tie, None)
}

/// What to ask about a tie; `None` for one that needs no answer, and for rules that nobody has followed.
#[must_use]
pub(crate) fn question<'a>(
    tie: &'a MachineTie,
    mapped: Option<&'a MappedLogin>,
) -> Option<IdentityQuestion<'a>> {
    match tie {
        MachineTie::None | MachineTie::Static(_) => None,
        MachineTie::ApplicationCredential(TiedCredential { id, login, .. }) => Some(match login {
            CredentialLogin::Secret { sealed, .. } => IdentityQuestion::Sealed { id, secret: sealed },
            CredentialLogin::Minted { user_id, project_id } => {
                IdentityQuestion::Login(MachineLogin::MintedApplicationCredential {
                    id,
                    user_id,
                    project_id,
                })
            }
        }),
        MachineTie::Mapping { .. } => mapped.map(|mapped| IdentityQuestion::Login(mapped.login())),
        MachineTie::User { user_id, project_id } => Some(IdentityQuestion::Login(MachineLogin::MintedUser {
            user_id,
            project_id,
        })),
    }
}

/// Whether what the source says is what the registration allows: this credential, this user, this one project, of no
/// more power than was registered, and not at its end.
pub(crate) fn check(tie: &MachineTie, answer: &Delegated, now: UnixTime) -> Result<(), Denial> {
    let project = project(&answer.authority).ok_or(Denial::OtherIdentity)?;
    let is_other = tie
        .user_id()
        .is_some_and(|user_id| user_id != answer.authority.user().id())
        || tie
            .project_id()
            .is_some_and(|project_id| project_id != project.id());
    if is_other {
        return Err(Denial::OtherIdentity);
    }
    if let MachineTie::ApplicationCredential(tied) = tie {
        let used = answer.application_credential.as_ref();
        let used = used
            .filter(|used| used.id == tied.id)
            .ok_or(Denial::OtherIdentity)?;
        if !used.restricted && !tied.dangerous_unrestricted {
            return Err(Denial::UnrestrictedCredential);
        }
    }
    match ends_at(tie, answer) {
        Some(end) if end.as_secs() <= now.as_secs() => Err(Denial::IdentityRefused(Refusal::Ended)),
        Some(_) | None => Ok(()),
    }
}

/// The end of what the tie gives: of the credential, as it was registered, and as the source says.
pub(crate) fn ends_at(tie: &MachineTie, answer: &Delegated) -> Option<UnixTime> {
    let registered = match tie {
        MachineTie::ApplicationCredential(tied) => tied.ends_at,
        MachineTie::None | MachineTie::Static(_) | MachineTie::User { .. } | MachineTie::Mapping { .. } => {
            None
        }
    };
    registered.into_iter().chain(answer.expires_at).min()
}

/// The one project of an authority.
#[must_use]
pub fn project(authority: &Authority) -> Option<&ProjectScope> {
    match authority.scope() {
        Scope::Project(project) => Some(project),
        Scope::Domain { .. } | Scope::System | Scope::Unscoped => None,
    }
}
