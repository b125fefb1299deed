//! The reader of configuration: what it takes it writes and takes again, and it ends on anything.

use proptest::prelude::*;
use sealstone_migrate::{AbsolutePath, IniDocument, Node, Settings, Source};

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ -~]{0,20}",
        "\\[[a-zA-Z ]{0,6}\\]?",
        "[a-z_]{1,6} {0,2}[=:] {0,2}[ -~]{0,12}",
        "[ \t]{1,3}[!-~]{1,8}",
        "[#;][ -~]{0,8}",
        "\\PC{0,8}",
    ]
}

proptest! {
    #[test]
    fn what_is_read_is_written_and_read_the_same(lines in prop::collection::vec(line(), 0..30)) {
        let text = lines.join("\n");
        if let Ok(document) = IniDocument::parse(&text) {
            let again = IniDocument::parse(&document.to_text());
            prop_assert_eq!(again.as_ref(), Ok(&document), "{}", document.to_text());
            let _ = Settings::read(&[document]);
        }
    }

    #[test]
    fn a_later_file_counts(first in "[a-z]{1,8}", second in "[a-z]{1,8}") {
        let file = |value: &str| IniDocument::parse(&format!("[token]\nprovider = {value}")).unwrap();
        let settings = Settings::read(&[file(&first), file(&second)]).unwrap();
        prop_assert_eq!(settings.provider, second);
    }

    #[test]
    fn names_need_no_quoting(text in "\\PC{0,12}|[ -~]{0,12}|/[ -~]{0,12}") {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/+@,=~-".contains(&byte));
        if let Ok(node) = Node::parse(&text) {
            prop_assert!(plain(node.as_str()) && !text.starts_with('-') && !text.contains('/'));
        }
        if let Some(path) = AbsolutePath::parse(&text) {
            prop_assert!(plain(path.as_str()) && path.as_str().starts_with('/'));
        }
        if let Ok(Source::Ssh(host)) = Source::parse(&format!("ssh:{text}")) {
            prop_assert!(plain(host.as_str()) && !host.as_str().starts_with('-'));
        }
    }
}
