//! Which nodes there are, and where their files lie.

use std::time::Duration;

use clap::Args;
use sealstone_migrate::{
    AbsolutePath, ClockOffset, Node, NodeRecord, NodeSpec, Programs, Source, read_nodes,
};

use crate::{
    clock,
    failure::{Failure, Outcome},
};

const CONFIG_FILE: &str = "/etc/keystone/keystone.conf";
const CONFIG_DIR: &str = "/etc/keystone/keystone.conf.d";
/// A day, in seconds: a clock that is further off is not measured but mistyped.
const MAX_OFFSET_S: f64 = 86_400.0;

#[derive(Debug, Args)]
pub(super) struct NodeArguments {
    /// A node and where its files are: a folder below which they lie (`/`: this machine), a file `.tar`, or
    /// `ssh:[USER@]HOST`; once for each node
    #[arg(long = "node", value_name = "NAME=SOURCE", value_parser = parse_node)]
    pub(super) nodes: Vec<(Node, Source)>,
    /// `--config-file` of Keystone, of all nodes or of one; may be given several times
    /// [default: /etc/keystone/keystone.conf]
    #[arg(long, value_name = "[NAME=]PATH", value_parser = parse_path)]
    config_file: Vec<(Option<Node>, AbsolutePath)>,
    /// `--config-dir` of Keystone, of all nodes or of one; may be given several times
    /// [default: /etc/keystone/keystone.conf.d]
    #[arg(long, value_name = "[NAME=]PATH", value_parser = parse_path)]
    config_dir: Vec<(Option<Node>, AbsolutePath)>,
    /// By how many seconds a node's clock is ahead of this machine's, in place of asking it; may be given several times
    #[arg(long, value_name = "NAME=SECONDS", value_parser = parse_clock, allow_hyphen_values = true)]
    clock: Vec<(Node, ClockOffset)>,
    /// How long one call of ssh may take; one that is not done by then is killed, and the command stops
    #[arg(long, value_name = "SPAN", default_value = "120s", value_parser = clock::parse_span)]
    ssh_limit: Duration,
}

fn parse_node(text: &str) -> Result<(Node, Source), String> {
    let (name, source) = text.split_once('=').ok_or("write NAME=SOURCE")?;
    if source.is_empty() {
        return Err("write NAME=SOURCE".to_owned());
    }
    let source = Source::parse(source).map_err(|error| error.to_string())?;
    Ok((parse_name(name)?, source))
}

pub(super) fn parse_name(text: &str) -> Result<Node, String> {
    Node::parse(text).map_err(|error| error.to_string())
}

fn parse_path(text: &str) -> Result<(Option<Node>, AbsolutePath), String> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) if !name.contains('/') => (Some(parse_name(name)?), path),
        _ => (None, text),
    };
    let path = AbsolutePath::try_from(path.to_owned()).map_err(|error| error.to_string())?;
    Ok((name, path))
}

fn parse_clock(text: &str) -> Result<(Node, ClockOffset), String> {
    let refused = "write NAME=SECONDS, like node-1=-0.02";
    let (name, seconds) = text.split_once('=').ok_or(refused)?;
    let seconds: f64 = seconds.parse().map_err(|_| refused)?;
    if !(-MAX_OFFSET_S..=MAX_OFFSET_S).contains(&seconds) {
        return Err(refused.to_owned());
    }
    let milliseconds = Duration::from_secs_f64(seconds.abs()).as_millis();
    let size = i64::try_from(milliseconds).map_err(|_| refused)?;
    let offset_ms = if seconds < 0.0 {
        size.saturating_neg()
    } else {
        size
    };
    let offset = ClockOffset {
        offset_ms,
        within_ms: 0,
    };
    Ok((parse_name(name)?, offset))
}

impl NodeArguments {
    /// Reads all of them.
    pub(super) fn read(&self) -> Outcome<Vec<NodeRecord>> {
        let now = || i64::try_from(clock::milliseconds()).unwrap_or(i64::MAX);
        read_nodes(&self.specs()?, &self.programs(), &now)
            .map_err(|(node, error)| Failure::failed(format!("node {node}: {error}")))
    }

    /// What fetches their files.
    pub(super) fn programs(&self) -> Programs {
        Programs {
            ssh_limit: self.ssh_limit,
            ..Programs::default()
        }
    }

    /// Where each is.
    pub(super) fn specs(&self) -> Outcome<Vec<NodeSpec>> {
        let named = self.config_file.iter().chain(&self.config_dir);
        let named = named.filter_map(|(name, _path)| name.as_ref());
        let clocks = self.clock.iter().map(|(name, _offset)| name);
        for name in named.chain(clocks) {
            if !self.nodes.iter().any(|(node, _source)| node == name) {
                return Err(Failure::usage(format!(
                    "{name} is not among the nodes: add --node {name}=SOURCE"
                )));
            }
        }
        let specs = self.nodes.iter().map(|(name, source)| self.spec(name, source));
        Ok(specs.collect())
    }

    fn spec(&self, name: &Node, source: &Source) -> NodeSpec {
        let clock = self.clock.iter().rev().find(|(node, _offset)| node == name);
        NodeSpec {
            name: name.clone(),
            source: source.clone(),
            config_files: paths(&self.config_file, name, CONFIG_FILE),
            config_dirs: paths(&self.config_dir, name, CONFIG_DIR),
            clock: clock.map(|(_node, offset)| *offset),
        }
    }
}

fn paths(given: &[(Option<Node>, AbsolutePath)], name: &Node, default: &str) -> Vec<AbsolutePath> {
    if given.is_empty() {
        return AbsolutePath::parse(default).into_iter().collect();
    }
    let of_node = |node: &Option<Node>| node.as_ref().is_none_or(|node| node == name);
    let given = given.iter().filter(|(node, _path)| of_node(node));
    given.map(|(_node, path)| path.clone()).collect()
}
