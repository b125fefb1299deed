//! The privacyIDEA that all tests of a run share.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::lab;
use crate::runner::Call;

/// Where its port stands, for the tests.
const PORT: &str = "port";

/// Where the lab keeps its virtual environment and its state; the tests look there too.
fn folder(root: &Path) -> PathBuf {
    let given = std::env::var_os("PILAB_HOME").map(PathBuf::from);
    given.unwrap_or_else(|| root.join("target/privacyidea-lab"))
}

fn call(root: &Path, program: &str, port: u16) -> Result<Call, String> {
    let path = lab::shared(root, "privacyidea-lab")
        .ok_or(
            "the privacyIDEA lab is missing: the suite takes it from `shared/privacyidea-lab` beside the checkout, or \
             from the folder that SEALSTONE_SHARED names; without it: cargo xtask test --skip privacyidea",
        )?
        .join(program);
    let call = Call::new(root, &path.to_string_lossy());
    Ok(call
        .env("PILAB_HOME", &folder(root).to_string_lossy())
        .env("PILAB_PORT", &port.to_string()))
}

/// Makes the virtual environment with privacyIDEA (520 MB), where it is missing.
pub(crate) fn install(root: &Path) -> Result<(), String> {
    if folder(root).join("venv/.pins").exists() {
        return Ok(());
    }
    println!("installing privacyIDEA; a minute or two");
    // The lab has no way to only install.
    start(root).and_then(|()| stop(root))
}

/// Starts it, and seeds it anew.
pub(crate) fn start(root: &Path) -> Result<(), String> {
    let folder = folder(root);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    stop(root)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    drop(listener);
    call(root, "up", port)?.run(false)?;
    fs::write(folder.join(PORT), port.to_string()).map_err(|error| error.to_string())
}

/// Stops it and forgets its state.
pub(crate) fn stop(root: &Path) -> Result<(), String> {
    let _ = fs::remove_file(folder(root).join(PORT));
    call(root, "down", 0)?.arg("--purge").run(false).map(drop)
}
