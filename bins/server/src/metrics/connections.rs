//! What the limits of the listeners kept out.

use sealstone_tls::KeptOut;
use std::fmt::Write as _;

/// Appends it in the text format of Prometheus.
pub(crate) fn write(kept_out: KeptOut, text: &mut String) {
    for (name, help, count) in [
        (
            "sealstone_connections_turned_away_total",
            "Connections that were answered 503, since there was no place for them.",
            kept_out.turned_away,
        ),
        (
            "sealstone_connections_beyond_share_total",
            "Connections that were closed, since their address holds its share.",
            kept_out.beyond_share,
        ),
    ] {
        // Writing into a String does not fail.
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/reference/metrics.md");

    #[test]
    fn what_is_written_is_documented() {
        let mut text = String::new();
        let kept_out = KeptOut {
            turned_away: 7,
            beyond_share: 9,
        };
        write(kept_out, &mut text);
        assert!(
            text.contains("\nsealstone_connections_turned_away_total 7\n"),
            "{text}"
        );
        assert!(
            text.contains("\nsealstone_connections_beyond_share_total 9\n"),
            "{text}"
        );
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        for name in names.filter_map(|line| line.strip_suffix(" counter")) {
            assert!(DOCUMENT.contains(&format!("| `{name}` | counter |")), "{name}");
        }
    }
}
