//! The part of CBOR (RFC 8949) that authenticators use: definite lengths, integers, strings, arrays, maps.

/// CTAP2 allows four levels of nesting; an attestation statement adds one.
const MAX_DEPTH: u8 = 8;

/// A reader over octets from outside; `None` is malformed.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// How many pairs follow.
    pub(super) fn map(&mut self) -> Option<usize> {
        self.of_major(5)
    }

    pub(super) fn octets(&mut self) -> Option<&'a [u8]> {
        let count = self.of_major(2)?;
        self.take(count)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let count = self.of_major(3)?;
        std::str::from_utf8(self.take(count)?).ok()
    }

    pub(super) fn integer(&mut self) -> Option<i64> {
        let (major, value) = self.head()?;
        let value = i64::try_from(value).ok()?;
        match major {
            0 => Some(value),
            1 => value.checked_neg()?.checked_sub(1),
            _ => None,
        }
    }

    /// Passes over one item.
    pub(super) fn skip(&mut self) -> Option<()> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: u8) -> Option<()> {
        let depth = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
        let (major, value) = self.head()?;
        match major {
            // Integers; `true`, `null` and floating-point numbers are whole in their head.
            0 | 1 | 7 => Some(()),
            2 | 3 => self.take(usize::try_from(value).ok()?).map(|_octets| ()),
            4 => self.skip_items(value, depth),
            5 => self.skip_items(value.checked_mul(2)?, depth),
            // A tag, and what it is about.
            _ => self.skip_at(depth),
        }
    }

    /// An item has at least one octet: a count that lies ends with the input.
    fn skip_items(&mut self, count: u64, depth: u8) -> Option<()> {
        (0..count).try_for_each(|_item| self.skip_at(depth))
    }

    fn of_major(&mut self, wanted: u8) -> Option<usize> {
        let (major, value) = self.head()?;
        (major == wanted).then_some(())?;
        usize::try_from(value).ok()
    }

    /// Major type and argument; an indefinite length has none and is refused.
    fn head(&mut self) -> Option<(u8, u64)> {
        let [first] = self.array()?;
        let value = match first & 0x1f {
            small @ 0..=23 => u64::from(small),
            24 => u64::from(u8::from_be_bytes(self.array()?)),
            25 => u64::from(u16::from_be_bytes(self.array()?)),
            26 => u64::from(u32::from_be_bytes(self.array()?)),
            27 => u64::from_be_bytes(self.array()?),
            _ => return None,
        };
        Some((first >> 5, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_lie_about_their_length_are_refused() {
        let cases: [(&str, &[u8]); 9] = [
            ("nothing", &[]),
            ("a length cut off", &[0x59, 0x01]),
            ("more octets than there are", &[0x43, 1, 2]),
            ("an indefinite string", &[0x5f, 0x41, 1, 0xff]),
            ("an indefinite map", &[0xbf, 0xff]),
            (
                "an array of 2^64 - 1",
                &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255],
            ),
            ("a map of 2^63", &[0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            (
                "nested too deeply",
                &[0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x01],
            ),
            ("a reserved head", &[0x1c]),
        ];
        for (name, octets) in cases {
            assert_eq!(Reader::new(octets).skip(), None, "{name}");
        }
        let deepest = [0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x01];
        assert_eq!(Reader::new(&deepest).skip(), Some(()));
        let whole = [0xa2, 0x01, 0x81, 0xf5, 0x61, b'x', 0xc0, 0x20, 0x07];
        let mut reader = Reader::new(&whole);
        assert_eq!(reader.skip(), Some(()));
        assert_eq!(reader.rest(), [0x07]);
    }

    #[test]
    fn integers_of_every_width_are_read() {
        for (octets, want) in [
            (&[0x17][..], Some(23)),
            (&[0x18, 0xff], Some(255)),
            (&[0x26], Some(-7)),
            (&[0x39, 0x01, 0x00], Some(-257)),
            (&[0x3b, 0x7f, 255, 255, 255, 255, 255, 255, 255], Some(i64::MIN)),
            (&[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0], None),
            (&[0x40], None),
        ] {
            assert_eq!(Reader::new(octets).integer(), want, "{octets:?}");
        }
    }
}
