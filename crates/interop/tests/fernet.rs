//! `sealstone-fernet` and a real Keystone read what the other writes: every kind of token, receipts, and key
//! repositories.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_fernet::{
    AuditId, AuditIds, AuthMethods, FernetReceipts, FernetRepository, FernetTokens, Iv, JwsAlgorithm,
    JwsPrivateKey, JwsRepository, JwsTokenIssuer, KeystoneId, NodeName, RepositoryError, Scope, TokenClaims,
    TokenSubject,
};
use sealstone_interop::{KeystoneLab, LabOptions};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// All kinds that the client makes; receipts are told apart.
const KINDS: usize = 16;

fn node() -> NodeName {
    NodeName::parse("test").unwrap()
}

fn after(time: UnixTime, seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs() + seconds))
}

fn id(text: &str) -> KeystoneId {
    KeystoneId::parse(text).unwrap()
}

/// `[auth] methods` of a lab.
fn methods(lab: &KeystoneLab) -> AuthMethods {
    let text = fs::read_to_string(lab.folder().join("lab.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&str> = file["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    AuthMethods::new(&names).unwrap()
}

/// Logs in in every way, or with a receipt: kind and token.
fn issued(lab: &KeystoneLab, receipt: Option<&str>) -> Vec<(String, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/keystone_tokens.py");
    let output = Command::new(lab.program("python"))
        .arg(script)
        .arg(lab.folder())
        .args(receipt)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    found
        .iter()
        .map(|one| (text(one, "kind"), text(one, "token")))
        .collect()
}

/// What Keystone says, but for what names the one token, and in an order that stays.
fn settled(mut said: Value) -> Value {
    let members = said.as_object_mut().unwrap();
    for own in ["audit_ids", "issued_at", "catalog"] {
        members.remove(own);
    }
    for list in ["roles", "methods"] {
        if let Some(items) = members.get_mut(list).and_then(Value::as_array_mut) {
            items.sort_by_key(Value::to_string);
        }
    }
    said
}

/// The same token under another name, with a chain of its own.
fn renamed(claims: &TokenClaims) -> TokenClaims {
    let mut octets = *claims.audit_ids.own.octets();
    octets[0] ^= 0xff;
    TokenClaims {
        audit_ids: AuditIds {
            own: AuditId::new(octets),
            chain: Some(claims.audit_ids.own),
        },
        ..claims.clone()
    }
}

/// Keystone says the same of `ours` as of `theirs`, and names it as we did.
#[track_caller]
fn same(lab: &KeystoneLab, kind: &str, theirs: &str, ours: &str, claims: &TokenClaims) {
    let said = lab
        .validated(theirs)
        .unwrap_or_else(|| panic!("{kind}: Keystone's own"));
    let of_ours = lab
        .validated(ours)
        .unwrap_or_else(|| panic!("{kind}: ours is refused"));
    let named = [Some(claims.audit_ids.own), claims.audit_ids.chain];
    let named: Vec<String> = named.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(of_ours["audit_ids"], serde_json::json!(named), "{kind}");
    assert_eq!(of_ours["issued_at"], said["issued_at"], "{kind}");
    assert_eq!(settled(of_ours), settled(said), "{kind}");
}

#[test]
fn keystone_and_we_read_each_others_fernet_tokens_of_every_kind() {
    let lab = KeystoneLab::shared();
    let keys = |name: &str| FernetRepository::new(lab.folder().join("keys").join(name), 3).unwrap();
    let repository = keys("fernet");
    let report = repository.check(&node()).unwrap();
    assert!(report.faults.is_empty(), "{report:?}");
    let tokens = FernetTokens::new(repository.load().unwrap(), methods(lab), id("default"));
    let receipts = FernetReceipts::new(keys("receipt").load().unwrap(), methods(lab));
    let found = issued(lab, None);
    let mut versions = std::collections::BTreeSet::new();
    for (kind, token) in &found {
        if kind == "receipt" {
            // A receipt lives on from its beginning; the first second is as good as any.
            let read = |now| receipts.read(token, now);
            let receipt = read(UnixTime::now()).unwrap();
            assert_eq!(receipt.user_id.as_str(), lab.seed().user("bob").id);
            assert_eq!(receipt.methods, ["password"]);
            assert!(read(receipt.expires_at).is_err());
            let ours = receipts.issue(&receipt, Iv::generate().unwrap()).unwrap();
            assert_ne!(&ours, token);
            let after = issued(lab, Some(&ours));
            let said = lab.validated(&after[0].1).unwrap();
            assert_eq!(
                said["methods"].as_array().unwrap().len(),
                2,
                "Keystone took our receipt: {said}"
            );
            continue;
        }
        let read = tokens
            .read(token, UnixTime::now())
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(&tokens.issue(&read.claims, read.iv).unwrap(), token, "{kind}");
        versions.insert(read.version);
        let claims = renamed(&read.claims);
        let ours = tokens.issue(&claims, Iv::generate().unwrap()).unwrap();
        same(lab, kind, token, &ours, &claims);
    }
    assert_eq!(found.len(), KINDS + 1);
    assert_eq!(versions.len(), 11, "every layout: {versions:?}");
}

#[test]
fn keystone_and_we_read_each_others_jws_tokens_of_every_kind() {
    let lab = KeystoneLab::shared_jws();
    let keys = lab.folder().join("keys/jws");
    let repository = JwsRepository::new(keys.join("private"), keys.join("public"));
    let open = repository.issuer(JwsAlgorithm::Es256);
    assert!(
        matches!(open, Err(RepositoryError::Unsafe { .. })),
        "keystone-manage leaves the private key readable by all, and we say so: {open:?}"
    );
    let reader = repository.reader(&[JwsAlgorithm::Es256]).unwrap();
    let issuer = JwsTokenIssuer::new(JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap());
    lab.trust_jws_key("fernet-tests", &issuer.public_key().to_pem().unwrap());
    let found = issued(lab, None);
    for (kind, token) in found.iter().filter(|(kind, _token)| kind != "receipt") {
        let read = reader
            .read(token, UnixTime::now())
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
        let claims = renamed(&read);
        same(lab, kind, token, &issuer.sign(&claims).unwrap(), &claims);
    }
    assert_eq!(found.len(), KINDS + 1);
    lab.distrust_jws_key("fernet-tests");
}

/// Status of a validation by the token itself; `None` when Keystone closes the connection instead.
fn status(lab: &KeystoneLab, token: &str) -> Option<u16> {
    asked(lab, "GET", token)
}

fn asked(lab: &KeystoneLab, method: &str, token: &str) -> Option<u16> {
    let host = lab.url().trim_start_matches("http://").trim_end_matches("/v3");
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{method} /v3/auth/tokens?nocatalog HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nx-auth-token: {token}\r\n\
         x-subject-token: {token}\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    // A connection that is reset says as much as one that is closed.
    let _read = stream.read_to_string(&mut answer);
    answer.split(' ').nth(1)?.parse().ok()
}

#[test]
fn minted_tokens_of_each_algorithm_and_what_an_operator_may_do_to_the_folders() {
    let all = JwsAlgorithm::ALL.map(JwsAlgorithm::as_str).join(",");
    let lab = KeystoneLab::start(
        &LabOptions::new()
            .jws()
            .set("jwt_tokens.jws_accepted_algorithms", &all),
    );
    let keys = lab.folder().join("keys/jws");
    let ours = lab.folder().join("ours");
    let repository = JwsRepository::new(&ours, keys.join("public"));
    let machine = lab.machine(&["member"]);
    let subject = TokenSubject::certificate(id(&machine.user_id), id(&machine.project_id), "a thumbprint=");
    let mint = |issuer: &JwsTokenIssuer, now: UnixTime| {
        let minted = issuer
            .mint(&subject, AuditId::new([7; 16]), now, after(now, 600))
            .unwrap();
        minted.expose().to_owned()
    };

    for algorithm in JwsAlgorithm::ALL {
        let issuer = JwsTokenIssuer::new(JwsPrivateKey::generate(algorithm).unwrap());
        let token = mint(&issuer, UnixTime::now());
        assert_eq!(status(&lab, &token), Some(401), "{algorithm}: not trusted yet");
        repository.publish(issuer.public_key()).unwrap();
        let said = lab.validated(&token).unwrap();
        assert_eq!(said["user"]["id"], *machine.user_id, "{algorithm}");
        assert_eq!(
            said["oauth2_credential"]["x5t#S256"], "a thumbprint=",
            "{algorithm}"
        );
        assert_eq!(
            said["methods"],
            serde_json::json!(["oauth2_credential"]),
            "{algorithm}"
        );
    }

    // A node whose clock is a moment ahead: what it dates back is taken; beyond that Keystone answers nothing good.
    repository
        .create(JwsAlgorithm::Es256, &node(), UnixTime::now())
        .unwrap();
    let issuer = repository.issuer(JwsAlgorithm::Es256).unwrap();
    assert_eq!(status(&lab, &mint(&issuer, after(UnixTime::now(), 1))), Some(200));
    let ahead = status(&lab, &mint(&issuer, after(UnixTime::now(), 60)));
    assert!(!matches!(ahead, Some(200..=299)), "{ahead:?}");

    // Staged, published, promoted: tokens of both keys are taken, and none of a retired one.
    let token = mint(&issuer, UnixTime::now());
    repository.stage(JwsAlgorithm::Es256).unwrap();
    repository
        .promote(JwsAlgorithm::Es256, &node(), UnixTime::now())
        .unwrap();
    let next = repository.issuer(JwsAlgorithm::Es256).unwrap();
    let newer = mint(&next, UnixTime::now());
    assert_eq!(
        (status(&lab, &token), status(&lab, &newer)),
        (Some(200), Some(200))
    );
    repository
        .retire(JwsAlgorithm::Es256, &issuer.public_key().fingerprint())
        .unwrap();
    assert_eq!(
        (status(&lab, &token), status(&lab, &newer)),
        (Some(401), Some(200))
    );

    // One bad file, and Keystone fails on the tokens of every key behind it in the folder (chance orders them; for
    // this token it looks at all of them). The check names it.
    let bad = keys.join("public/notes.txt");
    for content in ["", "-----BEGIN PUBLIC KEY-----\nMFkwEwYH", "our keys"] {
        fs::write(&bad, content).unwrap();
        assert_eq!(status(&lab, &token), Some(500), "{content:?}");
        let report = repository.check(JwsAlgorithm::Es256, &node()).unwrap();
        let named = report
            .faults
            .iter()
            .any(|fault| fault.to_string().contains("notes.txt"));
        assert!(named, "{report:?}");
    }
    fs::remove_file(&bad).unwrap();
    assert_eq!(
        (status(&lab, &token), status(&lab, &newer)),
        (Some(401), Some(200))
    );

    // What Keystone does not check, so that the minter must: whose the credential is.
    let other = lab.machine(&["member"]);
    let foreign = TokenSubject::application_credential(
        id(&other.credential_id),
        id(&machine.user_id),
        id(&machine.project_id),
    );
    let now = UnixTime::now();
    let foreign = next
        .mint(&foreign, AuditId::new([8; 16]), now, after(now, 60))
        .unwrap();
    assert_eq!(status(&lab, foreign.expose()), Some(200));
    // And when it ends: Keystone looks at that only when it issues a token itself.
    let now = UnixTime::now();
    let end = i64::try_from(after(now, 4).as_secs()).unwrap();
    let end = OffsetDateTime::from_unix_timestamp(end)
        .unwrap()
        .format(&Rfc3339)
        .unwrap();
    let short = lab.machine_with(&["member"], &serde_json::json!({ "expires_at": end }));
    let login = serde_json::json!({"auth": {"identity": {
        "methods": ["application_credential"],
        "application_credential": {"id": short.credential_id, "secret": short.credential_secret},
    }}});
    let refused = || lab.request("POST", "/auth/tokens", None, Some(&login)).status == 401;
    let deadline = after(now, 60);
    while !refused() {
        assert!(UnixTime::now() < deadline, "the credential ends");
    }
    let ended = TokenSubject::application_credential(
        id(&short.credential_id),
        id(&short.user_id),
        id(&short.project_id),
    );
    let now = UnixTime::now();
    let ended = next
        .mint(&ended, AuditId::new([9; 16]), now, after(now, 60))
        .unwrap();
    assert_eq!(status(&lab, ended.expose()), Some(200));

    // Revoked like any other.
    assert_eq!(asked(&lab, "DELETE", &newer), Some(204));
    assert_eq!(status(&lab, &newer), Some(401));
}

/// `keystone-manage` over a repository of its own, without a running Keystone.
struct Manage {
    folder: tempfile::TempDir,
}

impl Manage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[fernet_tokens]\nkey_repository = {0}/fernet\nmax_active_keys = 4\n",
            folder.path().display()
        );
        fs::write(folder.path().join("keystone.conf"), text).unwrap();
        Self { folder }
    }

    fn run(&self, command: &str) {
        let owner = fs::metadata(self.folder.path()).unwrap();
        let program = KeystoneLab::python().with_file_name("keystone-manage");
        let output = Command::new(program)
            .arg("--config-file")
            .arg(self.folder.path().join("keystone.conf"))
            .arg(command)
            .args(["--keystone-user", &owner.uid().to_string()])
            .args(["--keystone-group", &owner.gid().to_string()])
            .env("PYTHONWARNINGS", "ignore")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn repository(&self) -> FernetRepository {
        FernetRepository::new(self.folder.path().join("fernet"), 4).unwrap()
    }
}

