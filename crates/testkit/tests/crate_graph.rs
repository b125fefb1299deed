//! The crate graph is data: this table. Change it and `docs/ARCHITECTURE.md` in one commit.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

const WORDS: &[&str] = &[
    "oauth-types",
    "jose",
    "mtls",
    "identity",
    "audit",
    "pages",
    "factors",
];
const RULES: &[&str] = &[
    "fernet",
    "keyring",
    "claims",
    "login",
    "registry",
    "tokens",
    "grants",
    "directory",
    "trail",
];

/// Package (without its prefix) and what it may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("oauth-types", &[]),
    ("jose", &[]),
    ("mtls", &[]),
    ("identity", &[]),
    ("factors", &[]),
    ("directory", &["factors", "identity"]),
    ("audit", &[]),
    ("pages", &[]),
    ("trail", &["audit", "jose"]),
    ("sinks", &["trail", "https"]),
    ("telemetry", &["https"]),
    ("fernet", &["jose"]),
    ("keyring", &["jose"]),
    ("claims", &["identity"]),
    ("login", &["identity", "oauth-types"]),
    ("registry", &["oauth-types", "mtls", "jose", "identity", "claims"]),
    ("tokens", &["oauth-types", "jose", "mtls", "claims", "identity"]),
    (
        "grants",
        &["oauth-types", "mtls", "registry", "identity", "claims", "login"],
    ),
    (
        "provider",
        &[
            "oauth-types",
            "jose",
            "mtls",
            "identity",
            "audit",
            "keyring",
            "claims",
            "registry",
            "tokens",
            "grants",
            "login",
            "factors",
        ],
    ),
    ("tls", &["mtls"]),
    ("ca", &[]),
    ("https", &[]),
    ("agent", &["client", "https", "mtls", "ca"]),
    ("keystone", &["https", "identity", "jose", "fernet"]),
    ("privacyidea", &["https", "login", "identity", "jose"]),
    ("upstream", &["https", "login", "jose"]),
    ("bridge", &["fernet", "tls"]),
    ("pkcs11", &["keyring", "jose"]),
    ("migrate", &["fernet"]),
    ("client", &["https", "jose", "oauth-types", "mtls"]),
    (
        "storage",
        &[
            "registry",
            "grants",
            "login",
            "directory",
            "keyring",
            "tokens",
            "oauth-types",
            "identity",
        ],
    ),
    ("http", &["provider", "pages", "oauth-types", "mtls", "tls"]),
    ("resource", &["https", "tokens", "jose", "mtls", "oauth-types"]),
    (
        "server",
        &[
            "http",
            "pkcs11",
            "provider",
            "storage",
            "tls",
            "trail",
            "sinks",
            "ca",
            "registry",
            "keyring",
            "tokens",
            "oauth-types",
            "identity",
            "audit",
            "claims",
            "jose",
            "mtls",
            "keystone",
            "fernet",
            "directory",
            "factors",
            "https",
            "login",
            "pages",
            "privacyidea",
            "telemetry",
            "upstream",
        ],
    ),
    (
        "cli",
        &[
            "ca",
            "claims",
            "mtls",
            "jose",
            "tokens",
            "registry",
            "pkcs11",
            "keyring",
            "storage",
            "provider",
            "oauth-types",
            "identity",
            "audit",
            "trail",
            "tls",
            "keystone",
            "fernet",
            "https",
            "bridge",
            "migrate",
            "directory",
            "factors",
            "login",
            "client",
            "agent",
        ],
    ),
    ("testkit", &["identity"]),
];

/// What tests may use besides their package's own edges. `testkit` is allowed to all.
const TEST_EDGES: &[(&str, &[&str])] = &[
    ("agent", &["tls"]),
    ("sinks", &["audit"]),
    (
        "http",
        &[
            "storage", "registry", "keyring", "claims", "identity", "factors", "login", "tokens", "jose",
            "audit", "grants",
        ],
    ),
    ("provider", &["storage", "tls"]),
    ("resource", &["tls", "identity", "claims"]),
    ("server", &["resource", "grants"]),
    ("cli", &["resource"]),
    ("storage", &["jose", "mtls", "claims"]),
    ("upstream", &["identity", "oauth-types"]),
];

/// Members that show or measure the others: any edge, but nothing may depend on them.
const LEAVES: &[&str] = &[
    "interop",
    "jose-oracle",
    "examples",
    "benches",
    "xtask",
    "server",
    "cli",
];

/// Frameworks, runtimes, clients and databases, none of which words and rules may reach by any path.
const EDGE_PACKAGES: &[&str] = &[
    "actix-web",
    "axum",
    "axum-core",
    "diesel",
    "h2",
    "http",
    "http-body",
    "hyper",
    "hyper-util",
    "isahc",
    "mio",
    "postgres",
    "quinn",
    "redis",
    "reqwest",
    "rusqlite",
    "smol",
    "async-std",
    "libsqlite3-sys",
    "sqlx",
    "sqlx-core",
    "tokio",
    "tokio-rustls",
    "tower",
    "tower-http",
    "ureq",
];

/// What `provider` may not import: it drives ports, over whatever transport and store.
const PROVIDER_BANS: &[&str] = &[
    "axum",
    "hyper",
    "http",
    "sqlx",
    "rusqlite",
    "reqwest",
    "tower-http",
];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().exec().unwrap()
}

fn short(name: &str) -> &str {
    name.strip_prefix("sealstone-").unwrap_or(name)
}

