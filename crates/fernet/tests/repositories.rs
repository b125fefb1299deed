//! Key repositories on disk: made, rotated, listed, shared between nodes, and finished after being cut.

#[path = "support/folders.rs"]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sealstone_fernet::{
    AuditId, Custody, Disagreement, FernetKeyRole, FernetRepository, FernetTokens, JwsAlgorithm, JwsKeyRole,
    JwsRepository, KeystoneId, NodeKeys, RepositoryError, TokenSubject, Warning, compare_nodes,
};
use support::{at, methods, names, node, restrict};
use tempfile::TempDir;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn fernet(folder: &TempDir, max_active_keys: usize) -> FernetRepository {
    FernetRepository::new(folder.path().join("fernet"), max_active_keys).unwrap()
}

fn numbers(repository: &FernetRepository) -> Vec<u32> {
    let report = repository.check(&node("a")).unwrap();
    report.keys.iter().map(|key| key.number).collect()
}

fn subject() -> TokenSubject {
    TokenSubject::certificate(
        KeystoneId::parse("12b39d83e6a0472a9dae0379b0394548").unwrap(),
        KeystoneId::parse("ca09b2c051254ead8c34d9e7991a8ded").unwrap(),
        "7CI0r5WXpM99UpaHAZn-Kvwt_u4QlrmGbZ1jFWSQT3o=",
    )
}

fn jws(folder: &TempDir, name: &str) -> JwsRepository {
    let root = folder.path().join(name);
    fs::create_dir_all(&root).unwrap();
    restrict(&root, 0o700);
    JwsRepository::new(root.join("private"), root.join("public"))
}

#[test]
fn a_new_repository_is_private_and_rotates_as_keystones_does() {
    let folder = tempfile::tempdir().unwrap();
    let repository = fernet(&folder, 3);
    let made = repository.create(&node("a"), at(10)).unwrap();
    assert_eq!((made.primary, made.removed), (1, vec![]));
    assert_eq!(mode(repository.path()), 0o700);
    assert_eq!(mode(&repository.path().join("0")), 0o600);
    assert_eq!(numbers(&repository), [0, 1]);
    let again = repository.create(&node("a"), at(10));
    assert!(
        matches!(again, Err(RepositoryError::AlreadyThere { .. })),
        "{again:?}"
    );

    // The staged key becomes primary; what is above three goes, oldest first.
    let staged = repository.check(&node("a")).unwrap().keys[0].clone();
    assert_eq!(staged.role, FernetKeyRole::Staged);
    let rotation = repository.rotate(&node("a"), at(20)).unwrap();
    assert_eq!((rotation.primary, rotation.removed), (2, vec![]));
    let report = repository.check(&node("a")).unwrap();
    assert_eq!(report.keys[2].fingerprint, staged.fingerprint);
    let roles: Vec<FernetKeyRole> = report.keys.iter().map(|key| key.role).collect();
    assert_eq!(
        roles,
        [
            FernetKeyRole::Staged,
            FernetKeyRole::Secondary,
            FernetKeyRole::Primary
        ]
    );
    assert!(
        report.faults.is_empty() && report.warnings.is_empty(),
        "{report:?}"
    );
    let rotation = repository.rotate(&node("a"), at(30)).unwrap();
    assert_eq!((rotation.primary, rotation.removed), (3, vec![1]));
    assert_eq!(names(repository.path()), [".sealstone-node", "0", "2", "3"]);
}

#[test]
fn tokens_live_as_long_as_their_key_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let repository = fernet(&folder, 4);
    repository.create(&node("a"), at(0)).unwrap();
    let tokens = || {
        FernetTokens::new(
            repository.load().unwrap(),
            methods(),
            KeystoneId::parse("default").unwrap(),
        )
    };
    let claims = sealstone_fernet::TokenClaims {
        subject: TokenSubject::new(
            KeystoneId::parse("alice").unwrap(),
            &["password"],
            sealstone_fernet::Scope::Unscoped,
        ),
        audit_ids: AuditId::new([3; 16]).into(),
        issued_at: at(100),
        expires_at: at(4000),
    };
    let token = tokens()
        .issue(&claims, sealstone_fernet::Iv::generate().unwrap())
        .unwrap();
    for rotation in 0..2 {
        assert_eq!(tokens().read(&token, at(200)).unwrap().key, rotation);
        repository.rotate(&node("a"), at(200)).unwrap();
    }
    assert_eq!(tokens().read(&token, at(200)).unwrap().claims, claims);
    repository.rotate(&node("a"), at(300)).unwrap();
    assert_eq!(
        tokens().read(&token, at(300)),
        Err(sealstone_fernet::DecodeError::Unauthentic)
    );
}

/// Name; copies that are there already (from, to); files left half written.
type Cut = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

