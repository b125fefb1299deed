/// Why a value is not an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// An identifier is empty, too long, or holds a character outside `[A-Za-z0-9._-]`.
    #[error("{kind} must be 1 to 64 characters of A-Z a-z 0-9 . _ - and not only dots")]
    Identifier {
        /// What the value was to identify.
        kind: &'static str,
    },
    /// A name is empty, too long, or holds a control or text-direction character.
    #[error("{kind} must be 1 to 255 characters without control or text-direction characters")]
    Name {
        /// What the value was to name.
        kind: &'static str,
    },
    /// More roles than [`MAX_ROLES`](crate::MAX_ROLES), none where one is due, or one twice.
    #[error("an authority carries 1 to 64 different roles (none when unscoped)")]
    Roles,
    /// More access rules than [`MAX_ACCESS_RULES`](crate::MAX_ACCESS_RULES).
    #[error("an authority carries at most 64 access rules")]
    AccessRules,
    /// An access rule with an unknown method, an odd path or an empty service.
    #[error("an access rule is a service type, an upper-case HTTP method, and a path that starts with `/`")]
    AccessRule,
    /// An address with blanks, without an `@`, or longer than mail allows.
    #[error(
        "an e-mail address is at most 254 characters without blanks, with something before and after its `@`"
    )]
    Email,
    /// A one-time code that is none.
    #[error(
        "a one-time code is 1 to 64 letters and digits, with single blanks or hyphens between groups at most"
    )]
    Passcode,
}
