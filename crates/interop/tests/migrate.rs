//! `sealstone migrate` before three real Keystone nodes: the inventory says what they are, and with the keys that it made
//! every node takes the JWS tokens of every other.

#![expect(clippy::unwrap_used, reason = "a test: what it cannot read has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealstone_interop::{KeystoneLab, LabOptions, built};
use sealstone_migrate::IniDocument;
use serde_json::Value;

const NODES: [&str; 3] = ["node1", "node2", "node3"];

/// `sealstone migrate`, with those variables of the administrator or none.
fn migrate(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let build = ["--package", "sealstone-cli", "--bin", "sealstone"];
    let mut command = Command::new(built("SEALSTONE", &build, "sealstone"));
    command.arg("migrate").args(arguments);
    for (name, _value) in std::env::vars().filter(|(name, _value)| name.starts_with("OS_")) {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied()).output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> &[u8] {
    assert!(output.status.success(), "{output:?}");
    &output.stdout
}

#[track_caller]
fn refused(output: &Output, want: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && said.contains(want),
        "{want}: {said}"
    );
}

/// The lab's nodes: all on this machine, each with a configuration of its own.
fn nodes(lab: &KeystoneLab) -> Vec<String> {
    let of_node = |name: &str| {
        let file = lab.folder().join(name).join("keystone.conf");
        let file = format!("{name}={}", file.display());
        [
            "--node".to_owned(),
            format!("{name}=/"),
            "--config-file".to_owned(),
            file,
        ]
    };
    NODES.into_iter().flat_map(of_node).collect()
}

fn with<'a>(first: &[&'a str], more: &'a [String], last: &[&'a str]) -> Vec<&'a str> {
    let more = more.iter().map(String::as_str);
    first
        .iter()
        .copied()
        .chain(more)
        .chain(last.iter().copied())
        .collect()
}

fn inventory(lab: &KeystoneLab, environment: &[(&str, &str)]) -> Value {
    let nodes = nodes(lab);
    let output = migrate(&with(&["inventory"], &nodes, &["--output", "json"]), environment);
    serde_json::from_slice(done(&output)).unwrap()
}

