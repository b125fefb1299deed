//! Tokens shown and verified, each refusal with its reason.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    issuer::{Answer, Request, TestIssuer},
    program::{now, sealstone, text, with_input},
};
use sealstone_jose::{Algorithm, JwkSet, JwtEncoder, KeyId, PrivateKey, Signer, base64url};
use sealstone_mtls::ClientCertificate;
use serde_json::{Value, json};
use tempfile::TempDir;

const ISSUER: &str = "https://id.example.org/v4/oauth2/demo";

struct World {
    folder: TempDir,
    encoder: JwtEncoder,
    thumbprint: String,
}

fn signer(kid: &str) -> Arc<Signer> {
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    Arc::new(Signer::new(&key, KeyId::parse(kid).unwrap()).unwrap())
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = signer("k1");
        let keys = JwkSet::new(vec![signer.public_jwk().clone()]).unwrap();
        fs::write(folder.path().join("jwks.json"), keys.to_json()).unwrap();
        for name in ["holder", "thief"] {
            let out = folder.path().join(name);
            sealstone(&[
                "ca",
                "issue",
                "--self-signed",
                "--subject",
                &format!("CN={name}"),
                "--out",
                text(&out),
            ])
            .ok();
        }
        let pem = fs::read_to_string(folder.path().join("holder.pem")).unwrap();
        let thumbprint = ClientCertificate::from_pem(&pem)
            .unwrap()
            .thumbprint()
            .to_string();
        Self {
            folder,
            encoder: JwtEncoder::new(signer, "at+jwt").unwrap(),
            thumbprint,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn claims(&self) -> Value {
        let now = now().as_secs();
        json!({
            "iss": ISSUER, "sub": "ci", "aud": "https://builds.example.org", "client_id": "ci", "iat": now,
            "nbf": now, "exp": now + 3600, "jti": "1", "scope": "builds:read",
            "cnf": {"x5t#S256": self.thumbprint},
        })
    }

    fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        self.encoder.encode_to_string(&claims).unwrap()
    }

    fn verify(&self, token: &str, more: &[&str]) -> crate::program::Done {
        let jwks = self.path("jwks.json");
        let mut all = vec!["jwt", "verify", "--jwks", text(&jwks), "--issuer", ISSUER];
        all.extend(more);
        all.push(token);
        sealstone(&all)
    }
}

#[test]
fn a_good_token_holds_and_each_fault_has_its_reason() {
    let world = World::new();
    let (holder, thief) = (world.path("holder.pem"), world.path("thief.pem"));
    let (holder, thief) = (text(&holder), text(&thief));
    let good = world.token(|_| {});
    let meant = ["--audience", "https://builds.example.org"];
    let shown = world.verify(
        &good,
        &[&meant[..], &["--cert", holder, "--output", "json"]].concat(),
    );
    assert!(shown.err.contains("VERIFIED"), "{}", shown.err);
    let shown = shown.json();
    assert_eq!(
        (&shown["verified"], &shown["claims"]["sub"]),
        (&true.into(), &"ci".into())
    );

    world
        .verify(&good, &["--cert", thief])
        .refused(1, "bound to another certificate");
    world
        .verify(&good, &["--audience", "https://other.example"])
        .refused(1, "`aud`");
    world.verify(&good, &["--alg", "EdDSA"]).refused(1, "--alg");
    world
        .verify(&world.token(|claims| claims["exp"] = 5.into()), &meant)
        .refused(1, "get a new one");
    world
        .verify(
            &world.token(|claims| claims["iat"] = 9_999_999_999_u64.into()),
            &meant,
        )
        .refused(1, "clocks");
    world
        .verify(
            &world.token(|claims| claims["iss"] = "https://x.example".into()),
            &meant,
        )
        .refused(1, "`iss`");
    let unbound = world.token(|claims| drop(claims.as_object_mut().unwrap().remove("cnf")));
    world
        .verify(&unbound, &["--cert", holder])
        .refused(1, "not bound");
    let of_stranger = JwtEncoder::new(signer("k2"), "at+jwt")
        .unwrap()
        .encode_to_string(&world.claims())
        .unwrap();
    world
        .verify(&of_stranger, &meant)
        .refused(1, "not in the key set");
    let forged = JwtEncoder::new(signer("k1"), "at+jwt")
        .unwrap()
        .encode_to_string(&world.claims())
        .unwrap();
    world.verify(&forged, &meant).refused(1, "refused");
    let id_token = JwtEncoder::new(world.encoder.signer().clone(), "JWT").unwrap();
    let id_token = id_token.encode_to_string(&world.claims()).unwrap();
    world.verify(&id_token, &meant).refused(1, "`typ`");
}

#[test]
fn what_was_not_checked_is_said() {
    let world = World::new();
    let jwks = world.path("jwks.json");
    let good = world.token(|_| {});
    let done = sealstone(&["jwt", "verify", "--jwks", text(&jwks), &good]);
    for said in [
        "--issuer is not given",
        "--audience is not given",
        "give --cert FILE",
    ] {
        assert!(done.err.contains(said), "{said}: {}", done.err);
    }
    done.ok();
    sealstone(&["jwt", "verify", &good]).refused(2, "--issuer");
}

#[test]
fn inspecting_verifies_nothing_and_says_so_loudly() {
    let world = World::new();
    let good = world.token(|_| {});
    let done = sealstone(&["jwt", "inspect", &good]);
    assert!(done.err.contains("UNVERIFIED"), "{}", done.err);
    let shown = done.ok();
    assert!(shown.starts_with("UNVERIFIED\n"), "{shown}");
    assert!(
        shown.contains("(in 60 min)") || shown.contains("(in 59 min)"),
        "{shown}"
    );
    assert!(shown.lines().all(|line| line == line.trim_end()));

    // The header line of `sealstone token --format header`, on standard input.
    let line = format!("Authorization: Bearer {good}\n");
    let done = with_input(&["jwt", "inspect", "--output", "json"], line.as_bytes());
    let shown = done.json();
    assert_eq!(
        (&shown["verified"], &shown["header"]["typ"]),
        (&false.into(), &"at+jwt".into())
    );

    // Also what we would never accept is shown, and nothing in it steers the terminal.
    let part = |value: Value| base64url::encode(value.to_string());
    let odd = format!(
        "{}.{}.",
        part(json!({"alg": "none"})),
        part(json!({"sub": "\u{1b}[31mred", "exp": -1}))
    );
    let shown = sealstone(&["jwt", "inspect", &odd]).ok();
    assert!(shown.contains("none") && !shown.contains('\u{1b}'), "{shown:?}");

    for (wrong, said) in [
        ("abc", "three parts"),
        ("a.b.c.d", "three parts"),
        ("%.e30.", "base64url"),
        ("e30.W10.", "JSON"),
    ] {
        sealstone(&["jwt", "inspect", wrong]).refused(1, said);
    }
    with_input(&["jwt", "inspect"], b"").refused(2, "no token");
}

#[test]
fn an_issuer_that_cannot_be_reached_is_said_so() {
    let (issuer, other) = (TestIssuer::start(nothing), TestIssuer::start(nothing));
    let verify = |url: &str, ca: &Path| {
        sealstone(&["jwt", "verify", "--issuer", url, "--ca", text(ca), "e30.e30.c2ln"])
    };
    verify("https://127.0.0.1:1", &issuer.ca_pem()).refused(1, "is sealstoned running?");
    verify(&issuer.url, &other.ca_pem()).refused(1, "name its CA by --ca FILE");
}

fn nothing(_: &Request) -> Answer {
    Answer::json("404 Not Found", &"{}")
}
