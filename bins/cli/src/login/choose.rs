//! Which of several scopes.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use sealstone_client::KeystoneScope;

use crate::output;

/// More are not shown: whoever has so many knows the name.
const SHOWN: usize = 200;
/// How often somebody may mistype.
const TRIES: usize = 3;

/// Asks at the terminal; nobody there, nothing chosen.
pub(super) fn scope(scopes: &[KeystoneScope]) -> Option<usize> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return None;
    }
    output::note("You may act in several places:");
    for (number, scope) in scopes.iter().take(SHOWN).enumerate() {
        let name = output::visible(&scope.to_string());
        output::note(&format!("{:>4}  {name}", number.saturating_add(1)));
    }
    for _ in 0..TRIES {
        let _seen_or_not = io::stderr().write_all(b"Which one? ");
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(found) = chosen(scopes, line.trim()) {
            return Some(found);
        }
        output::note("write one of the numbers, or a name");
    }
    None
}

fn chosen(scopes: &[KeystoneScope], typed: &str) -> Option<usize> {
    let by_number = typed
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_sub(1));
    if let Some(index) = by_number.filter(|index| *index < scopes.len()) {
        return Some(index);
    }
    let is_it = |scope: &KeystoneScope| match scope {
        KeystoneScope::Project { name, id, .. } | KeystoneScope::Domain { id, name } => {
            name == typed || id == typed
        }
        KeystoneScope::System => typed == "system",
    };
    let mut found = scopes.iter().enumerate().filter(|(_, scope)| is_it(scope));
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Some(index),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_ids_choose() {
        let project = |id: &str, name: &str| KeystoneScope::Project {
            id: id.to_owned(),
            name: name.to_owned(),
            domain: None,
        };
        let scopes = [
            project("p1", "web"),
            project("p2", "web"),
            project("p3", "db"),
            KeystoneScope::System,
        ];
        for (typed, want) in [
            ("1", Some(0)),
            ("4", Some(3)),
            ("db", Some(2)),
            ("p2", Some(1)),
            ("system", Some(3)),
            ("web", None),
            ("0", None),
            ("5", None),
            ("", None),
        ] {
            assert_eq!(chosen(&scopes, typed), want, "{typed}");
        }
    }
}
