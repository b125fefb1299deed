//! People of one test's own in the shared lab, and the sources that ask about them.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use rustls_pki_types::UnixTime;
use sealstone_fernet::{JwsAlgorithm, JwsPrivateKey, JwsTokenIssuer};
use sealstone_identity::{
    DomainId, LoggedIn, LoginError, LoginRefusal, LoginSource as _, LoginStep, OpenLogin, Passcode,
    PasswordAttempt, ProjectId, UserId,
};
use sealstone_interop::{KeystoneLab, LabMachine};
use sealstone_keystone::{
    Authentication, DomainKey, EntropyFailed, KeystoneClient, KeystoneConfig, KeystoneIdentity,
    KeystonePeople, LoginScope, Secret, TokenMint, UserKey,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
/// 20 octets in base32, as the lab's own.
pub(crate) const TOTP_SECRET: &str = "NRQWELLUN52HALLTMVRXEZLUFUYDAMBS";

pub(crate) fn client(lab: &KeystoneLab) -> KeystoneClient {
    let config = KeystoneConfig::new(lab.url())
        .unwrap()
        .with_call_deadline(PATIENCE);
    KeystoneClient::new(&config).unwrap()
}

/// The cloud's administrator.
pub(crate) fn admin(lab: &KeystoneLab) -> Authentication {
    let user = UserKey::Name {
        name: "admin".to_owned(),
        domain: DomainKey::Id(DomainId::parse("default").unwrap()),
    };
    let secret = Secret::from(lab.environment()["OS_PASSWORD"].as_str());
    Authentication::password(user, secret).with_scope(LoginScope::System)
}

/// An identity source with the administrator as its service account.
pub(crate) fn identity(lab: &KeystoneLab) -> KeystoneIdentity {
    KeystoneIdentity::builder(client(lab))
        .with_service_account(admin(lab))
        .with_poll_interval(Duration::from_millis(100))
        .build()
}

pub(crate) fn people(lab: &KeystoneLab) -> KeystonePeople {
    KeystonePeople::new(identity(lab))
}

/// The same without a service account, by tokens made here.
pub(crate) fn minting_people(lab: &KeystoneLab, key: &str) -> KeystonePeople {
    let own = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
    let key = format!("{key}-{}", std::process::id());
    lab.trust_jws_key(&key, &own.public_key().to_pem().unwrap());
    let entropy = |octets: &mut [u8; 16]| aws_lc_rs::rand::fill(octets).map_err(|_failed| EntropyFailed);
    let mint = TokenMint::new(JwsTokenIssuer::new(own), Duration::from_secs(600), entropy);
    KeystonePeople::new(KeystoneIdentity::builder(client(lab)).with_mint(mint).build())
}

/// A person of domain `acme` with these roles on a project of their own.
pub(crate) struct Somebody {
    pub(crate) lab: &'static KeystoneLab,
    pub(crate) made: LabMachine,
}

impl Somebody {
    pub(crate) fn new(lab: &'static KeystoneLab, roles: &[&str]) -> Self {
        let made = lab.machine(roles);
        Self { lab, made }
    }

    /// Who needs a code beside the password.
    pub(crate) fn with_code(lab: &'static KeystoneLab) -> Self {
        let somebody = Self::new(lab, &["member"]);
        let credential = json!({"credential": {
            "type": "totp", "blob": TOTP_SECRET, "user_id": somebody.made.user_id,
        }});
        lab.change("POST", "/credentials", Some(&credential));
        somebody.rules(&json!([["password", "totp"]]));
        somebody
    }

    pub(crate) fn rules(&self, rules: &Value) {
        self.change(&json!({"options": {
            "multi_factor_auth_enabled": true, "multi_factor_auth_rules": rules,
        }}));
    }

    /// What the administrator changes of the user.
    pub(crate) fn change(&self, user: &Value) {
        let path = format!("/users/{}", self.made.user_id);
        self.lab.change("PATCH", &path, Some(&json!({"user": user})));
    }

    pub(crate) fn id(&self) -> UserId {
        UserId::parse(&self.made.user_id).unwrap()
    }

    pub(crate) fn project(&self) -> ProjectId {
        ProjectId::parse(&self.made.project_id).unwrap()
    }

    pub(crate) async fn begin(&self, people: &KeystonePeople) -> Result<LoginStep, LoginError> {
        begin(
            people,
            &self.made.domain_id,
            &self.made.user_name,
            &self.made.password,
        )
        .await
    }

    pub(crate) async fn open(&self, people: &KeystonePeople) -> OpenLogin {
        match self.begin(people).await.unwrap() {
            LoginStep::NeedsCode(open) => open,
            LoginStep::Done(done) => panic!("{done:?}"),
        }
    }

    pub(crate) async fn log_in(&self, people: &KeystonePeople) -> LoggedIn {
        done(self.begin(people).await)
    }
}

pub(crate) async fn begin(
    people: &KeystonePeople,
    domain: &str,
    user_name: &str,
    password: &str,
) -> Result<LoginStep, LoginError> {
    let domain = DomainId::parse(domain).unwrap();
    let attempt = PasswordAttempt {
        domain: &domain,
        user_name,
        password,
    };
    people.begin(&attempt).await
}

pub(crate) fn done(step: Result<LoginStep, LoginError>) -> LoggedIn {
    match step.unwrap() {
        LoginStep::Done(done) => done,
        LoginStep::NeedsCode(open) => panic!("{open:?}"),
    }
}

#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, LoginError>) -> LoginRefusal {
    let error = outcome.unwrap_err();
    error.refusal().unwrap_or_else(|| panic!("{error:?}"))
}

pub(crate) fn now() -> UnixTime {
    UnixTime::since_unix_epoch(SystemTime::UNIX_EPOCH.elapsed().unwrap())
}

/// The code of RFC 6238 for [`TOTP_SECRET`], that many steps from now.
pub(crate) fn code(steps: i64) -> Passcode {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<bool> = TOTP_SECRET
        .bytes()
        .flat_map(|byte| {
            let value = alphabet.iter().position(|letter| *letter == byte).unwrap();
            (0..5).rev().map(move |bit| value >> bit & 1 == 1)
        })
        .collect();
    let octet = |bits: &[bool]| bits.iter().fold(0_u8, |octet, bit| octet << 1 | u8::from(*bit));
    let key: Vec<u8> = bits.chunks_exact(8).map(octet).collect();
    let step = i64::try_from(now().as_secs() / 30).unwrap() + steps;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let four: [u8; 4] = tag.as_ref()[at..at + 4].try_into().unwrap();
    let code = (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000;
    Passcode::parse(&format!("{code:06}")).unwrap()
}
