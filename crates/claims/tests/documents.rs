//! Rule documents: every fault with its place and what to do, and what the formats of others come to.

use sealstone_claims::{Assertion, MappedIdentity, RuleSet, import_mapping};
use serde_json::{Value, json};

fn faults(document: &Value) -> Vec<(String, String)> {
    let faults = RuleSet::parse(document).expect_err("a fault");
    let faults = faults.faults().iter();
    faults
        .map(|fault| {
            assert!(!fault.advice().is_empty(), "{fault}");
            (fault.path().to_owned(), fault.problem().to_owned())
        })
        .collect()
}

fn map(document: &Value, assertion: &Value) -> MappedIdentity {
    let rules = RuleSet::parse(document).unwrap_or_else(|faults| panic!("{faults}"));
    let assertion = Assertion::from_json(assertion.to_string().as_bytes()).unwrap();
    rules.map(&assertion).unwrap_or_else(|error| panic!("{error}"))
}

fn imported(document: &Value) -> (Value, Vec<String>) {
    let (document, notes) =
        import_mapping(document.to_string().as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    (Value::Object(document), notes)
}

/// A document with one rule: a good one, changed.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = json!({"sealstone_mapping": 1, "rules": [{
        "name": "r",
        "when": {"all": [{"attribute": "a", "any_of": ["x"]}]},
        "values": {"v": {"attribute": "b", "keep": ["x"]}},
        "user": {"name": "${claims.a}", "email": {"template": "${claims.b}", "missing": "skip"}},
        "groups": [{"name": "${values.v}", "domain": {"id": "d"}}],
        "projects": [{"name": "p", "roles": [{"name": "member"}]}],
    }]});
    assert!(RuleSet::parse(&document).is_ok());
    change(&mut document);
    document
}