fn numbers(repository: &FernetRepository) -> Vec<u32> {
    let report = repository.check(&node()).unwrap();
    assert!(report.faults.is_empty(), "{report:?}");
    report.keys.iter().map(|key| key.number).collect()
}

#[test]
fn keystone_manage_and_we_rotate_one_repository() {
    let ours = Manage::new();
    let repository = ours.repository();
    let now = UnixTime::now();
    repository.create(&node(), now).unwrap();
    let tokens = |repository: &FernetRepository| {
        FernetTokens::new(repository.load().unwrap(), AuthMethods::default(), id("default"))
    };
    let claims = TokenClaims {
        subject: TokenSubject::new(id("alice"), &["password"], Scope::Unscoped),
        audit_ids: AuditId::new([1; 16]).into(),
        issued_at: now,
        expires_at: after(now, 3600),
    };
    let token = tokens(&repository)
        .issue(&claims, Iv::generate().unwrap())
        .unwrap();
    ours.run("fernet_rotate");
    assert_eq!(numbers(&repository), [0, 1, 2]);
    assert_eq!(
        tokens(&repository).read(&token, now).unwrap().key,
        1,
        "the primary is Keystone's new one"
    );
    repository.rotate(&node(), now).unwrap();
    ours.run("fernet_rotate");
    assert_eq!(numbers(&repository), [0, 2, 3, 4]);
    assert!(tokens(&repository).read(&token, now).is_err(), "its key is gone");

    let theirs = Manage::new();
    theirs.run("fernet_setup");
    let repository = theirs.repository();
    assert_eq!(numbers(&repository), [0, 1]);
    repository.rotate(&node(), now).unwrap();
    theirs.run("fernet_rotate");
    assert_eq!(numbers(&repository), [0, 1, 2, 3]);
}
