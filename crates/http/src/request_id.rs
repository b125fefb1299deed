use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names requests: 64 random bits of this process and a count. Not a secret.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// Sixteen digits and a hyphen.
    process: String,
    count: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self {
            process: format!("{:016x}-", RandomState::new().hash_one(0_u8)),
            count: AtomicU64::new(0),
        }
    }

    /// The id that came along, if it is 1 to 64 characters of `[A-Za-z0-9._-]`, else a new one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> String {
        let own = |text: &&str| {
            (1..=64).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let sent = headers
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(own);
        match sent {
            Some(sent) => sent.to_owned(),
            None => self.next(),
        }
    }
}

impl RequestIds {
    /// The process's own part and a count, in hexadecimal. One is written for every request, without the formatter.
    fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let digits = u64::BITS.saturating_sub(count.leading_zeros()).div_ceil(4).max(1);
        let mut id = String::with_capacity(33);
        id.push_str(&self.process);
        for place in (0..digits).rev() {
            let digit = (count >> place.saturating_mul(4)) & 0xf;
            id.push(
                u32::try_from(digit)
                    .ok()
                    .and_then(|digit| char::from_digit(digit, 16))
                    .unwrap_or('0'),
            );
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::RequestIds;

    #[test]
    fn only_a_short_token_is_taken_over() {
        let ids = RequestIds::new();
        let with = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", HeaderValue::from_bytes(value).unwrap());
            ids.of(&headers)
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
        assert_ne!(ids.of(&HeaderMap::new()), ids.of(&HeaderMap::new()));
        let ids = RequestIds::new();
        for count in 0..0x120_u32 {
            let id = ids.of(&HeaderMap::new());
            assert_eq!(id.split_once('-').unwrap().1, format!("{count:x}"));
        }
    }
}