#[test]
fn a_fault_is_told_with_its_place() {
    let long = "x".repeat(5_000);
    let cases: Vec<(&str, Value)> = vec![
        ("/sealstone_mapping", with(|d| d["sealstone_mapping"] = json!(2))),
        ("/mode", with(|d| d["mode"] = json!("all"))),
        ("/projects", with(|d| d["projects"] = json!("last"))),
        ("/enabled", with(|d| d["enabled"] = json!("yes"))),
        ("/source", with(|d| d["source"] = json!(""))),
        ("/sorce", with(|d| d["sorce"] = json!("x"))),
        ("/rules", with(|d| d["rules"] = json!([]))),
        ("/rules", with(|d| d["rules"] = json!(vec![json!({}); 600]))),
        ("/rules/0", with(|d| d["rules"] = json!([1]))),
        (
            "/rules/0",
            with(|d| drop(d["rules"][0].as_object_mut().unwrap().remove("when"))),
        ),
        (
            "/rules/0",
            with(|d| drop(d["rules"][0].as_object_mut().unwrap().remove("user"))),
        ),
        (
            "/rules/0",
            with(|d| drop(d["rules"][0].as_object_mut().unwrap().remove("name"))),
        ),
        ("/rules/0/name", with(|d| d["rules"][0]["name"] = json!(7))),
        ("/rules/0/wen", with(|d| d["rules"][0]["wen"] = json!({}))),
        ("/rules/0/when", with(|d| d["rules"][0]["when"] = json!({}))),
        (
            "/rules/0/when",
            with(|d| d["rules"][0]["when"] = json!({"any": []})),
        ),
        (
            "/rules/0/when",
            with(|d| d["rules"][0]["when"] = json!({"all": [], "any": []})),
        ),
        (
            "/rules/0/when",
            with(|d| d["rules"][0]["when"] = json!({"attribute": "a"})),
        ),
        (
            "/rules/0/when",
            with(|d| d["rules"][0]["when"] = json!({"attribute": "a", "exists": true, "equals": "x"})),
        ),
        (
            "/rules/0/when/exists",
            with(|d| d["rules"][0]["when"] = json!({"attribute": "a", "exists": false})),
        ),
        (
            "/rules/0/when/all",
            with(|d| d["rules"][0]["when"] = json!({"all": {}})),
        ),
        (
            "/rules/0/when/all/0/any_of",
            with(|d| d["rules"][0]["when"]["all"][0]["any_of"] = json!([])),
        ),
        (
            "/rules/0/when/all/0/any_of",
            with(|d| d["rules"][0]["when"]["all"][0]["any_of"] = json!("x")),
        ),
        (
            "/rules/0/when/all/0/any_of/1",
            with(|d| d["rules"][0]["when"]["all"][0]["any_of"] = json!(["x", null])),
        ),
        (
            "/rules/0/when/all/0/any_of/0",
            with(|d| d["rules"][0]["when"]["all"][0]["any_of"] = json!([long])),
        ),
        (
            "/rules/0/when/all/0/attribute",
            with(|d| d["rules"][0]["when"]["all"][0]["attribute"] = json!([])),
        ),
        (
            "/rules/0/when/all/0/split",
            with(|d| d["rules"][0]["when"]["all"][0]["split"] = json!(";;")),
        ),
        (
            "/rules/0/when/all/0/compare",
            with(|d| d["rules"][0]["when"]["all"][0]["compare"] = json!("fuzzy")),
        ),
        (
            "/rules/0/when/regex",
            with(|d| d["rules"][0]["when"] = json!({"attribute": "a", "regex": "("})),
        ),
        (
            "/rules/0/when/regex/1",
            with(|d| d["rules"][0]["when"] = json!({"attribute": "a", "regex": ["a", 1]})),
        ),
        (
            "/rules/0/values/v w",
            with(|d| d["rules"][0]["values"]["v w"] = json!({"attribute": "a"})),
        ),
        (
            "/rules/0/values/v/kep",
            with(|d| d["rules"][0]["values"]["v"]["kep"] = json!(["x"])),
        ),
        (
            "/rules/0/values/v/drop_regex",
            with(|d| d["rules"][0]["values"]["v"]["drop_regex"] = json!("*")),
        ),
        (
            "/rules/0/user",
            with(|d| d["rules"][0]["user"] = json!({"email": "x"})),
        ),
        (
            "/rules/0/user/type",
            with(|d| d["rules"][0]["user"]["type"] = json!("admin")),
        ),
        (
            "/rules/0/user/name",
            with(|d| d["rules"][0]["user"]["name"] = json!("")),
        ),
        (
            "/rules/0/user/name",
            with(|d| d["rules"][0]["user"]["name"] = json!(["x"])),
        ),
        (
            "/rules/0/user/name/many",
            with(|d| d["rules"][0]["user"]["name"] = json!({"template": "x", "many": "fan_out"})),
        ),
        (
            "/rules/0/user/name/many",
            with(|d| d["rules"][0]["user"]["name"] = json!({"template": "x", "many": {"join": long}})),
        ),
        (
            "/rules/0/user/name/missing",
            with(|d| d["rules"][0]["user"]["name"] = json!({"template": "x", "missing": "none"})),
        ),
        (
            "/rules/0/user/name/missing/default",
            with(|d| d["rules"][0]["user"]["name"] = json!({"template": "x", "missing": {"default": ""}})),
        ),
        (
            "/rules/0/user/name/allowed/0",
            with(|d| d["rules"][0]["user"]["name"] = json!({"template": "x", "allowed": [1]})),
        ),
        (
            "/rules/0/user/domain",
            with(|d| d["rules"][0]["user"]["domain"] = json!({})),
        ),
        ("/rules/0/groups", with(|d| d["rules"][0]["groups"] = json!([]))),
        (
            "/rules/0/groups/0",
            with(|d| d["rules"][0]["groups"] = json!([{"domain": {"id": "d"}}])),
        ),
        (
            "/rules/0/groups/0",
            with(|d| d["rules"][0]["groups"] = json!([{"id": "x", "name": "y"}])),
        ),
        (
            "/rules/0/groups/0/domain",
            with(|d| d["rules"][0]["groups"] = json!([{"json": "x", "domain": {"id": "d"}}])),
        ),
        (
            "/rules/0/projects/0",
            with(|d| d["rules"][0]["projects"] = json!([{"name": "p"}])),
        ),
        (
            "/rules/0/projects/0/roles",
            with(|d| d["rules"][0]["projects"] = json!([{"name": "p", "roles": []}])),
        ),
        (
            "/rules/0/domains/0",
            with(|d| d["rules"][0]["domains"] = json!([{"roles": [{"name": "m"}]}])),
        ),
        ("", json!("x")),
        ("", json!({"rules": [{}]})),
        (
            "/rules/0/when",
            with(|d| {
                let mut deep = json!({"attribute": "a", "exists": true});
                for _ in 0..8 {
                    deep = json!({ "not": deep });
                }
                d["rules"][0]["when"] = deep;
            }),
        ),
        (
            "/rules/0/when/all/127",
            with(|d| {
                d["rules"][0]["when"]["all"] = json!(vec![json!({"attribute": "a", "exists": true}); 200]);
            }),
        ),
    ];
    for (path, document) in cases {
        let found = faults(&document);
        assert!(
            found
                .iter()
                .any(|(place, _)| place == path || (path == "/rules/0/when" && place.starts_with(path))),
            "{path}: {found:?}"
        );
    }
}

