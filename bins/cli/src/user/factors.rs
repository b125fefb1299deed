//! Second factors, for a person who lost them: of the directory's users, and of people from elsewhere.

use sealstone_audit::{Action, Reason, Target};
use sealstone_directory::DirectoryStore as _;
use sealstone_identity::UserId;
use sealstone_login::FactorStore as _;

use super::{DeleteArguments, show};
use crate::{
    failure::{Failure, Outcome},
    output, store,
};

pub(super) async fn reset(arguments: DeleteArguments) -> Outcome {
    let which = &arguments.which;
    if !arguments.yes {
        return Err(Failure::usage(format!(
            "without second factors the password alone lets {} in, until new ones are set up: make sure who asks, and \
             add --yes",
            which.user
        )));
    }
    let places = arguments.store.places()?;
    let opened = places.store().await?;
    let trail = places.trail()?;
    let domain = store::domain(&opened, which.domain.as_ref()).await?;
    let named = opened.user_named(&domain, &which.user).await?;
    // People of Keystone and of an upstream provider are known here by their id alone.
    let id = match named {
        Some(user) => user.id().clone(),
        None => UserId::parse(which.user.as_str()).map_err(|_no_id| show::unknown(which))?,
    };
    let change = trail.change(Action::RemoveFactor, Target::User(id.as_str().into()));
    let removed = change.stored(opened.remove_factors(&domain, &id).await)?;
    opened.close().await;
    if removed {
        change.done()?;
        output::note(&format!(
            "{} has no second factor any more. Sessions stand: `sealstone user disable` and `enable` end those of a user.",
            which.user
        ));
        return Ok(());
    }
    Err(change.refused(
        Reason::new(404, "unknown_factor"),
        Failure::failed(format!(
            "{} has no second factor in {domain}: name a user, or the id of somebody from elsewhere",
            which.user
        )),
    ))
}