#[test]
fn a_rotation_cut_anywhere_is_finished_by_the_next_and_loses_no_key() {
    // What a kill leaves at each step of the way: names, and the key that each holds a copy of.
    let cuts: [Cut; 5] = [
        ("before anything", &[], &[]),
        ("the promoted key half written", &[], &[".sealstone-3.tmp"]),
        ("the staged key promoted, and still staged", &[("0", "3")], &[]),
        (
            "the new staged key half written",
            &[("0", "3")],
            &[".sealstone-0.tmp"],
        ),
        ("nothing removed yet", &[], &["0.tmp"]),
    ];
    for (name, copies, leftovers) in cuts {
        let folder = tempfile::tempdir().unwrap();
        let repository = fernet(&folder, 3);
        repository.create(&node("a"), at(0)).unwrap();
        repository.rotate(&node("a"), at(1)).unwrap();
        let staged = repository.check(&node("a")).unwrap().keys[0].fingerprint.clone();
        for (from, to) in copies {
            fs::copy(repository.path().join(from), repository.path().join(to)).unwrap();
        }
        for leftover in leftovers {
            fs::write(repository.path().join(leftover), "half a k").unwrap();
        }
        let rotation = repository.rotate(&node("a"), at(2)).unwrap();
        assert_eq!(rotation.primary, 3, "{name}");
        let report = repository.check(&node("a")).unwrap();
        let primary = report.keys.last().unwrap();
        assert_eq!(primary.fingerprint, staged, "{name}: what was staged signs");
        assert_ne!(
            report.keys[0].fingerprint, staged,
            "{name}: and another is staged"
        );
        assert_eq!(numbers(&repository), [0, 2, 3], "{name}");
        let same = |warning: &Warning| matches!(warning, Warning::SameKey { .. });
        assert!(!report.warnings.iter().any(same), "{name}: {report:?}");
    }
}

#[test]
fn two_nodes_do_not_rotate_one_repository() {
    let folder = tempfile::tempdir().unwrap();
    let repository = fernet(&folder, 3);
    repository.create(&node("a"), at(0)).unwrap();
    let other = repository.rotate(&node("b"), at(10));
    assert!(
        matches!(&other, Err(RepositoryError::RotatedElsewhere { node, .. }) if node == "a"),
        "{other:?}"
    );
    assert_eq!(numbers(&repository), [0, 1], "and nothing changed");
    let report = repository.check(&node("b")).unwrap();
    let elsewhere = |warning: &Warning| matches!(warning, Warning::OtherNode { node, .. } if node == "a");
    assert!(report.warnings.iter().any(elsewhere), "{report:?}");
    repository.rotate_taking_over(&node("b"), at(20)).unwrap();
    assert!(repository.rotate(&node("a"), at(30)).is_err());
    repository.rotate(&node("b"), at(30)).unwrap();
}

#[test]
fn two_processes_do_not_rotate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let repository = fernet(&folder, 3);
    repository.create(&node("a"), at(0)).unwrap();
    let held = fs::File::open(repository.path()).unwrap();
    held.lock().unwrap();
    let second = repository.rotate(&node("a"), at(10));
    assert!(matches!(second, Err(RepositoryError::Busy { .. })), "{second:?}");
    drop(held);
    repository.rotate(&node("a"), at(10)).unwrap();
}

#[test]
fn more_keys_than_configured_are_told_of_and_go_at_the_next_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let wide = fernet(&folder, 6);
    wide.create(&node("a"), at(0)).unwrap();
    for time in 1..5 {
        wide.rotate(&node("a"), at(time)).unwrap();
    }
    assert_eq!(numbers(&wide), [0, 1, 2, 3, 4, 5]);
    let narrow = fernet(&folder, 3);
    let report = narrow.check(&node("a")).unwrap();
    let many = |warning: &Warning| {
        matches!(
            warning,
            Warning::TooManyKeys {
                found: 6,
                limit: 3,
                ..
            }
        )
    };
    assert!(report.warnings.iter().any(many), "{report:?}");
    let rotation = narrow.rotate(&node("a"), at(10)).unwrap();
    assert_eq!(rotation.removed, [1, 2, 3, 4]);
    assert_eq!(numbers(&narrow), [0, 5, 6]);
    for bad in [0, 1, 257] {
        assert!(FernetRepository::new("x", bad).is_err(), "{bad}");
    }
}

#[test]
fn a_repository_without_a_staged_key_still_works_and_gets_one() {
    let folder = tempfile::tempdir().unwrap();
    let repository = fernet(&folder, 3);
    repository.create(&node("a"), at(0)).unwrap();
    fs::remove_file(repository.path().join("0")).unwrap();
    assert!(repository.load().is_ok());
    let report = repository.check(&node("a")).unwrap();
    assert!(
        matches!(report.warnings[..], [Warning::NoStagedKey { .. }]),
        "{report:?}"
    );
    assert_eq!(repository.rotate(&node("a"), at(1)).unwrap().primary, 2);
    assert_eq!(numbers(&repository), [0, 1, 2]);
}

