//! The three pieces of Python that Keystone's rules are written in: format strings, list literals, patterns.

use super::literal;

/// What is wrong and what to do.
type Refusal = (String, &'static str);

/// A format string as a template of ours; `{0}` reads the first of `slots` named values.
pub(super) fn format_string(text: &str, slots: usize) -> Result<String, Refusal> {
    let mut template = String::new();
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    let mut automatic = 0_usize;
    let mut manual = false;
    while let Some(c) = characters.next() {
        match c {
            '{' | '}' if characters.peek() == Some(&c) => {
                characters.next();
                plain.push(c);
            }
            '{' => {
                let mut field = String::new();
                loop {
                    match characters.next() {
                        Some('}') => break,
                        Some(c) => field.push(c),
                        None => {
                            return Err(("a `{` without `}`".to_owned(), "write `{{` for the text itself"));
                        }
                    }
                }
                let index = if field.is_empty() {
                    automatic = automatic.saturating_add(1);
                    automatic.saturating_sub(1)
                } else {
                    manual = true;
                    field_index(&field)?
                };
                if manual && automatic > 0 {
                    return Err(("both `{}` and numbers".to_owned(), "number all of them"));
                }
                if index >= slots {
                    return Err((
                        format!("`{{{index}}}` is not there: `remote` has {slots} entries that carry values"),
                        "count entries without `any_one_of` and `not_any_of`, from 0",
                    ));
                }
                template.push_str(&literal(&std::mem::take(&mut plain)));
                if template.ends_with('$') {
                    return Err(("`$` before a variable".to_owned(), "put something between them"));
                }
                template.push_str(&variable(index));
            }
            '}' => return Err(("a `}` without `{`".to_owned(), "write `}}` for the text itself")),
            c if c.is_control() => return Err(("a control character".to_owned(), "remove it")),
            c => plain.push(c),
        }
    }
    template.push_str(&literal(&plain));
    Ok(template)
}

/// The named value that `{index}` reads.
pub(super) fn variable(index: usize) -> String {
    format!("${{values.v{index}}}")
}

fn field_index(field: &str) -> Result<usize, Refusal> {
    const ADVICE: &str =
        "write the number alone: attributes, items, conversions and formats reach into Python's objects";
    let plain = !field.is_empty() && field.len() <= 4 && field.bytes().all(|byte| byte.is_ascii_digit());
    let index = if plain { field.parse().ok() } else { None };
    index.ok_or_else(|| {
        let told: String = field.chars().take(32).collect();
        (format!("`{{{told}}}` is more than a number"), ADVICE)
    })
}

/// The items of `['a', "b"]`; `None` if the text is no list at all.
pub(super) fn list_literal(text: &str) -> Option<Result<Vec<String>, Refusal>> {
    let inner = text.trim_start_matches([' ', '\t']).strip_prefix('[')?;
    Some(items(inner).ok_or_else(|| {
        (
            "it starts as a list and is none".to_owned(),
            "write ['one', 'two'], with a variable inside the quotes",
        )
    }))
}

fn items(inner: &str) -> Option<Vec<String>> {
    let mut items = Vec::new();
    let mut rest = inner.trim_start();
    loop {
        if let Some(end) = rest.strip_prefix(']') {
            return end.trim().is_empty().then_some(items);
        }
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let mut item = String::new();
        let mut characters = rest.get(1..)?.chars();
        loop {
            match characters.next()? {
                '\\' => item.push(characters.next().filter(|c| matches!(c, '\\' | '\'' | '"'))?),
                c if c == quote => break,
                c => item.push(c),
            }
        }
        items.push(item);
        rest = characters.as_str().trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.starts_with(']') => {}
            None => return None,
        }
    }
}

/// Refuses what Python's `re` and our engine both accept and read differently.
pub(super) fn pattern(text: &str) -> Result<(), Refusal> {
    let refusal = |what: &str, advice| Err((format!("{what} means something else in Python"), advice));
    let mut characters = text.chars().peekable();
    let mut in_class = false;
    let mut quantified = false;
    let mut previous = '\0';
    while let Some(c) = characters.next() {
        let next = characters.peek().copied();
        let mut quantifies = false;
        match c {
            '\\' => {
                characters.next();
                match next {
                    Some('<' | '>') => return refusal("`\\<` or `\\>`", "write the character alone"),
                    Some('b' | 'B') if characters.peek() == Some(&'{') => {
                        return refusal("`\\b{`", "write `\\b` alone");
                    }
                    _ => {}
                }
            }
            '[' if in_class => return refusal("`[` inside a class", "write `\\[`"),
            '[' => {
                in_class = true;
                if next == Some('^') {
                    characters.next();
                }
                if characters.peek() == Some(&']') {
                    characters.next();
                }
            }
            ']' => in_class = false,
            '&' | '-' | '~' if in_class && previous == c => {
                return refusal("`&&`, `--` or `~~` inside a class", "escape them");
            }
            '*' | '+' | '?' | '}' if !in_class => {
                if quantified && matches!(c, '*' | '+') {
                    return refusal("a repetition of a repetition", "write one repetition");
                }
                // `?` behind a repetition makes it lazy, and ends it.
                quantifies = c != '?' || !(quantified || previous == '(');
            }
            _ => {}
        }
        quantified = quantifies;
        previous = c;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_strings_hold_numbers_alone() {
        let cases = [
            ("{0}", Ok("${values.v0}")),
            ("{} {}", Ok("${values.v0} ${values.v1}")),
            ("{{{1}}}", Ok("{${values.v1}}")),
            ("${{x}}", Ok("$${x}")),
            ("{0}{}", Err(())),
            ("{2}", Err(())),
            ("{0.__class__}", Err(())),
            ("{0[0]}", Err(())),
            ("{0!r}", Err(())),
            ("{0:>9}", Err(())),
            ("{name}", Err(())),
            ("{-1}", Err(())),
            ("{0", Err(())),
            ("}", Err(())),
            ("${0}", Err(())),
        ];
        for (text, want) in cases {
            let got = format_string(text, 2);
            assert_eq!(got.as_deref().map_err(|_| ()), want, "{text}");
        }
    }

    #[test]
    fn lists_are_read_when_saved_and_never_from_a_value() {
        assert_eq!(list_literal("['a', \"b\"]").unwrap().unwrap(), ["a", "b"]);
        assert_eq!(list_literal("[]").unwrap().unwrap(), Vec::<String>::new());
        assert!(list_literal("plain").is_none());
        for broken in ["[", "['a'", "[{0}]", "['a' 'b']", "['a'] x", "[1]", "['\\x41']"] {
            assert!(list_literal(broken).unwrap().is_err(), "{broken}");
        }
    }

    #[test]
    fn patterns_that_differ_are_refused() {
        for same in [
            "^a+?b*$",
            "[]a]",
            "[^]a]",
            "(?P<x>a)?",
            "a{2,3}?",
            r"\[\]",
            r"a\+\+",
            "[a-z]+",
            "(?:a)?",
        ] {
            assert!(pattern(same).is_ok(), "{same}");
        }
        for differs in [
            "a++",
            "a*+",
            "a{2}+",
            "[a[b]]",
            "[a&&b]",
            r"\<a\>",
            r"\b{start}",
            "[[:alpha:]]",
        ] {
            assert!(pattern(differs).is_err(), "{differs}");
        }
    }
}
