use crate::mapping::fold::fold;
use crate::mapping::limits::{MAX_PATTERN_BYTES, MAX_PATTERN_MEMORY};
use crate::mapping::value::Scalar;
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// How deep a pattern may nest: its parser recurses.
const MAX_NESTING: u32 = 32;

/// A regular expression that runs in time linear in the value.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    /// As it was written, for explanations.
    pub(crate) written: String,
    /// As it is searched for: whole, if it must be.
    searched: String,
    /// Also tried on the folded value, in whatever letter case.
    denies: bool,
}

/// How a pattern is compiled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PatternUse {
    /// A match anywhere in the value counts; otherwise the whole value must match.
    pub(crate) search: bool,
    /// Its match denies something.
    pub(crate) denies: bool,
}

impl Pattern {
    /// What is wrong and what to do, when it is refused.
    pub(crate) fn compile(written: &str, how: PatternUse) -> Result<Self, (String, String)> {
        if written.is_empty() {
            return Err((
                "an empty pattern".to_owned(),
                "write one, or use `exists`".to_owned(),
            ));
        }
        if written.len() > MAX_PATTERN_BYTES {
            return Err((
                format!("a pattern of more than {MAX_PATTERN_BYTES} bytes"),
                "list names with `any_of`".to_owned(),
            ));
        }
        let build = |text: &str| {
            RegexBuilder::new(text)
                .size_limit(MAX_PATTERN_MEMORY)
                .nest_limit(MAX_NESTING)
                .case_insensitive(how.denies)
                .build()
                .map_err(|error| refused(&error))
        };
        // Alone first, so that what is put around it can't complete it to something else.
        let alone = build(written)?;
        let (regex, searched) = if how.search {
            (alone, written.to_owned())
        } else {
            let whole = format!(r"\A(?:{written})\z");
            (build(&whole)?, whole)
        };
        Ok(Self {
            regex,
            searched,
            written: written.to_owned(),
            denies: how.denies,
        })
    }

    /// The names of its groups, each with its index.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (usize, &str)> {
        let names = self.regex.capture_names().enumerate();
        names.filter_map(|(index, name)| Some((index, name?)))
    }

    pub(crate) fn matches(&self, value: Scalar<'_>) -> bool {
        let text = value.text();
        self.regex.is_match(&text) || (self.denies && self.regex.is_match(&fold(&text)))
    }

    /// What the groups of these indices caught in a text that matches.
    pub(crate) fn captures<'t>(&self, text: &'t str, mut caught: impl FnMut(usize, &'t str)) {
        let Some(captures) = self.regex.captures(text) else {
            return;
        };
        for (index, _) in self.groups() {
            if let Some(group) = captures.get(index).filter(|group| !group.is_empty()) {
                caught(index, group.as_str());
            }
        }
    }
}

/// From how many patterns on it pays to search for all of them at once.
const SEARCHED_TOGETHER: usize = 4;
/// The largest set of patterns that are searched for at once, in bytes when compiled; above, each is searched for by
/// itself: an automaton of all would not fit its cache.
const MAX_SET_MEMORY: usize = 1024 * 1024;

/// Patterns, and the questions that each answers with yes.
#[derive(Debug, Clone)]
pub(crate) struct PatternSet {
    patterns: Vec<(Pattern, usize)>,
    together: Option<RegexSet>,
    denies: bool,
}

impl PatternSet {
    pub(crate) fn new(patterns: Vec<(Pattern, usize)>, denies: bool) -> Self {
        let together = if patterns.len() < SEARCHED_TOGETHER {
            None
        } else {
            let texts = patterns.iter().map(|(pattern, _)| pattern.searched.as_str());
            let mut builder = RegexSetBuilder::new(texts);
            builder.size_limit(MAX_SET_MEMORY).case_insensitive(denies);
            builder.build().ok()
        };
        Self {
            patterns,
            together,
            denies,
        }
    }

    /// Calls `yes` with each question that this value answers so.
    pub(crate) fn look_up(&self, value: Scalar<'_>, yes: &mut impl FnMut(usize)) {
        let Some(together) = &self.together else {
            let matching = self.patterns.iter().filter(|(pattern, _)| pattern.matches(value));
            return matching.for_each(|(_, question)| yes(*question));
        };
        let text = value.text();
        let mut search = |text: &str| {
            for index in together.matches(text) {
                if let Some((_, question)) = self.patterns.get(index) {
                    yes(*question);
                }
            }
        };
        search(&text);
        if self.denies {
            search(&fold(&text));
        }
    }
}

fn refused(error: &regex::Error) -> (String, String) {
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        return (
            format!("the pattern takes more than {MAX_PATTERN_MEMORY} bytes when compiled"),
            "repeat less, or list names with `any_of`".to_owned(),
        );
    }
    // The last line says what is wrong; those above draw where.
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    let what = line.strip_prefix("error: ").unwrap_or(line);
    (
        format!("not a pattern that runs in linear time: {what}"),
        "write it without; look-around and back references do not exist here".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: PatternUse = PatternUse {
        search: false,
        denies: false,
    };

    #[test]
    fn the_whole_value_matches_unless_a_search_is_asked_for() {
        let matches = |pattern: &str, how, text| {
            Pattern::compile(pattern, how)
                .unwrap()
                .matches(Scalar::Text(text))
        };
        let search = PatternUse {
            search: true,
            ..WHOLE
        };
        assert!(matches("a|ab", WHOLE, "ab"));
        assert!(!matches("admin", WHOLE, "notadmin"));
        assert!(!matches("admin", WHOLE, "admin\n"));
        assert!(!matches("^admin$", search, "admin\n"));
        assert!(matches("admin", search, "notadmin"));
        let denies = PatternUse {
            search: true,
            denies: true,
        };
        assert!(matches("^Admin", denies, "ＡDMIN"));
    }

    #[test]
    fn what_can_not_be_linear_is_told() {
        for refused in [
            "(?=a)",
            r"(a)\1",
            "a)|(?:b",
            "(",
            "[z-a]",
            "(?x)a # ",
            "",
            "a{1000}{1000}{1000}",
        ] {
            let (problem, advice) = Pattern::compile(refused, WHOLE).unwrap_err();
            assert!(
                !problem.contains('\n') && !advice.is_empty(),
                "{refused}: {problem}"
            );
        }
        for usual in [
            r"(?P<user>[\w.]+)@(?P<host>[\w.-]+)",
            r"^cn=([^,]+),ou=\w+,.*$",
            r"\p{L}+",
        ] {
            assert!(Pattern::compile(usual, WHOLE).is_ok(), "{usual}");
        }
    }
}
