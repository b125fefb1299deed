//! How signing by a PKCS#11 token goes.

use sealstone_keyring::{HomeFigures, SIGNATURE_TIMES};
use std::fmt::Write as _;

/// Appends it in the text format of Prometheus. Writing into a String does not fail.
pub(super) fn write(figures: &HomeFigures, text: &mut String) {
    let name = "sealstone_hsm_signatures_total";
    let _ = writeln!(
        text,
        "# HELP {name} Signatures that the PKCS#11 token was asked for, by outcome.\n# TYPE {name} counter"
    );
    for (outcome, count) in [("signed", figures.signed), ("failed", figures.failed)] {
        let _ = writeln!(text, "{name}{{outcome=\"{outcome}\"}} {count}");
    }
    let name = "sealstone_hsm_signature_seconds";
    let _ = writeln!(
        text,
        "# HELP {name} How long the token took, sessions that were waited for included.\n# TYPE {name} histogram"
    );
    for (limit, count) in SIGNATURE_TIMES.iter().zip(figures.within) {
        let _ = writeln!(text, "{name}_bucket{{le=\"{}\"}} {count}", limit.as_secs_f64());
    }
    let all = figures.signed.saturating_add(figures.failed);
    let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {all}");
    let _ = writeln!(text, "{name}_sum {}", figures.taken.as_secs_f64());
    let _ = writeln!(text, "{name}_count {all}");
    let name = "sealstone_hsm_reachable";
    let _ = writeln!(
        text,
        "# HELP {name} Whether the token did what it was last asked for.\n# TYPE {name} gauge"
    );
    let _ = writeln!(text, "{name} {}", u8::from(figures.answers));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    const DOCUMENT: &str = include_str!("../../../../docs/reference/metrics.md");

    fn text() -> String {
        let mut text = String::new();
        let figures = HomeFigures {
            signed: 7,
            failed: 2,
            within: std::array::from_fn(|at| u64::try_from(at).unwrap().min(9)),
            taken: Duration::from_millis(1_500),
            answers: false,
        };
        write(&figures, &mut text);
        text
    }

    #[test]
    fn a_histogram_ends_with_all() {
        let text = text();
        for line in [
            "sealstone_hsm_signatures_total{outcome=\"signed\"} 7",
            "sealstone_hsm_signatures_total{outcome=\"failed\"} 2",
            "sealstone_hsm_signature_seconds_bucket{le=\"0.00025\"} 0",
            "sealstone_hsm_signature_seconds_bucket{le=\"0.0025\"} 3",
            "sealstone_hsm_signature_seconds_bucket{le=\"5\"} 9",
            "sealstone_hsm_signature_seconds_bucket{le=\"+Inf\"} 9",
            "sealstone_hsm_signature_seconds_sum 1.5",
            "sealstone_hsm_signature_seconds_count 9",
            "sealstone_hsm_reachable 0",
        ] {
            assert!(text.lines().any(|written| written == line), "{line}\n{text}");
        }
    }

    #[test]
    fn every_figure_is_documented() {
        let section = DOCUMENT.split("## The PKCS#11 token").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows: BTreeSet<String> = section
            .lines()
            .filter(|line| line.starts_with("| `sealstone_"))
            .map(|line| {
                let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
                format!("{} {}", cells[0].trim_matches('`'), cells[1])
            })
            .collect();
        let text = text();
        let written: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .map(str::to_owned)
            .collect();
        assert_eq!(rows, written);
    }
}
