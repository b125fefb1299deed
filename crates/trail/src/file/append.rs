//! One event more.

use super::draft::Draft;
use super::pending::{Pending, put};
use super::tail::{Tail, Torn};
use super::{Rotation, State, TrailFile};
use crate::line::{CHECKPOINT, Hash, MENDED};
use crate::names::rotated;
use crate::turn::Turn;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, EventId, Outcome, Target};
use sealstone_jose::base64url;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What the attachments' `typeURI` begins with.
pub(super) const TYPE: &str = "urn:sealstone:audit:";

/// Why a checkpoint is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    Open,
    Interval,
    Rotate,
    Stop,
}

impl Occasion {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Interval => "interval",
            Self::Rotate => "rotate",
            Self::Stop => "stop",
        }
    }
}

impl State {
    pub(super) fn open(path: &Path, turn: Turn, rotation: Rotation) -> io::Result<Self> {
        let (file, identity) = open(path)?;
        Ok(Self {
            turn,
            file: Arc::new(file),
            known: false,
            began: false,
            previous: Hash::NONE,
            sequence: 0,
            pending: Pending::default(),
            spare: Vec::new(),
            size: 0,
            unsigned: 0,
            first: None,
            seen: 0,
            signed_at: UnixTime::since_unix_epoch(Duration::ZERO),
            identity,
            unflushed: Vec::new(),
            rotation,
        })
    }

    pub(super) fn reopen(&mut self, path: &Path) -> io::Result<()> {
        let (file, identity) = open(path)?;
        let before = std::mem::replace(&mut self.file, Arc::new(file));
        if identity != self.identity {
            self.unflushed.push(before);
            self.first = None;
        }
        self.identity = identity;
        self.known = false;
        Ok(())
    }

    /// Appends an event, after whatever must stand before it.
    pub(super) fn append(&mut self, trail: &TrailFile, draft: Draft<'_>, now: UnixTime) -> io::Result<()> {
        if !(self.turn.is_held() && self.known) {
            self.look(trail, now)?;
        }
        self.add(draft, now);
        self.count();
        self.settle(trail)
    }

