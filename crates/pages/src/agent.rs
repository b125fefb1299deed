//! What a browser says of itself, in words that a person knows.

/// The longest text that is shown of a browser that nobody knows.
const MAX: usize = 60;

/// Names in `User-Agent`, the more special first: nearly all browsers say that they are most of the others.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// Browser and system, as far as they are known.
pub(crate) enum Agent<'a> {
    Known(&'static str, &'static str),
    /// The text itself, cut.
    Other(&'a str),
}

impl<'a> Agent<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let find = |known: &[(&str, &'static str)]| {
            let mut known = known.iter();
            known.find(|(mark, _)| text.contains(mark)).map(|(_, name)| *name)
        };
        match (find(&BROWSERS), find(&SYSTEMS)) {
            (Some(browser), Some(system)) if text.starts_with("Mozilla/") => Self::Known(browser, system),
            _ => {
                let end = text.char_indices().nth(MAX).map_or(text.len(), |(end, _)| end);
                Self::Other(text.get(..end).unwrap_or(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Agent;

    #[test]
    fn browsers_are_known_by_name() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        let edge = format!("{chrome} Edg/156.0");
        for (text, want) in [
            (chrome, "Chrome/Linux"),
            (&edge, "Edge/Linux"),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox/Linux",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Mobile/15E Safari/604.1",
                "Safari/iPhone",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/19.0 Safari/605.1.15",
                "Safari/macOS",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox/Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/156.0 Mobile Safari/537.36",
                "Chrome/Android",
            ),
            (
                "python-openstackclient keystoneauth1/5.10 Linux Chrome/",
                "python-openstackclient keystoneauth1/5.10 Linux Chrome/",
            ),
            ("curl/8.9", "curl/8.9"),
            ("", ""),
        ] {
            let found = match Agent::of(text) {
                Agent::Known(browser, system) => format!("{browser}/{system}"),
                Agent::Other(other) => other.to_owned(),
            };
            assert_eq!(found, want, "{text}");
        }
        let long = "\u{e4}".repeat(100);
        assert!(matches!(Agent::of(&long), Agent::Other(cut) if cut.chars().count() == 60));
    }
}
