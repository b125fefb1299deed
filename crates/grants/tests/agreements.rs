//! What crates that do not know each other must agree on, and what a page says of it.

use sealstone_grants::code::CODE_LIFETIME;
use sealstone_grants::device::DEVICE_LIFETIME;
use sealstone_grants::refresh::REFRESH_GRACE;
use sealstone_login::Acr;
use sealstone_registry::{AUTHENTICATION_CLASSES, DEFAULT_REFRESH_IDLE, DEFAULT_REFRESH_LIFETIME};

#[test]
fn a_registration_can_ask_for_every_class_and_no_other() {
    assert_eq!(Acr::ALL.map(Acr::as_str), AUTHENTICATION_CLASSES);
}

#[test]
fn the_page_on_tokens_has_the_lives_of_codes_and_refresh_tokens() {
    let page = include_str!("../../../docs/reference/tokens.md");
    for (name, said) in [
        ("code", format!("{}, and once", CODE_LIFETIME.as_secs())),
        ("device code", format!("{}, and once", DEVICE_LIFETIME.as_secs())),
        (
            "refresh token",
            format!("{} unused", DEFAULT_REFRESH_IDLE.as_secs()),
        ),
        (
            "refresh token",
            format!("{} with its successors", DEFAULT_REFRESH_LIFETIME.as_secs()),
        ),
        ("refresh token", format!("for {} more", REFRESH_GRACE.as_secs())),
    ] {
        let row = page.lines().find(|line| line.starts_with(&format!("| {name} |")));
        assert!(row.is_some_and(|row| row.contains(&said)), "{name}: {said}");
    }
}