    /// A checkpoint: an event of ours, signed as it is without its signature.
    pub(super) fn sign(&mut self, trail: &TrailFile, now: UnixTime, occasion: Occasion) -> io::Result<()> {
        let event = self.own(trail, Action::SignTrail, now);
        let mut line = Vec::new();
        let unsigned = checkpoint(trail, occasion, None);
        let mut unsigned = Draft::of(trail, &event, &unsigned, &mut line);
        let unsigned = unsigned.linked(&self.previous, self.sequence);
        let signature = trail.key.sign(unsigned).map_err(io::Error::other)?;
        line.clear();
        let signed = checkpoint(trail, occasion, Some(&signature));
        let draft = Draft::of(trail, &event, &signed, &mut line);
        self.write(trail, draft, now)?;
        self.unsigned = 0;
        self.signed_at = now;
        trail.told.signed.store(self.sequence, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the turn, finds the end of the file, and puts in order what is there.
    pub(super) fn look(&mut self, trail: &TrailFile, now: UnixTime) -> io::Result<()> {
        self.turn.take()?;
        // Another process may have rotated the file.
        if fs::metadata(&trail.path)
            .map(|there| (there.dev(), there.ino()))
            .ok()
            != Some(self.identity)
        {
            self.reopen(&trail.path)?;
        }
        let there = self.file.metadata()?;
        if self.known && there.len() == self.size {
            return Ok(());
        }
        let tail = if there.is_file() {
            Tail::of(&trail.path)?
        } else {
            Tail::default()
        };
        self.size = there.len();
        self.first = tail.first;
        let mut last = tail.last;
        if last.is_none() && !self.began && self.size == 0 {
            // A crash between a rotation's two steps, or the first start after somebody moved the file.
            last = Tail::of_newest(rotated(&trail.path).unwrap_or_default())?;
        }
        match &last {
            // What this process wrote counts before a file that somebody cut: the gap will tell.
            Some(last) if last.sequence >= self.sequence => {
                (self.sequence, self.previous, self.began) = (last.sequence, last.hash, true);
            }
            Some(_) | None => {}
        }
        self.known = true;
        let opens = self.first.is_none() || last.as_ref().is_some_and(|last| last.node != *trail.key.node());
        if let Some(torn) = tail.torn {
            self.mend(trail, now, torn)?;
        }
        if opens {
            self.sign(trail, now, Occasion::Open)?;
        }
        Ok(())
    }

    /// Ends the torn line, and tells of it.
    fn mend(&mut self, trail: &TrailFile, now: UnixTime, torn: Torn) -> io::Result<()> {
        let Torn::Octets {
            octets,
            hash,
            unended,
        } = torn
        else {
            // A whole event that only lacks its line's end.
            let written = put(&self.file, b"\n");
            self.known = written.result.is_ok();
            self.size = self.size.saturating_add(1);
            return written.result;
        };
        let event = self.own(trail, Action::MendTrail, now);
        let mut mended = Vec::new();
        let _written = write!(
            mended,
            r#",{{"content":{{"octets":{octets},"sha256":"{hash}"}},"name":"{MENDED}","typeURI":"{TYPE}{MENDED}"}}"#
        );
        let mut line = if unended { b"\n".to_vec() } else { Vec::new() };
        let draft = Draft::of(trail, &event, &mended, &mut line);
        self.write(trail, draft, now)?;
        tracing::warn!(
            octets,
            "the audit file ended within a line; what was there is set aside"
        );
        Ok(())
    }

    /// The event's line, linked, in one write with those that wait.
    fn write(&mut self, trail: &TrailFile, draft: Draft<'_>, now: UnixTime) -> io::Result<()> {
        self.add(draft, now);
        self.settle(trail)
    }

    /// An event about the trail itself. Its id is drawn from the chain: no two places of it are the same.
    fn own<'a>(&self, trail: &'a TrailFile, action: Action, now: UnixTime) -> Event<'a> {
        let place = [&self.previous.text()[..], trail.key.kid().as_bytes()].concat();
        let mut id = [0; 16];
        let hash = Hash::of(&place).text();
        for (octet, pair) in id.iter_mut().zip(hash.chunks_exact(2)) {
            let digits = str::from_utf8(pair).unwrap_or_default();
            *octet = u8::from_str_radix(digits, 16).unwrap_or_default();
        }
        Event {
            id: EventId::from_random(id),
            time: now,
            action,
            outcome: Outcome::Success,
            reason: None,
            initiator: Actor {
                client_id: Some("sealstone".into()),
                user_id: None,
                address: None,
            },
            target: Target::Node(trail.key.node().as_str().into()),
            request_id: "node".into(),
        }
    }
}

/// What makes an event a checkpoint, after its link; the key itself where a file begins.
fn checkpoint(trail: &TrailFile, occasion: Occasion, signature: Option<&[u8]>) -> Vec<u8> {
    let mut content = serde_json::json!({"kid": trail.key.kid(), "reason": occasion.as_str()});
    if let Some(content) = content.as_object_mut() {
        if occasion == Occasion::Open {
            let key = serde_json::from_str(&trail.key.public_jwk().to_json()).unwrap_or_default();
            content.insert("key".to_owned(), key);
        }
        if let Some(signature) = signature {
            content.insert("signature".to_owned(), base64url::encode(signature).into());
        }
    }
    let whole =
        serde_json::json!({"content": content, "name": CHECKPOINT, "typeURI": format!("{TYPE}{CHECKPOINT}")});
    let mut attachment = vec![b','];
    // It has texts and objects only: there is a canonical form.
    attachment.extend_from_slice(&sealstone_audit::canonical(&whole).unwrap_or_default());
    attachment
}

/// To be appended to, made for its owner alone.
fn open(path: &Path) -> io::Result<(File, (u64, u64))> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let metadata = file.metadata()?;
    Ok((file, (metadata.dev(), metadata.ino())))
}
