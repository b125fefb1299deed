use super::*;

fn domain(name: &str) -> DomainId {
    DomainId::parse(name).unwrap()
}

fn due(all: &[(&str, KeyWork)]) -> Vec<KeysDue> {
    all.iter()
        .map(|(name, work)| KeysDue::new(domain(name), *work))
        .collect()
}

fn taken(state: &mut State, lane: Lane) -> Vec<String> {
    std::iter::from_fn(|| state.take(lane))
        .map(|domain| domain.to_string())
        .collect()
}

/// What is one write does not stand behind a thousand keys, and nobody's successor behind new domains for ever.
#[test]
fn a_write_waits_for_no_key_and_new_domains_take_turns_with_successors() {
    let mut state = State::default();
    let all = due(&[
        ("new1", KeyWork::First),
        ("new2", KeyWork::First),
        ("new3", KeyWork::First),
        ("old1", KeyWork::Successor),
        ("old2", KeyWork::Change),
    ]);
    state.offer(all, Instant::now());
    assert_eq!(taken(&mut state, Lane::Changes), ["old2"]);
    assert_eq!(taken(&mut state, Lane::Making), ["new1", "old1", "new2", "new3"]);
}

#[test]
fn what_is_worked_on_is_not_taken_again_and_what_is_not_due_any_more_is_dropped() {
    let mut state = State::default();
    let now = Instant::now();
    let both = due(&[("a", KeyWork::First), ("b", KeyWork::First)]);
    state.offer(both.clone(), now);
    assert_eq!(state.take(Lane::Making), Some(domain("a")));
    state.offer(both, now);
    assert_eq!(state.take(Lane::Making), Some(domain("b")));
    assert_eq!(state.take(Lane::Making), None);
    for name in ["a", "b"] {
        state.ended(&domain(name), true, now);
    }
    assert!(state.is_idle());
    state.offer(due(&[("a", KeyWork::First)]), now);
    // Another node leads now, or the domain is disabled.
    state.offer(Vec::new(), now);
    assert_eq!(state.take(Lane::Making), None);
}

#[test]
fn a_domain_whose_keys_fail_rests_longer_each_time_and_holds_up_no_other() {
    let mut state = State::default();
    let mut now = Instant::now();
    let both = due(&[("bad", KeyWork::First), ("good", KeyWork::First)]);
    for rest_s in [1, 2, 4, 8, 10, 10] {
        state.offer(both.clone(), now);
        assert_eq!(taken(&mut state, Lane::Making), ["bad", "good"], "{rest_s}");
        state.ended(&domain("bad"), false, now);
        state.ended(&domain("good"), true, now);
        assert!(!state.is_idle(), "it is to be tried again");
        now += Duration::from_millis(rest_s * 1_000 - 1);
        state.offer(both.clone(), now);
        assert_eq!(taken(&mut state, Lane::Making), ["good"], "{rest_s}");
        state.ended(&domain("good"), true, now);
        now += Duration::from_millis(1);
    }
    state.offer(both, now);
    assert_eq!(state.take(Lane::Making), Some(domain("bad")));
    state.ended(&domain("bad"), true, now);
    state.offer(Vec::new(), now);
    assert!(state.is_idle());
}
