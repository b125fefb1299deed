//! The files of `examples/deploy`, before the validators of those who read them.

#![expect(clippy::unwrap_used, reason = "a test: what it cannot read has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sealstone_interop::built;
use serde_json::Value;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/deploy")
}

fn python(script: &str, argument: &Path) -> String {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/interop-python/bin/python");
    assert!(
        python.exists(),
        "{} is missing: cargo xtask setup",
        python.display()
    );
    let output = Command::new(python)
        .args(["-c", script])
        .arg(argument)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn units_are_what_systemd_takes_and_confine_the_server() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("left out: systemd-analyze is not installed");
        return;
    }
    let build = ["--package", "sealstone-server", "--bin", "sealstoned"];
    let program = built("SEALSTONED", &build, "sealstoned");
    let folder = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for entry in fs::read_dir(deploy().join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let here = folder.path().join(path.file_name().unwrap());
        // The program is not installed here; its user is.
        let text = text.replace("/usr/bin/sealstoned", program.to_str().unwrap());
        fs::write(&here, text).unwrap();
        units.extend((here.extension().unwrap() != "sysusers").then_some(here));
    }
    assert_eq!(units.len(), 4);
    let output = Command::new("systemd-analyze")
        // Nor are its pages in the manual.
        .args(["verify", "--man=no"])
        .args(&units)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
        .arg(folder.path().join("sealstoned.service"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    // The server knows the sockets by these names.
    for name in ["public", "mtls", "admin"] {
        let unit = deploy().join(format!("systemd/sealstoned-{name}.socket"));
        let text = fs::read_to_string(unit).unwrap();
        assert!(text.contains(&format!("\nFileDescriptorName={name}\n")), "{text}");
    }
}

const VALIDATE: &str = "import sys, yaml, json, kubernetes_validate\n\
    documents = list(yaml.safe_load_all(open(sys.argv[1])))\n\
    for document in documents:\n    kubernetes_validate.validate(document, '1.37', strict=True)\n\
    print(json.dumps(documents))";

#[test]
fn manifests_are_what_kubernetes_takes() {
    let file = deploy().join("kubernetes/sealstone.yaml");
    let documents: Value = serde_json::from_str(&python(VALIDATE, &file)).unwrap();
    let all = documents.as_array().unwrap();
    let of = |kind: &str| all.iter().find(|document| document["kind"] == kind).unwrap();
    // A word that is none is refused: the validator is one.
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&wrong, text.replace("replicas: 3", "replicaz: 3")).unwrap();
    let script = format!("try:\n    exec({VALIDATE:?})\nexcept Exception:\n    print('refused')");
    assert_eq!(python(&script, &wrong).trim(), "refused");
    // The configuration in it is one of the server's.
    let config = of("ConfigMap")["data"]["sealstoned.toml"].as_str().unwrap();
    let path = folder.path().join("sealstoned.toml");
    fs::write(&path, config).unwrap();
    let build = ["--package", "sealstone-cli", "--bin", "sealstone"];
    let output = Command::new(built("SEALSTONE", &build, "sealstone"))
        .args([
            "doctor",
            "--only",
            "configuration",
            "--output",
            "json",
            "--config",
        ])
        .arg(&path)
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ids: Vec<&str> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap())
        .collect();
    // The pods of monitoring come to it: a NetworkPolicy keeps others away.
    assert_eq!(ids, ["admin-open"], "{found}");
    // A balancer finds the nodes that are not ready, and clients do not.
    let services = all.iter().filter(|document| document["kind"] == "Service");
    let not_ready: Vec<&str> = services
        .filter(|service| service["spec"]["publishNotReadyAddresses"] == true)
        .map(|service| service["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(not_ready, ["sealstone-live"]);
    // Its end is waited for: the delay, and the requests under way.
    let grace = of("StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
    assert!(grace.unwrap() > 10 + 10, "{grace:?}");
}

#[test]
fn rules_and_packages_name_what_is_there() {
    let script = "import sys, yaml, json\nprint(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let rules: Value =
        serde_json::from_str(&python(script, &deploy().join("prometheus-rules.yaml"))).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() > 5);
    let docs = deploy().join("../..");
    for rule in rules {
        let action = rule["annotations"]["action"].as_str().unwrap();
        for page in action.split([' ', ';']).filter(|word| word.starts_with("docs/")) {
            assert!(docs.join(page).exists(), "{page}");
        }
    }
    // What the package holds is built, or lies there.
    let manifest = docs.join("bins/server/Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let assets = text
        .split("assets = [")
        .nth(1)
        .unwrap()
        .split("\n]")
        .next()
        .unwrap();
    let mut files = 0;
    for line in assets.lines().filter(|line| line.contains("[\"")) {
        let source = line.split('"').nth(1).unwrap();
        // Built, or written by `cargo xtask deb`.
        if !source.contains("target/") {
            assert!(manifest.parent().unwrap().join(source).exists(), "{source}");
            files += 1;
        }
    }
    assert!(files > 5, "{files}");
}
