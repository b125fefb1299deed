use super::*;

fn node(name: &str) -> Node {
    Node::parse(name).unwrap()
}

fn target(name: &str, form: TokenForm, cached_s: Option<u64>) -> Target {
    Target {
        node: node(name),
        url: format!("http://{name}"),
        form: Some(form),
        cached_s,
    }
}

/// A token of `a`, shown at `b`, with which nothing is wrong.
fn good() -> Cell {
    Cell {
        login: "alice".to_owned(),
        kind: LoginKind::Project,
        issuer: node("a"),
        shown_at: node("b"),
        issued: Answer::Taken,
        form: Some(TokenForm::Jws),
        validated: Answer::Taken,
        used: Answer::Taken,
        revoked: Answer::Taken,
        taken_after: Vec::new(),
    }
}

fn with(change: impl FnOnce(&mut Cell)) -> Cell {
    let mut cell = good();
    change(&mut cell);
    cell
}

#[test]
fn each_answer_is_a_fault_a_note_or_nothing() {
    use TokenForm::{Fernet, Jws};
    let broken = || Answer::Failed("it closed the connection without an answer".to_owned());
    for (name, cell, theirs, cached, faults, notes) in [
        ("all well", good(), Jws, None, "", ""),
        (
            "a login refused",
            with(|cell| cell.issued = Answer::Refused(401)),
            Jws,
            None,
            "node a refuses the login: 401, as `alice` (project)",
            "",
        ),
        (
            "no answer",
            with(|cell| cell.issued = broken()),
            Jws,
            None,
            "node a does not log in: it closed",
            "",
        ),
        (
            "another form than expected",
            with(|cell| cell.form = Some(Fernet)),
            Jws,
            None,
            "node a issues Fernet tokens, and JWS is expected",
            "",
        ),
        (
            "neither form",
            with(|cell| cell.form = None),
            Jws,
            None,
            "tokens of neither form",
            "",
        ),
        (
            "a key that is missing",
            with(|cell| cell.validated = Answer::Refused(401)),
            Jws,
            None,
            "node b does not validate tokens of node a: 401",
            "",
        ),
        (
            "a clock behind",
            with(|cell| cell.validated = broken()),
            Jws,
            None,
            "is its clock behind",
            "",
        ),
        (
            "not let in",
            with(|cell| cell.used = Answer::Refused(401)),
            Jws,
            None,
            "node b does not let in tokens of node a",
            "",
        ),
        (
            "not revoked",
            with(|cell| cell.revoked = Answer::Refused(404)),
            Jws,
            None,
            "node b does not revoke tokens of node a",
            "",
        ),
        (
            "a trustee's own token",
            with(|cell| cell.revoked = Answer::NotAllowed),
            Jws,
            None,
            "",
            "policy does not let `alice` revoke",
        ),
        (
            "taken after it was revoked",
            with(|cell| cell.taken_after = vec![node("a")]),
            Jws,
            None,
            "node a takes tokens that were revoked at node b",
            "",
        ),
        (
            "the same from a cache",
            with(|cell| cell.taken_after = vec![node("b")]),
            Jws,
            Some(600),
            "",
            "it keeps validations for 600 s",
        ),
        (
            "nodes that differ, as they must",
            with(|cell| cell.validated = Answer::Refused(401)),
            Fernet,
            None,
            "",
            "must not serve side by side",
        ),
    ] {
        let targets = [target("a", Jws, None), target("b", theirs, cached)];
        let verdict = judge_answers(&targets, &[cell], &BTreeMap::new());
        for (found, want) in [(&verdict.faults, faults), (&verdict.notes, notes)] {
            assert_eq!(found.is_empty(), want.is_empty(), "{name}: {verdict:?}");
            assert!(found.join("\n").contains(want), "{name}: {verdict:?}");
        }
    }
}

#[test]
fn one_fault_is_told_once_with_all_its_scopes() {
    let refused = |kind| {
        with(|cell| {
            cell.kind = kind;
            cell.validated = Answer::Refused(401);
        })
    };
    let targets = [
        target("a", TokenForm::Jws, None),
        target("b", TokenForm::Jws, None),
    ];
    let cells = [
        refused(LoginKind::Trust),
        refused(LoginKind::System),
        refused(LoginKind::Project),
    ];
    let faults = judge_answers(&targets, &cells, &BTreeMap::new()).faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].ends_with("(project, system, trust)"), "{faults:?}");

    // A node that is down is down for everybody.
    let down = |kind, login: &str| {
        with(|cell| {
            cell.kind = kind;
            cell.login = login.to_owned();
            cell.issued = Answer::Failed("it does not accept connections".to_owned());
        })
    };
    let cells = [down(LoginKind::Trust, "carol"), down(LoginKind::Project, "alice")];
    let faults = judge_answers(&targets, &cells, &BTreeMap::new()).faults;
    assert_eq!(
        faults,
        ["node a does not log in: it does not accept connections (project, trust)"]
    );
}

#[test]
fn what_may_be_the_cause_comes_first() {
    let bounds = |at_least_ms, at_most_ms| ClockBounds {
        at_least_ms,
        at_most_ms,
    };
    let clocks = BTreeMap::from([
        (node("a"), bounds(119_000, 120_500)),
        (node("b"), bounds(-500, 500)),
    ]);
    let failed = with(|cell| cell.validated = Answer::Failed("status 500".to_owned()));
    let targets = [
        target("a", TokenForm::Jws, None),
        target("b", TokenForm::Jws, None),
    ];
    let faults = judge_answers(&targets, &[failed], &clocks).faults;
    assert!(
        faults.len() == 2 && faults[0].starts_with("the clock of node a is ahead"),
        "{faults:?}"
    );
}

#[test]
fn clocks_are_compared_with_each_other_and_with_ours() {
    let bounds = |at_least_ms, at_most_ms| ClockBounds {
        at_least_ms,
        at_most_ms,
    };
    for (name, a, b, faults, notes) in [
        ("agree", bounds(-500, 600), bounds(-900, 100), 0, 0),
        (
            "whole seconds allow it",
            bounds(0, 1000),
            bounds(-1400, -400),
            0,
            0,
        ),
        (
            "two minutes ahead",
            bounds(119_000, 120_500),
            bounds(-500, 500),
            1,
            0,
        ),
        (
            "two minutes behind",
            bounds(-120_500, -119_000),
            bounds(-500, 500),
            1,
            0,
        ),
        (
            "this machine is off",
            bounds(60_000, 61_000),
            bounds(60_200, 61_100),
            0,
            1,
        ),
    ] {
        let clocks = BTreeMap::from([(node("a"), a), (node("b"), b)]);
        let verdict = judge_answers(&[], &[], &clocks);
        assert_eq!(
            (verdict.faults.len(), verdict.notes.len()),
            (faults, notes),
            "{name}: {verdict:?}"
        );
    }
}
