//! HAProxy's runtime interface (its management guide, section 9.3).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::{Balancer, BalancerError, Member, Traffic};
use crate::node::Node;

/// The longest answer, in bytes: a backend of a thousand servers has some 600 KiB of statistics.
const MAX_ANSWER: u64 = 1024 * 1024;
/// The runtime interface answers from memory; whoever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// As much of an answer as fits a message.
const MAX_TOLD: usize = 200;
/// `SRV_ADMF_FMAINT`, `IMAINT`, `CMAINT`, `FDRAIN`, `IDRAIN`, `RMAINT`, `HMAINT`: any of them keeps requests away.
const OUT: u64 = 0x7f;
/// `SRV_ST_RUNNING`.
const RUNNING: u64 = 2;

/// Where one HAProxy listens for commands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HaProxySocket {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`; HAProxy asks nobody who he is there, so it should be of the loopback.
    Tcp(String),
}

impl HaProxySocket {
    /// Reads a path, or `tcp:HOST:PORT`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(address) = text.strip_prefix("tcp:") {
            let port = address.rsplit_once(':').map(|(_host, port)| port.parse::<u16>());
            return match port {
                Some(Ok(1..)) => Ok(Self::Tcp(address.to_owned())),
                _ => Err("write tcp:HOST:PORT"),
            };
        }
        if text.starts_with('/') {
            Ok(Self::Unix(text.into()))
        } else {
            Err("write the path of HAProxy's runtime socket, or tcp:HOST:PORT")
        }
    }

    fn failed(&self, verb: &'static str) -> impl FnOnce(std::io::Error) -> BalancerError {
        let socket = self.to_string();
        move |source| BalancerError::Socket { verb, socket, source }
    }

    /// Says `command`, and reads what comes back until HAProxy closes the connection.
    fn say(&self, command: &str) -> Result<String, BalancerError> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path).map_err(self.failed("connect to"))?;
                let timed = stream.set_read_timeout(Some(PATIENCE));
                timed
                    .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
                    .map_err(self.failed("use"))?;
                self.talk(stream, command)
            }
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).map_err(self.failed("connect to"))?;
                let timed = stream.set_read_timeout(Some(PATIENCE));
                timed
                    .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
                    .map_err(self.failed("use"))?;
                self.talk(stream, command)
            }
        }
    }

    fn talk(&self, mut stream: impl Read + Write, command: &str) -> Result<String, BalancerError> {
        stream
            .write_all(format!("{command}\n").as_bytes())
            .map_err(self.failed("write to"))?;
        let mut bytes = Vec::new();
        stream
            .take(MAX_ANSWER.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(self.failed("read from"))?;
        let form = |fault| self.form(command, fault);
        if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_ANSWER) {
            return Err(form("more than 1 MiB"));
        }
        String::from_utf8(bytes).map_err(|_error| form("not text"))
    }

    fn form(&self, command: &str, fault: &'static str) -> BalancerError {
        BalancerError::Form {
            socket: self.to_string(),
            command: command.to_owned(),
            fault,
        }
    }

    /// Says what is answered by nothing when it is done.
    fn order(&self, command: &str) -> Result<(), BalancerError> {
        let answer = self.say(command)?;
        if answer.trim().is_empty() {
            return Ok(());
        }
        Err(BalancerError::Refused {
            socket: self.to_string(),
            command: command.to_owned(),
            answer: told(&answer),
        })
    }

    /// Says what is answered by a table; anything else is a refusal.
    fn ask(&self, command: &str, first: &str) -> Result<String, BalancerError> {
        let answer = self.say(command)?;
        if answer.trim_start().starts_with(first) {
            return Ok(answer);
        }
        Err(BalancerError::Refused {
            socket: self.to_string(),
            command: command.to_owned(),
            answer: told(&answer),
        })
    }
}

impl std::fmt::Display for HaProxySocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// An answer on one line, without what would steer a terminal.
fn told(answer: &str) -> String {
    let text: String = answer
        .trim()
        .chars()
        .take(MAX_TOLD)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.is_empty() {
        "it said nothing".to_owned()
    } else {
        text
    }
}

