//! `sealstone audit ...`: the server's audit trail, verified and read.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{tail, verify};
use crate::{
    failure::Outcome,
    output,
    store::{Places, StoreArguments},
};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Find what was changed, removed, put in or moved in an audit trail
    #[command(after_help = "Examples:\n  \
        sealstone audit verify --data sealstone-dev\n  \
        sealstone audit verify --key node-1.jwk --from-start audit.jsonl*\n\n\
        Files may be named in any order: the events in them have numbers. Name those of one node at a time. The key is the \
        public half that the node published (`audit key`, or /audit/key at its admin listener), kept elsewhere \
        than the trail: without it the trail vouches for itself.\n\n\
        What was cut off the end after the last checkpoint the files alone can't tell: give --through the last number that \
        somebody else knows (the metric sealstone_audit_sequence, a receiver's last event).\n\n\
        Exit status: 0 nothing is wrong, 4 something is, 1 it could not be read.")]
    Verify(verify::VerifyArguments),
    /// Show the last events, and follow what comes
    #[command(after_help = "Examples:\n  \
        sealstone audit tail --data sealstone-dev --outcome failure\n  \
        sealstone audit tail --follow --client ci --output json /var/lib/sealstone/audit.jsonl")]
    Tail(tail::TailArguments),
    /// Print the public half of the key that signs this node's trail, as a JWK
    #[command(
        after_help = "Example:\n  sealstone audit key --data sealstone-dev > node-1.jwk\n\n\
        Keep it where whoever can write the trail can't: with the auditor."
    )]
    Key(KeyArguments),
}

/// The server whose trail it is, where files may be named instead.
#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    /// The data folder of `sealstoned dev`
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data: Option<PathBuf>,
    /// The configuration file of `sealstoned serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ServerArguments {
    /// Its places, if it is named.
    pub(super) fn places(&self) -> Outcome<Option<Places>> {
        StoreArguments::named(self.data.as_ref(), self.config.as_ref())
            .map(|store| store.places())
            .transpose()
    }
}

#[derive(Debug, Args)]
pub(crate) struct KeyArguments {
    #[command(flatten)]
    store: StoreArguments,
}

pub(crate) fn run(command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::Verify(arguments) => verify::run(arguments),
        AuditCommand::Tail(arguments) => tail::run(arguments),
        AuditCommand::Key(arguments) => {
            let key = verify::own_key(&arguments.store.places()?)?;
            output::line(&key.to_json())
        }
    }
}
