//! The PKCS#11 token: `SoftHSM`, set up badly in each way that it can be; a shim before it says what it never says itself.

use std::{fs, path::PathBuf, process::Command};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use sealstone_testkit::SoftHsm;

use crate::world::{Bench, Diagnosis, Served};

const LABEL: &str = "sealstone";
const CHILD: &str = "SEALSTONE_TEST_HSM_CONFIG";
const ONLY: [&str; 2] = ["--only", "hsm"];

/// In a child process, whose own children find the token by `SOFTHSM2_CONF`.
fn with_token(name: &str, test: impl FnOnce(&mut Bench)) {
    if std::env::var_os(CHILD).is_some() {
        return test(&mut bench());
    }
    assert!(
        SoftHsm::module().is_some(),
        "SoftHSM is not installed: `cargo xtask setup`"
    );
    let hsm = SoftHsm::with_token(LABEL);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]);
    child.env("SOFTHSM2_CONF", hsm.config()).env(CHILD, hsm.config());
    let output = child.output().unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", told.concat());
}

fn bench() -> Bench {
    let mut bench = Bench::new();
    let module = SoftHsm::module().unwrap();
    bench.setup.write_private("pin", SoftHsm::PIN);
    for (key, value) in [
        ("module", format!("'{}'", module.display())),
        ("token_label", format!("'{LABEL}'")),
        ("pin_file", "'pin'".to_owned()),
    ] {
        bench.setup.set("pkcs11", key, &value);
    }
    bench
}

/// A tool of the token's, with what it knows that no user does.
struct Officer(Pkcs11);

impl Officer {
    fn new() -> Self {
        let module = Pkcs11::new(SoftHsm::module().unwrap()).unwrap();
        module
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .unwrap();
        Self(module)
    }

    fn log_in(&self, pin: &str) -> Option<Session> {
        let slots = self.0.get_slots_with_initialized_token().unwrap();
        let slot = slots
            .into_iter()
            .find(|slot| self.0.get_token_info(*slot).unwrap().label() == LABEL);
        let session = self.0.open_rw_session(slot.unwrap()).unwrap();
        session.login(UserType::User, Some(&AuthPin::from(pin))).ok()?;
        Some(session)
    }

    /// A token that has no user yet.
    fn add_token(&self, label: &str) {
        let slots = self.0.get_all_slots().unwrap();
        let free = slots.into_iter().find(|slot| {
            let info = self.0.get_token_info(*slot).unwrap();
            !info.token_initialized()
        });
        self.0
            .init_token(free.unwrap(), &AuthPin::from("so-pin-648"), label)
            .unwrap();
    }
}

fn elliptic(session: &Session) -> Vec<ObjectHandle> {
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(cryptoki::object::KeyType::EC),
    ];
    session.find_objects(&template).unwrap()
}

#[test]
fn a_good_token_is_told_to_be_good() {
    with_token("hsm::a_good_token_is_told_to_be_good", |bench| {
        let before = bench.diagnose(&ONLY);
        assert!(before.ids().is_empty() && before.checked("hsm"), "{before:?}");
        let server = bench.started();
        let done = server.diagnose(&ONLY);
        assert!(done.ids().is_empty() && done.checked("hsm"), "{done:?}");
        assert_eq!(done.status, 0);
    });
}

