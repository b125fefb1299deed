//! What a template may say, what comes out, and what never does.

use proptest::prelude::*;
use sealstone_claims::{ClaimSource, ClaimsSubject, ClaimsTemplate, ReservedClaim, TemplateError};
use sealstone_identity::{Authority, DomainId, ProjectScope, RoleName, UserRef};
use serde_json::{Value, json};

fn authority() -> Authority {
    Authority::project(
        UserRef::new("u1", "ci", "demo").unwrap(),
        ProjectScope::new("p1", "builds", "demo").unwrap(),
        vec![
            RoleName::parse("member").unwrap(),
            RoleName::parse("reader").unwrap(),
        ],
    )
    .unwrap()
}

fn mapped(template: &Value, authority: Option<&Authority>) -> Value {
    let domain = DomainId::parse("demo").unwrap();
    let subject = ClaimsSubject {
        subject: "s",
        client_id: "c",
        client_name: "C \"1\"",
        domain: &domain,
        authority,
    };
    let template = ClaimsTemplate::parse(template).unwrap();
    serde_json::to_value(template.map(&subject).unwrap()).unwrap()
}

#[test]
fn literals_variables_and_roles_come_out() {
    let template = json!({
        "n": 7, "list": ["a", true, null], "text": "${client_name}@${domain_id}",
        "who": "${user_name}/${project_id}", "my_roles": "${roles}", "escaped": "$${domain_id}", "empty": ""
    });
    assert_eq!(
        mapped(&template, Some(&authority())),
        json!({
            "n": 7, "list": ["a", true, null], "text": "C \"1\"@demo", "who": "ci/p1",
            "my_roles": ["member", "reader"], "escaped": "${domain_id}", "empty": ""
        })
    );
}

#[test]
fn a_claim_whose_variable_is_missing_is_left_out() {
    let template = json!({"who": "user ${user_id}", "my_roles": "${roles}", "kept": "x"});
    assert_eq!(mapped(&template, None), json!({"kept": "x"}));
}

#[test]
fn what_is_refused() {
    let cases = [
        (json!([]), TemplateError::NotAnObject),
        (
            json!({"sub": "x"}),
            TemplateError::Reserved { name: "sub".into() },
        ),
        (
            json!({"CNF": "x"}),
            TemplateError::Reserved { name: "CNF".into() },
        ),
        (json!({"a.b": "x"}), TemplateError::Name { name: "a.b".into() }),
        (json!({"": "x"}), TemplateError::Name { name: String::new() }),
        (json!({"a": 0.5}), TemplateError::Number { name: "a".into() }),
        (
            json!({"a": 9_007_199_254_740_993_u64}),
            TemplateError::Number { name: "a".into() },
        ),
        (
            json!({"a": "x\r\ny"}),
            TemplateError::ControlCharacter { name: "a".into() },
        ),
        (
            json!({"a": "x ${roles}"}),
            TemplateError::RolesInText { name: "a".into() },
        ),
        (json!({"a": [[[[["deep"]]]]]}), TemplateError::TooLarge),
        (json!({"a": "x".repeat(3000)}), TemplateError::TooLarge),
    ];
    for (template, want) in cases {
        assert_eq!(ClaimsTemplate::parse(&template), Err(want), "{template}");
    }
    for template in [
        json!({"a": "${email}"}),
        json!({"a": "${user_id"}),
        json!({"a": ["${user_id}"]}),
    ] {
        let error = ClaimsTemplate::parse(&template).unwrap_err();
        assert!(matches!(error, TemplateError::Variable { .. }), "{template}");
        assert!(
            error.to_string().contains("project_name"),
            "names what exists: {error}"
        );
    }
}

#[test]
fn each_claim_tells_its_least_trusted_source() {
    let template = json!({
        "a": "x", "b": "${client_id}", "c": "${client_id}/${client_name}", "d": "${user_id} ${user_name}",
        "e": "${roles}", "f": 7, "g": "${project_id}",
    });
    let template = ClaimsTemplate::parse(&template).unwrap();
    let sources: Vec<(&str, ClaimSource)> = template.sources().collect();
    let want = [
        ("a", ClaimSource::Administrator),
        ("b", ClaimSource::Server),
        ("c", ClaimSource::Administrator),
        ("d", ClaimSource::Directory),
        ("e", ClaimSource::Directory),
        ("f", ClaimSource::Administrator),
        ("g", ClaimSource::Server),
    ];
    assert_eq!(sources, want);
    // The page says the same of every variable.
    let page = include_str!("../../../docs/reference/claims-mapping.md");
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `${") && line.contains(" | "))
        .collect();
    let names = [
        ("subject", ClaimSource::Server),
        ("client_id", ClaimSource::Server),
        ("domain_id", ClaimSource::Server),
        ("user_id", ClaimSource::Server),
        ("user_domain_id", ClaimSource::Server),
        ("project_id", ClaimSource::Server),
        ("project_domain_id", ClaimSource::Server),
        ("client_name", ClaimSource::Administrator),
        ("user_name", ClaimSource::Directory),
        ("project_name", ClaimSource::Directory),
        ("roles", ClaimSource::Directory),
    ];
    for (name, source) in names {
        let template = ClaimsTemplate::parse(&json!({"c": format!("${{{name}}}")})).unwrap();
        assert_eq!(template.sources().next(), Some(("c", source)), "{name}");
        let start = match source {
            ClaimSource::Server => "this server",
            ClaimSource::Administrator => "whoever registers",
            ClaimSource::Directory => "the identity service",
        };
        let row = rows
            .iter()
            .find(|row| row.contains(&format!("`${{{name}}}`")))
            .unwrap();
        assert!(row.contains(&format!("| {start}")), "{name}: {row}");
    }
}

#[test]
fn the_stored_form_is_the_written_form() {
    let written = json!({"a": "$${x}", "b": "${roles}"});
    let template = ClaimsTemplate::parse(&written).unwrap();
    assert_eq!(serde_json::to_value(&template).unwrap(), written);
    assert_eq!(
        serde_json::from_value::<ClaimsTemplate>(written).unwrap(),
        template
    );
}

proptest! {
    #[test]
    fn no_reserved_claim_comes_out_of_any_template(
        members in proptest::collection::btree_map("[a-z_A-Z.]{1,12}|sub|iss|cnf|aud|exp|jti", "[ -~]{0,20}", 0..8)
    ) {
        let template = serde_json::to_value(&members).unwrap();
        if let Ok(template) = ClaimsTemplate::parse(&template) {
            let domain = DomainId::parse("demo").unwrap();
            let subject = ClaimsSubject {
                subject: "s", client_id: "c", client_name: "n", domain: &domain, authority: Some(&authority()),
            };
            let claims = serde_json::to_value(template.map(&subject).unwrap()).unwrap();
            for reserved in ReservedClaim::all() {
                prop_assert!(claims.get(reserved.name()).is_none());
            }
        }
    }
}
