//! What `check` says of those by whom people sign in, after asking each of them once.

use super::{People, Plan};
use anyhow::Error;

impl People {
    /// A line for each upstream provider and each privacyIDEA: whether it can be asked now.
    pub(crate) async fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let named = self
            .somewhere
            .iter()
            .map(|(domain, plan)| (format!(" of {domain}"), plan));
        for (of, plan) in self
            .everywhere
            .iter()
            .map(|plan| (String::new(), plan))
            .chain(named)
        {
            lines.extend(plan.describe(&of).await);
        }
        lines
    }
}

impl Plan {
    async fn describe(&self, of: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(upstream) = &self.upstream {
            let name = &self.config.upstream_name;
            let found = upstream.probe().await.map_err(Error::new);
            lines.push(line(
                "upstream  ",
                &format!("{name}{of}"),
                "people can't sign in there",
                found,
            ));
        }
        if let Some(authority) = &self.second_factor {
            let found = authority.probe().await.map_err(Error::new);
            lines.push(line(
                "privacyIDEA",
                of.trim_start(),
                "nobody gets in whom it is to judge",
                found,
            ));
        }
        lines
    }
}

fn line(what: &str, whose: &str, consequence: &str, found: Result<(), Error>) -> String {
    let whose = if whose.is_empty() {
        ""
    } else {
        &format!("{whose}, ")
    };
    match found {
        Ok(()) => format!("{what} {whose}can be asked"),
        Err(error) => format!("{what} {whose}CAN'T BE ASKED now, and {consequence} until it can: {error:#}"),
    }
}
