//! Keystone's mapping engine and ours, on the same rules and assertions.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod compare;
mod differences;
mod generate;
mod oracle;

use compare::{Ours, Theirs};
use differences::{DIFFERENCES, Difference};
use generate::Generator;
use oracle::Oracle;
use sealstone_claims::{Assertion, RuleSet};
use sealstone_interop::KeystoneLab;
use sealstone_mtls::ClientCertificate;
use sealstone_testkit::{CertificateSpec, TestCa};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many rule sets and assertions without anything odd are compared.
const COMPARED: usize = 5_000;
/// How many of each intended difference.
const EACH: usize = 40;

#[test]
fn what_keystone_maps_is_mapped_alike() {
    let mut oracle = Oracle::start();
    let mut generator = Generator::new(0x5ea1_5701);
    let (mut mapped, mut refused, mut with_groups, mut with_projects) = (0, 0, 0, 0);
    for index in 0..COMPARED {
        let case = generator.case();
        let theirs = oracle.ask(&case);
        let ours = Ours::of(&case);
        match (&theirs, &ours) {
            (Theirs::Mapped(theirs), Ours::Mapped(ours)) if theirs == ours => {
                let holds = |member: &str| usize::from(ours[member] != json!([]));
                mapped += 1;
                with_groups += holds("groups");
                with_projects += holds("projects");
            }
            (Theirs::Refused(_), Ours::Refused(_)) => refused += 1,
            _ => panic!("case {index}: {case:#}\nKeystone: {theirs:?}\nSealstone: {ours:?}"),
        }
    }
    // No kind may be a handful: then the generator says nothing.
    let counts = [mapped / 3, refused, with_groups / 2, with_projects];
    println!("{mapped} mapped, {refused} refused, {with_groups} with groups, {with_projects} with projects");
    assert!(counts.iter().all(|count| *count > COMPARED / 20), "{counts:?}");
}

#[test]
fn the_intended_differences_are_there_and_no_others() {
    let mut oracle = Oracle::start();
    let mut generator = Generator::new(0x5ea1_5702);
    for Difference {
        name, case, is_so, ..
    } in DIFFERENCES
    {
        for _ in 0..EACH {
            let case = case(&mut generator);
            let theirs = oracle.ask(&case);
            let ours = Ours::of(&case);
            assert!(
                is_so(&theirs, &ours),
                "{name}: {case:#}\nKeystone: {theirs:?}\nSealstone: {ours:?}"
            );
        }
    }
}

/// The page that administrators read lists them, each with its reason, and nothing else.
#[test]
fn the_differences_are_those_of_the_reference() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/claims-mapping.md"
    );
    let page = std::fs::read_to_string(path).unwrap();
    let listed: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter(|(name, _)| name.starts_with("diff-"))
        .map(|(name, _)| name)
        .collect();
    let mut tested: Vec<String> = DIFFERENCES
        .iter()
        .map(|one| format!("diff-{}", one.name))
        .collect();
    tested.push("diff-order".to_owned());
    assert_eq!(listed, tested);
}

/// Keystone puts groups through sets, so that their order, and with it which of two users' tokens comes out, changes
/// from process to process. Ours is sorted.
#[test]
fn order_is_ours_alone() {
    let groups: Vec<String> = (0..24).map(|index| format!("group-{index}")).collect();
    let case = json!({
        "mapping": {"rules": [{
            "local": [{"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"id": "d"}}],
            "remote": [{"type": "user"}, {"type": "groups", "whitelist": groups}],
        }]},
        "assertion": {"user": "alice", "groups": groups.join(";")},
    });
    let order = |seed: u32| Oracle::start_with_seed(seed).ask_raw(&case)["mapped"]["group_names"].clone();
    assert_ne!(
        order(1),
        order(2),
        "Keystone's order became stable: remove this difference"
    );
    let Ours::Mapped(ours) = Ours::of(&case) else {
        panic!("not mapped")
    };
    let names: Vec<&str> = ours["groups"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(name_of)
        .collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(names, sorted);
    assert_eq!(names.len(), 24);
}

/// The names of a certificate are attributes under the names that Keystone gives them.
#[test]
fn certificates_have_keystones_attributes() {
    const KINDS: [&str; 12] = [
        "CN",
        "UID",
        "O",
        "OU",
        "C",
        "ST",
        "L",
        "STREET",
        "EMAIL",
        "SERIALNUMBER",
        "T",
        "2.5.4.65",
    ];
    let authority = TestCa::new("Machines");
    let mut oracle = Oracle::start();
    for kinds in [&KINDS[..], &["CN"], &["DC", "CN"]] {
        let attributes: Vec<(&str, &str)> = kinds
            .iter()
            .map(|kind| (*kind, if *kind == "C" { "DE" } else { "a b" }))
            .collect();
        let issued = authority.issue(CertificateSpec::client("x").subject(&attributes));
        let theirs = oracle.ask_raw(&json!({"certificate": issued.pem()}))["names"].clone();
        let certificate = ClientCertificate::from_pem(&issued.pem()).unwrap();
        let mut ours = certificate.keystone_attributes();
        ours.retain(|name, _| !name.starts_with("SSL_CLIENT_SAN_"));
        let ours: BTreeMap<String, String> = ours
            .into_iter()
            .map(|(name, values)| (name, values.join(";")))
            .collect();
        assert_eq!(theirs, json!(ours));
    }
}

/// What `openstack mapping show` prints is a mapping as it is, and maps the lab's machine to its user.
#[test]
fn what_the_openstack_command_shows_is_a_mapping() {
    let lab = KeystoneLab::shared();
    let shown = lab
        .openstack(&["mapping", "show", "oauth2_mapping", "-f", "json"])
        .output();
    let rules = RuleSet::from_json(&shown.unwrap().stdout).unwrap_or_else(|faults| panic!("{faults}"));
    let map = |name: &str| {
        let certificate = ClientCertificate::from_pem(&lab.seed().certificate(name).pem()).unwrap();
        let names = certificate.keystone_attributes().into_iter();
        let builder = names.fold(Assertion::builder(), |builder, (name, values)| {
            builder.texts(name, values)
        });
        rules.map(&builder.build().unwrap())
    };
    let identity = map("ci-bot").unwrap();
    let bot = lab.seed().user("ci-bot");
    assert_eq!(identity.user().id().unwrap().as_str(), bot.id);
    assert_eq!(
        identity.user().domain().unwrap().id().unwrap().as_str(),
        bot.domain_id
    );
}

fn name_of(group: &Value) -> Option<&str> {
    group["name"].as_str()
}
