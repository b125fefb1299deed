use crate::template::{MAX_CLAIMS, MAX_DEPTH, MAX_TEMPLATE_BYTES};

/// Why a template can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The template is not a JSON object.
    #[error("a claims template is a JSON object of claim names and values")]
    NotAnObject,
    /// A name outside the grammar.
    #[error(
        "claim name {name:?}: use a letter, then letters, digits and `_`, 64 characters at most, no dots"
    )]
    Name {
        /// The name as written.
        name: String,
    },
    /// A name that only the server sets.
    #[error("claim `{name}` is set by the server alone; choose another name")]
    Reserved {
        /// The reserved name.
        name: String,
    },
    /// A variable that does not exist, or an unclosed `${`.
    #[error("claim `{name}` uses `{variable}`, which is no variable; known ones: {known}")]
    Variable {
        /// The claim.
        name: String,
        /// The text between `${` and `}`.
        variable: String,
        /// The variables that exist.
        known: String,
    },
    /// `${roles}` with text around it.
    #[error("claim `{name}`: `${{roles}}` is a list, so it stands alone in its value")]
    RolesInText {
        /// The claim.
        name: String,
    },
    /// A number above 2^53 or with a fraction.
    #[error(
        "claim `{name}` holds a number that not every reader of JSON keeps exactly; use an integer within 2^53 or text"
    )]
    Number {
        /// The claim.
        name: String,
    },
    /// Text with a control character.
    #[error("claim `{name}` holds a control character")]
    ControlCharacter {
        /// The claim.
        name: String,
    },
    /// Too many claims, too deep, or too large.
    #[error(
        "a claims template holds at most {MAX_CLAIMS} claims, {MAX_DEPTH} levels and {MAX_TEMPLATE_BYTES} bytes"
    )]
    TooLarge,
}

/// Why a template gives no claims for a subject. Names the claim and the variable, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimFault {
    /// A value with a control character.
    #[error(
        "claim `{claim}`: the value of `${{{variable}}}` holds a control character: rename what it names"
    )]
    ControlCharacter {
        /// The claim.
        claim: String,
        /// The variable.
        variable: &'static str,
    },
}