#[test]
fn modules() {
    with_token("hsm::modules", |bench| {
        let good = fs::read(SoftHsm::module().unwrap()).unwrap();
        let mut elsewhere = good.clone();
        // Its machine: that of another processor.
        elsewhere[18] = if cfg!(target_arch = "x86_64") { 183 } else { 62 };
        for (name, bytes) in [
            ("text.so", b"#!/bin/sh\n# this is no library\nexit 1\n".to_vec()),
            ("cut.so", good[..16].to_vec()),
            ("elsewhere.so", elsewhere),
            ("half.so", good[..good.len() / 2].to_vec()),
        ] {
            fs::write(bench.setup.path(name), bytes).unwrap();
        }
        let other = compiled(bench, "other", "int not_a_module(void) { return 1; }");
        let _needed = compiled(bench, "libneeded", "int needed(void) { return 1; }");
        let source = "extern int needed(void); int C_GetFunctionList(void) { return needed(); }";
        let lacking = linked(bench, "lacking", source, &["-L.", "-l:libneeded.so"]);
        fs::remove_file(bench.setup.path("libneeded.so")).unwrap();
        let lacking = format!("'{}'", lacking.display());
        let cases = [
            ("hsm-module-missing", "No such file", "'no-such.so'".to_owned()),
            (
                "hsm-module-not-a-library",
                "no shared object",
                "'text.so'".to_owned(),
            ),
            (
                "hsm-module-not-a-library",
                "no shared object",
                "'cut.so'".to_owned(),
            ),
            ("hsm-module-architecture", "is for", "'elsewhere.so'".to_owned()),
            (
                "hsm-module-not-a-library",
                "damaged or cut",
                "'half.so'".to_owned(),
            ),
            ("hsm-module-fails", "libneeded.so", lacking.clone()),
            (
                "hsm-module-not-pkcs11",
                "C_GetFunctionList",
                format!("'{}'", other.display()),
            ),
        ];
        for (id, seen, module) in cases {
            let module = match module.trim_matches('\'') {
                // As a path of its own: a bare name is looked for in the system's folders.
                name if !name.contains('/') => format!("'{}'", bench.setup.path(name).display()),
                _ => module,
            };
            bench.setup.set("pkcs11", "module", &module);
            bench.diagnose(&ONLY).has(id, seen);
        }
    });
}

#[test]
fn tokens() {
    with_token("hsm::tokens", |bench| {
        let officer = Officer::new();
        bench.setup.set("pkcs11", "token_label", "'another'");
        bench
            .diagnose(&ONLY)
            .has("hsm-token-unknown", "there are \"sealstone\"");
        officer.add_token("another");
        bench.diagnose(&ONLY).has("hsm-pin-unset", "another");
        bench.setup.set("pkcs11", "token_label", &format!("'{LABEL}'"));
        assert!(bench.diagnose(&ONLY).ids().is_empty());
        officer.add_token(LABEL);
        bench.diagnose(&ONLY).has("hsm-token-twice", "serial numbers");
        let config = std::env::var_os(CHILD).unwrap();
        let tokens = PathBuf::from(config).with_file_name("tokens");
        fs::remove_dir_all(&tokens).unwrap();
        fs::create_dir(&tokens).unwrap();
        bench.diagnose(&ONLY).has("hsm-slot-empty", "softhsm");
    });
}

/// A wrong PIN is tried once, and then not before somebody was let in; so no timer locks a token.
#[test]
fn pins() {
    with_token("hsm::pins", |bench| {
        bench.setup.remove("pkcs11", "pin_file");
        bench.diagnose(&ONLY).has("hsm-pin-missing", "has no PIN");
        bench.setup.set("pkcs11", "pin_file", "'no-such-pin'");
        bench.diagnose(&ONLY).has("hsm-pin-missing", "no-such-pin");
        bench.setup.set("pkcs11", "pin_file", "'pin'");
        bench.setup.write_private("pin", "0000-wrong");
        bench.diagnose(&ONLY).has("hsm-pin-wrong", LABEL);
        for _ in 0..3 {
            // All areas: nothing else tries it either.
            let done = bench.diagnose(&[]);
            done.has("hsm-pin-not-tried", LABEL);
            done.has_not("hsm-pin-wrong");
        }
        // Corrected: tried when that is asked for, and then all is well.
        bench.setup.write_private("pin", SoftHsm::PIN);
        bench.diagnose(&ONLY).has("hsm-pin-not-tried", LABEL);
        let done = bench.diagnose(&["--only", "hsm", "--try-pin"]);
        assert!(done.ids().is_empty(), "{done:?}");
        assert!(bench.diagnose(&ONLY).ids().is_empty());
        assert!(!format!("{done:?}").contains(SoftHsm::PIN));
    });
}

