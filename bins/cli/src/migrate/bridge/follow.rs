//! A bridge follows its node: keys, configuration, certificates.

use std::path::PathBuf;
use std::time::Duration;

use sealstone_bridge::{Bridge, TokenForm, Totals};
use sealstone_tls::TlsHandle;
use tokio::signal::unix::Signal;

use super::BridgeArguments;
use super::node::{NodeFiles, Reading, Stamp};
use crate::failure::Outcome;

/// How often the files are looked at: a key that was rotated in is known within this time, and one that was taken away
/// proves nothing any more.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After how many looks what was done is told, if anything was: every minute.
const TELL_AFTER: u32 = 30;

pub(super) struct Followed<'a> {
    pub(super) bridge: Bridge,
    pub(super) arguments: &'a BridgeArguments,
    pub(super) tls: Option<TlsHandle>,
    pub(super) issues: TokenForm,
    pub(super) stamps: Vec<Stamp>,
}

impl Followed<'_> {
    /// Until the bridge ends.
    pub(super) async fn follow(mut self, mut hangup: Signal) {
        let mut told = Totals::default();
        let mut certificates = self.certificates();
        let mut looks: u32 = 0;
        let mut keys = Trouble::new("keys and configuration");
        let mut certificate = Trouble::new("the certificate");
        loop {
            let is_asked = tokio::select! {
                _ = hangup.recv() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(TELL_AFTER) && told != self.bridge.totals() {
                told = self.bridge.totals();
                tracing::info!("{told}");
            }
            // What could not be read is tried again: it may have been half written.
            if is_asked || keys.has_failed() || NodeFiles::stamps_now(&self.stamps) != self.stamps {
                keys.report(self.reload(is_asked));
            }
            let now = self.certificates();
            if is_asked || certificate.has_failed() || now != certificates {
                certificates = now;
                certificate.report(self.reload_tls());
            }
        }
    }

    fn reload(&mut self, is_asked: bool) -> Outcome {
        let reading = self.arguments.files.read()?;
        let Reading { issues, .. } = reading;
        if is_asked || issues != self.issues {
            let target = self.arguments.target.target(issues);
            self.issues = issues;
            self.bridge.set_target(target);
            reading.tell(target);
        }
        self.stamps.clone_from(&reading.stamps);
        self.bridge.replace_rules(reading.rules);
        tracing::info!("keys and configuration read anew");
        Ok(())
    }

    fn reload_tls(&self) -> Outcome {
        if let (Some(tls), Some(config)) = (&self.tls, self.arguments.tls_config()?) {
            tls.replace(config)?;
            tracing::info!("the certificate was read anew");
        }
        Ok(())
    }

    fn certificates(&self) -> Vec<Stamp> {
        let files = [&self.arguments.tls_certificate, &self.arguments.tls_key];
        let files = files.into_iter().flatten().cloned();
        let unseen: Vec<Stamp> = files.map(|path: PathBuf| (path, None)).collect();
        NodeFiles::stamps_now(&unseen)
    }
}

/// What cannot be read, told once for each reason.
struct Trouble {
    what: &'static str,
    told: Option<String>,
}

impl Trouble {
    const fn new(what: &'static str) -> Self {
        Self { what, told: None }
    }

    const fn has_failed(&self) -> bool {
        self.told.is_some()
    }

    fn report(&mut self, outcome: Outcome) {
        let message = outcome.err().map(|failure| failure.to_string());
        if let Some(message) = &message
            && self.told.as_ref() != Some(message)
        {
            let what = self.what;
            tracing::error!("{what} cannot be read, and what was in use stays so: {message}");
        }
        self.told = message;
    }
}
