//! Headless Chromium, driven by Puppeteer: a script in `clients/browser/` for each walk.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the walk `script` with these parameters and returns what it reported.
///
/// # Panics
/// With what it wrote, when it fails: a walk asserts what it sees itself.
#[must_use]
pub fn walk(script: &str, parameters: &Value) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/browser");
    let modules = folder.join("../node/node_modules/puppeteer-core");
    assert!(
        modules.exists(),
        "the browser's driver comes by: cargo xtask setup"
    );
    let output = Command::new("node")
        .arg(folder.join(script))
        .arg(parameters.to_string())
        .output()
        .expect("node runs");
    assert!(output.status.success(), "{script}: {}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok());
    last.unwrap_or(Value::Null)
}

fn said(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{out}{err}")
}
