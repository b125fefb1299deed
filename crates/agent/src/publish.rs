//! What the agent keeps in files.

use std::{path::PathBuf, sync::Arc, time::Duration};

use zeroize::Zeroizing;

use crate::{Backoff, Credential, FileError, Handle, StateFolder, files, status::Work};

/// A disk that is full stays so for a while, and a folder that was given back is found within a minute.
const WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// The status is written at each change and this often besides: who reads it sees that somebody still does.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// What a token file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the configuration offers each")]
pub enum TokenFileForm {
    /// The token, and nothing else.
    #[default]
    Token,
    /// `Authorization: Bearer …` and a line end, as `curl --header @FILE` reads it.
    Header,
}

/// A file that always has the token in use, mode 0600, replaced in one step.
#[derive(Debug, Clone)]
pub struct TokenFile {
    path: PathBuf,
    form: TokenFileForm,
}

impl TokenFile {
    /// This file.
    #[must_use]
    pub const fn new(path: PathBuf, form: TokenFileForm) -> Self {
        Self { path, form }
    }

    /// Writes the token into it.
    ///
    /// # Errors
    /// Those of [`files::replace`].
    pub fn write(&self, credential: &Credential) -> Result<(), FileError> {
        let token = credential.token().expose();
        let text = Zeroizing::new(match self.form {
            TokenFileForm::Token => token.to_owned(),
            TokenFileForm::Header => format!("Authorization: Bearer {token}\n"),
        });
        files::replace(&self.path, text.as_bytes())
    }
}

/// Brings each credential, and each change in the status, into the files.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) handle: Handle,
    pub(crate) state: Arc<StateFolder>,
    pub(crate) files: Vec<TokenFile>,
}

impl Publisher {
    pub(crate) async fn run(self) {
        let mut credentials = self.handle.changes();
        let mut statuses = self.handle.status_changes();
        let surroundings = Arc::clone(self.handle.surroundings());
        let mut backoff = Backoff::new(WAITS.0, WAITS.1);
        let mut behind = None;
        let mut is_written = false;
        loop {
            let again = async {
                match behind {
                    Some(wait) => surroundings.sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = credentials.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    behind = self.write(&mut backoff).await;
                    is_written = true;
                }
                () = again => behind = self.write(&mut backoff).await,
                () = surroundings.sleep(HEARTBEAT) => {}
                changed = statuses.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
            self.write_status().await;
            if is_written {
                self.handle.is_in_place();
            }
        }
    }

    /// How long until it is tried again, if it failed.
    async fn write(&self, backoff: &mut Backoff) -> Option<Duration> {
        let credential = self.handle.credential()?;
        let (state, files) = (Arc::clone(&self.state), self.files.clone());
        let work = tokio::task::spawn_blocking(move || {
            // The certificate first: who reads a new token finds its certificate there.
            let mut faults = Vec::new();
            faults.extend(state.save(&credential).err());
            faults.extend(files.iter().filter_map(|file| file.write(&credential).err()));
            faults
        });
        let faults = work.await.unwrap_or_default();
        if faults.is_empty() {
            backoff.succeeded();
            self.handle.works(Work::Files);
            return None;
        }
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        self.handle.failed(Work::Files, texts.join("; "));
        Some(backoff.failed(self.handle.surroundings().random()))
    }

    async fn write_status(&self) {
        let Ok(text) = serde_json::to_vec_pretty(&self.handle.status()) else {
            return;
        };
        let state = Arc::clone(&self.state);
        // That the status is old is seen by its time; what is wrong with the disk is said for the files above.
        let _ = tokio::task::spawn_blocking(move || state.save_status(&text)).await;
    }
}
