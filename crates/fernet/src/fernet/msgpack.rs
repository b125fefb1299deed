//! As much of `MessagePack` as Keystone's payloads need, read without recursion and written as Python writes it.
//!
//! A reader never allocates: every length is checked against what is left. Nothing is skipped, so that nesting that
//! a payload does not have is an error where it begins.

use std::time::Duration;

use crate::DecodeError;

const CUT: DecodeError = DecodeError::Payload("ends too early");

/// How `[true, 16 octets]` begins.
const UUID_PAIR: [u8; 4] = [0x92, 0xc3, 0xc4, 0x10];

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// Nothing may be left.
    #[inline]
    pub(super) const fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Payload("something follows it"))
        }
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>().ok_or(CUT)?;
        self.rest = rest;
        Ok(*chunk)
    }

    #[inline]
    fn octet(&mut self) -> Result<u8, DecodeError> {
        self.chunk::<1>().map(|[octet]| octet)
    }

    #[inline]
    fn length(&mut self, width: Width) -> Result<usize, DecodeError> {
        let length = match width {
            Width::One => u32::from(self.octet()?),
            Width::Two => u32::from(u16::from_be_bytes(self.chunk()?)),
            Width::Four => u32::from_be_bytes(self.chunk()?),
        };
        usize::try_from(length).map_err(|_error| CUT)
    }

    /// Reads by a function of its own, which most tokens do not need: what is left stays in a register else.
    #[inline]
    pub(super) fn aside<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let mut reader = Self { rest: self.rest };
        let value = read(&mut reader)?;
        self.rest = reader.rest;
        Ok(value)
    }

    /// The number of items of an array, which is at most the number of octets left.
    #[inline]
    pub(super) fn array(&mut self) -> Result<usize, DecodeError> {
        match self.rest.split_first() {
            Some((marker @ 0x90..=0x9f, rest)) if usize::from(marker & 0x0f) <= rest.len() => {
                self.rest = rest;
                Ok(usize::from(marker & 0x0f))
            }
            _ => self.aside(Self::any_array),
        }
    }

    #[cold]
    fn any_array(&mut self) -> Result<usize, DecodeError> {
        let length = match self.octet()? {
            marker @ 0x90..=0x9f => usize::from(marker & 0x0f),
            0xdc => self.length(Width::Two)?,
            0xdd => self.length(Width::Four)?,
            _ => return Err(DecodeError::Payload("a list is due")),
        };
        if length > self.rest.len() {
            return Err(CUT);
        }
        Ok(length)
    }

    /// An array of exactly `items`.
    #[inline]
    pub(super) fn array_of(&mut self, items: usize) -> Result<(), DecodeError> {
        if self.array()? == items {
            Ok(())
        } else {
            Err(DecodeError::Payload("a list of another length is due"))
        }
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Result<bool, DecodeError> {
        match self.octet()? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            _ => Err(DecodeError::Payload("true or false is due")),
        }
    }

    #[inline]
    pub(super) fn unsigned(&mut self) -> Result<u64, DecodeError> {
        match self.rest.split_first() {
            Some((number @ 0..=0x7f, rest)) => {
                self.rest = rest;
                Ok(u64::from(*number))
            }
            _ => self.aside(Self::any_unsigned),
        }
    }

    #[cold]
    fn any_unsigned(&mut self) -> Result<u64, DecodeError> {
        match self.octet()? {
            number @ 0..=0x7f => Ok(u64::from(number)),
            0xcc => self.octet().map(u64::from),
            0xcd => self.chunk().map(u16::from_be_bytes).map(u64::from),
            0xce => self.chunk().map(u32::from_be_bytes).map(u64::from),
            0xcf => self.chunk().map(u64::from_be_bytes),
            _ => Err(DecodeError::Payload("a number is due")),
        }
    }

    /// The octets that follow `head`, if it is what comes next.
    #[inline]
    fn after<const N: usize>(&mut self, head: [u8; N]) -> Option<&'a [u8; 16]> {
        let (start, rest) = self.rest.split_first_chunk::<N>()?;
        let (octets, rest) = rest.split_first_chunk::<16>()?;
        if *start != head {
            return None;
        }
        self.rest = rest;
        Some(octets)
    }

    /// `[true, 16 octets]`, if that comes next as Keystone writes it.
    #[inline]
    pub(super) fn uuid_pair(&mut self) -> Option<&'a [u8; 16]> {
        self.after(UUID_PAIR)
    }

    /// `[16 octets]`, if that comes next as Keystone writes it.
    #[inline]
    pub(super) fn lone_audit_id(&mut self) -> Option<&'a [u8; 16]> {
        self.after([0x91, 0xc4, 0x10])
    }

    /// A time: a double of seconds, or a whole number. What is not a whole second is cut off.
    #[inline]
    pub(super) fn seconds(&mut self) -> Result<u64, DecodeError> {
        if let Some((&[0xcb, ref bits @ ..], rest)) = self.rest.split_first_chunk::<9>()
            && let Some(seconds) = whole(u64::from_be_bytes(*bits))
        {
            self.rest = rest;
            return Ok(seconds);
        }
        self.aside(Self::any_seconds)
    }

    #[cold]
    fn any_seconds(&mut self) -> Result<u64, DecodeError> {
        if self.rest.first() != Some(&0xcb) {
            return self.unsigned();
        }
        let _marker = self.octet()?;
        let seconds = self.chunk().map(f64::from_be_bytes)?;
        let span = Duration::try_from_secs_f64(seconds);
        span.map(|span| span.as_secs())
            .map_err(|_error| DecodeError::Payload("a time is out of range"))
    }

    /// `None` for nil, else octets: as octets, or as text (before its version 1, Python's library wrote both alike).
    #[inline]
    pub(super) fn octets(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        let length = match self.octet()? {
            0xc0 => return Ok(None),
            marker @ 0xa0..=0xbf => usize::from(marker & 0x1f),
            0xc4 | 0xd9 => self.length(Width::One)?,
            0xc5 | 0xda => self.length(Width::Two)?,
            0xc6 | 0xdb => self.length(Width::Four)?,
            _ => return Err(DecodeError::Payload("text or octets are due")),
        };
        let (octets, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        Ok(Some(octets))
    }
}

