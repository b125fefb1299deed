//! A token of `SoftHSM`, of the system's packages, in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// Where Debian keeps the module.
const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];

/// A folder of tokens that `SoftHSM` keeps in files, removed when this is dropped. A process uses it whose environment has
/// `SOFTHSM2_CONF` set to [`SoftHsm::config`].
#[derive(Debug)]
pub struct SoftHsm {
    folder: PathBuf,
}

impl SoftHsm {
    /// The PIN of every token's user.
    pub const PIN: &'static str = "uz3r-p1n-648";

    /// The module, if it is installed.
    #[must_use]
    pub fn module() -> Option<PathBuf> {
        MODULES.iter().map(PathBuf::from).find(|path| path.exists())
    }

    /// A folder with one token called so.
    #[must_use]
    pub fn with_token(label: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("sealstone-softhsm-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("tokens")).expect("a folder for tokens");
        let hsm = Self { folder };
        let tokens = hsm.folder.join("tokens");
        let config = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
        fs::write(hsm.config(), config).expect("SoftHSM's configuration");
        hsm.add_token(label);
        hsm
    }

    /// One token more.
    pub fn add_token(&self, label: &str) {
        self.tool(&[
            "--init-token",
            "--free",
            "--label",
            label,
            "--pin",
            Self::PIN,
            "--so-pin",
            "so-pin-648",
        ]);
    }

    /// What `SOFTHSM2_CONF` must be.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("softhsm2.conf")
    }

    /// The folder of the tokens: one that is moved away is a token that was taken out.
    #[must_use]
    pub fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    fn tool(&self, arguments: &[&str]) {
        let mut call = Command::new("softhsm2-util");
        call.args(arguments).env("SOFTHSM2_CONF", self.config());
        let status = call.stdout(Stdio::null()).status().expect("softhsm2-util runs");
        assert!(status.success(), "softhsm2-util {arguments:?}");
    }
}

impl Drop for SoftHsm {
    fn drop(&mut self) {
        let folder: &Path = &self.folder;
        let _ = fs::remove_dir_all(folder);
    }
}
