//! Where nodes answer, and who balances them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use sealstone_migrate::{Balancer, BalancerHooks, HaProxy, HaProxySocket, Hook, HookRunner, Node};

use super::nodes::parse_name;
use crate::{
    clock,
    failure::{Failure, Outcome},
};

#[derive(Debug, Args)]
pub(super) struct AddressArguments {
    /// Where a node answers, past the balancer and any bridge: `a=http://10.0.0.11:5000/v3`; once for each node
    #[arg(long = "url", value_name = "NAME=URL", value_parser = parse_url)]
    urls: Vec<(Node, String)>,
    /// The authority of https nodes, in PEM [default: `OS_CACERT`, or the system's]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Speak to nodes on other machines without TLS: whoever reads the network there has every token
    #[arg(long)]
    pub(super) dangerous_plain_http: bool,
}

fn parse_url(text: &str) -> Result<(Node, String), String> {
    let (name, url) = text.split_once('=').ok_or("write NAME=URL")?;
    Ok((parse_name(name)?, parse_address(url)?))
}

/// An address as it is put before `/auth/tokens`.
pub(super) fn parse_address(url: &str) -> Result<String, String> {
    let parsed: http::Uri = url
        .parse()
        .map_err(|_| "write a URL, like http://10.0.0.11:5000/v3")?;
    let is_web = matches!(parsed.scheme_str(), Some("http" | "https")) && parsed.host().is_some();
    if !is_web || parsed.query().is_some() {
        return Err("write a URL, like http://10.0.0.11:5000/v3".to_owned());
    }
    Ok(url.trim_end_matches('/').to_owned())
}

impl AddressArguments {
    pub(super) fn urls(&self) -> Outcome<BTreeMap<Node, String>> {
        let mut urls = BTreeMap::new();
        for (node, url) in &self.urls {
            if urls.insert(node.clone(), url.clone()).is_some() {
                return Err(Failure::usage(format!(
                    "{node} has two addresses: give --url {node}=URL once"
                )));
            }
        }
        if urls.is_empty() {
            return Err(Failure::usage(
                "no node's address is given: give --url NAME=URL for each",
            ));
        }
        Ok(urls)
    }

    pub(super) fn ca(&self) -> Option<PathBuf> {
        self.ca
            .clone()
            .or_else(|| crate::openstack::Environment::read().ca_file)
    }
}

#[derive(Debug, Args)]
pub(super) struct BalancerArguments {
    /// HAProxy's runtime socket: a path, or tcp:HOST:PORT; once for each HAProxy before the pool
    #[arg(long, value_name = "SOCKET", value_parser = parse_socket)]
    haproxy: Vec<HaProxySocket>,
    /// The backend with the nodes, which are called there as they are here
    #[arg(long, value_name = "NAME", default_value = "keystone", value_parser = parse_name)]
    backend: Node,
    /// Another balancer: takes {node} out of the pool, by a command that no shell reads
    #[arg(long, value_name = "COMMAND", value_parser = parse_hook, requires_all = ["add_hook", "state_hook"])]
    drain_hook: Option<Hook>,
    /// Lets {node} take requests
    #[arg(long, value_name = "COMMAND", value_parser = parse_hook, requires = "drain_hook")]
    add_hook: Option<Hook>,
    /// Prints `serving N` or `drained N` for {node}, N being its open requests
    #[arg(long, value_name = "COMMAND", value_parser = parse_hook, requires = "drain_hook")]
    state_hook: Option<Hook>,
    /// How long a hook may take; one that is not done by then is killed, and the run stops
    #[arg(long, value_name = "SPAN", default_value = "300s", value_parser = clock::parse_span)]
    hook_limit: Duration,
}

fn parse_socket(text: &str) -> Result<HaProxySocket, String> {
    HaProxySocket::parse(text).map_err(str::to_owned)
}

pub(super) fn parse_hook(text: &str) -> Result<Hook, String> {
    Hook::parse(text).map_err(|error| error.to_string())
}

impl BalancerArguments {
    /// How hooks are run; in turn by the file beside a journal.
    pub(super) fn runner(&self, journal: Option<&Path>) -> HookRunner {
        let runner = HookRunner::new(self.hook_limit, clock::pause);
        match journal {
            Some(journal) => {
                let mut path = journal.as_os_str().to_owned();
                path.push(".hooks");
                runner.in_turn(Path::new(&path))
            }
            None => runner,
        }
    }

    /// `None` where none is named.
    pub(super) fn balancer(&self, runner: HookRunner) -> Outcome<Option<Box<dyn Balancer>>> {
        match (
            self.haproxy.as_slice(),
            &self.drain_hook,
            &self.add_hook,
            &self.state_hook,
        ) {
            ([], None, ..) => Ok(None),
            (sockets, None, ..) => {
                let haproxy = HaProxy::new(sockets.to_vec(), self.backend.clone());
                Ok(Some(Box::new(haproxy)))
            }
            ([], Some(drain), Some(add), Some(state)) => Ok(Some(Box::new(BalancerHooks {
                drain: drain.clone(),
                add: add.clone(),
                state: state.clone(),
                runner,
            }))),
            _ => Err(Failure::usage("name HAProxy's socket, or three hooks, not both")),
        }
    }
}
