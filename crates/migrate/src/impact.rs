//! What the change from Fernet to JWS means: a table drawn from what the nodes say.

use serde::{Deserialize, Serialize};

use crate::inventory::{LongLived, LongLivedUse, NodeRecord};

/// One row: what changes, what breaks, for how long, for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Impact {
    /// What changes.
    pub change: String,
    /// What breaks; `nothing` where nothing does.
    pub breaks: String,
    /// For how long, in words.
    pub how_long: String,
    /// The longest, in seconds; `null` where it depends on the operator.
    pub at_most_s: Option<u64>,
    /// For whom.
    pub whom: String,
}

/// Who is named; the others are counted.
const NAMED: usize = 5;

pub(crate) fn table(nodes: &[NodeRecord], long_lived: Option<&LongLived>) -> Vec<Impact> {
    let greatest = |of: fn(&NodeRecord) -> u64| nodes.iter().map(of).max().unwrap_or_default();
    let life = greatest(|node| node.settings.expiration_s);
    let late = life.saturating_add(greatest(|node| node.settings.allow_expired_window_s));
    let cached = greatest(|node| {
        if node.settings.caching {
            node.settings.cache_time_s
        } else {
            0
        }
    });
    let mut rows = vec![
        row(
            "tokens issued before the flip",
            "a node that issues JWS tokens refuses Fernet tokens: 401 until the holder logs in anew",
            format!("until the new login, {} after the flip at most", span(life)),
            Some(life),
            "every holder of a token; keystoneauth logs in anew by itself, a fixed OS_TOKEN or X-Auth-Token does not",
        ),
        row(
            "nodes that differ",
            "a flipped and an unflipped node refuse each other's tokens: intermittent 401, also of tokens just issued",
            "from the first flipped node that serves beside an unflipped one to the last; nothing if they never do"
                .to_owned(),
            None,
            "everybody behind the balancer",
        ),
        row(
            "long operations under a user's token",
            "services show the user's expired token with allow_expired; a Fernet token of before the flip is refused",
            format!("{} after the flip at most (expiration + allow_expired_window)", span(late)),
            Some(late),
            "users of snapshots, uploads, migrations and stacks that began before the flip",
        ),
        row(
            "the size of tokens",
            "a JWS token (ES256) has 330 to 780 characters, the Fernet token for the same 160 to 380: limits on lengths",
            "for good".to_owned(),
            None,
            "proxies, and clients that keep tokens in fixed columns",
        ),
        row(
            "clocks",
            "a node whose clock is behind the issuer's closes the connection on a token of its future, by however little",
            "while clocks differ".to_owned(),
            None,
            "everybody behind the balancer",
        ),
        row(
            "Fernet keys",
            "nothing, if they stay: the way back needs them, and receipts of multi-factor logins are Fernet's still",
            format!("keep them {} after the last flip at least", span(late)),
            Some(late),
            "the operator",
        ),
    ];
    rows.extend(revoked_elsewhere(nodes));
    if cached > 0 {
        rows.push(row(
            "validations that Keystone keeps",
            "nothing: a node may still take a token of before that it has in its cache",
            format!("{} at most", span(cached)),
            Some(cached),
            "holders of tokens of before the flip",
        ));
    }
    rows.extend(delegation(long_lived, life));
    rows
}

/// What is as before: it shows in a check, and is no fault of the change.
fn revoked_elsewhere(nodes: &[NodeRecord]) -> Vec<Impact> {
    let mut rows = Vec::new();
    let settings = || nodes.iter().map(|node| &node.settings);
    let verdicts = settings().filter(|settings| settings.verdict_caching);
    if let Some(kept @ 1..) = verdicts.map(|settings| settings.cache_time_s).max() {
        rows.push(row(
            "revocations, where each node or process has a cache of its own",
            "nothing new: a node may take a token that was revoked at another one while it keeps that it was not",
            format!("{} after each revocation at most, as before ([token] caching)", span(kept)),
            Some(kept),
            "holders of revoked tokens; nobody where all nodes have one cache",
        ));
    }
    let events: Vec<_> = settings()
        .filter(|settings| settings.event_caching && settings.event_cache_time_s != Some(0))
        .map(|settings| settings.event_cache_time_s)
        .collect();
    if !events.is_empty() {
        let kept: Option<u64> = events
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().max());
        rows.push(row(
            "the list of revocation events",
            "nothing new: /v3/OS-REVOKE/events may be as old as the list that a node keeps; validations do not use it",
            kept.map_or_else(
                || "without an end, as before ([revoke] cache_time)".to_owned(),
                |kept| format!("{} at most, as before ([revoke] cache_time)", span(kept)),
            ),
            kept,
            "programs that read that list",
        ));
    }
    rows
}

fn delegation(long_lived: Option<&LongLived>, life: u64) -> Vec<Impact> {
    let Some(found) = long_lived else {
        return vec![row(
            "trusts and application credentials",
            "unknown: Keystone was not asked; set the OS_* variables of an administrator",
            "unknown".to_owned(),
            None,
            "unknown",
        )];
    };
    let hidden = |uses: &[LongLivedUse]| uses.is_empty() && !found.not_seen.is_empty();
    let whom = |uses: &[LongLivedUse]| match (hidden(uses), uses.is_empty()) {
        (true, _) => "unknown: Keystone does not show them to you".to_owned(),
        (_, true) => "nobody: there are none".to_owned(),
        _ => named(uses),
    };
    let span = format!("{} after the flip at most", span(life));
    vec![
        Impact {
            whom: whom(&found.trusts),
            ..row(
                "trusts (Heat and others)",
                "the trust lives on; a token got by it before the flip is refused: the trustee gets another by itself, \
                 unless it stores tokens",
                span.clone(),
                Some(life),
                "",
            )
        },
        Impact {
            whom: whom(&found.application_credentials),
            ..row(
                "application credentials",
                "the credential lives on; a token got by it before the flip is refused: log in anew",
                span,
                Some(life),
                "",
            )
        },
    ]
}

fn row(change: &str, breaks: &str, how_long: String, at_most_s: Option<u64>, whom: &str) -> Impact {
    Impact {
        change: change.to_owned(),
        breaks: breaks.to_owned(),
        how_long,
        at_most_s,
        whom: whom.to_owned(),
    }
}

fn named(uses: &[LongLivedUse]) -> String {
    let one = |found: &LongLivedUse| {
        let name = found.user_name.as_ref().unwrap_or(&found.user_id);
        match found.endless {
            0 => format!("{name} ({})", found.count),
            endless => format!("{name} ({}, {endless} without an end)", found.count),
        }
    };
    let names: Vec<String> = uses.iter().take(NAMED).map(one).collect();
    match uses.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        others => format!("{} and {others} others", names.join(", ")),
    }
}

pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds.div_ceil(60)),
        7200..604_800 => format!("{} h", seconds.div_ceil(3600)),
        _ => format!("{} d", seconds.div_ceil(86_400)),
    }
}
