//! Registrations name the authentication classes that logins come to: two crates that do not know each other.

use sealstone_login::Acr;
use sealstone_registry::AUTHENTICATION_CLASSES;

#[test]
fn a_registration_can_ask_for_every_class_and_no_other() {
    assert_eq!(Acr::ALL.map(Acr::as_str), AUTHENTICATION_CLASSES);
}
