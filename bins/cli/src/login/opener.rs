//! Opens a browser: `$BROWSER`, else what the platform has for it.

use std::{
    ffi::{OsStr, OsString},
    process::{Command, Stdio},
};

use crate::output;

/// Opens the browser at an address; the address holds no secret, for other users see arguments.
///
/// What it says of itself goes nowhere. That it cannot be started, or ends at once with an error, is told.
pub(crate) fn open(url: &str) {
    let mut last = String::new();
    for (program, arguments) in candidates(std::env::var_os("BROWSER").as_deref(), url) {
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match command.spawn() {
            Ok(mut child) => {
                let name = program.to_string_lossy().into_owned();
                // It may run for as long as the browser; its end is waited for beside the login.
                std::thread::spawn(move || {
                    if child.wait().is_ok_and(|status| !status.success()) {
                        output::note(&format!(
                            "{name} opened no browser: open the address above yourself"
                        ));
                    }
                });
                return;
            }
            Err(error) => last = format!("{}: {error}", program.to_string_lossy()),
        }
    }
    output::note(&format!(
        "no browser can be opened ({last}): open the address above yourself"
    ));
}

/// Programs in order, each with its arguments.
fn candidates(browser: Option<&OsStr>, url: &str) -> Vec<(OsString, Vec<OsString>)> {
    let named = browser.and_then(OsStr::to_str).unwrap_or_default();
    let separator = if cfg!(windows) { ';' } else { ':' };
    let mut all: Vec<(OsString, Vec<OsString>)> = named
        .split(separator)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let program = words.next()?;
            let mut arguments: Vec<OsString> = words.map(|word| word.replace("%s", url).into()).collect();
            if !line.contains("%s") {
                arguments.push(url.into());
            }
            Some((program.into(), arguments))
        })
        .collect();
    let own: &[(&str, &[&str])] = if cfg!(target_os = "macos") {
        &[("open", &[])]
    } else if cfg!(windows) {
        // Not `cmd /c start`: that reads `&` as its own.
        &[("rundll32", &["url.dll,FileProtocolHandler"])]
    } else {
        &[("xdg-open", &[]), ("gio", &["open"]), ("wslview", &[])]
    };
    for (program, arguments) in own {
        let mut arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        arguments.push(url.into());
        all.push((program.into(), arguments));
    }
    all
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_persons_own_browser_comes_first() {
        let url = "https://id/authorize?a=1&b=%20";
        let found = candidates(Some(OsStr::new("firefox -P 'x' %s:w3m")), url);
        let lines: Vec<String> = found
            .iter()
            .map(|(program, arguments)| {
                let arguments: Vec<_> = arguments
                    .iter()
                    .map(|argument| argument.to_string_lossy())
                    .collect();
                format!("{} {}", program.to_string_lossy(), arguments.join(" "))
            })
            .collect();
        assert_eq!(lines[0], format!("firefox -P 'x' {url}"));
        assert_eq!(lines[1], format!("w3m {url}"));
        assert_eq!(lines[2], format!("xdg-open {url}"));
        assert_eq!(candidates(None, url)[0].0, "xdg-open");
        assert_eq!(candidates(Some(OsStr::new("")), url)[0].0, "xdg-open");
    }
}