#[test]
fn all_faults_are_told_at_once_and_the_meant_member_named() {
    let document = with(|d| {
        d["mod"] = json!("merge");
        d["rules"][0]["user"]["nmae"] = json!("x");
        d["rules"][0]["when"]["all"][0]["any_off"] = json!(["x"]);
    });
    let told = RuleSet::parse(&document).unwrap_err().to_string();
    for meant in [
        "`mode` may be meant",
        "`name` may be meant",
        "`any_of` may be meant",
    ] {
        assert!(told.contains(meant), "{told}");
    }
    assert!(told.len() < 10_000);
    let twice = br#"{"sealstone_mapping": 1, "rules": [], "rules": [{}]}"#;
    assert!(
        RuleSet::from_json(twice)
            .unwrap_err()
            .to_string()
            .contains("twice")
    );
}

#[test]
fn what_is_kept_is_what_was_written() {
    for document in [
        with(|_| {}),
        json!([{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "a"}]}]),
    ] {
        let rules = RuleSet::parse(&document).unwrap();
        assert_eq!(serde_json::to_value(&rules).unwrap(), document);
        assert_eq!(serde_json::from_value::<RuleSet>(document).unwrap(), rules);
    }
    assert_eq!(
        imported(&with(|_| {})),
        (with(|_| {}), Vec::new()),
        "ours is not converted"
    );
}

