//! What was found, line by line.

use serde::Serialize;

use super::Told;
use crate::{
    failure::Outcome,
    output::{self, Form},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Right,
    /// It works, and should be otherwise.
    Weak,
    Wrong,
    /// It could not be looked at.
    Unknown,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Weak => "weak",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    verdict: Verdict,
    /// What was looked at: fixed words, for programs.
    check: &'static str,
    /// Which of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    found: String,
    /// What to do; empty when all is right.
    #[serde(skip_serializing_if = "str::is_empty")]
    advice: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn add(
        &mut self,
        verdict: Verdict,
        check: &'static str,
        subject: Option<&str>,
        found: impl Into<String>,
        advice: &'static str,
    ) {
        self.0.push(Finding {
            verdict,
            check,
            subject: subject.map(str::to_owned),
            found: found.into(),
            advice,
        });
    }

    pub(super) fn right(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(Verdict::Right, check, None, found, "");
    }

    pub(super) fn weak(&mut self, check: &'static str, found: impl Into<String>, advice: &'static str) {
        self.add(Verdict::Weak, check, None, found, advice);
    }

    pub(super) fn wrong_here(&mut self, check: &'static str, found: impl Into<String>, advice: &'static str) {
        self.add(Verdict::Wrong, check, None, found, advice);
    }

    pub(super) fn wrong_in(
        &mut self,
        check: &'static str,
        subject: &str,
        found: impl Into<String>,
        advice: &'static str,
    ) {
        self.add(Verdict::Wrong, check, Some(subject), found, advice);
    }

    pub(super) fn unknown(&mut self, check: &'static str, found: impl Into<String>, advice: &'static str) {
        self.add(Verdict::Unknown, check, None, found, advice);
    }

    /// What is not right.
    pub(super) fn told(self) -> Vec<Told> {
        let not_right = |finding: &Finding| finding.verdict != Verdict::Right;
        let all = self.0.into_iter().filter(not_right);
        let told = all.map(|finding| Told {
            check: finding.check,
            subject: finding.subject,
            found: finding.found,
            advice: finding.advice,
            is_weak: finding.verdict == Verdict::Weak,
            is_unknown: finding.verdict == Verdict::Unknown,
        });
        told.collect()
    }

    pub(super) fn wrong(&self) -> usize {
        let wrong = |finding: &&Finding| finding.verdict == Verdict::Wrong;
        self.0.iter().filter(wrong).count()
    }

    pub(super) fn print(&self, form: Form) -> Outcome {
        match form {
            Form::Json => output::json(&self.0),
            Form::Table => output::data(&self.lines()),
        }
    }

    /// A line for each, and what to do under those that are not right.
    pub(super) fn lines(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|finding| finding.check.len())
            .max()
            .unwrap_or_default();
        let mut text = String::new();
        for finding in &self.0 {
            let verdict = finding.verdict.as_str();
            let subject = finding.subject.as_deref().map(|subject| format!("{subject}: "));
            let found = format!("{}{}", subject.unwrap_or_default(), finding.found);
            let line = format!(
                "{verdict:<7}  {:<width$}  {}",
                finding.check,
                output::visible(&found)
            );
            text.push_str(line.trim_end());
            text.push('\n');
            if !finding.advice.is_empty() {
                text.push_str(&format!("{:<7}  {:<width$}  -> {}\n", "", "", finding.advice));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_under_what_is_wrong() {
        let mut report = Report::default();
        report.right("clock", "they agree");
        report.add(
            Verdict::Wrong,
            "client",
            Some("ci"),
            "gone\u{1b}[2J",
            "tie it anew",
        );
        let lines = report.lines();
        let want = "right    clock   they agree\nwrong    client  ci: gone\u{fffd}[2J\n                 -> tie it anew\n";
        assert_eq!(lines, want);
        assert_eq!(report.wrong(), 1);
    }
}
