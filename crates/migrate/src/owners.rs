//! Whose files are on the node that they come from, by the numbers of its accounts.

use std::collections::BTreeMap;

/// By the name in the archive, without a slash at its beginning.
#[derive(Debug, Default)]
pub(crate) struct Owners(BTreeMap<String, u32>);

impl Owners {
    /// Reads what `tar -vv --numeric-owner` lists: mode, `user/group`, size, day, time, name. Other lines say nothing.
    pub(crate) fn add(&mut self, listing: &str) {
        self.0.extend(listing.lines().filter_map(line));
    }

    pub(crate) fn of(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }
}

fn line(line: &str) -> Option<(String, u32)> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(word)
    };
    let (_mode, owner) = (word()?, word()?);
    let (_size, _day, _time) = (word()?, word()?, word()?);
    let user = owner.split_once('/')?.0.parse().ok()?;
    let name = rest.trim_start_matches("./").trim_matches('/');
    (!name.is_empty()).then(|| (name.to_owned(), user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_read_and_junk_is_not() {
        let mut owners = Owners::default();
        owners.add(
            "drwx------ 64062/64062       0 2026-11-23 00:10 etc/keystone/fernet-keys/\n\
             -rw------- 64062/64062      44 2026-11-23 00:10 ./etc/keystone/fernet-keys/0\n\
             -rw------- 0/0 241 2026-11-23 00:10 /etc/keystone/a file\n\
             -rw------- 0/0\n-rw------- root/root 1 2026-11-23 00:10 etc/named\n\n4294967296/0 \u{e9}\n",
        );
        for (name, user) in [
            ("etc/keystone/fernet-keys", Some(64062)),
            ("etc/keystone/fernet-keys/0", Some(64062)),
            ("etc/keystone/a file", Some(0)),
            ("etc/named", None),
            ("", None),
        ] {
            assert_eq!(owners.of(name), user, "{name}");
        }
        assert_eq!(owners.0.len(), 3);
    }
}