/// The mapping of the certificate names that Keystone's OAuth 2.0 guide shows, and our lab installs.
#[test]
fn keystones_certificate_mapping() {
    let document = json!({"mapping": {"rules": [{
        "local": [{"user": {"name": "{0}", "id": "{1}", "email": "{2}", "domain": {"name": "{3}", "id": "{4}"}}}],
        "remote": [
            {"type": "SSL_CLIENT_SUBJECT_DN_CN"},
            {"type": "SSL_CLIENT_SUBJECT_DN_UID"},
            {"type": "SSL_CLIENT_SUBJECT_DN_EMAILADDRESS"},
            {"type": "SSL_CLIENT_SUBJECT_DN_O"},
            {"type": "SSL_CLIENT_SUBJECT_DN_DC"},
            {"type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["root_a.lab.test"]},
        ],
    }]}});
    let rules = RuleSet::parse(&document).unwrap();
    let names = |issuer: &str| {
        Assertion::from_pairs([
            ("SSL_CLIENT_SUBJECT_DN_CN", "ci-bot"),
            ("SSL_CLIENT_SUBJECT_DN_UID", "u1"),
            ("SSL_CLIENT_SUBJECT_DN_EMAILADDRESS", "ci@example.org"),
            ("SSL_CLIENT_SUBJECT_DN_O", "acme"),
            ("SSL_CLIENT_SUBJECT_DN_DC", "d1"),
            ("SSL_CLIENT_ISSUER_DN_CN", issuer),
        ])
        .unwrap()
    };
    let identity = rules.map(&names("root_a.lab.test")).unwrap();
    assert_eq!(
        serde_json::to_value(identity.user()).unwrap(),
        json!({"id": "u1", "name": "ci-bot", "email": "ci@example.org", "domain": {"id": "d1", "name": "acme"}, "type": "ephemeral"})
    );
    assert!(rules.map(&names("root_b.lab.test")).is_err());
}

#[test]
fn projects_that_the_source_describes() {
    let document = json!({"schema_version": "3.0", "rules": [{
        "local": [{"user": {"name": "{0}"}, "domain": {"id": "own"}, "projects_json": "{1}"}],
        "remote": [{"type": "user"}, {"type": "projects"}],
    }]});
    let projects = |text: &str| json!({"user": "jo", "projects": text});
    let good = r#"[{"name": "a", "roles": [{"name": "member"}]}, {"name": "b", "domain": {"name": "other"}, "roles": [{"name": "reader"}]}]"#;
    assert_eq!(
        serde_json::to_value(map(&document, &projects(good)).projects()).unwrap(),
        json!([
            {"name": "a", "domain": {"id": "own"}, "roles": [{"name": "member"}]},
            {"name": "b", "domain": {"name": "other"}, "roles": [{"name": "reader"}]},
        ])
    );
    let rules = RuleSet::parse(&document).unwrap();
    for bad in [
        "",
        "a",
        "{}",
        "[1]",
        r#"[{"name": "a"}]"#,
        r#"[{"name": "a", "roles": []}]"#,
        r#"[{"name": "a", "roles": [{"name": 1}]}]"#,
        r#"[{"name": "a", "roles": [{"name": "m"}], "domain": {}}]"#,
        r#"[{"name": "a", "name": "b", "roles": [{"name": "m"}]}]"#,
        r#"[{"name": "a\n", "roles": [{"name": "m"}]}]"#,
        r#"[{"name": "a", "roles": [{"name": "m"}], "admin": true}]"#,
    ] {
        let assertion = Assertion::from_json(projects(bad).to_string().as_bytes()).unwrap();
        assert!(rules.map(&assertion).is_err(), "{bad}");
    }
}

#[test]
fn keystones_faults_have_their_place_in_keystones_document() {
    let rule = |local: Value, remote: Value| json!({"rules": [{"local": local, "remote": remote}]});
    let user = json!([{"user": {"name": "{0}"}}]);
    let cases = [
        ("/rules/0/remote", rule(user.clone(), json!([]))),
        (
            "/rules/0/remote/0/type",
            rule(user.clone(), json!([{"any_one_of": ["x"]}])),
        ),
        (
            "/rules/0/remote/0",
            rule(
                user.clone(),
                json!([{"type": "a", "whitelist": ["x"], "blacklist": ["y"]}]),
            ),
        ),
        (
            "/rules/0/remote/0/regex",
            rule(user.clone(), json!([{"type": "a", "regex": true}])),
        ),
        (
            "/rules/0/remote/0/blacklist/1",
            rule(
                user.clone(),
                json!([{"type": "a", "blacklist": ["a", "("], "regex": true}]),
            ),
        ),
        (
            "/rules/0/remote/0/whitelist/0",
            rule(
                user.clone(),
                json!([{"type": "a", "whitelist": ["a++"], "regex": true}]),
            ),
        ),
        (
            "/rules/0/local/0/user/name",
            rule(json!([{"user": {"name": "{1}"}}]), json!([{"type": "a"}])),
        ),
        (
            "/rules/0/local/0/users",
            rule(json!([{"users": {}}]), json!([{"type": "a"}])),
        ),
        (
            "/rules/0/local/0/projects_json",
            rule(json!([{"projects_json": "{0}"}]), json!([{"type": "a"}])),
        ),
        (
            "/rules/0/local/0/groups",
            rule(json!([{"groups": "['a'"}]), json!([{"type": "a"}])),
        ),
        (
            "/rules/0/local/0/group",
            rule(json!([{"group": {"name": "x"}}]), json!([{"type": "a"}])),
        ),
        (
            "/schema_version",
            json!({"schema_version": "4.0", "rules": [{"local": user, "remote": [{"type": "a"}]}]}),
        ),
        (
            "/mapping/rules/0/local/0/domain",
            json!({"mapping": rule(json!([{"user": {"name": "x"}, "domain": {}}]), json!([{"type": "a"}]))}),
        ),
        (
            "(converted)/rules",
            rule(json!([{"group": {"id": "x"}}]), json!([{"type": "a"}])),
        ),
    ];
    for (path, document) in cases {
        let found = faults(&document);
        assert!(found.iter().any(|(place, _)| place == path), "{path}: {found:?}");
    }
}

/// A rule set of the Rust Keystone, with everything in it.
fn rust_rule_set() -> Value {
    json!({
        "mapping_id": "m",
        "domain_id": "dom",
        "source": {"type": "federation", "idp_id": "okta"},
        "domain_resolution_mode": {"type": "claims_or_mapping", "allowed_domains": ["other"]},
        "enabled": true,
        "rules": [{
            "name": "operators",
            "description": "people of operations",
            "match": {"all_of_strict": {
                "conditions": [
                    {"type": "condition", "equals": {"claim": "mfa", "value": true}},
                    {"type": "nested", "any_of": [
                        {"type": "condition", "any_of": {"claim": "groups", "values": ["ops", "admins"]}},
                        {"type": "condition", "matches_regex": {"claim": "k8s.name", "regex": "^ops-"}},
                    ]},
                ],
                "require_all_keys": true,
            }},
            "identity": {
                "identity_mode": "local",
                "is_system": true,
                "user_domain_id": "${claims.domain}",
                "user_id": "${claims.sub}",
                "user_name": "${claims.login}@${enclosing_domain_id}",
            },
            "authorizations": [
                {"type": "project", "project_id": "p", "project_domain_id": "dom", "roles": [{"id": "r1", "name": "member"}]},
                {"type": "domain", "domain_id": "dom", "roles": [{"name": "reader"}]},
                {"type": "system", "system_id": "all", "roles": [{"id": "r2"}]},
            ],
            "groups": [
                {"group_name": "${claims.groups}", "strategy": {"type": "get"}},
                {"group_name": "all-${claims.groups}"},
                {"group_id": "g1", "group_name": "ignored"},
            ],
        }],
    })
}

#[test]
fn rule_sets_of_the_rust_keystone() {
    let claims = json!({
        "mfa": "true", "groups": ["ops", "dev"], "k8s.name": "x", "domain": "other", "sub": "7", "login": ["jo", "joe"],
    });
    let identity = map(&rust_rule_set(), &claims);
    assert_eq!(
        serde_json::to_value(&identity).unwrap(),
        json!({
            "user": {"id": "7", "name": "jo@dom", "domain": {"id": "other"}, "type": "local"},
            "groups": [
                {"name": "all-ops", "domain": {"id": "dom"}, "create": true},
                {"name": "dev", "domain": {"id": "dom"}},
                {"name": "ops", "domain": {"id": "dom"}},
                {"id": "g1"},
            ],
            "projects": [{"id": "p", "domain": {"id": "dom"}, "roles": [{"id": "r1", "name": "member"}]}],
            "domains": [{"domain": {"id": "dom"}, "roles": [{"name": "reader"}]}],
            "system_roles": [{"id": "r2"}],
            "rules": ["operators"],
        })
    );
    let rules = RuleSet::parse(&rust_rule_set()).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims.clone();
        change(&mut claims);
        let assertion = Assertion::from_json(claims.to_string().as_bytes()).unwrap();
        rules.map(&assertion).unwrap_err().to_string()
    };
    assert!(refused(&|c| c["mfa"] = json!(false)).contains("none of the 1 rules"));
    assert!(
        refused(&|c| drop(c.as_object_mut().unwrap().remove("k8s.name"))).contains("none of the 1 rules")
    );
    assert!(refused(&|c| c["domain"] = json!("evil")).contains("user.domain.id"));
    assert!(refused(&|c| drop(c.as_object_mut().unwrap().remove("login"))).contains("${claims.login}"));
    // Without its claim, the domain is the rule set's own.
    let mut without = claims.clone();
    without.as_object_mut().unwrap().remove("domain");
    let domain = map(&rust_rule_set(), &without)
        .user()
        .domain()
        .unwrap()
        .id()
        .unwrap()
        .to_string();
    assert_eq!(domain, "dom");
    let (converted, notes) = imported(&rust_rule_set());
    assert_eq!(converted["mode"], "first_match");
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert_eq!(
        map(&converted, &claims),
        identity,
        "the converted document maps alike"
    );
}

