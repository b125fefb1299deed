use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderName, HeaderValue};
use sealstone_provider::{RequestId, SHARDS, Sharded};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names requests: 64 random bits of this process and a count. Not a secret.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// Sixteen digits and a hyphen.
    process: String,
    counts: Sharded<AtomicU64>,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self {
            process: format!("{:016x}-", RandomState::new().hash_one(0_u8)),
            counts: Sharded::default(),
        }
    }

    /// The id that came along, if it is 1 to 64 characters of `[A-Za-z0-9._-]`, else a new one.
    pub(crate) fn of(&self, sent: Option<&HeaderValue>) -> RequestId {
        let own = |text: &&str| {
            (1..=RequestId::MAX_LENGTH).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let sent = sent.and_then(|value| value.to_str().ok()).filter(own);
        match sent {
            Some(sent) => RequestId::from(sent),
            None => self.next(),
        }
    }
}

impl RequestIds {
    /// The process's own part and a count, in hexadecimal. One is written for every request, without the formatter.
    fn next(&self) -> RequestId {
        let (counted, shard) = self.counts.own();
        let counted = counted.fetch_add(1, Ordering::Relaxed);
        // Each thread's numbers lie between those of the others.
        let numbers = u64::try_from(SHARDS).unwrap_or(1);
        let mut count = counted
            .wrapping_mul(numbers)
            .wrapping_add(u64::try_from(shard).unwrap_or(0));
        let digits = u64::BITS.saturating_sub(count.leading_zeros()).div_ceil(4).max(1);
        let mut text = [b'0'; 16];
        for place in text.iter_mut().rev() {
            let digit = usize::try_from(count & 0xf).unwrap_or(0);
            *place = HEXADECIMAL.get(digit).copied().unwrap_or(b'0');
            count >>= 4;
            if count == 0 {
                break;
            }
        }
        let digits = usize::try_from(digits).unwrap_or(text.len());
        let count = text.get(text.len().saturating_sub(digits)..).unwrap_or_default();
        RequestId::of_parts(self.process.as_bytes(), count)
    }
}

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::RequestIds;
    use sealstone_provider::SHARDS;

    #[test]
    fn only_a_short_token_is_taken_over() {
        let ids = RequestIds::new();
        let with = |value: &[u8]| {
            let id = ids.of(Some(&HeaderValue::from_bytes(value).unwrap()));
            id.as_str().to_owned()
        };
        assert_eq!(with(b"req-7.a_B"), "req-7.a_B");
        let long = [b'a'; 65];
        for wrong in [
            &b""[..],
            b"a b",
            b"a\tb",
            b"<script>",
            b"\xff",
            b"a,b",
            b"a\"",
            &long,
        ] {
            let id = with(wrong);
            assert!(
                id.len() <= 33 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'),
                "{id}"
            );
        }
        assert_ne!(ids.of(None), ids.of(None));
        let ids = RequestIds::new();
        let (_, shard) = ids.counts.own();
        for count in 0..0x120 {
            let id = ids.of(None);
            let number = count * SHARDS + shard;
            assert_eq!(id.as_str().split_once('-').unwrap().1, format!("{number:x}"));
        }
    }
}
