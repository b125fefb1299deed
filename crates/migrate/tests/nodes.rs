//! Nodes in folders, archives and behind `ssh`; their keys; and the runbook that is drawn from them.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;
use sealstone_fernet::{FernetRepository, JwsAlgorithm, NodeName};
use sealstone_migrate::{
    AbsolutePath, Action, ClockOffset, Inventory, KeysError, Node, NodeRecord, NodeSpec, Plan, PlanError,
    PlanOptions, Programs, Source, judge_keys, make_keys, read_nodes,
};
use tempfile::TempDir;

const CONF: &str =
    "[token]\nexpiration = 7200\n[database]\nconnection = mysql://keystone:hunter2@db/keystone\n";

fn node(name: &str) -> Node {
    Node::parse(name).unwrap()
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_795_302_884))
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// The file systems of nodes that share Fernet keys and have JWS keys made by us.
struct Cloud {
    folder: TempDir,
    names: Vec<Node>,
}

impl Cloud {
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<Node> = names.iter().map(|name| node(name)).collect();
        let fernet = folder.path().join("fernet-keys");
        let repository = FernetRepository::new(&fernet, 3).unwrap();
        repository
            .create(&NodeName::parse("origin").unwrap(), now())
            .unwrap();
        let keys = folder.path().join("keys");
        for made in make_keys(&keys, &names, JwsAlgorithm::Es256, now()).unwrap() {
            let etc = folder.path().join(made.node.as_str()).join("etc/keystone");
            fs::create_dir_all(etc.join("jws-keys")).unwrap();
            fs::write(etc.join("keystone.conf"), CONF).unwrap();
            copy(&fernet, &etc.join("fernet-keys"));
            copy(&made.private, &etc.join("jws-keys/private"));
            copy(&made.public, &etc.join("jws-keys/public"));
        }
        Self { folder, names }
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).join("etc/keystone")
    }

    fn spec(&self, name: &Node, source: Source) -> NodeSpec {
        NodeSpec {
            name: name.clone(),
            source,
            config_files: vec![AbsolutePath::parse("/etc/keystone/keystone.conf").unwrap()],
            config_dirs: vec![AbsolutePath::parse("/etc/keystone/keystone.conf.d").unwrap()],
            clock: Some(ClockOffset {
                offset_ms: 0,
                within_ms: 5,
            }),
        }
    }

    fn specs(&self) -> Vec<NodeSpec> {
        let source = |name: &Node| Source::Folder(self.folder.path().join(name.as_str()));
        self.names
            .iter()
            .map(|name| self.spec(name, source(name)))
            .collect()
    }

    fn read(&self) -> Vec<NodeRecord> {
        read_nodes(&self.specs(), &Programs::default(), &|| 0).unwrap()
    }

    fn inventory(&self) -> Inventory {
        Inventory::new(now().as_secs(), self.read(), None)
    }

    fn archive(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.tar"));
        let root = self.folder.path().join(name);
        let made = Command::new("tar")
            .args(["-c", "-f"])
            .arg(&path)
            .arg("-C")
            .arg(root)
            .arg("etc")
            .status()
            .unwrap();
        assert!(made.success());
        path
    }
}

/// The same files as `archive` puts there, the Fernet keys of one account and the JWS keys of another.
fn archive_of(cloud: &Cloud, node: &str, fernet: u32, jws: u32) -> PathBuf {
    let path = cloud.folder.path().join(format!("{node}-{fernet}-{jws}.tar"));
    for (how, user, names) in [
        ("-c", fernet, ["keystone.conf", "fernet-keys"].as_slice()),
        ("-r", jws, ["jws-keys"].as_slice()),
    ] {
        let names = names.iter().map(|name| format!("etc/keystone/{name}"));
        let made = Command::new("tar")
            .args([how, "-f"])
            .arg(&path)
            .arg(format!("--owner=somebody:{user}"))
            .arg("-C")
            .arg(cloud.folder.path().join(node))
            .args(names)
            .status();
        assert!(made.unwrap().success());
    }
    path
}

