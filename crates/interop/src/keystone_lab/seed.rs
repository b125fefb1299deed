//! What the lab's `seed` made: ids, secrets, certificates.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sealstone_testkit::TestCertificate;
use serde::Deserialize;

/// The seeded cloud. Nobody changes what is in it: tests that change something make their own
/// ([`KeystoneLab::machine`](crate::KeystoneLab::machine)), since other tests use the same lab.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Seed {
    /// Ids of the domains `acme` and `globex`.
    pub domains: BTreeMap<String, String>,
    /// Ids of the projects `web` and `ci` (of acme), `lab` (of globex), `service`.
    pub projects: BTreeMap<String, String>,
    /// Ids of the roles `reader`, `member`, `manager`, `admin`, `service`, and `deployer`, which implies `member`.
    pub roles: BTreeMap<String, String>,
    /// Ids of the groups `ops` and `fed-users`.
    pub groups: BTreeMap<String, String>,
    /// `alice`, `bob`, `carol`, `sysadmin`, `ci-bot`, `homeless-bot`, `nova`.
    pub users: BTreeMap<String, SeededUser>,
    /// Application credentials of alice on `web`: `restricted`, `unrestricted`, `access_rules`, `expired`.
    pub application_credentials: BTreeMap<String, SeededCredential>,
    /// Trusts from alice to carol on `web`: `impersonating` and `plain`.
    pub trusts: BTreeMap<String, String>,
    /// EC2 keys of alice on `web`.
    pub ec2: SeededEc2,
    /// Client certificates by case, good and bad.
    pub certs: BTreeMap<String, SeededCertificate>,
    /// Path of the CA that issued the good ones.
    pub ca: PathBuf,
}

/// A user of the seed.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SeededUser {
    /// Its id.
    pub id: String,
    /// Its password.
    pub password: String,
    /// Its domain's id.
    pub domain_id: String,
    /// Its TOTP secret in base32: bob needs it beside the password.
    #[serde(default)]
    pub totp_secret: Option<String>,
}

/// An application credential of the seed.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SeededCredential {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its secret.
    pub secret: String,
}

/// EC2 keys of the seed.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SeededEc2 {
    /// The access key.
    pub access: String,
    /// The secret key.
    pub secret: String,
}

/// A certificate of the seed.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SeededCertificate {
    /// Path of the certificate in PEM.
    pub cert: PathBuf,
    /// Path of the key in PEM.
    pub key: PathBuf,
    /// The subject as OpenSSL takes it, `/CN=…/UID=…`.
    pub subject: String,
}

impl Seed {
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("what the lab's seed made");
        serde_json::from_str(&text).expect("the seed's JSON")
    }

    /// The user called `name`.
    #[must_use]
    pub fn user(&self, name: &str) -> &SeededUser {
        self.users.get(name).expect("a seeded user")
    }

    /// The id of the project called `name`.
    #[must_use]
    pub fn project(&self, name: &str) -> &str {
        self.projects.get(name).expect("a seeded project")
    }

    /// The id of the domain called `name`.
    #[must_use]
    pub fn domain(&self, name: &str) -> &str {
        self.domains.get(name).expect("a seeded domain")
    }

    /// The id of the role called `name`.
    #[must_use]
    pub fn role(&self, name: &str) -> &str {
        self.roles.get(name).expect("a seeded role")
    }

    /// The application credential called `name`.
    #[must_use]
    pub fn application_credential(&self, name: &str) -> &SeededCredential {
        self.application_credentials
            .get(name)
            .expect("a seeded application credential")
    }

    /// The certificate and key of a case: `ci-bot`, `alice`, `twin-issuer`, `expired`, …
    #[must_use]
    pub fn certificate(&self, name: &str) -> TestCertificate {
        let paths = self.certs.get(name).expect("a seeded certificate");
        let text = |path: &Path| fs::read_to_string(path).expect("its file");
        TestCertificate::from_pem(&text(&paths.cert), &text(&paths.key))
    }

    /// The CA's certificate in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        fs::read_to_string(&self.ca).expect("the lab's CA")
    }
}