fn targets(package: &Package, dev: bool) -> BTreeSet<String> {
    let wanted = |kind| (kind == DependencyKind::Development) == dev;
    package
        .dependencies
        .iter()
        .filter(|d| wanted(d.kind))
        .map(|d| d.name.clone())
        .collect()
}

fn allowed(
    table: &'static [(&'static str, &'static [&'static str])],
    name: &str,
) -> Option<&'static [&'static str]> {
    table
        .iter()
        .find(|(package, _)| *package == name)
        .map(|(_, edges)| *edges)
}

#[test]
fn every_edge_is_in_the_table() {
    let metadata = metadata();
    let ours: BTreeSet<String> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let mut faults = Vec::new();
    for package in &metadata.packages {
        let name = short(&package.name);
        if LEAVES.contains(&name) && allowed(EDGES, name).is_none() {
            continue;
        }
        let Some(edges) = allowed(EDGES, name) else {
            faults.push(format!("{name} is not in the table"));
            continue;
        };
        for target in targets(package, false).intersection(&ours) {
            if !edges.contains(&short(target)) {
                faults.push(format!("{name} -> {}", short(target)));
            }
        }
        let in_tests = allowed(TEST_EDGES, name).unwrap_or_default();
        for target in targets(package, true).intersection(&ours) {
            let target = short(target);
            if target != "testkit"
                && target != name
                && !edges.contains(&target)
                && !in_tests.contains(&target)
            {
                faults.push(format!("{name} -> {target} (tests)"));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "edges that the table lacks:\n{}",
        faults.join("\n")
    );
}

#[test]
fn nothing_depends_on_programs_or_on_the_testkit() {
    for package in metadata().packages {
        let name = short(&package.name).to_owned();
        for target in targets(&package, false) {
            assert!(
                target != "sealstone-testkit" || LEAVES.contains(&name.as_str()),
                "{name} -> testkit"
            );
            let internal = target.strip_prefix("sealstone-").unwrap_or_default();
            assert!(!LEAVES.contains(&internal), "{name} -> {internal}");
        }
    }
}

#[test]
fn the_table_has_no_cycle_and_words_stand_alone() {
    for word in WORDS {
        assert_eq!(allowed(EDGES, word), Some(&[][..]), "{word}");
    }
    let mut placed: Vec<&str> = Vec::new();
    while placed.len() < EDGES.len() {
        let before = placed.len();
        for (package, edges) in EDGES {
            if !placed.contains(package) && edges.iter().all(|edge| placed.contains(edge)) {
                placed.push(package);
            }
        }
        assert_ne!(
            before,
            placed.len(),
            "a cycle among the packages besides {placed:?}"
        );
    }
}

#[test]
fn words_and_rules_reach_no_framework_runtime_or_database() {
    let metadata = metadata();
    let lock = locked(&metadata);
    for package in &metadata.packages {
        let name = short(&package.name);
        if !WORDS.contains(&name) && !RULES.contains(&name) {
            continue;
        }
        let reached = reach(&lock, targets(package, false), &metadata);
        let banned: Vec<&String> = reached
            .iter()
            .filter(|n| EDGE_PACKAGES.contains(&n.as_str()))
            .collect();
        assert!(banned.is_empty(), "{name} reaches {banned:?}");
    }
}

#[test]
fn provider_imports_no_transport_and_no_store() {
    for package in metadata()
        .packages
        .iter()
        .filter(|package| short(&package.name) == "provider")
    {
        for target in targets(package, false) {
            assert!(!PROVIDER_BANS.contains(&target.as_str()), "provider -> {target}");
        }
    }
}

#[test]
fn default_members_need_only_rust_and_a_c_compiler() {
    let metadata = metadata();
    let lock = locked(&metadata);
    let members: BTreeSet<_> = metadata.workspace_default_members.iter().collect();
    for package in metadata
        .packages
        .iter()
        .filter(|package| members.contains(&package.id))
    {
        let mut direct = targets(package, false);
        direct.extend(targets(package, true));
        let reached = reach(&lock, direct, &metadata);
        for banned in ["openssl-sys", "native-tls", "josekit"] {
            assert!(!reached.contains(banned), "{} reaches {banned}", package.name);
        }
    }
}

/// Who depends on whom by `Cargo.lock`: needs no network, and knows only features that are in use.
fn locked(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(metadata.workspace_root.join("Cargo.lock")).unwrap();
    let document: toml::Table = text.parse().unwrap();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in document["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().to_owned();
        let edges = package.get("dependencies").and_then(toml::Value::as_array);
        let names = edges.into_iter().flatten().map(|entry| entry.as_str().unwrap());
        // An entry is `name`, or `name version` where there are several versions.
        let names = names.map(|entry| entry.split(' ').next().unwrap_or(entry).to_owned());
        graph.entry(name).or_default().extend(names);
    }
    graph
}

/// Everything reached from `from`: our own packages by their manifests without tests, others by the lock file.
fn reach(
    lock: &BTreeMap<String, BTreeSet<String>>,
    from: BTreeSet<String>,
    metadata: &Metadata,
) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = from.into_iter().collect();
    while let Some(name) = open.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        let own = metadata.packages.iter().find(|package| *package.name == name);
        match own {
            Some(package) => open.extend(targets(package, false)),
            None => open.extend(lock.get(&name).into_iter().flatten().cloned()),
        }
    }
    reached
}