#[test]
fn a_mounted_repository_is_read_through_its_links_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let repository = fernet(&folder, 3);
    repository.create(&node("a"), at(0)).unwrap();
    // As an orchestrator lays it out: names are links to a link to a folder with the files.
    let mounted = folder.path().join("mounted");
    fs::create_dir_all(mounted.join("..2026_11")).unwrap();
    restrict(&mounted, 0o755);
    for key in ["0", "1"] {
        let file = mounted.join("..2026_11").join(key);
        fs::copy(repository.path().join(key), &file).unwrap();
        restrict(&file, 0o440);
        std::os::unix::fs::symlink(format!("..data/{key}"), mounted.join(key)).unwrap();
    }
    std::os::unix::fs::symlink("..2026_11", mounted.join("..data")).unwrap();
    let strict = FernetRepository::new(&mounted, 3).unwrap();
    assert!(strict.load().is_err());
    let lenient = strict.with_custody(Custody::Mounted);
    let report = lenient.check(&node("a")).unwrap();
    assert_eq!(report.keys.len(), 2, "{report:?}");
    assert!(
        report.faults.is_empty() && report.warnings.is_empty(),
        "{report:?}"
    );
    let rotated = lenient.rotate(&node("a"), at(1));
    assert!(
        matches!(rotated, Err(RepositoryError::ReadOnly { .. })),
        "{rotated:?}"
    );

    // A link that leads out is refused all the same.
    std::os::unix::fs::symlink(repository.path().join("1"), mounted.join("2")).unwrap();
    assert!(matches!(lenient.load(), Err(RepositoryError::Unsafe { .. })));
}

#[test]
fn jws_keys_are_published_before_they_sign_and_kept_until_they_are_retired() {
    let folder = tempfile::tempdir().unwrap();
    let repository = jws(&folder, "a");
    let algorithm = JwsAlgorithm::Es256;
    let first = repository.create(algorithm, &node("a"), at(0)).unwrap();
    assert_eq!(mode(repository.private_path()), 0o700);
    assert_eq!(mode(&repository.private_path().join("private.pem")), 0o600);
    let public = format!("{}.pem", &first.fingerprint()[..16]);
    assert_eq!(names(repository.public_path()), std::slice::from_ref(&public));
    assert_eq!(mode(&repository.public_path().join(&public)), 0o644);
    let again = repository.create(algorithm, &node("a"), at(0));
    assert!(
        matches!(again, Err(RepositoryError::AlreadyThere { .. })),
        "{again:?}"
    );

    let token = |now| {
        let issuer = repository.issuer(algorithm).unwrap();
        issuer
            .mint(&subject(), AuditId::new([1; 16]), at(now), at(now + 600))
            .unwrap()
    };
    let old = token(100);
    let next = repository.stage(algorithm).unwrap();
    assert_eq!(
        repository.stage(algorithm).unwrap(),
        next,
        "asked twice, the same key"
    );
    assert_eq!(repository.issuer(algorithm).unwrap().public_key(), &first);
    let report = repository.check(algorithm, &node("a")).unwrap();
    let mut roles: Vec<&str> = report
        .keys
        .iter()
        .map(|key| match key.role {
            JwsKeyRole::Signing => "signing",
            JwsKeyRole::Next => "next",
            JwsKeyRole::Verifying => "verifying",
        })
        .collect();
    roles.sort_unstable();
    assert_eq!(roles, ["next", "signing"]);
    let unused = repository.retire(algorithm, &next.fingerprint());
    assert!(matches!(unused, Err(RepositoryError::InUse { .. })), "{unused:?}");

    assert_eq!(repository.promote(algorithm, &node("a"), at(200)).unwrap(), next);
    assert!(
        matches!(
            repository.promote(algorithm, &node("a"), at(200)),
            Err(RepositoryError::Empty { .. })
        ),
        "nothing waits"
    );
    let new = token(200);
    let reader = || repository.reader(&[algorithm]).unwrap();
    assert!(reader().read(old.expose(), at(300)).is_ok());
    assert!(reader().read(new.expose(), at(300)).is_ok());
    repository.retire(algorithm, &first.fingerprint()).unwrap();
    assert!(reader().read(old.expose(), at(300)).is_err());
    assert!(reader().read(new.expose(), at(300)).is_ok());
    let report = repository.check(algorithm, &node("a")).unwrap();
    assert!(
        report.faults.is_empty() && report.warnings.is_empty(),
        "{report:?}"
    );
}