/// The number that a double of these bits is, if it is a whole one from 1 to 2^53, as times are.
#[inline]
fn whole(bits: u64) -> Option<u64> {
    /// How many bits of it stand for what follows the leading 1.
    const FRACTION: u32 = 52;
    /// The exponent of 1, under a sign that is positive.
    const OF_ONE: u32 = 1023;
    let exponent = u32::try_from(bits >> FRACTION).ok()?.checked_sub(OF_ONE)?;
    let below_one = FRACTION.checked_sub(exponent)?;
    let digits = bits & ((1 << FRACTION) - 1) | 1 << FRACTION;
    let number = digits.wrapping_shr(below_one);
    (number.wrapping_shl(below_one) == digits).then_some(number)
}

#[derive(Clone, Copy)]
enum Width {
    One,
    Two,
    Four,
}

/// Writes each value in its shortest form, after what its octets hold already.
pub(super) struct Writer {
    octets: Vec<u8>,
}

/// What [`Writer`] cannot write: something longer than any token.
#[derive(Debug)]
pub(super) struct TooLong;

impl Writer {
    pub(super) const fn new(octets: Vec<u8>) -> Self {
        Self { octets }
    }

    pub(super) fn into_octets(self) -> Vec<u8> {
        self.octets
    }

    fn length(&mut self, markers: [u8; 3], length: usize) -> Result<(), TooLong> {
        let [one, two, four] = markers;
        if let Ok(length) = u8::try_from(length) {
            self.octets.extend_from_slice(&[one, length]);
        } else if let Ok(length) = u16::try_from(length) {
            self.octets.push(two);
            self.octets.extend_from_slice(&length.to_be_bytes());
        } else {
            self.octets.push(four);
            let length = u32::try_from(length).map_err(|_error| TooLong)?;
            self.octets.extend_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    pub(super) fn array(&mut self, items: usize) -> Result<(), TooLong> {
        match u8::try_from(items) {
            Ok(items @ 0..=15) => self.octets.push(0x90 | items),
            _ => {
                let items = u16::try_from(items).map_err(|_error| TooLong)?;
                self.octets.push(0xdc);
                self.octets.extend_from_slice(&items.to_be_bytes());
            }
        }
        Ok(())
    }

    /// `[true, 16 octets]`.
    #[inline]
    pub(super) fn uuid_pair(&mut self, octets: &[u8; 16]) {
        let mut pair = [0; 20];
        let (head, rest) = pair.split_at_mut(UUID_PAIR.len());
        head.copy_from_slice(&UUID_PAIR);
        rest.copy_from_slice(octets);
        self.octets.extend_from_slice(&pair);
    }

    pub(super) fn nil(&mut self) {
        self.octets.push(0xc0);
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.octets.push(if value { 0xc3 } else { 0xc2 });
    }

    pub(super) fn unsigned(&mut self, value: u64) {
        if let Ok(value) = u8::try_from(value) {
            if value > 0x7f {
                self.octets.push(0xcc);
            }
            self.octets.push(value);
        } else if let Ok(value) = u16::try_from(value) {
            self.octets.push(0xcd);
            self.octets.extend_from_slice(&value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.octets.push(0xce);
            self.octets.extend_from_slice(&value.to_be_bytes());
        } else {
            self.octets.push(0xcf);
            self.octets.extend_from_slice(&value.to_be_bytes());
        }
    }

    /// A time, as a double of seconds.
    pub(super) fn seconds(&mut self, seconds: u64) {
        self.octets.push(0xcb);
        let seconds = Duration::from_secs(seconds).as_secs_f64();
        self.octets.extend_from_slice(&seconds.to_be_bytes());
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), TooLong> {
        match u8::try_from(text.len()) {
            Ok(length @ 0..=31) => self.octets.push(0xa0 | length),
            _ => self.length([0xd9, 0xda, 0xdb], text.len())?,
        }
        self.octets.extend_from_slice(text.as_bytes());
        Ok(())
    }

    pub(super) fn binary(&mut self, octets: &[u8]) -> Result<(), TooLong> {
        self.length([0xc4, 0xc5, 0xc6], octets.len())?;
        self.octets.extend_from_slice(octets);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_as_the_slow_way_reads_them() {
        let mut numbers = vec![
            0.0,
            -0.0,
            0.5,
            1.0,
            1.5,
            -1.0,
            f64::NAN,
            f64::INFINITY,
            f64::MIN_POSITIVE,
            f64::MAX,
        ];
        for power in 1..63 {
            let number = 2_f64.powi(power);
            numbers.extend([number - 1.0, number, number + 1.0, number + 0.5, -number]);
        }
        for number in numbers {
            let span = Duration::try_from_secs_f64(number).map(|span| span.as_secs());
            match whole(number.to_bits()) {
                Some(seconds) => assert_eq!(Ok(seconds), span, "{number}"),
                None => assert!(
                    !(1.0..=9_007_199_254_740_991.0).contains(&number) || number.fract() != 0.0,
                    "{number}"
                ),
            }
        }
    }
}
