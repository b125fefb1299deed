use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::FakeRelativeClock;

use super::{Allowance, LimitClock, Limits, RateLimit};

const SECOND: Duration = Duration::from_secs(1);

fn limits(settings: &RateLimit) -> (Limits, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    clock.advance(SECOND);
    (
        Limits::new(settings, &LimitClock::Manual(clock.clone()), &Arc::default()),
        clock,
    )
}

fn three_a_second() -> Allowance {
    Allowance::new(NonZeroU32::new(3).unwrap(), SECOND)
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn requests_of_one_address() {
    let (limits, clock) = limits(&RateLimit::default().with_requests(three_a_second()));
    for _ in 0..3 {
        assert_eq!(limits.request(ip("192.0.2.1")), Ok(()));
    }
    assert_eq!(limits.request(ip("192.0.2.1")), Err(SECOND));
    assert!(
        limits.request(ip("::ffff:192.0.2.1")).is_err(),
        "the same address, written as IPv6"
    );
    assert_eq!(limits.request(ip("192.0.2.2")), Ok(()));
    clock.advance(SECOND);
    assert_eq!(limits.request(ip("192.0.2.1")), Ok(()));
    assert!(limits.request(ip("192.0.2.1")).is_err());
}

#[test]
fn an_ipv6_neighbour_counts_for_the_same_network() {
    let (limits, _) = limits(&RateLimit::default().with_requests(three_a_second()));
    for host in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:0:1"] {
        assert_eq!(limits.request(ip(host)), Ok(()));
    }
    assert!(limits.request(ip("2001:db8::3")).is_err());
    assert_eq!(limits.request(ip("2001:db8:0:1::3")), Ok(()));
}

#[test]
fn f26_failures_count_by_address_and_client() {
    let (limits, clock) = limits(&RateLimit::default().with_failures(three_a_second()));
    let here = ip("192.0.2.1");
    for _ in 0..3 {
        assert_eq!(limits.attempt(limits.suspect(here, Some("a"))), Ok(()));
        limits.failure(limits.suspect(here, Some("a")));
    }
    for _ in 0..1_000 {
        assert_eq!(limits.attempt(limits.suspect(here, Some("a"))), Err(SECOND));
        limits.failure(limits.suspect(here, Some("a")));
    }
    assert_eq!(
        limits.attempt(limits.suspect(here, Some("b"))),
        Ok(()),
        "another client of that address"
    );
    assert_eq!(
        limits.attempt(limits.suspect(ip("192.0.2.2"), Some("a"))),
        Ok(()),
        "that client from elsewhere"
    );
    assert_eq!(limits.attempt(limits.suspect(here, None)), Ok(()));
    clock.advance(SECOND);
    assert_eq!(limits.attempt(limits.suspect(here, Some("a"))), Ok(()));
}

#[test]
fn off_only_where_configured() {
    let (off, _) = limits(&RateLimit::insecure_off());
    let exempt = RateLimit::default()
        .with_requests(three_a_second())
        .with_failures(three_a_second())
        .insecure_exempt(vec!["127.0.0.0/8".parse().unwrap()]);
    let (exempt, _) = limits(&exempt);
    for _ in 0..100 {
        for limits in [&off, &exempt] {
            assert_eq!(limits.request(ip("127.0.0.1")), Ok(()));
            limits.failure(limits.suspect(ip("127.0.0.1"), Some("a")));
            assert_eq!(limits.attempt(limits.suspect(ip("127.0.0.1"), Some("a"))), Ok(()));
        }
    }
    let refused = (0..4)
        .map(|_| exempt.request(ip("::1")))
        .filter(Result::is_err)
        .count();
    assert_eq!(refused, 1, "another loopback address is not exempt");
    let (default, _) = limits(&RateLimit::default());
    let refused = (0..2_100)
        .map(|_| default.request(ip("127.0.0.1")))
        .filter(Result::is_err)
        .count();
    assert_eq!(refused, 100, "loopback is limited by default");
    let (default, _) = limits(&RateLimit::default());
    let refused = (0..2_100)
        .map(|_| default.request(None))
        .filter(Result::is_err)
        .count();
    assert_eq!(refused, 100, "a request without address is limited");
}

/// L01: guessing from many addresses is no faster, and stops nobody who types a code right.
#[test]
fn l01_many_addresses_guess_no_faster() {
    let (limits, clock) = limits(&RateLimit::default());
    let from = |number: u32| {
        let [_, a, b, c] = number.to_be_bytes();
        limits.suspect(Some(IpAddr::from([10, a, b, c])), Some("user_code demo"))
    };
    let mut tried = 0;
    for round in 0..3 {
        for number in 0..200 {
            if limits.guess(from(number)).is_ok() {
                limits.wrong_guess(from(number));
                tried += 1;
            }
        }
        assert_eq!(
            tried, 200,
            "round {round}: each address guessed once, and none again"
        );
    }
    assert!(limits.guess(from(7)).unwrap_err() <= Duration::from_secs(60));
    // Somebody else has never guessed wrong.
    assert_eq!(limits.guess(from(1_000)), Ok(()));
    // After a minute 60 are paid for: the table's own addresses may guess as fast as that, and no faster.
    clock.advance(Duration::from_secs(60));
    let again = (0..200).filter(|number| {
        let may = limits.guess(from(*number)).is_ok();
        if may {
            limits.wrong_guess(from(*number));
        }
        may
    });
    let again = again.count();
    assert!((60..=200).contains(&again), "{again}");
    assert!(limits.guess(from(7)).is_err());
    let off = Limits::new(
        &RateLimit::insecure_off(),
        &LimitClock::Manual(clock),
        &Arc::default(),
    );
    assert_eq!(off.guess(from(7)), Ok(()));
}