#[test]
fn nodes_are_compared_by_what_they_sign_and_what_they_take() {
    let folder = tempfile::tempdir().unwrap();
    let algorithm = JwsAlgorithm::EdDsa;
    let (a, b) = (jws(&folder, "a"), jws(&folder, "b"));
    let key_a = a.create(algorithm, &node("a"), at(0)).unwrap();
    let key_b = b.create(algorithm, &node("b"), at(0)).unwrap();
    let fernet_a = fernet(&folder, 3);
    fernet_a.create(&node("a"), at(0)).unwrap();
    let other = tempfile::tempdir().unwrap();
    let fernet_b = fernet(&other, 3);
    fernet_b.create(&node("b"), at(0)).unwrap();
    let compare = || {
        let keys = |name: &str, fernet: &FernetRepository, jws: &JwsRepository| {
            let fernet = fernet.check(&node(name)).unwrap();
            let jws = jws.check(algorithm, &node(name)).unwrap();
            NodeKeys::new(node(name), Some(&fernet), Some(&jws))
        };
        compare_nodes(&[keys("a", &fernet_a, &a), keys("b", &fernet_b, &b)])
    };
    let found = compare();
    let missing = |from: &str, on: &str| {
        found.iter().any(|one| {
            matches!(one, Disagreement::MissingPublicKey { node, issuer, .. }
                if node.as_str() == on && issuer.as_str() == from)
        })
    };
    assert!(missing("a", "b") && missing("b", "a"), "{found:?}");
    let fernet_missing = |one: &&Disagreement| matches!(one, Disagreement::MissingFernetKey { .. });
    assert_eq!(found.iter().filter(fernet_missing).count(), 2);

    a.publish(&key_b).unwrap();
    b.publish(&key_a).unwrap();
    for key in ["0", "1"] {
        fs::copy(fernet_a.path().join(key), fernet_b.path().join(key)).unwrap();
    }
    assert_eq!(compare(), []);

    // An old key that is half gone.
    let old = a.stage(algorithm).unwrap();
    assert!(matches!(compare()[..], [Disagreement::PublicKeyOnSome { .. }]));
    b.publish(&old).unwrap();
    assert_eq!(compare(), []);

    // One node's private key on the other: told by the comparison, and by the note beside it.
    fs::copy(
        a.private_path().join("private.pem"),
        b.private_path().join("private.pem"),
    )
    .unwrap();
    fs::copy(
        a.private_path().join(".sealstone-node"),
        b.private_path().join(".sealstone-node"),
    )
    .unwrap();
    let found = compare();
    assert!(
        found
            .iter()
            .any(|one| matches!(one, Disagreement::SharedPrivateKey { nodes } if nodes.len() == 2)),
        "{found:?}"
    );
    let report = b.check(algorithm, &node("b")).unwrap();
    assert!(
        report
            .warnings
            .iter()
            .any(|one| matches!(one, Warning::OtherNode { node, .. } if node == "a")),
        "{report:?}"
    );
}

#[test]
fn a_key_that_is_not_published_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let repository = jws(&folder, "a");
    repository.create(JwsAlgorithm::Es384, &node("a"), at(0)).unwrap();
    for name in names(repository.public_path()) {
        fs::remove_file(repository.public_path().join(name)).unwrap();
    }
    let report = repository.check(JwsAlgorithm::Es384, &node("a")).unwrap();
    assert!(
        matches!(report.warnings[..], [Warning::NotPublished { .. }]),
        "{report:?}"
    );
    assert!(repository.reader(&[JwsAlgorithm::Es384]).is_err());
}

/// Where the child of the next test rotates; unset, there is nothing to do.
const ROTATE_IN: &str = "SEALSTONE_TEST_ROTATE_IN";

#[test]
fn child_that_rotates_until_it_is_killed() {
    let Some(folder) = std::env::var_os(ROTATE_IN) else {
        return;
    };
    let repository = FernetRepository::new(folder, 3).unwrap();
    println!("rotating");
    loop {
        repository.rotate(&node("a"), at(0)).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_repository_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let repository = fernet(&folder, 3);
    repository.create(&node("a"), at(0)).unwrap();
    for kill in 0..12_u32 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_rotates_until_it_is_killed", "--nocapture"])
            .env(ROTATE_IN, repository.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        assert!(lines.any(|line| line.unwrap().contains("rotating")));
        // Wherever it is by now: some reads later, so that the kills fall on other moments.
        for _read in 0..kill {
            // What a service would find: whole keys.
            repository.load().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let report = repository.check(&node("a")).unwrap();
        assert!(report.faults.is_empty(), "{report:?}");
        let missing = |warning: &Warning| matches!(warning, Warning::NoStagedKey { .. });
        assert!(!report.warnings.iter().any(missing), "{report:?}");
        repository.rotate(&node("a"), at(1)).unwrap();
        let report = repository.check(&node("a")).unwrap();
        assert!(report.warnings.is_empty() && report.keys.len() == 3, "{report:?}");
    }
}
