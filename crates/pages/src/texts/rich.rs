use std::fmt;

use askama::filters::HtmlSafe;

use crate::date::Moment;

/// A text whose placeholders are filled: plain, to be escaped by the template.
pub(crate) fn fill(text: &str, name: &str, value: &str) -> String {
    text.replace(&format!("{{{name}}}"), value)
}

/// A text as markup: everything escaped, and what was filled in set apart, in a direction of its own.
pub(crate) fn emphasized(text: &str, values: &[(&str, &str)]) -> Rich {
    let mut html = String::with_capacity(text.len().saturating_add(64));
    let mut rest = text;
    while let Some((before, name, after)) = next(rest) {
        escape(&mut html, before);
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => {
                html.push_str("<b><bdi>");
                escape(&mut html, value);
                html.push_str("</bdi></b>");
            }
            None => {
                html.push('{');
                escape(&mut html, name);
                html.push('}');
            }
        }
        rest = after;
    }
    escape(&mut html, rest);
    Rich(html)
}

/// Text around the first pair of braces, and what is in it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn escape(html: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&#38;"),
            '<' => html.push_str("&#60;"),
            '>' => html.push_str("&#62;"),
            '"' => html.push_str("&#34;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

/// Markup that this module made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rich(String);

impl Rich {
    /// A placeholder that was left, filled with a moment.
    pub(crate) fn with_moment(self, name: &str, moment: &Moment) -> Self {
        Self(fill(&self.0, name, &moment.to_string()))
    }
}

impl fmt::Display for Rich {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl HtmlSafe for Rich {}
