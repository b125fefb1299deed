//! What the answers' types hold is reserved: the names come from the types.

use sealstone_claims::{ClaimsTemplate, ReservedClaim};
use sealstone_identity::{Authority, ProjectScope, RoleName, UserRef};
use sealstone_oauth_types::IntrospectionResponse;
use sealstone_tokens::OpenstackContext;
use serde_json::json;
use std::fmt::Debug;

/// The fields of a type, which are its members: as its derived `Debug` lists them.
fn fields(value: &impl Debug) -> Vec<String> {
    let text = format!("{value:#?}");
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    let own = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
    own.filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
        .collect()
}

#[test]
fn each_member_of_an_answer_is_reserved() {
    let authority = Authority::project(
        UserRef::new("u", "user", "d").unwrap(),
        ProjectScope::new("p", "project", "d").unwrap(),
        vec![RoleName::parse("member").unwrap()],
    );
    let authority = authority.unwrap();
    let answer = fields(&IntrospectionResponse::active());
    let context = fields(&OpenstackContext::from(&authority));
    assert!(answer.len() > 12 && context.len() > 12, "{answer:?} {context:?}");
    // `extra` is what stands beside, not a member.
    for name in answer.iter().filter(|name| *name != "extra").chain(&context) {
        assert!(
            ReservedClaim::named(name).is_some(),
            "`{name}` could be set by a template"
        );
        let template = json!({ name.as_str(): "x" });
        assert!(ClaimsTemplate::parse(&template).is_err(), "{name}");
    }
}