#[test]
fn what_the_rust_keystone_leaves_open_is_refused() {
    let change = |change: &dyn Fn(&mut Value)| {
        let mut document = rust_rule_set();
        change(&mut document);
        document
    };
    let cases = [
        (
            "/domain_resolution_mode/allowed_domains",
            change(&|d| d["domain_resolution_mode"]["allowed_domains"] = json!([])),
        ),
        (
            "/rules/0/identity/user_domain_id",
            change(&|d| d["domain_resolution_mode"] = json!({"type": "fixed"})),
        ),
        (
            "/rules/0/identity/user_name",
            change(&|d| d["rules"][0]["identity"]["user_name"] = json!("${user.name}")),
        ),
        (
            "/rules/0/identity/user_name",
            change(&|d| d["rules"][0]["identity"]["user_name"] = json!("${claims.enclosing_domain_id}")),
        ),
        (
            "/rules/0/identity/user_name",
            change(&|d| d["rules"][0]["identity"]["user_name"] = json!("${claims.x")),
        ),
        (
            "/rules/0/authorizations",
            change(&|d| drop(d["rules"][0]["authorizations"].as_array_mut().unwrap().pop())),
        ),
        (
            "/rules/0/authorizations/2",
            change(&|d| d["rules"][0]["identity"]["is_system"] = json!(false)),
        ),
        (
            "/rules/0/authorizations/0/roles",
            change(&|d| d["rules"][0]["authorizations"][0]["roles"] = json!([])),
        ),
        (
            "/rules/0/match",
            change(&|d| d["rules"][0]["match"] = json!({"none_of": []})),
        ),
        (
            "/rules/0/groups/0/strategy",
            change(&|d| d["rules"][0]["groups"][0]["strategy"] = json!("make")),
        ),
        (
            "/rules/0/match/all_of/0/matches_regex/regex",
            change(&|d| {
                d["rules"][0]["match"] =
                    json!({"all_of": [{"type": "condition", "matches_regex": {"claim": "a", "regex": "("}}]})
            }),
        ),
        (
            "(converted)/rules/0/when/all/0/equals/0",
            change(&|d| {
                d["rules"][0]["match"] =
                    json!({"all_of": [{"type": "condition", "equals": {"claim": "a", "value": null}}]})
            }),
        ),
    ];
    for (path, document) in cases {
        let found = faults(&document);
        assert!(found.iter().any(|(place, _)| place == path), "{path}: {found:?}");
    }
}

