//! Holds the tables of `docs/reference/clients.md` to the members that are read.

use super::members::KNOWN;
use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!("../../../../docs/reference/clients.md");

#[test]
fn the_document_lists_every_member_once() {
    let tables = DOCUMENT.split("## Redirect URIs\n").next().unwrap();
    let rows = tables.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let distinct: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(distinct.len(), listed.len(), "a member is listed twice");
    assert_eq!(distinct, KNOWN.into_iter().collect());
}
