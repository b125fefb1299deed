//! Attack group P: what an assertion, a rule document or a template must not bring about.

use sealstone_claims::{
    Assertion, AssertionError, ClaimFault, ClaimsSubject, ClaimsTemplate, MappedIdentity, MappingError,
    ReservedClaim, RuleSet, TemplateError, limits,
};
use sealstone_identity::DomainId;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// One rule that takes its user's name from `user`, and what `more` says.
fn rules(when: Value, more: Value) -> Value {
    let mut rule = json!({"name": "r", "when": when, "user": {"name": "${claims.user}"}});
    let members = more.as_object().unwrap().clone();
    rule.as_object_mut().unwrap().extend(members);
    json!({"sealstone_mapping": 1, "rules": [rule]})
}

fn map(rules: &Value, assertion: &Value) -> Result<MappedIdentity, MappingError> {
    let rules = RuleSet::parse(rules).unwrap_or_else(|faults| panic!("{faults}"));
    rules.map(&Assertion::from_json(assertion.to_string().as_bytes()).unwrap())
}

fn matches(when: &Value, assertion: &Value) -> bool {
    match map(&rules(when.clone(), json!({})), assertion) {
        Ok(_) => true,
        Err(MappingError::NoRule { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

fn groups(identity: &MappedIdentity) -> Vec<&str> {
    let names = identity.groups().iter().filter_map(|group| group.group().name());
    names.map(sealstone_identity::Name::as_str).collect()
}

fn faults(rules: &Value) -> String {
    RuleSet::parse(rules).expect_err("a fault").to_string()
}

fn claims(template: Value, client_name: &str) -> Result<Value, ClaimFault> {
    let domain = DomainId::parse("demo").unwrap();
    let subject = ClaimsSubject {
        subject: "s",
        client_id: "c",
        client_name,
        domain: &domain,
        authority: None,
    };
    let template = ClaimsTemplate::parse(&template).unwrap();
    template
        .map(&subject)
        .map(|claims| serde_json::to_value(claims).unwrap())
}

#[test]
fn p01_template_injection() {
    for value in [
        "${secret}",
        "{{7*7}}",
        "$${x}",
        "${claims.admin}",
        "{0.__class__}",
        "%s",
    ] {
        let assertion = json!({"user": value, "admin": "root"});
        let identity = map(&rules(json!({"all": []}), json!({})), &assertion).unwrap();
        assert_eq!(
            identity.user().name().unwrap().as_str(),
            value,
            "in: text as it came"
        );
        let out = claims(json!({"who": "<${client_name}>"}), value).unwrap();
        assert_eq!(out["who"], format!("<{value}>"), "out: once");
    }
}

#[test]
fn p02_recursion() {
    let more = json!({"user": {"name": "${claims.a}"}});
    let identity = map(
        &rules(json!({"all": []}), more),
        &json!({"a": "${claims.b}", "b": "${claims.a}"}),
    );
    assert_eq!(identity.unwrap().user().name().unwrap().as_str(), "${claims.b}");
    let out = claims(json!({"a": "${client_name}"}), "${a}${client_name}").unwrap();
    assert_eq!(out["a"], "${a}${client_name}");
    // A named value reads attributes, never another named value.
    let more = json!({"values": {"v": {"attribute": "v"}}, "user": {"name": "${values.v}"}});
    let identity = map(&rules(json!({"all": []}), more), &json!({"v": "${values.v}"})).unwrap();
    assert_eq!(identity.user().name().unwrap().as_str(), "${values.v}");
}

#[test]
fn p03_unknown_variables_are_refused_when_saved() {
    let unknown = [
        "${user.password}",
        "${password}",
        "${values.x}",
        "${match.x}",
        "${claims.}",
        "${}",
        "${",
        "a${values.",
        "${Claims.a}",
        "${ claims.a}",
    ];
    for variable in unknown {
        let more = json!({"user": {"name": variable}});
        let told = faults(&rules(json!({"all": []}), more));
        assert!(told.starts_with("/rules/0/user/name: "), "{variable}: {told}");
        let error = ClaimsTemplate::parse(&json!({ "c": variable })).unwrap_err();
        assert!(
            matches!(error, TemplateError::Variable { .. }),
            "{variable}: {error}"
        );
    }
    // A group of a pattern under `not` caught nothing.
    let when = json!({"not": {"attribute": "a", "regex": "(?P<x>.*)"}});
    assert!(faults(&rules(when, json!({"user": {"name": "${match.x}"}}))).contains("outside `not`"));
}

#[test]
fn p04_reserved_claims_are_refused_when_saved() {
    for reserved in ReservedClaim::all() {
        let name = reserved.name();
        for name in [
            name.to_owned(),
            name.to_uppercase(),
            format!("{name} "),
            format!(" {name}"),
            format!("{name}\u{0}"),
        ] {
            assert!(
                ClaimsTemplate::parse(&json!({ name.as_str(): "x" })).is_err(),
                "{name:?}"
            );
        }
    }
    for name in [
        "sub",
        "iss",
        "aud",
        "exp",
        "cnf",
        "act",
        "scope",
        "client_id",
        "nonce",
    ] {
        assert!(ReservedClaim::named(name).is_some(), "{name}");
    }
    let escaped: Value = serde_json::from_str(r#"{"\u0073\u0075b": "admin"}"#).unwrap();
    assert!(matches!(
        ClaimsTemplate::parse(&escaped),
        Err(TemplateError::Reserved { .. })
    ));
}

#[test]
fn p05_control_characters() {
    for character in ["\u{0}", "\n", "\r", "\u{1b}", "\u{7f}", "\u{85}", "\u{9f}"] {
        let value = format!("a{character}b");
        let identity = map(&rules(json!({"all": []}), json!({})), &json!({ "user": value }));
        assert!(
            matches!(identity, Err(MappingError::Text { .. })),
            "in: {value:?}"
        );
        let out = claims(json!({"who": "${client_name}"}), &value);
        assert!(
            matches!(&out, Err(ClaimFault::ControlCharacter { claim, .. }) if claim == "who"),
            "out: {value:?}"
        );
        assert!(
            !out.unwrap_err().to_string().contains(character),
            "the value is not told"
        );
        assert!(ClaimsTemplate::parse(&json!({ "c": value })).is_err());
        let more = json!({"user": {"name": value}});
        assert!(faults(&rules(json!({"all": []}), more)).contains("control character"));
        // What is not put out is not looked at.
        assert!(claims(json!({"who": "x"}), &value).is_ok());
    }
}

#[test]
fn p06_regex_bomb() {
    let bombs = ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){12}$", "([a-z]+)*$"];
    let value = format!("{}!", "a".repeat(50_000));
    let assertion = Assertion::from_pairs([("user", "u"), ("x", value.as_str())]).unwrap();
    let together = json!(bombs);
    for bomb in bombs.map(|bomb| json!(bomb)).into_iter().chain([together]) {
        for (operator, search) in [("regex", true), ("regex", false), ("not_regex", true)] {
            let when = json!({"attribute": "x", operator: bomb, "search": search});
            let rules = RuleSet::parse(&rules(when, json!({}))).unwrap();
            let _ = rules.map(&assertion);
            let best = (0..5).map(|_| {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the time it takes is what this test is about"
                )]
                let start = Instant::now();
                let _ = rules.map(&assertion);
                start.elapsed()
            });
            // The best of five: the machine may be busy.
            let best = best.min().unwrap();
            assert!(best < Duration::from_millis(50), "{bomb} {operator}: {best:?}");
        }
    }
}

#[test]
fn p07_regex_too_large() {
    let cases = [
        "a{1000}{1000}".to_owned(),
        r"\w{500}".to_owned(),
        "a".repeat(1024 * 1024),
        "(".repeat(500) + &")".repeat(500),
        "(?:a?){65535}".to_owned(),
    ];
    for pattern in cases {
        let told = faults(&rules(json!({"attribute": "x", "regex": pattern}), json!({})));
        assert!(told.starts_with("/rules/0/when/regex: "), "{told}");
        assert!(told.len() < 1_000, "the pattern is not repeated");
    }
    let many: Vec<String> = (0..=limits::MAX_PATTERNS)
        .map(|index| format!("a{index}"))
        .collect();
    assert!(faults(&rules(json!({"attribute": "x", "regex": many}), json!({}))).contains("patterns"));
}

#[test]
fn p08_anchoring() {
    let cases = [
        (json!({"attribute": "user", "regex": "admin"}), "admin", true),
        (json!({"attribute": "user", "regex": "admin"}), "notadmin", false),
        (json!({"attribute": "user", "regex": "admin"}), "admin\nx", false),
        (json!({"attribute": "user", "regex": "a|admin"}), "admin", true),
        (
            json!({"attribute": "user", "regex": "admin", "search": true}),
            "notadmin",
            true,
        ),
        (
            json!({"attribute": "note", "regex": "^admin$", "search": true}),
            "admin\n",
            false,
        ),
        (
            json!({"attribute": "note", "regex": "^admin$", "search": true}),
            "x\nadmin\ny",
            false,
        ),
        (json!({"attribute": "note", "regex": "admin"}), "admin\n", false),
    ];
    for (when, value, want) in cases {
        let assertion = if value.contains('\n') {
            json!({"user": "u", "note": value})
        } else {
            json!({"user": value, "note": value})
        };
        assert_eq!(matches(&when, &assertion), want, "{when} {value:?}");
    }
}

#[test]
fn p09_type_confusion() {
    let text = json!({"attribute": "x", "any_of": ["true", "1", "a"]});
    for (value, want) in [
        (json!("a"), true),
        (json!(["b", "a"]), true),
        (json!(true), false),
        (json!(1), false),
        (json!(1.0), false),
        (json!(null), false),
        (json!([]), false),
        (json!([null, ""]), false),
        (json!(""), false),
    ] {
        assert_eq!(matches(&text, &json!({"user": "u", "x": value})), want, "{value}");
    }
    // A denial is not escaped by another type.
    let denied = json!({"not": {"attribute": "suspended", "equals": true}});
    for (value, want) in [
        (json!(true), false),
        (json!("true"), false),
        (json!("TRUE"), false),
        (json!([true]), false),
        (json!([false, "True"]), false),
        (json!(false), true),
        (json!(null), true),
    ] {
        assert_eq!(
            matches(&denied, &json!({"user": "u", "suspended": value})),
            want,
            "{value}"
        );
    }
    // What is no value at all can't be decided, permitting or denying, and the login fails.
    for value in [json!({"a": 1}), json!(["a", {"b": 1}]), json!([["a"]])] {
        for when in [
            text.clone(),
            json!({"not": {"attribute": "x", "equals": "a"}}),
            json!({"attribute": "x", "none_of": ["a"]}),
            json!({"all": [text, {"attribute": "user", "exists": true}]}),
            json!({"any": [text, {"attribute": "y", "exists": true}]}),
            json!({"not": {"all": [text, {"attribute": "user", "exists": true}]}}),
            json!({"not": {"any": [text, {"attribute": "y", "exists": true}]}}),
        ] {
            let undecided = map(&rules(when.clone(), json!({})), &json!({"user": "u", "x": value}));
            assert!(
                matches!(undecided, Err(MappingError::Unusable { .. })),
                "{when} {value}"
            );
        }
    }
    // Never the first of several by luck.
    for value in [json!(["alice", "bob"]), json!(["bob", "alice"])] {
        let several = map(&rules(json!({"all": []}), json!({})), &json!({ "user": value }));
        assert!(matches!(several, Err(MappingError::Many { count: 2, .. })));
    }
}

#[test]
fn p10_list_splitting() {
    let more = json!({"groups": [{"name": "${claims.groups}", "domain": {"id": "d"}}]});
    let own = rules(json!({"all": []}), more);
    let one = map(
        &own,
        &json!({"user": "u", "groups": ["dev;admins", "a,b", "c d"]}),
    )
    .unwrap();
    assert_eq!(groups(&one), ["a,b", "c d", "dev;admins"]);
    let bare = map(&own, &json!({"user": "u", "groups": "dev;admins"})).unwrap();
    assert_eq!(groups(&bare), ["dev;admins"], "nothing is split unasked");
    // Keystone's rules split one joined text, and never the items of a list.
    let keystone = json!([{
        "local": [{"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"id": "d"}}],
        "remote": [{"type": "user"}, {"type": "groups"}],
    }]);
    let listed = map(&keystone, &json!({"user": "u", "groups": ["dev;admins", "x"]})).unwrap();
    assert_eq!(groups(&listed), ["dev;admins", "x"]);
    let joined = map(&keystone, &json!({"user": "u", "groups": "dev;x,y"})).unwrap();
    assert_eq!(groups(&joined), ["dev", "x,y"]);
}

#[test]
fn p11_denials_by_case_or_unicode() {
    let look_alikes = [
        "admin",
        "Admin",
        "ADMIN",
        "ａdmin",
        "ＡＤＭＩＮ",
        "admin\u{200b}",
        "ad\u{ad}min",
        "\u{feff}admin",
        "admin\u{fe0f}",
        "𝐚𝐝𝐦𝐢𝐧",
        "ⓐdmin",
        " admin ",
    ];
    for value in look_alikes {
        let assertion = json!({"user": "u", "groups": ["dev", value]});
        for when in [
            json!({"attribute": "groups", "none_of": ["Admin"]}),
            json!({"attribute": "groups", "not_regex": "admin|root"}),
            json!({"attribute": "groups", "not_regex": "^adm", "search": true}),
            json!({"not": {"attribute": "groups", "any_of": ["ADMIN"]}}),
            json!({"not": {"attribute": "groups", "regex": "admin"}}),
            json!({"not": {"not": {"attribute": "groups", "none_of": ["admin"]}}}),
        ] {
            assert!(!matches(&when, &assertion), "{when} {value:?}");
        }
        for filter in [
            json!({"attribute": "groups", "drop": ["admin"]}),
            json!({"attribute": "groups", "drop_regex": ["admin"]}),
        ] {
            let more =
                json!({"values": {"g": filter}, "groups": [{"name": "${values.g}", "domain": {"id": "d"}}]});
            let identity = map(&rules(json!({"all": []}), more), &assertion).unwrap();
            assert_eq!(groups(&identity), ["dev"], "{filter} {value:?}");
        }
        // A permission takes the name itself alone.
        let permits = json!({"attribute": "groups", "any_of": ["admin"]});
        assert_eq!(matches(&permits, &assertion), value == "admin", "{value:?}");
        let twice = json!({"not": {"not": {"attribute": "groups", "any_of": ["admin"]}}});
        assert_eq!(matches(&twice, &assertion), value == "admin", "{value:?}");
    }
}

#[test]
fn p12_huge_claim_sets() {
    let groups: Vec<String> = (0..100_000).map(|index| format!("group-{index}")).collect();
    let assertion = Assertion::builder()
        .text("user", "u")
        .texts("groups", groups.clone())
        .build();
    assert_eq!(
        assertion,
        Err(AssertionError::Values {
            attribute: "groups".to_owned()
        })
    );
    assert!(matches!(
        Assertion::from_pairs([("groups", groups.join(";"))]),
        Err(AssertionError::TooLarge { .. })
    ));
    let text = json!({ "groups": groups }).to_string();
    assert!(Assertion::from_json(text.as_bytes()).is_err());
    let nested = "[".repeat(5_000) + &"]".repeat(5_000);
    assert!(Assertion::from_json(format!("{{\"a\": {nested}}}").as_bytes()).is_err());
    // Fewer values than that can still be too many groups.
    let more = json!({"groups": [{"name": "${claims.groups}", "domain": {"id": "d"}}]});
    let rules = RuleSet::parse(&rules(json!({"all": []}), more)).unwrap();
    for (count, fits) in [(limits::MAX_OUTPUTS, true), (limits::MAX_OUTPUTS + 1, false)] {
        let some = groups.iter().take(count).cloned();
        let assertion = Assertion::builder()
            .text("user", "u")
            .texts("groups", some)
            .build()
            .unwrap();
        let identity = rules.map(&assertion);
        assert_eq!(identity.is_ok(), fits, "{count}");
        assert!(fits || identity == Err(MappingError::Outputs));
    }
}

#[test]
fn p13_missing_claims() {
    let operators = [
        json!({"attribute": "email", "exists": true}),
        json!({"attribute": "email", "regex": ".*"}),
        json!({"attribute": "email", "none_of": ["x"]}),
        json!({"attribute": "email", "not_regex": "x"}),
        json!({"attribute": ["a", "email"], "exists": true}),
    ];
    for when in operators {
        for assertion in [
            json!({"user": "u"}),
            json!({"user": "u", "email": ""}),
            json!({"user": "u", "email": null}),
            json!({"user": "u", "email": []}),
            json!({"user": "u", "Email": "u@example.org"}),
        ] {
            assert!(!matches(&when, &assertion), "{when} {assertion}");
        }
    }
    let more = json!({"user": {"name": "${claims.user}", "email": "${claims.email}"}});
    let missing = map(
        &rules(json!({"all": []}), more),
        &json!({"user": "u", "email": ""}),
    );
    let told = missing.unwrap_err().to_string();
    assert!(
        told.contains("user.email") && told.contains("${claims.email}"),
        "{told}"
    );
    let nobody = map(
        &rules(
            json!({"all": []}),
            json!({"user": {"name": {"template": "${claims.x}", "missing": "skip"}}}),
        ),
        &json!({}),
    );
    assert!(matches!(nobody, Err(MappingError::NoUser { .. })));
}

#[test]
fn p14_two_rules_match() {
    let rule = |name: &str| json!({"name": name, "when": {"all": []}, "user": {"name": name}, "groups": [{"id": name}]});
    for (first, second) in [("a", "b"), ("b", "a")] {
        let set = |mode| json!({"sealstone_mapping": 1, "mode": mode, "rules": [rule(first), rule(second)]});
        let one = map(&set("first_match"), &json!({})).unwrap();
        assert_eq!(
            (one.user().name().unwrap().as_str(), one.rules()),
            (first, &[first.to_owned()][..])
        );
        assert_eq!(one.groups().len(), 1);
        let both = map(&set("merge"), &json!({})).unwrap();
        assert_eq!(
            both.user().name().unwrap().as_str(),
            first,
            "the first user stays"
        );
        let ids: Vec<&str> = both
            .groups()
            .iter()
            .map(|group| group.group().id().unwrap().as_str())
            .collect();
        assert_eq!(ids, ["a", "b"], "in one order, whatever the rules'");
    }
    assert!(
        faults(&json!({"sealstone_mapping": 1, "rules": [rule("a"), rule("a")]}))
            .contains("two rules have this name")
    );
}

#[test]
fn p15_unverified_addresses() {
    let user = |field: &str, kind: &str| {
        let mut user = json!({"name": "jo", "domain": {"id": "d"}, "type": kind});
        user[field] = json!("${claims.email}");
        rules(json!({"all": []}), json!({ "user": user }))
    };
    for said in [
        json!(false),
        json!("false"),
        json!(null),
        json!(0),
        json!("no"),
        json!({}),
        json!([true]),
    ] {
        for companion in ["email_verified", "Email_Verified", "email-verified"] {
            let assertion = json!({"email": "jo@example.org", companion: said});
            for (field, kind) in [
                ("id", "local"),
                ("name", "local"),
                ("email", "local"),
                ("id", "ephemeral"),
                ("name", "ephemeral"),
            ] {
                let linked = map(&user(field, kind), &assertion);
                assert!(
                    matches!(linked, Err(MappingError::Unverified { .. })),
                    "{field} {kind} {assertion}"
                );
            }
            assert!(
                map(&user("email", "ephemeral"), &assertion).is_ok(),
                "an address to be shown links nobody"
            );
        }
    }
    for said in [json!(true), json!("true"), json!("1"), json!(1)] {
        let assertion = json!({"email": "jo@example.org", "email_verified": said});
        assert!(map(&user("name", "local"), &assertion).is_ok(), "{said}");
    }
    // Not by another way to the same attribute either.
    let more = json!({
        "when": {"attribute": ["id", "mail"], "regex": "(?P<who>.*)"}, "user": {"name": "${match.who}"},
    });
    let nested = json!({"id": {"mail": "jo@example.org", "mail_verified": false}});
    assert!(matches!(
        map(&rules(json!({}), more), &nested),
        Err(MappingError::Unverified { .. })
    ));
}

#[test]
fn p16_subject_reuse_at_another_issuer() {
    let mut document = rules(json!({"all": []}), json!({}));
    let subject = |issuer: &str| {
        Assertion::builder()
            .source(issuer)
            .text("user", "42")
            .build()
            .unwrap()
    };
    let open = RuleSet::parse(&document).unwrap();
    let one = open.map(&subject("https://one.example")).unwrap();
    let other = open.map(&subject("https://other.example")).unwrap();
    assert_ne!(one, other, "the source is part of the identity");
    assert_eq!(
        (one.source(), other.source()),
        (Some("https://one.example"), Some("https://other.example"))
    );
    document["source"] = json!("https://one.example");
    let bound = RuleSet::parse(&document).unwrap();
    assert!(bound.map(&subject("https://one.example")).is_ok());
    for issuer in [
        "https://other.example",
        "https://one.example/",
        "HTTPS://ONE.EXAMPLE",
        "",
    ] {
        assert!(
            matches!(bound.map(&subject(issuer)), Err(MappingError::OtherSource { .. })),
            "{issuer}"
        );
    }
    let nobody = Assertion::from_pairs([("user", "42")]).unwrap();
    assert!(matches!(
        bound.map(&nobody),
        Err(MappingError::OtherSource { .. })
    ));
}