#[test]
fn merging_keeps_the_first_user_and_adds_the_rest() {
    let rule = |name: &str, projects: Value| {
        json!({
            "name": name, "when": {"all": []}, "user": {"name": name}, "groups": [{"id": name}, {"id": "both"}],
            "projects": projects, "system_roles": [{"name": "reader"}],
        })
    };
    let project = |name: &str, role: &str| json!({"name": name, "roles": [{"name": role}]});
    let rules = [
        rule("a", json!([project("p", "member"), project("q", "reader")])),
        rule("b", json!([project("p", "reader")])),
        rule("c", json!([])),
    ];
    let set = |policy: &str, count: usize| json!({"sealstone_mapping": 1, "mode": "merge", "projects": policy, "rules": rules.iter().take(count).collect::<Vec<_>>()});
    let union = map(&set("union", 3), &json!({}));
    assert_eq!(
        (union.user().name().unwrap().as_str(), union.rules().len()),
        ("a", 3)
    );
    assert_eq!(union.groups().len(), 4);
    assert_eq!(union.system_roles().len(), 1);
    let roles: Vec<usize> = union
        .projects()
        .iter()
        .map(|project| project.roles().len())
        .collect();
    assert_eq!(roles, [2, 1], "p with both roles, q with one");
    assert_eq!(map(&set("last", 2), &json!({})).projects().len(), 1);
    assert_eq!(map(&set("last", 3), &json!({})).projects().len(), 0);
}
