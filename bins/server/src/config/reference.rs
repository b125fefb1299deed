//! Holds `docs/reference/configuration.md` and `examples/sealstoned.toml` to the keys that are read.

use super::*;
use serde::de::value::Error as ValueError;
use serde::de::{Deserializer, Error as _, Visitor};
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = include_str!("../../../../docs/reference/configuration.md");
const EXAMPLE: &str = include_str!("../../../../examples/sealstoned.toml");

/// Learns the fields of a struct from what it asks for.
#[derive(Default)]
struct Fields(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Fields {
    type Error = ValueError;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.0 = fields;
        Err(ValueError::custom("learnt"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, ValueError> {
        Err(ValueError::custom("not a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields = Fields::default();
    let _ = T::deserialize(&mut fields);
    assert!(!fields.0.is_empty());
    fields.0
}

/// `section.key` of everything that is read.
fn keys() -> BTreeSet<String> {
    // [people_of.DOMAIN] has the keys of [people], [registration_of.DOMAIN] those of [registration].
    let named = fields::<Config>()
        .iter()
        .filter(|section| !["people_of", "registration_of"].contains(section));
    let sections = named.map(|section| {
        let keys = match *section {
            "server" => fields::<ServerSection>(),
            "tls" => fields::<TlsSection>(),
            "storage" => fields::<StorageSection>(),
            "secrets" => fields::<SecretsSection>(),
            "keys" => fields::<KeysSection>(),
            "pkcs11" => fields::<Pkcs11Section>(),
            "limits" => fields::<LimitsSection>(),
            "proxy" => fields::<ProxySection>(),
            "keystone" => fields::<KeystoneSection>(),
            "people" => fields::<PeopleSection>(),
            "administration" => fields::<AdministrationSection>(),
            "registration" => fields::<RegistrationSection>(),
            "logout" => fields::<LogoutSection>(),
            "pages" => fields::<PagesSection>(),
            "audit" => fields::<AuditSection>(),
            "log" => fields::<LogSection>(),
            "traces" => fields::<TracesSection>(),
            other => panic!("[{other}] is new: add it here and to the document"),
        };
        keys.iter().map(move |key| format!("{section}.{key}"))
    });
    let mut keys: BTreeSet<String> = sections.flatten().collect();
    for (section, own) in [
        ("storage.postgres", fields::<PostgresSection>()),
        ("audit.syslog", fields::<SyslogSection>()),
        ("audit.http", fields::<HttpSinkSection>()),
        ("audit.rabbitmq", fields::<RabbitmqSection>()),
        ("keystone.service", fields::<ServiceSection>()),
        ("keystone.mint", fields::<MintSection>()),
        ("people.privacyidea", fields::<PrivacyIdeaSection>()),
        ("people.upstream", fields::<UpstreamSection>()),
    ] {
        assert!(keys.remove(section), "{section}");
        keys.extend(own.iter().map(|key| format!("{section}.{key}")));
    }
    keys
}

/// Each key of the document with its default, and whether that is a value.
fn documented() -> BTreeMap<String, String> {
    let mut section = "";
    let mut found = BTreeMap::new();
    for line in DOCUMENT.lines() {
        if let Some(name) = line.strip_prefix("## [").and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some(row) = line.strip_prefix("| `") {
            let cells: Vec<&str> = row.split(" | ").collect();
            let key = cells[0].trim_end_matches('`');
            let before = found.insert(format!("{section}.{key}"), cells[2].to_owned());
            assert_eq!(before, None, "{section}.{key} twice");
        }
    }
    found
}

/// Each key of the example with its value, and whether it is commented.
fn example() -> BTreeMap<String, (String, bool)> {
    let mut section = "";
    let mut found = BTreeMap::new();
    for line in EXAMPLE.lines() {
        let (line, commented) = line.strip_prefix("# ").map_or((line, false), |rest| (rest, true));
        let named = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(name) = named {
            section = name;
        } else if let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
            found.insert(format!("{section}.{key}"), (value.to_owned(), commented));
        }
    }
    found
}

#[test]
fn every_key_is_in_the_document_and_in_the_example() {
    let keys = keys();
    assert_eq!(documented().into_keys().collect::<BTreeSet<_>>(), keys);
    assert_eq!(example().into_keys().collect::<BTreeSet<_>>(), keys);
}

#[test]
fn defaults_are_those_of_the_example() {
    let example = example();
    for (key, default) in documented() {
        let (value, commented) = &example[&key];
        if let Some(default) = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            assert_eq!((value.as_str(), *commented), (default, true), "{key}");
        } else if default == "required" {
            // [proxy], [keystone] and [people] are commented as a whole.
            let whole = [
                "proxy.",
                "keystone.",
                "people.",
                "storage.postgres.",
                "audit.",
                "pkcs11.",
                "traces.",
            ]
            .iter()
            .any(|section| key.starts_with(section));
            assert!(!commented || whole, "{key}");
        }
    }
}

/// The example as it is, and with every commented key uncommented, can be read, and says what the defaults are.
#[test]
fn the_example_can_be_read_and_its_comments_are_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        let path = folder.path().join("sealstoned.toml");
        std::fs::write(&path, text).unwrap();
        load(&path).unwrap()
    };
    // Secrets that the environment alone may give are in the example as comments that stay.
    let stays = |line: &str| {
        let secrets = ["key_encryption_key = ", "pin = "];
        secrets.iter().any(|secret| line.starts_with(secret))
    };
    let uncommented = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if stays(rest) => line.to_owned(),
        Some(rest)
            if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) =>
        {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    let given = read(EXAMPLE);
    let whole = read(&EXAMPLE.lines().map(uncommented).collect::<Vec<_>>().join("\n"));
    assert!(given.proxy.is_none() && whole.proxy.is_some());
    assert!(given.keystone.is_none());
    let keystone = whole.keystone.unwrap();
    assert!(keystone.service.is_some() && keystone.mint.is_some());
    let least = "\n[keystone]\nurl = \"https://keystone.example.org:5000\"\n[keystone.mint]\nprivate_key_file = \"k\"\n";
    let least = read(&format!("{EXAMPLE}{least}")).keystone.unwrap();
    assert_eq!(least.identity_cache_s, keystone.identity_cache_s);
    assert_eq!(least.revocation_poll_s, keystone.revocation_poll_s);
    assert_eq!(least.call_deadline_s, keystone.call_deadline_s);
    assert_eq!(least.max_calls, keystone.max_calls);
    assert_eq!(
        least.mint.unwrap().token_lifetime_s,
        keystone.mint.unwrap().token_lifetime_s
    );
    assert!(given.administration.is_none() && given.registration.is_none());
    let administration = AdministrationSection {
        socket: None,
        cloud_certificates: Vec::new(),
        domain_certificates: Vec::new(),
        ..whole.administration.unwrap()
    };
    assert_eq!(
        format!("{administration:?}"),
        format!("{:?}", AdministrationSection::default())
    );
    let registration = RegistrationSection {
        redirect_hosts: Vec::new(),
        ..whole.registration.unwrap()
    };
    assert_eq!(
        format!("{registration:?}"),
        format!("{:?}", RegistrationSection::default())
    );
    assert!(given.people.is_none());
    let people = whole.people.unwrap();
    let least = "\n[people]\nsource = \"directory\"\n[people.privacyidea]\nurl = \"u\"\nrealm = \"r\"\nuser_name = \"n\"\n\
                 password_file = \"p\"\n[people.upstream]\nname = \"n\"\nissuer = \"i\"\nclient_id = \"c\"\n\
                 [people_of.demo]\nsource = \"keystone\"\n";
    let least = read(&format!("{EXAMPLE}{least}"));
    assert_eq!(least.people_of["demo"].source, SourceName::Keystone);
    let least = least.people.unwrap();
    let shown = |people: PeopleSection| {
        let (privacyidea, upstream) = (people.privacyidea.unwrap(), people.upstream.unwrap());
        let demand = (privacyidea.demand, privacyidea.dangerous_plain_http);
        let asks = (
            upstream.client_authentication,
            upstream.scopes,
            upstream.algorithms,
        );
        let trusts = (
            upstream.userinfo,
            upstream.believe_mfa,
            upstream.dangerous_plain_http,
        );
        let own = PeopleSection {
            privacyidea: None,
            upstream: None,
            // The issuer's own: not one for all.
            keystone_domain_id: None,
            ..people
        };
        format!("{own:?} {demand:?} {asks:?} {trusts:?}")
    };
    assert_eq!(shown(least), shown(people));
    // A file has no default: without one, one administrator is enough.
    let keys = KeysSection {
        administrators_file: None,
        ..whole.keys
    };
    assert_eq!(format!("{:?}", given.keys), format!("{keys:?}"));
    assert_eq!(format!("{:?}", given.log), format!("{:?}", whole.log));
    assert!(given.traces.is_none());
    let traces = TracesSection {
        ca_file: None,
        bearer_file: None,
        traceparent_networks: Vec::new(),
        ..whole.traces.unwrap()
    };
    let least = format!("{EXAMPLE}\n[traces]\nurl = \"{}\"\n", traces.url);
    assert_eq!(
        format!("{:?}", read(&least).traces.unwrap()),
        format!("{traces:?}")
    );
    assert_eq!(given.server.admin_listen, whole.server.admin_listen);
    assert_eq!(given.tls.profile, whole.tls.profile);
    assert_eq!(given.tls.ticket_lifetime_s, whole.tls.ticket_lifetime_s);
    assert_eq!(
        given.storage.client_cache_entries,
        whole.storage.client_cache_entries
    );
    assert!(given.storage.postgres.is_none());
    let postgres = whole.storage.postgres.unwrap();
    let least = read(&format!("{EXAMPLE}\n[storage.postgres]\nurl = \"u\"\n"));
    let least = least.storage.postgres.unwrap();
    assert_eq!(
        (least.connections, least.insecure_plaintext),
        (postgres.connections, postgres.insecure_plaintext)
    );
    let limits = |limits: LimitsSection| LimitsSection {
        max_connections_per_address: None,
        insecure_unlimited_networks: Vec::new(),
        ..limits
    };
    assert_eq!(
        format!("{:?}", limits(given.limits)),
        format!("{:?}", limits(whole.limits))
    );
}

/// What the page says of a reload: section, what acts, what waits.
fn reload_rows() -> Vec<[&'static str; 3]> {
    let table = DOCUMENT.split("\n## Reload\n").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.filter(|row| !row.starts_with("Section"))
        .map(|row| {
            let mut cells = row.split('|').map(str::trim);
            [(); 3].map(|()| cells.next().unwrap_or_default())
        })
        .collect()
}

#[test]
fn the_document_says_of_each_key_whether_it_acts_at_a_reload() {
    let rows = reload_rows();
    let mut sections = BTreeSet::new();
    for key in keys() {
        let (section, rest) = key.split_once('.').unwrap();
        sections.insert(section.to_owned());
        let row = rows.iter().find(|row| row[0] == section);
        let [_, acting, waiting] =
            row.unwrap_or_else(|| panic!("[{section}] is not in the table of a reload"));
        // By itself, or as a section within.
        let first = rest.split('.').next().unwrap();
        let named = |cell: &str| cell.contains(&format!("`{rest}`")) || cell.contains(&format!("`{first}`"));
        let whole = |cell: &str| cell.starts_with("all") || cell.starts_with("the rest");
        let says = match (named(acting), named(waiting)) {
            (true, false) => true,
            (false, true) => false,
            _ => {
                assert_ne!(whole(acting), whole(waiting), "{key}: the page does not say");
                whole(acting)
            }
        };
        assert_eq!(given::acts(&key), says, "{key}");
    }
    let listed: BTreeSet<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(listed, sections);
    for (section, like) in [("people_of", "people"), ("registration_of", "registration")] {
        assert_eq!(
            given::acts(&format!("{section}.demo.x")),
            given::acts(&format!("{like}.x"))
        );
    }
}
