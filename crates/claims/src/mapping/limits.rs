//! How much one mapping and one assertion may ask of us.

/// The largest rule document in bytes: 64 rules with long lists fit four times.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// The most rules in a set: eight times what the largest published sets have.
pub const MAX_RULES: usize = 512;
/// The most conditions in one rule: each is looked at for every login.
pub const MAX_CONDITIONS: usize = 128;
/// How deep `all`, `any` and `not` may nest: deeper rules can't be read, and evaluation recurses.
pub const MAX_CONDITION_DEPTH: usize = 8;
/// The most entries in a list of values, patterns, groups, projects or roles.
pub const MAX_LIST: usize = 1024;
/// The most named values in one rule.
pub const MAX_NAMED_VALUES: usize = 64;
/// The longest pattern in bytes: longer ones are lists, and `any_of` is for lists.
pub const MAX_PATTERN_BYTES: usize = 1024;
/// The most patterns in one set: with [`MAX_PATTERN_MEMORY`] at most 64 MiB for a set that is loaded once.
pub const MAX_PATTERNS: usize = 256;
/// The largest compiled pattern in bytes. `a{1000}{1000}` takes far more; `[\w.-]+@[\w.-]+` of all scripts fits.
pub const MAX_PATTERN_MEMORY: usize = 256 * 1024;
/// The longest text of a template, name or literal in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// The most attributes in an assertion: a web server's environment has some hundred.
pub const MAX_ATTRIBUTES: usize = 512;
/// The most values of one attribute: what directories put into one login, several times over.
pub const MAX_VALUES: usize = 4096;
/// The longest value in bytes: a list of groups joined into one header fits.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;
/// The most bytes of all names and values of an assertion, so that a login can't hold more memory than its tokens.
pub const MAX_ASSERTION_BYTES: usize = 256 * 1024;
/// How deep nested claims go.
pub const MAX_ASSERTION_DEPTH: usize = 8;

/// The most groups, projects or roles that a mapping puts out: OpenStack's tokens with more no longer fit a header.
pub const MAX_OUTPUTS: usize = 512;