/// Every `HAProxy` before one pool: each is told everything, and a node is out of the pool when it is with all of them.
#[derive(Debug, Clone)]
pub struct HaProxy {
    sockets: Vec<HaProxySocket>,
    backend: Node,
}

impl HaProxy {
    /// `backend` is the section with the nodes, which are called there as they are here.
    #[must_use]
    pub const fn new(sockets: Vec<HaProxySocket>, backend: Node) -> Self {
        Self { sockets, backend }
    }
}

impl HaProxy {
    fn servers(&self, socket: &HaProxySocket) -> Result<Vec<ServerLine>, BalancerError> {
        let states = format!("show servers state {}", self.backend);
        let answer = socket.ask(&states, "1\n")?;
        parse_servers(&answer).map_err(|fault| socket.form(&states, fault))
    }
}

impl Balancer for HaProxy {
    fn look(&mut self, nodes: &[Node]) -> Result<BTreeMap<Node, Member>, BalancerError> {
        let mut all = BTreeMap::new();
        for socket in &self.sockets {
            let servers = self.servers(socket)?;
            let statistics = format!("show stat {} 4 -1", self.backend);
            let answer = socket.ask(&statistics, "# pxname,")?;
            let sessions = parse_sessions(&answer).map_err(|fault| socket.form(&statistics, fault))?;
            for node in nodes {
                let server = servers.iter().find(|server| server.name == node.as_str());
                let open = sessions.get(node.as_str());
                let (Some(server), Some(open)) = (server, open) else {
                    return Err(BalancerError::Unknown {
                        node: node.clone(),
                        backend: self.backend.to_string(),
                    });
                };
                let member = all.entry(node.clone()).or_insert(Member {
                    takes: false,
                    healthy: true,
                    open: 0,
                });
                member.takes |= server.admin_state & OUT == 0;
                member.healthy &= server.op_state == RUNNING;
                member.open = member.open.saturating_add(*open);
            }
        }
        Ok(all)
    }

    fn others(&mut self, nodes: &[Node]) -> Result<Vec<String>, BalancerError> {
        let mut found = BTreeSet::new();
        for socket in &self.sockets {
            let is_other = |server: &ServerLine| {
                server.admin_state & OUT == 0 && !nodes.iter().any(|node| node.as_str() == server.name)
            };
            let servers = self.servers(socket)?;
            found.extend(servers.into_iter().filter(is_other).map(|server| server.name));
        }
        Ok(found.into_iter().collect())
    }

    /// All of it in one line: HAProxy works it off before it looks at anything else of this connection.
    fn change(&mut self, add: &[Node], drain: &[Node]) -> Result<(), BalancerError> {
        let order = |node: &Node, state: &str| format!("set server {}/{node} state {state}", self.backend);
        let mut orders: Vec<String> = add.iter().map(|node| order(node, "ready")).collect();
        orders.extend(drain.iter().map(|node| order(node, "drain")));
        if orders.is_empty() {
            return Ok(());
        }
        let command = orders.join("; ");
        self.sockets.iter().try_for_each(|socket| socket.order(&command))
    }

    fn traffic(&mut self) -> Result<Option<Traffic>, BalancerError> {
        let command = format!("show stat {} 2 -1", self.backend);
        let mut sum = Traffic::default();
        for socket in &self.sockets {
            let answer = socket.ask(&command, "# pxname,")?;
            let traffic = parse_traffic(&answer).map_err(|fault| socket.form(&command, fault))?;
            sum.answers = sum.answers.saturating_add(traffic.answers);
            sum.refused = sum.refused.saturating_add(traffic.refused);
            sum.failed = sum.failed.saturating_add(traffic.failed);
        }
        Ok(Some(sum))
    }
}

/// One line of `show servers state`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLine {
    /// `srv_name`.
    pub name: String,
    /// `srv_op_state`.
    pub op_state: u64,
    /// `srv_admin_state`.
    pub admin_state: u64,
}

