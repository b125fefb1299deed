//! Other systems than this one: what people log in with is compiled for them, as far as it takes to find what is wrong with
//! it. Nothing is linked or run, and the C below is not compiled, so that no compiler for them is needed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::runner::Call;
use crate::summary::Counts;

const SYSTEMS: [&str; 2] = ["x86_64-pc-windows-gnu", "x86_64-apple-darwin"];

/// The program, with all that it can do there, and by it the library.
const PROGRAM: &str = "cargo check -p sealstone-cli --features desktop-keyring";

/// Packages that compile C, and the part of their build script's work that Rust needs.
const AWS_LC: &str = "aws-lc-sys";
const SQLITE: &str = "libsqlite3-sys";

/// Checks for each system whose standard library is there, or can be had; says what it leaves out.
pub(crate) fn check(root: &Path, verbose: bool) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let overrides = overrides(root)?;
    for system in SYSTEMS {
        if !is_there(root, system) {
            println!("        left out: the standard library of {system} cannot be had");
            continue;
        }
        Call::new(root, PROGRAM)
            .arg("--target")
            .arg(system)
            .arg("--config")
            .arg(&overrides.to_string_lossy())
            .run(verbose)?;
        counts.add(Counts::of_one_check());
    }
    Ok(counts)
}

fn is_there(root: &Path, system: &str) -> bool {
    let installed = Call::new(root, "rustup target list --installed")
        .output()
        .unwrap_or_default();
    let add = || Call::new(root, "rustup target add").arg(system).output();
    installed.lines().any(|line| line == system) || add().is_some()
}

/// A configuration by which Cargo runs no build script that compiles C (`target.TRIPLE.LINKS`).
fn overrides(root: &Path) -> Result<PathBuf, String> {
    let metadata = Call::new(root, "cargo metadata --format-version 1 --locked").output();
    let metadata: Value = metadata
        .and_then(|text| serde_json::from_str(&text).ok())
        .ok_or("cargo metadata fails")?;
    let (aws_lc, _) = linking(&metadata, AWS_LC)?;
    let (sqlite, folder) = linking(&metadata, SQLITE)?;
    // What its build script would copy there.
    let made = root.join("target/other-systems");
    let failed = |error: std::io::Error| format!("{}: {error}", made.display());
    fs::create_dir_all(&made).map_err(failed)?;
    fs::copy(
        folder.join("sqlite3/bindgen_bundled_version.rs"),
        made.join("bindgen.rs"),
    )
    .map_err(failed)?;
    let mut text = String::new();
    for system in SYSTEMS {
        let bindings = system.replace('-', "_");
        let _ = writeln!(
            text,
            "[target.{system}.{aws_lc}]\nrustc-cfg = [\"{bindings}\"]\ninclude = \"none\"\n\
             [target.{system}.{sqlite}]\nrustc-env = {{ OUT_DIR = {:?} }}",
            made.display().to_string()
        );
    }
    let file = made.join("config.toml");
    fs::write(&file, text).map_err(failed)?;
    Ok(file)
}

/// What the package links, by which a build script is named, and its folder.
fn linking(metadata: &Value, package: &str) -> Result<(String, PathBuf), String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let found = packages
        .filter(|one| one["name"] == package)
        .find_map(|one| Some((one["links"].as_str()?, one["manifest_path"].as_str()?)));
    let (links, manifest) = found.ok_or_else(|| format!("{package} is no dependency any more"))?;
    let folder = Path::new(manifest).parent().unwrap_or_else(|| Path::new(""));
    Ok((links.to_owned(), folder.to_owned()))
}