/// What `SoftHSM` never says: it counts no tries, and opens every session that is asked for.
const SHIM: &str = r#"
#include <dlfcn.h>
#include <string.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
struct list { unsigned char version[2]; void *calls[68]; };
static struct list own;
static long (*token_info)(unsigned long, unsigned char *);
static long (*open_session)(unsigned long, unsigned long, void *, void *, unsigned long *);
static long (*close_session)(unsigned long);
static long (*close_all)(unsigned long);
static long (*login)(unsigned long, unsigned long, unsigned char *, unsigned long);
static long opened;
static long said(const char *name, long otherwise) { const char *text = getenv(name); return text ? atol(text) : otherwise; }
static long said_of_the_token(unsigned long slot, unsigned char *info) {
    long answer = token_info(slot, info);
    unsigned long *numbers = (unsigned long *)(info + 32 + 32 + 16 + 16);
    numbers[0] |= (unsigned long)said("SHIM_FLAGS", 0);
    if (said("SHIM_TOLD", 0)) { numbers[1] = numbers[3] = (unsigned long)said("SHIM_TOLD", 0); }
    return answer;
}
static long counted_open(unsigned long slot, unsigned long flags, void *a, void *b, unsigned long *handle) {
    if (opened >= said("SHIM_SESSIONS", 1000)) { return 0xB1; }
    long answer = open_session(slot, flags, a, b, handle);
    if (answer == 0) { opened++; }
    return answer;
}
static long counted_close(unsigned long handle) { opened--; return close_session(handle); }
static long counted_close_all(unsigned long slot) { opened = 0; return close_all(slot); }
static long noted_login(unsigned long session, unsigned long user, unsigned char *pin, unsigned long length) {
    const char *note = getenv("SHIM_NOTE");
    if (note) { int file = open(note, O_WRONLY | O_CREAT | O_APPEND, 0600); (void)!write(file, "login\n", 6); close(file); }
    return login(session, user, pin, length);
}
long C_GetFunctionList(struct list **out) {
    void *library = dlopen(getenv("SHIM_MODULE"), RTLD_NOW);
    long (*get)(struct list **) = (long (*)(struct list **))dlsym(library, "C_GetFunctionList");
    struct list *real;
    long answer = get(&real);
    if (answer != 0) { return answer; }
    memcpy(&own, real, sizeof own);
    token_info = real->calls[6]; own.calls[6] = said_of_the_token;
    open_session = real->calls[12]; own.calls[12] = counted_open;
    close_session = real->calls[13]; own.calls[13] = counted_close;
    close_all = real->calls[14]; own.calls[14] = counted_close_all;
    login = real->calls[18]; own.calls[18] = noted_login;
    *out = &own;
    return 0;
}
"#;

fn compiled(bench: &Bench, name: &str, source: &str) -> PathBuf {
    linked(bench, name, source, &["-ldl"])
}

fn linked(bench: &Bench, name: &str, source: &str, with: &[&str]) -> PathBuf {
    let library = bench.setup.path(&format!("{name}.so"));
    let text = bench.setup.path(&format!("{name}.c"));
    fs::write(&text, source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.current_dir(bench.setup.path("."));
    compiler
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&text)
        .args(with);
    assert!(compiler.status().unwrap().success());
    library
}

