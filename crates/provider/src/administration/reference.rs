//! Holds the table of `docs/reference/errors.md` to the code.

use super::AdministrationDenial as Denial;
use sealstone_identity::Refusal;
use sealstone_registry::{Excess, PolicyError, RegistrationError, RotationError};
use std::collections::BTreeMap;

const ERRORS: &str = include_str!("../../../../docs/reference/errors.md");

fn all() -> Vec<Denial> {
    let redirect = RegistrationError::RedirectUriMissing;
    vec![
        Denial::NoCredential,
        Denial::SeveralCredentials,
        Denial::FromAPage,
        Denial::InvalidToken,
        Denial::UntrustedCertificate,
        Denial::PersonToken,
        Denial::OtherAudience,
        Denial::MissingScope("sealstone:clients"),
        Denial::NotAnAdministrator,
        Denial::OtherDomain,
        Denial::NotOfTheCloud,
        Denial::Query,
        Denial::Body,
        Denial::ContentType,
        Denial::TooLarge,
        Denial::UnknownClient,
        Denial::ClientExists,
        Denial::PreconditionMissing,
        Denial::PreconditionFailed,
        Denial::Beyond(Excess::Scope),
        Denial::Tie(Refusal::NoRole),
        Denial::Registration(RegistrationError::ClientId),
        Denial::Registration(redirect.clone()),
        Denial::Rotation(RotationError::NoSecret),
        Denial::InitialToken,
        Denial::TooManyInitialTokens,
        Denial::UnknownInitialToken,
        Denial::RegistrationOff,
        Denial::UnknownKey,
        Denial::KeyRevoked,
        Denial::TwoAdministrators,
        Denial::OneAdministrator,
        Denial::AdministratorNotProved,
        Denial::RequestExists,
        Denial::TooManyRequests,
        Denial::UnknownRequest,
        Denial::LapsedRequest,
        Denial::SameAdministrator,
        Denial::UsedRequest,
        Denial::WrongInitialToken,
        Denial::WrongRegistrationToken,
        Denial::Metadata(RegistrationError::ClientId),
        Denial::Metadata(redirect),
        Denial::Policy(PolicyError::Scope),
        Denial::Policy(PolicyError::RedirectHost),
        Denial::OtherClient,
    ]
}

#[test]
fn every_refusal_is_documented_with_its_code_and_status() {
    let section = ERRORS
        .split("## Refused at /clients, /keys and /register\n")
        .nth(1)
        .unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut documented: BTreeMap<String, (String, String)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let rule = cells[0].trim_end_matches('`').to_owned();
            (rule, (cells[1].to_owned(), cells[2].to_owned()))
        })
        .collect();
    let mut seen = BTreeMap::new();
    for denial in all() {
        let (code, status) = &documented[denial.rule()];
        assert!(code.contains(&format!("`{}`", denial.code())), "{denial:?}");
        assert_eq!(*status, denial.status().to_string(), "{denial:?}");
        assert!(denial.description().len() > 20, "{denial:?}");
        seen.insert(denial.rule().to_owned(), ());
    }
    documented.retain(|rule, _| !seen.contains_key(rule));
    assert!(documented.is_empty(), "{documented:?}");
}

#[test]
fn every_word_of_the_audit_trail_is_documented() {
    let words = Excess::ALL.iter().map(|excess| excess.as_str());
    let policies = [
        PolicyError::Scope,
        PolicyError::Grant,
        PolicyError::Method,
        PolicyError::RedirectHost,
        PolicyError::Reserved("claims"),
    ];
    for word in words.chain(policies.iter().map(|policy| policy.as_str())) {
        assert!(ERRORS.contains(&format!("`{word}`")), "{word}");
    }
}
