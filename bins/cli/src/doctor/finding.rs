//! What can be found, and what was.

use clap::ValueEnum;
use serde::{Serialize, Serializer};

use crate::{
    failure::Outcome,
    output::{self, Form},
};

/// What is looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Area {
    /// The configuration file and what its keys say together
    Configuration,
    /// Files with secrets and private keys
    Secrets,
    /// The server's certificate and its chain
    Certificates,
    /// Authorities of client certificates, and their revocation lists
    Trust,
    /// Names and addresses
    Dns,
    /// The database, and the disks that are written on
    Database,
    /// The PKCS#11 token that holds keys, its module and its PIN
    Hsm,
    /// Signing keys
    Keys,
    /// Registered clients
    Clients,
    /// What is reached at the issuer's address: TLS, proxies, documents, clocks
    Issuer,
    /// The Keystone that the server asks
    Keystone,
}

impl Area {
    pub(super) const ALL: [Self; 11] = [
        Self::Configuration,
        Self::Secrets,
        Self::Certificates,
        Self::Trust,
        Self::Dns,
        Self::Database,
        Self::Hsm,
        Self::Keys,
        Self::Clients,
        Self::Issuer,
        Self::Keystone,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Secrets => "secrets",
            Self::Certificates => "certificates",
            Self::Trust => "trust",
            Self::Dns => "dns",
            Self::Database => "database",
            Self::Hsm => "hsm",
            Self::Keys => "keys",
            Self::Clients => "clients",
            Self::Issuer => "issuer",
            Self::Keystone => "keystone",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// Something does not work, or is not safe.
    Wrong,
    /// It works now, and should be otherwise.
    Warning,
}

impl Severity {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Warning => "warning",
        }
    }
}

/// A misconfiguration that is known.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) id: &'static str,
    pub(super) area: Area,
    pub(super) severity: Severity,
    /// What is wrong, and what comes of it.
    pub(super) problem: &'static str,
    /// What to do.
    pub(super) action: &'static str,
}

#[derive(Debug)]
struct Finding {
    check: &'static Check,
    evidence: String,
    /// More to the point than the check's own.
    action: Option<&'static str>,
}

impl Finding {
    fn action(&self) -> &'static str {
        self.action.unwrap_or(self.check.action)
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut out = serializer.serialize_struct("Finding", 6)?;
        out.serialize_field("id", self.check.id)?;
        out.serialize_field("area", &self.check.area)?;
        out.serialize_field("severity", &self.check.severity)?;
        out.serialize_field("problem", self.check.problem)?;
        out.serialize_field("evidence", &self.evidence)?;
        out.serialize_field("action", self.action())?;
        out.end()
    }
}

/// An area, or a part of it, that could not be looked at.
#[derive(Debug, Serialize)]
struct LeftOut {
    area: Area,
    why: String,
}

/// Everything that was found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    findings: Vec<Finding>,
    not_checked: Vec<LeftOut>,
    checked: Vec<Area>,
}

impl Report {
    pub(super) fn found(&mut self, check: &'static Check, evidence: impl Into<String>) {
        self.add(check, evidence.into(), None);
    }

    pub(super) fn found_with(
        &mut self,
        check: &'static Check,
        evidence: impl Into<String>,
        action: &'static str,
    ) {
        let action = (!action.is_empty()).then_some(action);
        self.add(check, evidence.into(), action);
    }

    fn add(&mut self, check: &'static Check, evidence: String, action: Option<&'static str>) {
        let finding = Finding {
            check,
            evidence,
            action,
        };
        let is_same = |known: &Finding| known.check == check && known.evidence == finding.evidence;
        if !self.findings.iter().any(is_same) {
            self.findings.push(finding);
        }
    }

    pub(super) fn left_out(&mut self, area: Area, why: impl Into<String>) {
        self.not_checked.push(LeftOut {
            area,
            why: why.into(),
        });
    }