#[test]
fn a_private_key_of_another_account_than_keystones_is_found() {
    let cloud = Cloud::new(&["a"]);
    let name = &cloud.names[0];
    let read = |path: PathBuf| {
        let spec = cloud.spec(name, Source::Archive(path));
        read_nodes(&[spec], &Programs::default(), &|| 0).unwrap()
    };
    for (fernet, jws, is_good) in [
        (64062, 64062, true),
        // What was brought by root, and not given to Keystone's account.
        (64062, 0, false),
        (64062, 1000, false),
        // A Keystone that runs as root reads everything; and so does whoever owns its keys.
        (0, 0, true),
        (0, 64062, true),
    ] {
        let faults = judge_keys(&read(archive_of(&cloud, "a", fernet, jws)));
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(told.is_empty(), is_good, "{fernet} {jws}: {told:?}");
        if !is_good {
            assert!(told[0].contains("Keystone could not read it"), "{told:?}");
            let chown = format!("chown -R {fernet} /etc/keystone/jws-keys/private");
            assert!(told[0].contains(&chown), "{told:?}");
        }
    }
    // Fernet keys that others read, too, do not tell whose Keystone is.
    let keys = cloud.etc("a").join("fernet-keys");
    fs::set_permissions(keys.join("0"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(judge_keys(&read(archive_of(&cloud, "a", 64062, 1))).is_empty());
}

fn options(needed: usize) -> PlanOptions {
    PlanOptions {
        needed,
        bridged: false,
        drain: "drain {node}".to_owned(),
        add: "add {node}".to_owned(),
        state: "state {node}".to_owned(),
        flip: "flip {node} {file} {provider}".to_owned(),
        restart: "restart {node}".to_owned(),
        url: "http://{node}:5000/v3".to_owned(),
    }
}

#[test]
fn folders_archives_and_ssh_tell_the_same() {
    let cloud = Cloud::new(&["a", "b"]);
    let etc = cloud.etc("a");
    fs::create_dir(etc.join("keystone.conf.d")).unwrap();
    fs::write(etc.join("keystone.conf.d/10-a.conf"), "[token]\nexpiration = 60").unwrap();
    fs::write(etc.join("keystone.conf.d/20-b.conf"), "[token]\nexpiration = 600").unwrap();
    fs::write(
        etc.join("keystone.conf.d/30-c.conf.bak"),
        "[token]\nexpiration = 1",
    )
    .unwrap();
    let here = cloud.read();
    assert_eq!(here[0].settings.expiration_s, 600);
    assert_eq!(here[0].configuration.len(), 3);
    assert_eq!((here[0].fernet.keys.len(), here[0].jws.keys.len()), (2, 2));
    assert!(
        here[0].fernet.faults.is_empty() && here[0].jws.faults.is_empty(),
        "{:?}",
        here[0]
    );

    // An `ssh` that gives its words to a shell, as the other side's does.
    let ssh = cloud.folder.path().join("ssh");
    let root = cloud.folder.path().join("a");
    let script = format!(
        "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\n[ \"$2\" = root@a ] || exit 255\nshift 2\n\
         case \"$1\" in sh) while read l; do echo 1000.250000000; done;; tar) shift; cd {} && exec sh -c \"tar $(echo \"$*\" | \
         sed 's, -C / , -C . ,')\";; esac\n",
        root.display()
    );
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let programs = Programs {
        ssh,
        ..Programs::default()
    };
    let sources = [
        Source::Archive(cloud.archive("a")),
        Source::parse("ssh:root@a").unwrap(),
    ];
    for source in sources {
        let mut spec = cloud.spec(&cloud.names[0], source.clone());
        if matches!(source, Source::Ssh(_)) {
            spec.clock = None;
        }
        let read = read_nodes(&[spec], &programs, &|| 1_000_000).unwrap();
        assert_eq!(read[0].settings, here[0].settings, "{source}");
        assert_eq!(read[0].fernet.keys, here[0].fernet.keys, "{source}");
        assert_eq!(
            read[0].fernet.warnings,
            ["/etc/keystone/fernet-keys: last changed by node `origin`"],
            "{source}"
        );
        assert_eq!(read[0].jws, here[0].jws, "{source}");
        let offset = read[0].clock.unwrap().offset_ms;
        assert_eq!(offset, if matches!(source, Source::Ssh(_)) { 250 } else { 0 });
    }
    let elsewhere = cloud.spec(&cloud.names[0], Source::parse("ssh:b").unwrap());
    let (name, refused) = read_nodes(&[elsewhere], &programs, &|| 0).unwrap_err();
    assert_eq!(
        (name.as_str(), refused.to_string().starts_with("ssh failed")),
        ("a", true),
        "{refused}"
    );
}

/// A login that takes a second says nothing of the clock, and answers that follow it on the same connection do; what
/// somebody measured counts more.
#[test]
fn a_slow_login_does_not_blur_a_clock() {
    let cloud = Cloud::new(&["a"]);
    let root = cloud.folder.path().join("a");
    let programs = Programs {
        ssh_limit: Programs::SSH_LIMIT,
        ..fake_ssh(
            cloud.folder.path(),
            &format!(
                "case \"$1\" in sh) while read l; do echo 1000.250000000; done;; *) tar -c -C {} etc;; esac",
                root.display()
            ),
        )
    };
    let mut spec = cloud.spec(&cloud.names[0], Source::parse("ssh:root@a").unwrap());
    spec.clock = None;
    // Before the first question and after its answer, before the second and after it, ...
    let times = [998_000, 1_000_000, 1_000_000, 1_000_020, 1_000_020, 1_000_024];
    let asked = Cell::new(0);
    let clock = || {
        let place: usize = asked.replace(asked.get() + 1);
        times.get(place).copied().unwrap_or(1_000_024 + 30 * place as i64)
    };
    let read = read_nodes(&[spec.clone()], &programs, &clock).unwrap();
    let found = read[0].clock.unwrap();
    assert_eq!((found.offset_ms, found.within_ms), (228, 2));
    let measured = ClockOffset {
        offset_ms: -7,
        within_ms: 0,
    };
    spec.clock = Some(measured);
    let read = read_nodes(&[spec], &programs, &clock).unwrap();
    assert_eq!(read[0].clock, Some(measured));
}

/// An `ssh` that does what `script` says, its words being those for the other side, and that leaves its number in
/// `pids`; and what it leaves behind.
fn fake_ssh(folder: &Path, script: &str) -> Programs {
    let ssh = folder.join("ssh");
    let head = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\n";
    let text = format!("{head}echo $$ >> {}/pids\n{script}\n", folder.display());
    fs::write(&ssh, text).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    Programs {
        ssh,
        ssh_limit: Duration::from_secs(1),
        ..Programs::default()
    }
}

/// Whether a process is there, and not only its end that nobody has asked for.
fn is_at_work(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| {
        !text
            .rsplit_once(") ")
            .is_some_and(|(_name, rest)| rest.starts_with('Z'))
    })
}

/// Whatever hangs, and whatever it has printed by then: nobody waits for ever, and nothing stays behind.
#[test]
fn an_ssh_that_does_not_end_is_killed() {
    let cloud = Cloud::new(&["a"]);
    let root = cloud.folder.path().join("a");
    let clock = "[ \"$1\" = sh ] && { while read l; do echo 1000.250000000; done; exit; }";
    // What a child of its does holds its output open: it is ended as well.
    let child = format!(
        "sleep 3600 & echo $! >> {}/pids; wait",
        cloud.folder.path().display()
    );
    for (what, script) in [
        ("at once", "exec sleep 3600".to_owned()),
        ("in a child", child.clone()),
        (
            "deaf",
            "trap '' TERM INT HUP; while :; do sleep 1; done".to_owned(),
        ),
        ("before the files", format!("{clock}; {child}")),
        (
            "in the middle of the files",
            format!(
                "{clock}; tar -c -C {} etc | head -c 2000; {child}",
                root.display()
            ),
        ),
        (
            "after the files",
            format!("{clock}; tar -c -C {} etc; {child}", root.display()),
        ),
        (
            "with its output closed",
            format!("{clock}; tar -c -C {} etc; exec >&- ; {child}", root.display()),
        ),
    ] {
        let _ = fs::remove_file(cloud.folder.path().join("pids"));
        let programs = fake_ssh(cloud.folder.path(), &script);
        let mut spec = cloud.spec(&cloud.names[0], Source::parse("ssh:root@a").unwrap());
        spec.clock = None;
        let (name, refused) = read_nodes(&[spec], &programs, &|| 0).unwrap_err();
        let refused = refused.to_string();
        assert!(
            name.as_str() == "a" && refused.contains("did not end within 1 s and was killed"),
            "{what}: {refused}"
        );
        let pids = fs::read_to_string(cloud.folder.path().join("pids")).unwrap();
        assert!(pids.lines().count() > 0);
        for pid in pids.lines() {
            // A child of a child is not ours to wait for: what collects it takes its time.
            let end = Instant::now() + Duration::from_secs(30);
            while is_at_work(pid) {
                assert!(Instant::now() < end, "{what}: {pid} is still at work");
                std::thread::yield_now();
            }
        }
    }
}

#[test]
fn what_is_no_node_is_refused() {
    let cloud = Cloud::new(&["a"]);
    let refused = |specs: &[NodeSpec]| {
        let (_node, error) = read_nodes(specs, &Programs::default(), &|| 0).unwrap_err();
        error.to_string()
    };
    symlink("/etc/passwd", cloud.etc("a").join("jws-keys/public/z.pem")).unwrap();
    let archive = cloud.spec(&cloud.names[0], Source::Archive(cloud.archive("a")));
    assert!(refused(&[archive]).contains("links"));
    fs::remove_file(cloud.etc("a").join("jws-keys/public/z.pem")).unwrap();
    let junk = cloud.folder.path().join("junk.tar");
    fs::write(&junk, "no archive").unwrap();
    assert!(refused(&[cloud.spec(&cloud.names[0], Source::Archive(junk))]).contains("tar failed"));
    let twice = [cloud.specs(), cloud.specs()].concat();
    assert!(refused(&twice).contains("named twice"));
    let conf = cloud.etc("a").join("keystone.conf");
    for (text, want) in [
        ("[token]\nexpiration = hunter2", "[token] expiration"),
        ("[token\n", "line 1"),
        ("hunter2", "line 1"),
    ] {
        fs::write(&conf, text).unwrap();
        let said = refused(&cloud.specs());
        assert!(said.contains(want) && !said.contains("hunter2"), "{said}");
    }
    fs::write(&conf, [0xff, 0xfe]).unwrap();
    assert!(refused(&cloud.specs()).contains("UTF-8"));
    fs::remove_file(&conf).unwrap();
    assert!(refused(&cloud.specs()).contains("--config-file"));
}

#[test]
fn an_inventory_is_read_back_and_holds_no_secret() {
    let cloud = Cloud::new(&["a", "b", "c"]);
    let inventory = cloud.inventory();
    assert_eq!(inventory.disagreements, Vec::<String>::new());
    let json = serde_json::to_string(&inventory).unwrap();
    assert_eq!(Inventory::from_json(json.as_bytes()).unwrap(), inventory);
    let private = fs::read_to_string(cloud.etc("a").join("jws-keys/private/private.pem")).unwrap();
    let fernet = fs::read_to_string(cloud.etc("a").join("fernet-keys/1")).unwrap();
    for text in [&json, &inventory.to_markdown()] {
        for secret in ["hunter2", private.lines().nth(1).unwrap(), fernet.trim()] {
            assert!(!text.contains(secret));
        }
    }
    let life = inventory
        .impact
        .iter()
        .find(|row| row.change.starts_with("tokens issued"))
        .unwrap();
    assert_eq!(life.at_most_s, Some(7200));
    let late = inventory
        .impact
        .iter()
        .find(|row| row.change.starts_with("long"))
        .unwrap();
    assert_eq!(late.at_most_s, Some(7200 + 172_800));
    assert!(
        inventory.impact.iter().any(|row| row.whom == "unknown"),
        "nobody asked Keystone"
    );
    for bad in [
        "{}",
        "[]",
        "",
        &json.replacen("\"version\":1", "\"version\":2", 1),
        &json.replacen("\"a\"", "\"a;b\"", 1),
    ] {
        assert!(Inventory::from_json(bad.as_bytes()).is_err(), "{bad}");
    }
}

/// The table tells of each cache what it means; of one that keeps nothing, nothing.
#[test]
fn caches_are_told_by_what_they_keep() {
    let cloud = Cloud::new(&["a", "b"]);
    let told = |of_b: &str| {
        fs::write(cloud.etc("b").join("keystone.conf"), of_b).unwrap();
        let impact = cloud.inventory().impact;
        let row = |change: &str| {
            let row = impact.iter().find(|row| row.change.starts_with(change));
            row.map(|row| row.at_most_s)
        };
        [
            row("validations that Keystone keeps"),
            row("revocations, where each node"),
            row("the list of revocation events"),
        ]
    };
    let backend = "[cache]\nbackend = oslo_cache.memcache_pool\n";
    for (text, kept) in [
        ("", [None, None, None]),
        ("[cache]\nenabled = true", [None, None, None]),
        (backend, [Some(Some(600)), Some(Some(600)), Some(Some(3600))]),
        (
            &format!("{backend}enabled = false\n[token]\ncaching = true\n[revoke]\ncaching = true"),
            [None, None, None],
        ),
        (
            &format!("{backend}[token]\ncaching = false"),
            [Some(Some(600)), None, Some(Some(3600))],
        ),
        (
            &format!("{backend}[token]\ncaching = false\ncache_on_issue = false\n[revoke]\ncaching = false"),
            [None, None, None],
        ),
        (
            &format!("{backend}[token]\ncache_time = 30\n[revoke]\ncache_time = -1"),
            [Some(Some(30)), Some(Some(30)), Some(None)],
        ),
        (
            &format!("{backend}[token]\ncache_time = 0\n[revoke]\ncache_time = 0"),
            [None, None, None],
        ),
    ] {
        assert_eq!(told(text), kept, "{text}");
    }
}

#[test]
fn keys_that_were_tampered_with_are_found() {
    let healthy = Cloud::new(&["a", "b", "c"]);
    assert_eq!(judge_keys(&healthy.read()), []);
    type Tamper = fn(&Cloud);
    let cases: [(&str, Tamper); 6] = [
        ("sign with one private key", |cloud| {
            let from = cloud.etc("a").join("jws-keys/private/private.pem");
            fs::copy(from, cloud.etc("b").join("jws-keys/private/private.pem")).unwrap();
        }),
        ("not a key of this folder, by its name; remove it", |cloud| {
            let from = cloud.etc("a").join("jws-keys/private/private.pem");
            fs::copy(from, cloud.etc("b").join("jws-keys/private/a.pem")).unwrap();
        }),
        ("last changed by node `a`", |cloud| {
            let from = cloud.etc("a").join("jws-keys/private/.sealstone-node");
            fs::copy(from, cloud.etc("b").join("jws-keys/private/.sealstone-node")).unwrap();
        }),
        ("refuses JWS tokens of node", |cloud| {
            let public = cloud.etc("b").join("jws-keys/public");
            let first = fs::read_dir(public).unwrap().next().unwrap().unwrap().path();
            fs::remove_file(first).unwrap();
        }),
        ("chmod", |cloud| {
            let path = cloud.etc("b").join("jws-keys/private/private.pem");
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("has no JWS keys", |cloud| {
            fs::remove_dir_all(cloud.etc("b").join("jws-keys")).unwrap();
        }),
    ];
    for (want, tamper) in cases {
        let cloud = Cloud::new(&["a", "b", "c"]);
        tamper(&cloud);
        let faults = judge_keys(&cloud.read());
        assert!(
            faults.iter().any(|fault| fault.to_string().contains(want)),
            "{want}: {faults:?}"
        );
        let refused = Plan::new(&cloud.inventory(), &options(1)).unwrap_err();
        assert!(matches!(refused, PlanError::Keys(_)), "{want}: {refused}");
    }
}

#[test]
fn keys_are_made_once_and_for_one_node_each() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("keys");
    let (a, b) = (node("a"), node("b"));
    let made = make_keys(&out, &[a.clone(), b.clone()], JwsAlgorithm::EdDsa, now()).unwrap();
    assert_ne!(made[0].fingerprint, made[1].fingerprint);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&out), 0o700);
    assert_eq!(mode(&made[0].private.join("private.pem")), 0o600);
    let public = |place: usize| {
        let mut names: Vec<_> = fs::read_dir(&made[place].public)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!((public(0).len(), public(0)), (2, public(1)));
    let again = make_keys(&out, std::slice::from_ref(&a), JwsAlgorithm::Es256, now());
    assert!(matches!(again, Err(KeysError::Folder { .. })), "{again:?}");
    assert!(
        made[0].private.join("private.pem").exists(),
        "what was there stays"
    );
    let other = folder.path().join("other");
    assert!(matches!(
        make_keys(&other, &[], JwsAlgorithm::Es256, now()),
        Err(KeysError::NoNode)
    ));
    let twice = make_keys(&other, &[a, b.clone(), b], JwsAlgorithm::Es256, now());
    assert!(matches!(twice, Err(KeysError::Twice(node)) if node.as_str() == "b"));
    assert!(!other.exists());
}

#[test]
fn a_plan_changes_one_half_then_the_other() {
    for (names, needed) in [
        (&["a", "b"][..], 1),
        (&["a", "b", "c"], 1),
        (&["a", "b", "c", "d"], 2),
        (&["a", "b", "c", "d", "e"], 2),
    ] {
        let cloud = Cloud::new(names);
        let inventory = cloud.inventory();
        let plan = Plan::new(&inventory, &options(needed)).unwrap();
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(Plan::from_json(json.as_bytes(), &inventory).unwrap(), plan);
        let flips = plan
            .steps
            .iter()
            .filter(|step| matches!(step.action, Action::Flip(_)));
        assert_eq!(flips.count(), names.len());
        let text = plan.to_markdown();
        assert!(text.contains("flip a /etc/keystone/keystone.conf jws"), "{text}");
        assert!(
            text.contains("flip a /etc/keystone/keystone.conf fernet"),
            "the way back"
        );
        for step in &plan.steps {
            assert!(!step.expected.is_empty() && !step.window.is_empty(), "{step:?}");
            assert_eq!(
                step.way_back.is_empty(),
                matches!(step.action, Action::Look | Action::Retire),
                "{step:?}"
            );
        }
    }
}

#[test]
fn a_cloud_that_is_not_fit_gets_no_plan() {
    let refused = |inventory: &Inventory, needed| Plan::new(inventory, &options(needed)).unwrap_err();
    let cloud = Cloud::new(&["a", "b", "c"]);
    let inventory = cloud.inventory();
    for needed in [2, 3, usize::MAX] {
        assert!(
            matches!(refused(&inventory, needed), PlanError::TooFewNodes { .. }),
            "{needed}"
        );
    }
    assert!(matches!(
        refused(&Cloud::new(&["a"]).inventory(), 0),
        PlanError::TooFewNodes { .. }
    ));
    let mut blind = inventory.clone();
    blind.nodes[1].clock = None;
    assert!(matches!(refused(&blind, 1), PlanError::ClockUnknown(name) if name.as_str() == "b"));
    for (offset_ms, within_ms) in [(-120_000, 0), (120_000, 0), (400, 200), (i64::MIN, 0)] {
        let mut apart = inventory.clone();
        apart.nodes[2].clock = Some(ClockOffset { offset_ms, within_ms });
        assert!(
            matches!(refused(&apart, 1), PlanError::Clocks { .. }),
            "{offset_ms}"
        );
    }
    // Not the clock is wrong, as far as anybody knows: nobody is sent to set it.
    for (offset_ms, within_ms) in [(300, 400), (0, 501), (i64::MIN, u64::MAX)] {
        let mut unsure = inventory.clone();
        unsure.nodes[2].clock = Some(ClockOffset { offset_ms, within_ms });
        let refused = refused(&unsure, 1);
        assert!(
            matches!(&refused, PlanError::ClockUnsure { node, .. } if node.as_str() == "c"),
            "{refused}"
        );
    }
    let mut mixed = inventory.clone();
    mixed.nodes[1].settings.provider = "jws".to_owned();
    assert!(matches!(refused(&mixed, 1), PlanError::Provider { .. }));
    let mut deaf = inventory.clone();
    deaf.nodes[0].settings.jws_accepted_algorithms = vec!["EdDSA".to_owned()];
    assert!(matches!(refused(&deaf, 1), PlanError::Algorithm { .. }));
    for command in ["", "two\nlines", "```", &"x".repeat(2000)] {
        let odd = PlanOptions {
            drain: command.to_owned(),
            ..options(1)
        };
        assert!(
            matches!(Plan::new(&inventory, &odd), Err(PlanError::Command(_))),
            "{command}"
        );
    }
}

/// With bridges those that were changed serve beside those that were not, and a pool of two can spare one.
#[test]
fn with_bridges_one_node_is_changed_after_the_other() {
    for (names, needed) in [(&["a", "b"][..], 1), (&["a", "b", "c"], 2)] {
        let cloud = Cloud::new(names);
        let inventory = cloud.inventory();
        let bridged = PlanOptions {
            bridged: true,
            ..options(needed)
        };
        let plan = Plan::new(&inventory, &bridged).unwrap();
        let mut want = vec![Action::Look];
        for name in names {
            want.extend([
                Action::Drain(node(name)),
                Action::Flip(node(name)),
                Action::Restart(node(name)),
                Action::Check(node(name)),
                Action::Add(node(name)),
            ]);
        }
        want.push(Action::Retire);
        let actions: Vec<Action> = plan.steps.iter().map(|step| step.action.clone()).collect();
        assert_eq!(actions, want);
        let text = plan.to_markdown();
        assert!(text.contains("Bridges stand before all of them"), "{text}");
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(Plan::from_json(json.as_bytes(), &inventory).unwrap(), plan);
        // The same steps are none for a pool without bridges.
        let mut bare = plan.clone();
        bare.bridged = false;
        bare.needed = 1;
        let json = serde_json::to_string(&bare).unwrap();
        let refused = Plan::from_json(json.as_bytes(), &inventory).unwrap_err();
        assert!(matches!(refused, PlanError::Mixed(_)), "{refused}");
        let greedy = PlanOptions {
            needed: names.len(),
            ..bridged
        };
        let refused = Plan::new(&inventory, &greedy).unwrap_err();
        assert!(matches!(refused, PlanError::TooFewNodes { .. }), "{refused}");
    }
}

#[test]
fn a_plan_changed_by_hand_is_played_through() {
    let cloud = Cloud::new(&["a", "b", "c"]);
    let inventory = cloud.inventory();
    let plan = Plan::new(&inventory, &options(1)).unwrap();
    let find =
        |action: &dyn Fn(&Action) -> bool| plan.steps.iter().position(|step| action(&step.action)).unwrap();
    let drain = find(&|action| matches!(action, Action::Drain(_)));
    let flip = find(&|action| matches!(action, Action::Flip(_)));
    let check = find(&|action| matches!(action, Action::Check(_)));
    let switch = find(&|action| matches!(action, Action::Switch { .. }));
    let add = find(&|action| matches!(action, Action::Add(_)));
    let last = plan.steps.len() - 1;
    let without = |place: usize| {
        let mut changed = plan.clone();
        changed.steps.remove(place);
        changed
    };
    let mut early = plan.clone();
    let retire = early.steps.pop().unwrap();
    early.steps.insert(switch, retire);
    let mut side_by_side = plan.clone();
    side_by_side.steps[switch].action = Action::Add(node("a"));
    let mut stranger = plan.clone();
    stranger.nodes[0] = node("z");
    let mut unknown = plan.clone();
    unknown.steps[drain].action = Action::Drain(node("z"));
    let mut empty = plan.clone();
    empty.steps[switch].action = Action::Switch {
        add: vec![],
        drain: vec![node("c")],
    };
    let mut short = plan.clone();
    short.steps.truncate(add);
    let mut greedy = plan.clone();
    greedy.needed = 2;
    for (changed, want) in [
        (without(drain), "still serves"),
        (without(flip), "come in this order"),
        (without(check), "not checked"),
        (without(switch), "still serves"),
        (without(add), "before every node"),
        (early, "before every node"),
        (side_by_side, "side by side"),
        (stranger, "not in both"),
        (unknown, "not among the plan's"),
        (empty, "0 nodes serve, and 1 must"),
        (short, "does not serve JWS"),
        (greedy, "4 are needed"),
    ] {
        let json = serde_json::to_string(&changed).unwrap();
        let refused = Plan::from_json(json.as_bytes(), &inventory)
            .unwrap_err()
            .to_string();
        assert!(refused.contains(want), "{want}: {refused}");
    }
    assert!(
        Plan::from_json(
            serde_json::to_string(&without(last)).unwrap().as_bytes(),
            &inventory
        )
        .is_ok()
    );
    for bad in ["", "{}", "null"] {
        assert!(Plan::from_json(bad.as_bytes(), &inventory).is_err());
    }
}
