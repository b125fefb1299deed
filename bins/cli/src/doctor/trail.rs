//! What the audit file in hand tells.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use serde_json::Value;

/// The end of a file that is read for one event: it was written a moment ago.
const TAIL: u64 = 1024 * 1024;
/// The part of a file that is read to see who was there: some 600,000 events.
const MOST: u64 = 512 * 1024 * 1024;

/// Who was there, and since when it is known.
pub(super) struct Seen {
    pub(super) clients: BTreeSet<String>,
    pub(super) since: Option<u64>,
}

/// Every client that asked for something, or `None` if that cannot be known.
pub(super) fn clients(path: &Path) -> Option<Seen> {
    let file = File::open(path).ok()?;
    if file.metadata().ok()?.len() > MOST {
        return None;
    }
    let mut seen = Seen {
        clients: BTreeSet::new(),
        since: None,
    };
    for line in BufReader::new(file.take(MOST)).lines() {
        let Ok(event) = serde_json::from_str::<Value>(&line.ok()?) else {
            continue;
        };
        if seen.since.is_none() {
            seen.since = event.get("eventTime").and_then(Value::as_str).and_then(seconds);
        }
        if let Some(client) = event.pointer("/initiator/id").and_then(Value::as_str)
            && !seen.clients.contains(client)
        {
            seen.clients.insert(client.to_owned());
        }
    }
    Some(seen)
}

/// `2026-08-01T12:00:00.000000+0000`, as seconds.
fn seconds(text: &str) -> Option<u64> {
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let moment = time::PrimitiveDateTime::parse(text.get(..19)?, &format).ok()?;
    u64::try_from(moment.assume_utc().unix_timestamp()).ok()
}

/// The address that the server has seen the request with this id come from.
pub(super) fn address_of(path: &Path, request_id: &str) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut text = Vec::new();
    file.take(TAIL).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .rev()
        .filter(|line| line.contains(request_id))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|event| {
            let address = event.pointer("/initiator/host/address")?.as_str()?;
            Some(address.to_owned())
        })
}