    pub(super) fn looked_at(&mut self, area: Area) {
        self.checked.push(area);
    }

    /// Leaves out what was looked at on the way to these areas; none stands for all.
    pub(super) fn keep_only(&mut self, only: &[Area]) {
        if !only.is_empty() {
            self.findings.retain(|finding| only.contains(&finding.check.area));
            self.not_checked.retain(|left_out| only.contains(&left_out.area));
            self.checked.retain(|area| only.contains(area));
        }
    }

    /// Whether something of this kind was found already.
    pub(super) fn has(&self, check: &'static Check) -> bool {
        self.findings.iter().any(|finding| finding.check == check)
    }

    /// How much was found of an area.
    #[cfg(feature = "pkcs11")]
    pub(super) fn count_of(&self, area: Area) -> usize {
        let of = |finding: &&Finding| finding.check.area == area;
        self.findings.iter().filter(of).count()
    }

    pub(super) fn count(&self, severity: Severity) -> usize {
        let of = |finding: &&Finding| finding.check.severity == severity;
        self.findings.iter().filter(of).count()
    }

    pub(super) fn print(&mut self, form: Form) -> Outcome {
        self.findings
            .sort_by_key(|finding| (finding.check.severity, finding.check.area));
        match form {
            Form::Json => output::json(&self),
            Form::Table => output::data(&self.lines()),
        }
    }

    /// The worst first, each as what, seen and do; then what was looked at.
    fn lines(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let check = finding.check;
            let head = check.severity.as_str().to_uppercase();
            text.push_str(&format!("{head:<8} {}: {}\n", check.id, check.problem));
            text.push_str(&format!("  seen   {}\n", output::visible(&finding.evidence)));
            text.push_str(&format!("  do     {}\n\n", finding.action()));
        }
        for area in &self.checked {
            let of = |severity| {
                let fits =
                    |finding: &&Finding| finding.check.area == *area && finding.check.severity == severity;
                self.findings.iter().filter(fits).count()
            };
            let verdict = match (of(Severity::Wrong), of(Severity::Warning)) {
                (0, 0) => "nothing found".to_owned(),
                (0, warnings) => format!("{warnings} to look at"),
                (wrong, 0) => format!("{wrong} wrong"),
                (wrong, warnings) => format!("{wrong} wrong, {warnings} to look at"),
            };
            text.push_str(&format!("{:<14} {verdict}\n", area.as_str()));
        }
        for left_out in &self.not_checked {
            let (area, why) = (left_out.area.as_str(), output::visible(&left_out.why));
            text.push_str(&format!("{area:<14} not looked at: {why}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static WRONG: Check = Check {
        id: "tap-drips",
        area: Area::Issuer,
        severity: Severity::Wrong,
        problem: "the tap drips",
        action: "turn it off",
    };
    static WARNING: Check = Check {
        id: "tap-old",
        area: Area::Dns,
        severity: Severity::Warning,
        problem: "the tap is old",
        action: "buy another",
    };

    #[test]
    fn the_worst_comes_first_with_what_to_do() {
        let mut report = Report::default();
        report.found(&WARNING, "made in 1990");
        report.found(&WRONG, "a drop\u{1b}[2J");
        report.found(&WRONG, "a drop\u{1b}[2J");
        report.looked_at(Area::Issuer);
        report.looked_at(Area::Keys);
        report.left_out(Area::Keystone, "there is none");
        report
            .findings
            .sort_by_key(|finding| (finding.check.severity, finding.check.area));
        let want = "WRONG    tap-drips: the tap drips\n  seen   a drop\u{fffd}[2J\n  do     turn it off\n\n\
            WARNING  tap-old: the tap is old\n  seen   made in 1990\n  do     buy another\n\n\
            issuer         1 wrong\nkeys           nothing found\nkeystone       not looked at: there is none\n";
        assert_eq!(report.lines(), want);
        assert_eq!(report.count(Severity::Wrong), 1);
    }
}