/// Reads what `show servers state BACKEND` answers.
///
/// # Errors
/// What is wrong, where the answer is not of version 1 with the columns that are needed.
pub fn parse_servers(answer: &str) -> Result<Vec<ServerLine>, &'static str> {
    let mut lines = answer.lines();
    if lines.next() != Some("1") {
        return Err("not version 1 of the state of servers");
    }
    let titles = lines.next().and_then(|line| line.strip_prefix("# "));
    let titles: Vec<&str> = titles.ok_or("no titles")?.split(' ').collect();
    let place = |title: &str| titles.iter().position(|found| *found == title);
    let columns = (place("srv_name"), place("srv_op_state"), place("srv_admin_state"));
    let (Some(name), Some(op), Some(admin)) = columns else {
        return Err("a column is missing");
    };
    let mut servers = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(' ').collect();
        let number = |place: usize| cells.get(place).and_then(|cell| cell.parse().ok());
        let name = cells.get(name).filter(|name| !name.is_empty());
        let (Some(name), Some(op_state), Some(admin_state)) = (name, number(op), number(admin)) else {
            return Err("a line of another form");
        };
        if cells.len() < titles.len() {
            return Err("a line that is too short");
        }
        servers.push(ServerLine {
            name: (*name).to_owned(),
            op_state,
            admin_state,
        });
    }
    Ok(servers)
}

/// Reads the backend's own line of what `show stat BACKEND 2 -1` answers.
///
/// # Errors
/// What is wrong.
pub fn parse_traffic(answer: &str) -> Result<Traffic, &'static str> {
    let table = Table::parse(answer)?;
    let [row] = table.rows.as_slice() else {
        return Err("not one line for the backend");
    };
    let classes = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_other"];
    let (refused, failed) = (table.number(row, "hrsp_4xx")?, table.number(row, "hrsp_5xx")?);
    let mut answers = refused.saturating_add(failed);
    for class in classes {
        answers = answers.saturating_add(table.number(row, class)?);
    }
    Ok(Traffic {
        answers,
        refused,
        failed,
    })
}

/// Open sessions by server, of `show stat BACKEND 4 -1`.
fn parse_sessions(answer: &str) -> Result<BTreeMap<String, u64>, &'static str> {
    let table = Table::parse(answer)?;
    let mut sessions = BTreeMap::new();
    for row in &table.rows {
        let name = table.cell(row, "svname")?;
        if sessions
            .insert(name.to_owned(), table.number(row, "scur")?)
            .is_some()
        {
            return Err("two lines for one server");
        }
    }
    Ok(sessions)
}

struct Table<'a> {
    titles: Vec<&'a str>,
    rows: Vec<Vec<&'a str>>,
}

impl<'a> Table<'a> {
    /// HAProxy puts values with commas into quotes; none that is asked for has any, so a line with a quote is refused
    /// rather than read wrongly.
    fn parse(answer: &'a str) -> Result<Self, &'static str> {
        let mut lines = answer.lines();
        let titles = lines.next().and_then(|line| line.strip_prefix("# "));
        let titles: Vec<&str> = titles.ok_or("no titles")?.split(',').collect();
        let mut rows = Vec::new();
        for line in lines.filter(|line| !line.trim().is_empty()) {
            if line.contains('"') {
                return Err("a value in quotes");
            }
            let row: Vec<&str> = line.split(',').collect();
            if row.len() < titles.len().saturating_sub(1) {
                return Err("a line that is too short");
            }
            rows.push(row);
        }
        Ok(Self { titles, rows })
    }

    fn cell(&self, row: &[&'a str], title: &str) -> Result<&'a str, &'static str> {
        let place = self.titles.iter().position(|found| *found == title);
        let cell = place.and_then(|place| row.get(place));
        cell.copied().ok_or("a column is missing")
    }

    /// HAProxy leaves out a number that does not apply.
    fn number(&self, row: &[&'a str], title: &str) -> Result<u64, &'static str> {
        match self.cell(row, title)? {
            "" => Ok(0),
            text => text.parse().map_err(|_error| "a number of another form"),
        }
    }
}

#[cfg(test)]
mod tests;
