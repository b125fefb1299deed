//! Lines that set and take away variables, for the shells that people have.

use clap::ValueEnum;

/// For which shell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// sh, bash, zsh, dash, ksh
    #[default]
    Posix,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}

impl Shell {
    /// `Some` sets, `None` takes away.
    pub(crate) fn line(self, name: &str, value: Option<&str>) -> String {
        match (self, value) {
            (Self::Posix, Some(value)) => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
            (Self::Posix, None) => format!("unset {name}\n"),
            (Self::Fish, Some(value)) => {
                let value = value.replace('\\', r"\\").replace('\'', r"\'");
                format!("set -gx {name} '{value}'\n")
            }
            (Self::Fish, None) => format!("set -e {name}\n"),
            // Every kind of single quote closes there.
            (Self::Powershell, Some(value)) => {
                let doubled = value.chars().flat_map(|c| {
                    let quote = matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}');
                    std::iter::repeat_n(c, if quote { 2 } else { 1 })
                });
                format!("$Env:{name} = '{}'\n", doubled.collect::<String>())
            }
            (Self::Powershell, None) => {
                format!("Remove-Item -ErrorAction SilentlyContinue Env:{name}\n")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_quotes() {
        let value = "a'b\\c$(id)`id`\"\u{2019};";
        assert_eq!(
            Shell::Posix.line("X", Some(value)),
            "export X='a'\\''b\\c$(id)`id`\"\u{2019};'\n"
        );
        assert_eq!(
            Shell::Fish.line("X", Some(value)),
            "set -gx X 'a\\'b\\\\c$(id)`id`\"\u{2019};'\n"
        );
        assert_eq!(
            Shell::Powershell.line("X", Some(value)),
            "$Env:X = 'a''b\\c$(id)`id`\"\u{2019}\u{2019};'\n"
        );
    }

    /// What a real shell makes of it.
    #[test]
    fn sh_reads_back_what_was_meant() {
        for value in [
            "a'b", "$(id)", "`id`", "a\nb", "\\'", "''", "\"", "; exit 1", "ü €",
        ] {
            let script = format!("{}printf %s \"$X\"", Shell::Posix.line("X", Some(value)));
            let output = std::process::Command::new("sh").arg("-c").arg(script).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), value);
        }
        let script = format!("X=1; {}printf %s \"${{X-none}}\"", Shell::Posix.line("X", None));
        let output = std::process::Command::new("sh")
            .arg("-c")
            .arg(script)
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"none");
    }
}
