use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use rustls_pki_types::UnixTime;
use sealstone_keyring::KeyEncryptionKey;
use zeroize::Zeroizing;

/// The port where PostgreSQL listens when nobody says another.
const PORT: u16 = 5432;
/// More hosts than a cluster has: each is tried in its turn, for two seconds at most.
const MAX_HOSTS: usize = 8;
/// Connections of a node: twice what two cores keep busy; a change takes one for some milliseconds.
const CONNECTIONS: u32 = 10;

/// A database of a PostgreSQL server, and how it is reached.
///
/// `Display` gives the address, which has no secret in it; `Debug` leaves the password out.
///
/// # Examples
/// ```
/// # use sealstone_storage::PostgresConfig;
/// let config: PostgresConfig = "postgresql://sealstone@db1.example.org,db2.example.org/sealstone".parse()?;
/// assert_eq!(config.to_string(), "postgresql://sealstone@db1.example.org:5432,db2.example.org:5432/sealstone");
///
/// let local: PostgresConfig = "postgresql://sealstone@/sealstone?host=/run/postgresql".parse()?;
/// assert!(!local.needs_encryption(), "a socket of this machine");
/// for refused in ["mysql://a@b/c", "postgresql://a:secret@b/c", "postgresql://a@b/", "postgresql://a@b/c?sslmode=disable"] {
///     assert!(refused.parse::<PostgresConfig>().is_err(), "{refused}");
/// }
/// # Ok::<(), sealstone_storage::PostgresConfigError>(())
/// ```
#[derive(Clone)]
pub struct PostgresConfig {
    pub(super) user: String,
    pub(super) hosts: Vec<Host>,
    pub(super) database: String,
    pub(super) password: Option<PostgresPassword>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
    pub(super) insecure_plaintext: bool,
    pub(super) connections: u32,
    pub(super) clock: Option<Clock>,
    pub(super) login_key: Option<Arc<KeyEncryptionKey>>,
}

/// Reads this machine's clock.
type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Tcp {
        name: String,
        port: u16,
    },
    /// The folder of its Unix socket, and the port that the socket is named after.
    Socket {
        folder: PathBuf,
        port: u16,
    },
}

impl Host {
    /// Whether nobody but this machine sees what goes there.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Socket { .. } => true,
            Self::Tcp { name, .. } => {
                let address = name.parse::<std::net::IpAddr>();
                name == "localhost" || address.is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

/// The password of the database's user. `Debug` does not show it.
#[derive(Clone)]
pub struct PostgresPassword(Zeroizing<String>);

impl PostgresPassword {
    /// Takes it as it is: without the line end of the file that it may come from.
    #[must_use]
    pub const fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PostgresPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why an address cannot be used. None repeats it: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresConfigError {
    /// Not in the form.
    #[error(
        "not an address of a database: write postgresql://USER@HOST/DATABASE, with several hosts as HOST,HOST, or \
         postgresql://USER@/DATABASE?host=FOLDER for a Unix socket"
    )]
    Form,
    /// A password in it.
    #[error(
        "an address must not hold a password: write it into a file of mode 0600, and name that as password_file"
    )]
    Password,
    /// Settings behind a question mark.
    #[error(
        "only host=FOLDER and port=NUMBER may follow the question mark, for a Unix socket: everything else has a key of \
         its own"
    )]
    Setting,
    /// Too many hosts.
    #[error("an address names at most {MAX_HOSTS} hosts")]
    TooManyHosts,
    /// Too few connections, or more than a server has.
    #[error("give 2 to 200 connections: PostgreSQL itself has 100 unless it is told otherwise")]
    Connections,
}

impl PostgresConfig {
    /// With the password of the user. Without one, the server must let the user in by other means: `peer` on a Unix
    /// socket, or a client certificate.
    #[must_use]
    pub fn with_password(mut self, password: PostgresPassword) -> Self {
        self.password = Some(password);
        self
    }

    /// With the authorities (PEM) that vouch for the server's certificate, in place of the public ones.
    #[must_use]
    pub fn with_ca_file(mut self, path: &Path) -> Self {
        self.ca_file = Some(path.to_owned());
        self
    }