#[test]
fn what_a_token_says_of_its_pin_and_its_sessions() {
    with_token("hsm::what_a_token_says_of_its_pin_and_its_sessions", |bench| {
        let shim = compiled(bench, "shim", SHIM);
        let note = bench.setup.path("logins");
        bench
            .setup
            .set("pkcs11", "module", &format!("'{}'", shim.display()));
        bench.setup.set("pkcs11", "sessions", "3");
        let ask = |settings: &[(&str, &str)], more: &[&str]| {
            let _none_yet = fs::remove_file(&note);
            bench.setup.write_config();
            let mut program = crate::world::program();
            program
                .env("SHIM_MODULE", SoftHsm::module().unwrap())
                .env("SHIM_NOTE", &note)
                .envs(settings.iter().copied());
            let arguments = [&["--output", "json"], more].concat();
            let output = crate::world::doctor(&bench.setup, "sealstoned.toml", &arguments, &mut program);
            let logins = fs::read_to_string(&note).unwrap_or_default().lines().count();
            (Diagnosis::of(&output), logins)
        };
        let (good, logins) = ask(&[], &ONLY);
        assert!(good.ids().is_empty(), "{good:?}");
        assert!(logins >= 1, "the shim sees logins");
        // CKF_USER_PIN_FINAL_TRY and CKF_USER_PIN_LOCKED.
        for (flags, id) in [("131072", "hsm-pin-last-try"), ("262144", "hsm-pin-locked")] {
            for more in [&ONLY[..], &["--try-pin"], &["--only", "hsm", "--try-pin"], &[]] {
                let (done, logins) = ask(&[("SHIM_FLAGS", flags)], more);
                done.has(id, LABEL);
                assert_eq!(logins, 0, "{id} {more:?}");
            }
        }
        for (settings, seen) in [
            (("SHIM_TOLD", "2"), "pkcs11.sessions is 3, the token opens 2"),
            (("SHIM_SESSIONS", "2"), "opens no session more"),
        ] {
            let (done, _logins) = ask(&[settings], &ONLY);
            done.has("hsm-sessions", seen);
        }
        let (done, _logins) = ask(&[("SHIM_TOLD", "3"), ("SHIM_SESSIONS", "3")], &ONLY);
        assert!(done.ids().is_empty(), "{done:?}");
        // As a token whose service is down says it when somebody logs in.
        let failing = SHIM.replace(
            "return login(session, user, pin, length);",
            "(void)login; (void)session; (void)user; (void)pin; (void)length; return 0x30;",
        );
        let _compiled = compiled(bench, "shim", &failing);
        let (done, logins) = ask(&[], &ONLY);
        done.has("hsm-login-fails", "DeviceError");
        assert!(logins <= 2, "{logins}");
    });
}

/// Serves until its keys are made, in the token.
fn with_keys(bench: &mut Bench) -> Served {
    let server = bench.started();
    assert!(server.diagnose(&ONLY).ids().is_empty());
    server
}

#[test]
fn keys() {
    with_token("hsm::keys", |bench| {
        let server = with_keys(bench);
        let officer = Officer::new();
        let session = officer.log_in(SoftHsm::PIN).unwrap();
        let handles = elliptic(&session);
        let key = *handles.first().unwrap();
        let attributes = session
            .get_attributes(key, &[AttributeType::Id, AttributeType::EcParams])
            .unwrap();
        let set = |sign: bool| {
            session.update_attributes(key, &[Attribute::Sign(sign)]).unwrap();
        };
        set(false);
        server.diagnose(&ONLY).has("hsm-key-not-signing", "domain demo, ");
        set(true);
        assert!(server.diagnose(&ONLY).ids().is_empty());

        session.destroy_object(key).unwrap();
        server.diagnose(&ONLY).has("hsm-key-missing", "has no key");

        // Another of the same name.
        let id = attributes
            .iter()
            .find(|one| matches!(one, Attribute::Id(_)))
            .unwrap();
        let parameters = attributes
            .iter()
            .find(|one| matches!(one, Attribute::EcParams(_)));
        let public = [Attribute::Token(true), id.clone(), parameters.unwrap().clone()];
        let private = [Attribute::Token(true), id.clone(), Attribute::Sign(true)];
        session
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
            .unwrap();
        let done = server.diagnose(&ONLY);
        done.has("hsm-key-other", "does not belong to the public key");
        done.has_not("hsm-key-missing");
    });
}
