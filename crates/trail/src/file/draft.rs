//! A line that is whole but for its place in the chain.

use super::TrailFile;
use super::append::TYPE;
use crate::line::{CHAIN, Hash};
use sealstone_audit::Event;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// An event's line with room for its link, which is known only to whoever may write: all else is made before that, in
/// memory of the thread's own.
#[derive(Debug)]
pub(super) struct Draft<'l> {
    line: &'l mut Vec<u8>,
    start: usize,
    previous: Range<usize>,
    sequence: Range<usize>,
}

impl<'l> Draft<'l> {
    /// The event's line, appended to `line`, and its end. `more` are attachments after the link, each with a comma before
    /// it.
    pub(super) fn of(trail: &TrailFile, event: &Event<'_>, more: &[u8], line: &'l mut Vec<u8>) -> Self {
        let start = line.len();
        let guess = trail.told.sequence.load(Ordering::Relaxed).saturating_add(1);
        let (previous, sequence) = event.write_with(line, |line| {
            line.extend_from_slice(br#"{"content":{"node":""#);
            line.extend_from_slice(trail.key.node().as_str().as_bytes());
            line.extend_from_slice(br#"","previous":""#);
            let previous = pushed(line, &[b'0'; 64]);
            line.extend_from_slice(br#"","sequence":"#);
            let sequence = pushed(line, decimal(guess, &mut [b'0'; 20]));
            // Without the formatter, since every event has it.
            for part in [r#"},"name":""#, CHAIN, r#"","typeURI":""#, TYPE, CHAIN, r#""}"#] {
                line.extend_from_slice(part.as_bytes());
            }
            line.extend_from_slice(more);
            (previous, sequence)
        });
        line.push(b'\n');
        Self {
            line,
            start,
            previous,
            sequence,
        }
    }

    /// Fills in the link after the event of this hash and number; gives the line without its end, as it is hashed.
    pub(super) fn linked(&mut self, previous: &Hash, last: u64) -> &[u8] {
        if let Some(place) = self.line.get_mut(self.previous.clone()) {
            place.copy_from_slice(&previous.text());
        }
        let mut digits = [b'0'; 20];
        let digits = decimal(last.saturating_add(1), &mut digits);
        match self.line.get_mut(self.sequence.clone()) {
            Some(place) if place.len() == digits.len() => place.copy_from_slice(digits),
            // Others have written since, and the number has grown by a digit.
            Some(_) | None => {
                drop(self.line.splice(self.sequence.clone(), digits.iter().copied()));
                self.sequence.end = self.sequence.start.saturating_add(digits.len());
            }
        }
        let end = self.line.len().saturating_sub(1);
        self.line.get(self.start..end).unwrap_or_default()
    }

    /// All that is to be written.
    pub(super) fn ended(&self) -> &[u8] {
        self.line
    }
}

fn pushed(line: &mut Vec<u8>, octets: &[u8]) -> Range<usize> {
    let start = line.len();
    line.extend_from_slice(octets);
    start..line.len()
}

/// Without the formatter: each event has two such.
fn decimal(mut number: u64, places: &mut [u8; 20]) -> &[u8] {
    let mut first = places.len();
    for (place, octet) in places.iter_mut().enumerate().rev() {
        *octet = b'0'.saturating_add(u8::try_from(number % 10).unwrap_or_default());
        first = place;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    places.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_the_formatter_would() {
        for number in [0, 1, 9, 10, 99, 100, 1_234_567, u64::MAX] {
            assert_eq!(decimal(number, &mut [b'x'; 20]), number.to_string().as_bytes());
        }
    }

    #[test]
    fn the_link_is_the_one_of_the_moment_of_writing() {
        let mut line = b"torn\n{00,7}\n".to_vec();
        line.splice(6..8, [b'0'; 64]);
        for (last, want) in [(7, "8"), (8, "9"), (9, "10"), (99, "100"), (9, "10")] {
            let start = 5;
            let sequence = 71..line.iter().rposition(|octet| *octet == b'}').unwrap();
            let mut draft = Draft {
                line: &mut line,
                start,
                previous: 6..70,
                sequence,
            };
            let hash = Hash::of(want.as_bytes());
            let linked = draft.linked(&hash, last).to_vec();
            assert_eq!(String::from_utf8(linked).unwrap(), format!("{{{hash},{want}}}"));
            assert!(draft.ended().starts_with(b"torn\n") && draft.ended().ends_with(b"}\n"));
        }
    }
}
