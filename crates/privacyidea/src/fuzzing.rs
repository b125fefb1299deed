//! What the fuzz target `privacyidea_answer` drives: the readers of answers, on octets.

use std::collections::BTreeMap;

use sealstone_identity::Name;

use crate::wire::{self, Answer, Mode, OpenToken, Tokens, Triggered, Word};

/// Reads one body as each kind of answer, for the user `bob` in the realm `lab` who has the token `HOTPBOB`.
///
/// What is accepted says so, and of that token.
pub fn answer(status: u16, body: &[u8]) {
    let read = || Answer::read(status, body);
    let (Ok(serial), Ok(kind), Ok(transaction), Ok(user)) = (
        Word::try_from("HOTPBOB".to_owned()),
        Word::try_from("hotp".to_owned()),
        Word::try_from("1".to_owned()),
        Name::parse("bob"),
    ) else {
        return;
    };
    let Ok(first) = read() else {
        return;
    };
    assert_eq!(status, 200, "only a success is an answer");
    if let Ok(token) = wire::login(first) {
        assert!(token.is_ascii() && !token.contains([' ', '\r', '\n', ',']));
    }
    if let Ok(Ok(tokens)) = read().map(|answer| wire::tokens(answer, "bob", "lab")) {
        assert!(tokens.count > 0 || !tokens.all_locked);
    }
    let own = Tokens {
        count: 1,
        listed: BTreeMap::from([(serial.clone(), kind.clone())]),
        all_locked: false,
    };
    if let Ok(Ok(Some((open, _message)))) = read().map(|answer| wire::triggered(answer, &user, &own)) {
        assert!(open.tokens.keys().eq([&serial]), "no token of another");
    }
    let token = OpenToken {
        kind,
        mode: Mode::Code,
    };
    let open = Triggered {
        user,
        transaction,
        tokens: BTreeMap::from([(serial, token)]),
    };
    if let Ok(answer) = read()
        && let Ok(Some(_token)) = wire::checked(&answer, &open, "bob", "lab")
    {
        let text = String::from_utf8_lossy(body);
        assert!(
            text.contains("true"),
            "nothing is accepted that says nothing of it"
        );
    }
    let _polled = read().map(wire::polled);
}