fn written(folder: &Path, name: &str, value: &Value) -> String {
    let path = folder.join(name);
    fs::write(&path, value.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn jws(lab: &KeystoneLab, node: &str) -> PathBuf {
    lab.folder().join(node).join("keys/jws")
}

/// Puts what was made where Keystone looks.
fn distribute(lab: &KeystoneLab, made: &Path) {
    for node in NODES {
        let place = jws(lab, node);
        fs::remove_dir_all(&place).unwrap();
        let copied = Command::new("cp")
            .arg("-a")
            .arg(made.join(node))
            .arg(&place)
            .status();
        assert!(copied.unwrap().success());
    }
}

/// A token that a node issued.
fn token(lab: &KeystoneLab, url: &str) -> String {
    let arguments = ["--os-auth-url", url, "token", "issue", "-f", "value", "-c", "id"];
    let output = lab.openstack(&arguments).output().unwrap();
    String::from_utf8(done(&output).to_vec())
        .unwrap()
        .trim()
        .to_owned()
}

/// What a node says of a token that shows itself.
fn status(lab: &KeystoneLab, url: &str, token: &str) -> u16 {
    let script = "import sys, urllib.request, urllib.error\n\
                  t = sys.argv[2]\n\
                  r = urllib.request.Request(sys.argv[1] + '/auth/tokens', headers={'X-Auth-Token': t, \
                  'X-Subject-Token': t})\n\
                  try: print(urllib.request.urlopen(r).status)\n\
                  except urllib.error.HTTPError as e: print(e.code)\n";
    let output = Command::new(lab.program("python"))
        .args(["-c", script, url, token])
        .output();
    String::from_utf8(done(&output.unwrap()).to_vec())
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn three_nodes_are_read_get_keys_and_take_each_others_tokens() {
    let mut lab = KeystoneLab::start(&LabOptions::new().nodes(3).with(&["--own-keys"]));
    let folder = tempfile::tempdir().unwrap();

    // What the lab is.
    let own = lab
        .environment()
        .iter()
        .filter(|(name, _)| name.starts_with("OS_"));
    let own: Vec<(&str, &str)> = own.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let found = inventory(&lab, &own);
    let file: Value = serde_json::from_slice(&fs::read(lab.folder().join("lab.json")).unwrap()).unwrap();
    for node in found["nodes"].as_array().unwrap() {
        let settings = &node["settings"];
        assert_eq!(settings["provider"], "fernet");
        assert_eq!(
            (&settings["expiration_s"], &settings["allow_expired_window_s"]),
            (&3600.into(), &172_800.into())
        );
        for cache in ["caching", "verdict_caching", "event_caching"] {
            assert_eq!(
                settings[cache], false,
                "the laboratory's [cache] backend keeps nothing"
            );
        }
        assert_eq!(settings["max_active_keys"], 3);
        assert_eq!(settings["methods"], file["methods"]);
        assert_eq!(settings["jws_algorithm"], "ES256");
        let name = node["name"].as_str().unwrap();
        let public = jws(&lab, name).join("public");
        assert_eq!(settings["jws_public_repository"], public.to_str().unwrap());
        assert_eq!(node["clock"]["offset_ms"], 0);
        assert_eq!(node["fernet"]["keys"].as_array().unwrap().len(), 2);
        // `keystone-manage create_jws_keypair` leaves the private key for everybody to read.
        assert!(node["jws"]["faults"].to_string().contains("chmod 600"), "{node}");
    }
    let apart = found["disagreements"].to_string();
    assert!(
        apart.contains("refuses Fernet tokens of node"),
        "they have keys of their own: {apart}"
    );
    let urls: Vec<String> = lab.nodes().iter().map(|url| (*url).to_owned()).collect();
    assert_eq!(
        status(&lab, &urls[1], &token(&lab, &urls[0])),
        401,
        "as the inventory says"
    );
    let trusts = found["long_lived"]["trusts"].as_array().unwrap();
    let counted: u64 = trusts.iter().map(|found| found["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, u64::try_from(lab.seed().trusts.len()).unwrap());
    let credentials = found["long_lived"]["application_credentials"].as_array().unwrap();
    let counted: u64 = credentials
        .iter()
        .map(|found| found["count"].as_u64().unwrap())
        .sum();
    assert_eq!(
        counted,
        u64::try_from(lab.seed().application_credentials.len()).unwrap()
    );
    let text = found.to_string();
    let password = lab.environment().get("OS_PASSWORD").unwrap();
    assert!(!text.contains(password.as_str()) && !text.contains("PRIVATE KEY"));

    // With these keys, no plan.
    let before = written(folder.path(), "before.json", &found);
    refused(
        &migrate(&["plan", "--inventory", &before], &[]),
        "JWS keys are not in place",
    );
    refused(
        &migrate(&["keys", "verify", "--inventory", &before], &[]),
        "chmod 600",
    );

    // Keys of ours, and a plan.
    let made = folder.path().join("jws-keys");
    let named: Vec<String> = NODES
        .into_iter()
        .flat_map(|node| ["--node".to_owned(), node.to_owned()])
        .collect();
    done(&migrate(
        &with(&["keys", "make"], &named, &["--out", made.to_str().unwrap()]),
        &[],
    ));
    distribute(&lab, &made);
    let nodes = nodes(&lab);
    let verify = with(&["keys", "verify"], &nodes, &[]);
    let said = String::from_utf8(done(&migrate(&verify, &[])).to_vec()).unwrap();
    assert!(said.contains("3 nodes hold the same 3 public keys"), "{said}");
    let fit = written(folder.path(), "fit.json", &inventory(&lab, &[]));
    let plan = migrate(&["plan", "--inventory", &fit, "--output", "json"], &[]);
    let plan: Value = serde_json::from_slice(done(&plan)).unwrap();
    let file = written(folder.path(), "plan.json", &plan);
    done(&migrate(&["plan", "--inventory", &fit, "--verify", &file], &[]));
    let mut hasty = plan;
    hasty["steps"]
        .as_array_mut()
        .unwrap()
        .retain(|step| step["action"]["drain"].is_null());
    let file = written(folder.path(), "hasty.json", &hasty);
    refused(
        &migrate(&["plan", "--inventory", &fit, "--verify", &file], &[]),
        "still serves",
    );

    // One node flipped: told, and not planned over.
    lab.restart(&["--node-provider", "2=jws"]);
    let mixed = inventory(&lab, &[]);
    let providers: Vec<&str> = mixed["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["settings"]["provider"].as_str().unwrap())
        .collect();
    assert_eq!(providers, ["fernet", "jws", "fernet"]);
    assert!(
        mixed["disagreements"]
            .to_string()
            .contains("another [token] provider")
    );
    let mixed = written(folder.path(), "mixed.json", &mixed);
    refused(
        &migrate(&["plan", "--inventory", &mixed], &[]),
        "node `node2` has the provider `jws`",
    );
    assert_eq!(
        status(&lab, &urls[0], &token(&lab, &urls[1])),
        401,
        "as the impact table says"
    );

    // All flipped: each takes the tokens of all.
    lab.restart(&["--provider", "jws"]);
    for issuer in &urls {
        let token = token(&lab, issuer);
        assert_eq!(token.matches('.').count(), 2, "a JWS token");
        for other in &urls {
            assert_eq!(status(&lab, other, &token), 200, "{issuer} at {other}");
        }
    }

    // A key that is missing on one node is found, and is what it says.
    let own = fs::read_dir(made.join("node1/public")).unwrap();
    let record = inventory(&lab, &[]);
    let signing = record["nodes"][0]["jws"]["signing"].as_str().unwrap().to_owned();
    let name = own
        .map(|entry| entry.unwrap().file_name())
        .find(|name| signing.starts_with(name.to_str().unwrap().trim_end_matches(".pem")))
        .unwrap();
    fs::remove_file(jws(&lab, "node3").join("public").join(name)).unwrap();
    refused(
        &migrate(&verify, &[]),
        "node `node3` refuses JWS tokens of node `node1`",
    );
    assert_eq!(status(&lab, &urls[2], &token(&lab, &urls[0])), 401);

    // So is a private key that was copied.
    distribute(&lab, &made);
    let private = |node: &str| jws(&lab, node).join("private/private.pem");
    fs::copy(private("node1"), private("node2")).unwrap();
    refused(&migrate(&verify, &[]), "sign with one private key");
}

/// The reader of configuration, beside the one that Keystone has.
#[test]
fn files_are_read_as_oslo_config_reads_them() {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/oslo_config_oracle.py");
    let output = Command::new(KeystoneLab::python())
        .arg(oracle)
        .arg("3000")
        .output();
    let files: Vec<(String, Option<String>)> = serde_json::from_slice(done(&output.unwrap())).unwrap();
    let mut taken = 0;
    for (text, told) in &files {
        let read = IniDocument::parse(text).ok();
        let ours = read.map(|file| file.last("token", "provider").unwrap_or("fernet").to_owned());
        assert_eq!(&ours, told, "{text:?}");
        taken += usize::from(told.is_some());
    }
    assert!(
        (500..2500).contains(&taken),
        "{taken} of {} are taken",
        files.len()
    );
}
