//! Changes of users. Each is one compare-and-swap: who loses a race is told so, and nothing is half done.

use std::sync::Arc;

use sealstone_audit::{Action, Reason, Target};
use sealstone_directory::{
    ChangeError, DirectoryStore as _, DirectoryUser, UserInsertion, UserRemoval, UserReplacement,
};
use sealstone_storage::SqlStore;

use super::{
    CreateArguments, DeleteArguments, OneArguments, SetPasswordArguments, UpdateArguments, WhichArguments,
    show,
};
use crate::{
    audit::{Change, Trail},
    clock,
    failure::{Failure, Outcome},
    output, random, store,
    store::StoreArguments,
};

pub(super) async fn create(arguments: CreateArguments) -> Outcome {
    let places = arguments.store.places()?;
    let opened = places.store().await?;
    let domain = store::domain(&opened, arguments.domain.as_ref()).await?;
    let trail = places.trail()?;
    let registration = arguments.details.registration(arguments.name.clone(), &domain)?;
    let now = clock::now();
    let mut user = DirectoryUser::register(domain.clone(), registration, random::octets()?, now)?;
    if !arguments.no_password {
        let hash = arguments.password.hash()?;
        user = user.with_password(hash, now)?;
    }
    let id = user.id().clone();
    let change = trail.change(Action::CreateUser, Target::User(id.as_str().into()));
    let inserted = change.stored(opened.insert_user(user.clone()).await)?;
    opened.close().await;
    match inserted {
        UserInsertion::Inserted => {
            change.done()?;
            show::print(&user, arguments.output.output)
        }
        UserInsertion::NameTaken => Err(name_taken(&change, &user)),
        UserInsertion::Exists => Err(change.refused(
            Reason::new(409, "user_exists"),
            Failure::failed("the id that was drawn is taken: try again"),
        )),
        UserInsertion::UnknownDomain => Err(change.refused(
            Reason::new(404, "unknown_domain"),
            Failure::failed(format!(
                "there is no domain {domain}: `sealstone client create --new-domain` makes it with its first client"
            )),
        )),
    }
}

pub(super) async fn update(arguments: UpdateArguments) -> Outcome {
    let found = Found::open(&arguments.store, &arguments.which).await?;
    let mut wanted = arguments.details.change(found.before.domain())?;
    wanted.name = arguments.name.clone();
    if arguments.no_groups {
        wanted.groups = Some(Vec::new());
    }
    if arguments.no_projects {
        wanted.projects = Some(Vec::new());
    }
    let after = found
        .replace(Action::UpdateUser, |before| before.changed(wanted, clock::now()))
        .await?;
    show::print(&after, arguments.output.output)
}

pub(super) async fn set_password(arguments: SetPasswordArguments) -> Outcome {
    let found = Found::open(&arguments.store, &arguments.which).await?;
    let hash = arguments.password.hash()?;
    let after = found
        .replace(Action::UpdateUser, |before| {
            before.with_password(hash, clock::now())
        })
        .await?;
    output::note("Sessions and refresh tokens of before stand no longer.");
    show::print(&after, arguments.output.output)
}

pub(super) async fn enable(arguments: OneArguments, enabled: bool) -> Outcome {
    let found = Found::open(&arguments.store, &arguments.which).await?;
    if found.before.is_enabled() == enabled {
        found.opened.close().await;
        output::note(&format!("Nothing to do: {} was so already.", found.before.name()));
        return show::print(&found.before, arguments.output.output);
    }
    let after = found
        .replace(Action::UpdateUser, |before| match enabled {
            true => before.enabled(clock::now()),
            false => before.disabled(clock::now()),
        })
        .await?;
    if !enabled {
        output::note(
            "Nobody logs in as this user, and sessions and refresh tokens end. Access tokens stay good until they end; \
             introspection refuses them.",
        );
    }
    show::print(&after, arguments.output.output)
}

pub(super) async fn delete(arguments: DeleteArguments) -> Outcome {
    if !arguments.yes {
        return Err(Failure::usage(format!(
            "deleting {} cannot be undone: add --yes, or use `sealstone user disable`",
            arguments.which.user
        )));
    }
    let found = Found::open(&arguments.store, &arguments.which).await?;
    let id = found.before.id();
    let change = found
        .trail
        .change(Action::DeleteUser, Target::User(id.as_str().into()));
    let removed = change.stored(found.opened.delete_user(id).await)?;
    match removed {
        UserRemoval::Removed => {
            change.done()?;
            output::note(&format!("Deleted {} ({id}).", found.before.name()));
        }
        UserRemoval::Missing => return Err(missing(&change, &arguments.which)),
    }
    found.opened.close().await;
    Ok(())
}

/// A user that is there, and what it takes to change it.
struct Found {
    opened: SqlStore,
    trail: Trail,
    before: Arc<DirectoryUser>,
}

impl Found {
    async fn open(store: &StoreArguments, which: &WhichArguments) -> Outcome<Self> {
        let places = store.places()?;
        let opened = places.store().await?;
        let trail = places.trail()?;
        let before = show::find(&opened, which).await?;
        Ok(Self {
            opened,
            trail,
            before,
        })
    }

    async fn replace(
        self,
        action: Action,
        next: impl FnOnce(&DirectoryUser) -> Result<DirectoryUser, ChangeError>,
    ) -> Outcome<DirectoryUser> {
        let change = self
            .trail
            .change(action, Target::User(self.before.id().as_str().into()));
        let after = next(&self.before)?;
        let replaced = self
            .opened
            .replace_user(self.before.version(), after.clone())
            .await;
        let replaced = change.stored(replaced)?;
        self.opened.close().await;
        match replaced {
            UserReplacement::Replaced => {
                change.done()?;
                Ok(after)
            }
            UserReplacement::NameTaken => Err(name_taken(&change, &after)),
            UserReplacement::Conflict => Err(change.refused(
                Reason::new(409, "conflict"),
                Failure::failed(format!(
                    "somebody else changed {} just now: look at it and try again",
                    self.before.name()
                )),
            )),
            UserReplacement::Missing => Err(change.refused(
                Reason::new(404, "unknown_user"),
                Failure::failed(format!(
                    "{} is gone: somebody else deleted it just now",
                    self.before.name()
                )),
            )),
        }
    }
}

fn name_taken(change: &Change<'_>, user: &DirectoryUser) -> Failure {
    change.refused(
        Reason::new(409, "user_exists"),
        Failure::failed(format!(
            "there is a user {} already, in upper or lower case: choose another name, or update that one",
            user.name()
        )),
    )
}

fn missing(change: &Change<'_>, which: &WhichArguments) -> Failure {
    change.refused(Reason::new(404, "unknown_user"), show::unknown(which))
}
