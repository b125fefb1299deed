use crate::mapping::limits::{
    MAX_ASSERTION_BYTES, MAX_ASSERTION_DEPTH, MAX_ATTRIBUTES, MAX_OUTPUTS, MAX_VALUE_BYTES, MAX_VALUES,
};

/// Why an assertion is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// Not a JSON object of attributes.
    #[error("an assertion is a JSON object of attribute names and values: {detail}")]
    NotAnObject {
        /// What the reader said.
        detail: String,
    },
    /// An attribute that was given twice: which one counts would be luck.
    #[error("attribute {attribute:?} is there twice: give all its values at once")]
    Twice {
        /// The attribute.
        attribute: String,
    },
    /// More than [`MAX_ATTRIBUTES`] attributes.
    #[error("more than {MAX_ATTRIBUTES} attributes: let the identity provider send fewer")]
    Attributes,
    /// More than [`MAX_VALUES`] values in one attribute.
    #[error(
        "attribute {attribute:?} has more than {MAX_VALUES} values: let the identity provider send fewer"
    )]
    Values {
        /// The attribute.
        attribute: String,
    },
    /// A value above [`MAX_VALUE_BYTES`], or all of them above [`MAX_ASSERTION_BYTES`].
    #[error(
        "attribute {attribute:?} is too large: a value has at most {MAX_VALUE_BYTES} bytes, an assertion {MAX_ASSERTION_BYTES}"
    )]
    TooLarge {
        /// The attribute.
        attribute: String,
    },
    /// Nested deeper than [`MAX_ASSERTION_DEPTH`].
    #[error("attribute {attribute:?} nests deeper than {MAX_ASSERTION_DEPTH} levels")]
    TooDeep {
        /// The attribute.
        attribute: String,
    },
}

/// Why an assertion came to no identity. Names rules, fields and attributes, and never a value of the assertion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The rules are switched off.
    #[error("the mapping is disabled: nobody is mapped until it is enabled")]
    Disabled,
    /// The rules are for assertions of somebody else.
    #[error("the mapping is for assertions of {want:?}, and this one is of another source")]
    OtherSource {
        /// Whose assertions the rules are for.
        want: String,
    },
    /// No rule matched.
    #[error("none of the {rules} rules matched: `sealstone mapping test` shows why, condition by condition")]
    NoRule {
        /// How many were tried.
        rules: usize,
    },
    /// Something that a rule reads is neither a value nor a list of values.
    #[error("rule `{rule}` can't be decided: `{attribute}` is an object or holds one: read a member of it")]
    Unusable {
        /// The rule.
        rule: String,
        /// The attribute.
        attribute: String,
    },
    /// A field could not be filled.
    #[error("rule `{rule}`, {field}: `{reference}` has no value: let the source send it, or state `missing`")]
    Missing {
        /// The rule.
        rule: String,
        /// The output field.
        field: String,
        /// The reference in the template.
        reference: String,
    },
    /// A field for one value has several.
    #[error(
        "rule `{rule}`, {field}: `{reference}` has {count} values where one is due: filter them, or state `many`"
    )]
    Many {
        /// The rule.
        rule: String,
        /// The output field.
        field: String,
        /// The reference in the template.
        reference: String,
        /// How many values there are.
        count: usize,
    },
    /// A value outside the list that the field allows.
    #[error("rule `{rule}`, {field}: the value is not among those that `allowed` lists")]
    NotAllowed {
        /// The rule.
        rule: String,
        /// The output field.
        field: String,
    },
    /// A value that is empty, too long, or holds a control or text-direction character.
    #[error(
        "rule `{rule}`, {field}: the value is longer than 255 characters, or holds a control or direction character"
    )]
    Text {
        /// The rule.
        rule: String,
        /// The output field.
        field: String,
    },
    /// An address that its source says is not verified would name somebody.
    #[error(
        "rule `{rule}`, {field}: `{attribute}` is not verified, so it identifies nobody (OpenID Connect Core §5.7)"
    )]
    Unverified {
        /// The rule.
        rule: String,
        /// The output field.
        field: String,
        /// The attribute.
        attribute: String,
    },
    /// A value that should be JSON is not what the field needs.
    #[error("rule `{rule}`, {field}: the value is not the JSON that is due here: {detail}")]
    Json {
        /// The rule.
        rule: String,
        /// The output field.
        field: String,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// Rules matched, and none of them says who the user is.
    #[error("the matching rules ({rules}) give the user neither an id nor a name: add `user` to one of them")]
    NoUser {
        /// The rules that matched.
        rules: String,
    },
    /// A local user by name alone: which domain's user that is can't be told.
    #[error("the local user has a name and neither an id nor a domain: add `user.domain`")]
    NoDomain,
    /// More than [`MAX_OUTPUTS`] groups, projects or roles.
    #[error("more than {MAX_OUTPUTS} groups, projects or roles came out: filter them with `keep`")]
    Outputs,
}