    /// With a client certificate and its key (PEM).
    #[must_use]
    pub fn with_client_certificate(mut self, certificate: &Path, key: &Path) -> Self {
        self.certificate = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// Without encryption, also across a network. Whoever listens there reads everything that is kept of people.
    #[must_use]
    pub const fn insecure_plaintext(mut self) -> Self {
        self.insecure_plaintext = true;
        self
    }

    /// With so many connections at most, and one more that listens. 10 otherwise.
    ///
    /// # Errors
    /// [`PostgresConfigError::Connections`] unless it is 2 to 200.
    pub fn with_connections(mut self, connections: u32) -> Result<Self, PostgresConfigError> {
        if !(2..=200).contains(&connections) {
            return Err(PostgresConfigError::Connections);
        }
        self.connections = connections;
        Ok(self)
    }

    /// With this machine's clock, which is compared with the database's: a node that is off by more than 10 seconds
    /// reads and writes nothing, so that none of its tokens is refused as one of the future, and nothing is forgotten
    /// before its time.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// With the key that logins under way are sealed by. A store without it keeps none.
    #[must_use]
    pub fn with_login_key(mut self, key: Arc<KeyEncryptionKey>) -> Self {
        self.login_key = Some(key);
        self
    }

    /// Whether some of the way to the server is a network that others may see.
    #[must_use]
    pub fn needs_encryption(&self) -> bool {
        !self.hosts.iter().all(Host::is_local)
    }
}

impl FromStr for PostgresConfig {
    type Err = PostgresConfigError;

    fn from_str(text: &str) -> Result<Self, PostgresConfigError> {
        let rest = text
            .strip_prefix("postgresql://")
            .or_else(|| text.strip_prefix("postgres://"));
        let rest = rest.ok_or(PostgresConfigError::Form)?;
        let (rest, settings) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.rsplit_once('/').ok_or(PostgresConfigError::Form)?;
        let (user, hosts) = authority.rsplit_once('@').ok_or(PostgresConfigError::Form)?;
        if user.contains(':') {
            return Err(PostgresConfigError::Password);
        }
        let is_name = |name: &str| {
            let may = |character: char| character.is_alphanumeric() || "_-.$".contains(character);
            !name.is_empty() && name.chars().all(may)
        };
        if !is_name(user) || !is_name(database) {
            return Err(PostgresConfigError::Form);
        }
        Ok(Self {
            user: user.to_owned(),
            hosts: if hosts.is_empty() {
                vec![socket(settings)?]
            } else if settings.is_empty() {
                tcp(hosts)?
            } else {
                return Err(PostgresConfigError::Setting);
            },
            database: database.to_owned(),
            password: None,
            ca_file: None,
            certificate: None,
            insecure_plaintext: false,
            connections: CONNECTIONS,
            clock: None,
            login_key: None,
        })
    }
}

/// `host=FOLDER&port=NUMBER`.
fn socket(settings: &str) -> Result<Host, PostgresConfigError> {
    let (mut folder, mut port) = (None, PORT);
    for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
        match setting.split_once('=') {
            Some(("host", path)) if path.starts_with('/') => folder = Some(PathBuf::from(path)),
            Some(("port", number)) => port = number.parse().map_err(|_| PostgresConfigError::Setting)?,
            _ => return Err(PostgresConfigError::Setting),
        }
    }
    let folder = folder.ok_or(PostgresConfigError::Form)?;
    Ok(Host::Socket { folder, port })
}

fn tcp(hosts: &str) -> Result<Vec<Host>, PostgresConfigError> {
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() > MAX_HOSTS {
        return Err(PostgresConfigError::TooManyHosts);
    }
    hosts.into_iter().map(one_host).collect()
}

/// `NAME`, `NAME:PORT`, `[V6]` or `[V6]:PORT`.
fn one_host(text: &str) -> Result<Host, PostgresConfigError> {
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Ok(PORT), str::parse);
    let port = port.map_err(|_| PostgresConfigError::Form)?;
    let may = |character: char| character.is_ascii_alphanumeric() || "-.:_".contains(character);
    if name.is_empty() || !name.chars().all(may) || port == 0 {
        return Err(PostgresConfigError::Form);
    }
    Ok(Host::Tcp {
        name: name.to_owned(),
        port,
    })
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { name, port } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp { name, port } => write!(f, "{name}:{port}"),
            Self::Socket { folder, port } => write!(f, "{}:{port}", folder.display()),
        }
    }
}

impl fmt::Display for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        write!(
            f,
            "postgresql://{}@{}/{}",
            self.user,
            hosts.join(","),
            self.database
        )
    }
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresConfig").field(&self.to_string()).finish()
    }
}
