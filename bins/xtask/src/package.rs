//! The Debian package: programs, manual pages, completions, and what `bins/server/Cargo.toml` lists.

use std::fs;
use std::path::{Path, PathBuf};

use crate::runner::Call;
use crate::{DebArgs, setup};

/// Where pages and completions are written that the manifest lists.
const PAGES: &str = "target/package/man";
const COMPLETIONS: &str = "target/package/completions";

/// Builds both programs, unless they are to be taken as they are, and packs them.
pub(crate) fn deb(root: &Path, arguments: &DebArgs) -> Result<(), String> {
    setup::cargo_deb(root)?;
    let profile = arguments.profile.as_str();
    if !arguments.no_build {
        Call::new(
            root,
            "cargo build --locked --package sealstone-server --package sealstone-cli",
        )
        .arg(&format!("--profile={profile}"))
        .run(false)?;
    }
    let folder = match profile {
        "dev" => "debug",
        other => other,
    };
    let programs = root.join("target").join(folder);
    write_pages(root, &programs.join("sealstone"))?;
    let pack = Call::new(root, "cargo deb --no-build --package sealstone-server")
        .arg(&format!("--profile={profile}"))
        .arg("--output")
        .arg(&arguments.output.to_string_lossy());
    let pack = if arguments.fast { pack.arg("--fast") } else { pack };
    setup::with_tools(root, pack).run(true).map(drop)
}

/// The pages and completions of this very program.
fn write_pages(root: &Path, program: &Path) -> Result<(), String> {
    let fault = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let (pages, completions) = (root.join(PAGES), root.join(COMPLETIONS));
    for folder in [&pages, &completions] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| fault(folder, error))?;
        }
        fs::create_dir_all(folder).map_err(|error| fault(folder, error))?;
    }
    let program = program.to_string_lossy();
    Call::new(root, "")
        .program(&program)
        .arg("man")
        .arg("--dir")
        .arg(&pages.to_string_lossy())
        .run(false)?;
    for (shell, name) in [
        ("bash", "sealstone"),
        ("zsh", "_sealstone"),
        ("fish", "sealstone.fish"),
    ] {
        let script = Call::new(root, "")
            .program(&program)
            .arg("completions")
            .arg(shell);
        let text = script
            .output()
            .ok_or_else(|| format!("`{}` failed", script.shown()))?;
        let path: PathBuf = completions.join(name);
        fs::write(&path, text).map_err(|error| fault(&path, error))?;
    }
    Ok(())
}
