/// Why a key, a set or a token was refused, or could not be made.
///
/// No message holds input; the one exception, the `kid` of [`JoseError::UnknownKey`], is printed escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoseError {
    /// Longer than this crate reads.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What was too long.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not three base64url parts with two dots between (RFC 7515 §7.1).
    #[error("not a compact JWS")]
    NotCompact,
    /// Not base64url without padding, or with unused bits that are not zero (RFC 4648 §3.5, §5).
    #[error("not strict base64url")]
    Base64,
    /// Not JSON in UTF-8, or followed by something.
    #[error("not strict JSON")]
    MalformedJson,
    /// A name twice in one JSON object, at any depth (RFC 7515 §4, RFC 7519 §4).
    #[error("a JSON object names a member twice")]
    DuplicateName,
    /// JSON deeper than [`crate::json::MAX_DEPTH`].
    #[error("JSON is nested too deep")]
    TooDeep,
    /// JSON of another shape than the caller's type.
    #[error("JSON does not have the expected members")]
    UnexpectedJson,
    /// A JOSE header without `alg`, or with a member of the wrong type.
    #[error("malformed header: {0}")]
    MalformedHeader(&'static str),
    /// A header that asks for what this crate never does: keys from headers, `crit`, `b64`, `zip`, nesting.
    #[error("header `{0}` is refused")]
    ForbiddenHeader(&'static str),
    /// An algorithm that the caller, or the key, does not allow; `none` always, HMAC with a public key always.
    #[error("algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// The set holds no key of this `kid` (or, without `kid`, none that fits). Fetching the set anew may help.
    #[error("no key {kid:?} in the set")]
    UnknownKey {
        /// The `kid` of the token, as it was sent.
        kid: Option<String>,
    },
    /// A token without `kid`, and more fitting keys than are tried.
    #[error("no `kid`, and too many keys fit")]
    TooManyCandidates,
    /// The signature is not this key's over these bytes.
    #[error("signature does not verify")]
    BadSignature,
    /// A key type, curve, use or algorithm that this crate does not know (RFC 7517 §5: others ignore it).
    #[error("unsupported key: {0}")]
    UnsupportedKey(&'static str),
    /// A key whose members are missing, of the wrong type or length, or not a point of the curve.
    #[error("malformed key: {0}")]
    MalformedKey(&'static str),
    /// A key that does not protect: RSA below 2048 bits, exponent 1, an Ed25519 point of small order.
    #[error("weak key: {0}")]
    WeakKey(&'static str),
    /// A public key was due and a private member came with it.
    #[error("key holds a private member")]
    PrivateMember,
    /// A symmetric key where a public key is due.
    #[error("symmetric key")]
    SymmetricKey,
    /// A `kid` twice in one set (RFC 7517 §4.5).
    #[error("two keys of the set have one `kid`")]
    DuplicateKeyId,
    /// More keys than a set may have.
    #[error("more than {limit} keys")]
    TooManyKeys {
        /// The limit.
        limit: usize,
    },
    /// Not a key identifier of this crate's [`crate::KeyId`].
    #[error("not a key identifier")]
    InvalidKeyId,
    /// Not 43 characters of base64url.
    #[error("not a SHA-256 thumbprint")]
    InvalidThumbprint,
    /// A media type for `typ` outside visible ASCII.
    #[error("not a `typ` value")]
    InvalidType,
    /// Claims that are not a JSON object, or that fail to serialize.
    #[error("claims are not a JSON object")]
    InvalidClaims,
    /// A private key that does not parse, does not fit the algorithm, or contradicts its public part.
    #[error("malformed private key")]
    MalformedPrivateKey,
    /// The cryptographic library failed on valid input (no randomness, no memory).
    #[error("the cryptographic library failed")]
    Backend,
    /// A key that is not in this process, and whose holder did not sign.
    #[error("the holder of the private key did not sign")]
    HeldElsewhere,
}

impl JoseError {
    /// A name for logs and metrics that stays when the message changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "jose.too_large",
            Self::NotCompact => "jose.not_compact",
            Self::Base64 => "jose.base64",
            Self::MalformedJson => "jose.malformed_json",
            Self::DuplicateName => "jose.duplicate_name",
            Self::TooDeep => "jose.too_deep",
            Self::UnexpectedJson => "jose.unexpected_json",
            Self::MalformedHeader(_) => "jose.malformed_header",
            Self::ForbiddenHeader(_) => "jose.forbidden_header",
            Self::AlgorithmNotAllowed => "jose.algorithm_not_allowed",
            Self::UnknownKey { .. } => "jose.unknown_key",
            Self::TooManyCandidates => "jose.too_many_candidates",
            Self::BadSignature => "jose.bad_signature",
            Self::UnsupportedKey(_) => "jose.unsupported_key",
            Self::MalformedKey(_) => "jose.malformed_key",
            Self::WeakKey(_) => "jose.weak_key",
            Self::PrivateMember => "jose.private_member",
            Self::SymmetricKey => "jose.symmetric_key",
            Self::DuplicateKeyId => "jose.duplicate_kid",
            Self::TooManyKeys { .. } => "jose.too_many_keys",
            Self::InvalidKeyId => "jose.invalid_kid",
            Self::InvalidThumbprint => "jose.invalid_thumbprint",
            Self::InvalidType => "jose.invalid_typ",
            Self::InvalidClaims => "jose.invalid_claims",
            Self::MalformedPrivateKey => "jose.malformed_private_key",
            Self::Backend => "jose.backend",
            Self::HeldElsewhere => "jose.held_elsewhere",
        }
    }
}
