//! Limits on what is read, each with its reason.

/// The longest JWS token, in characters. Proxies in front of Keystone take 8 to 16 KiB of header; a federated token
/// needs about 100 characters for each of its groups.
pub(crate) const MAX_JWS_TOKEN: usize = 16 * 1024;

/// The greatest number of public keys that a reader tries. Each costs a verification for a token that is no good.
pub(crate) const MAX_PUBLIC_KEYS: usize = 64;

/// The greatest number of methods in a token. Keystone has ten, and a bit mask in Fernet for them.
pub(crate) const MAX_METHODS: usize = 32;

/// The longest name of a method, in bytes: that of a federation protocol, 64 characters in Keystone.
pub(crate) const MAX_METHOD: usize = 255;

/// The longest thumbprint, in bytes. SHA-256 has 44 characters, SHA-512 would have 88.
pub(crate) const MAX_THUMBPRINT: usize = 128;

/// The last second of the year 9999, where Python's calendar ends: Keystone cannot read a later time.
pub(crate) const MAX_TIME: u64 = 253_402_300_799;

/// The longest Fernet token, in characters: what one header line may have at nginx (8 KiB) and Apache (8190 octets).
/// Most have some 200; a group of a federated user adds 27.
pub(crate) const MAX_FERNET_TOKEN: usize = 8 * 1024;

/// The greatest number of Fernet keys. A week of tokens under keys that change every hour needs 170.
pub(crate) const MAX_FERNET_KEYS: usize = 256;

/// How far the time of a Fernet token may be ahead of ours, in seconds: what the reference implementations allow.
pub(crate) const MAX_CLOCK_SKEW: u64 = 60;

/// The longest PEM file of a key that is read, in bytes. One on P-521 has some 400.
pub(crate) const MAX_PEM: usize = 16 * 1024;
