use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use sealstone_oauth_types::ClientId;
use sealstone_provider::{ClientLimit as _, SHARDS};

use super::{BITS, ClientLimits};
use crate::limit::{Allowance, LimitClock, RateLimit, Refusals};
use std::hash::BuildHasher as _;

const SECOND: Duration = Duration::from_secs(1);

fn limits(burst: u32, interval: Duration) -> (ClientLimits, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    clock.advance(SECOND);
    let allowance = Allowance::new(NonZeroU32::new(burst).unwrap(), interval);
    let settings = RateLimit::default().with_client_requests(allowance);
    let manual = LimitClock::Manual(clock.clone());
    let limits = ClientLimits::new(&settings, &manual, &Arc::default()).unwrap();
    (limits, clock)
}

fn taken(limits: &ClientLimits, client: &str, asked: u32) -> u32 {
    let client = ClientId::parse(client).unwrap();
    let good = (0..asked).filter(|_| limits.request(&client).is_ok());
    u32::try_from(good.count()).unwrap()
}

#[test]
fn each_client_has_its_own_allowance() {
    let (limits, clock) = limits(3, SECOND);
    assert_eq!(taken(&limits, "a", 3), 3);
    let a = ClientId::parse("a").unwrap();
    assert_eq!(limits.request(&a), Err(SECOND));
    clock.advance(Duration::from_millis(400));
    assert_eq!(limits.request(&a), Err(Duration::from_millis(600)));
    assert_eq!(taken(&limits, "b", 5), 3, "another client");
    clock.advance(Duration::from_millis(600));
    assert_eq!(taken(&limits, "a", 5), 1, "one is paid for");
    assert_eq!(taken(&limits, "b", 5), 0, "it began later");
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(
        taken(&limits, "a", 9),
        3,
        "a pause does not add up beyond the burst"
    );
    assert_eq!(limits.refusals.counts()[2].1, 1 + 1 + 2 + 4 + 5 + 6);
}

/// What threads fetch ahead is never more than the part that is documented, and nothing of it is lost.
#[test]
fn many_threads_take_what_one_would() {
    let (limits, clock) = limits(4_000, Duration::from_micros(500));
    assert!(limits.kept > 1, "else this shows nothing");
    for round in 0..3 {
        let in_all: u32 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..SHARDS)
                .map(|_| scope.spawn(|| taken(&limits, "a", 4_000)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!((4_000 - 125..=4_125).contains(&in_all), "{round}: {in_all}");
        clock.advance(Duration::from_secs(2));
    }
}

#[test]
fn clients_that_share_a_place_lose_nothing() {
    let (limits, _) = limits(4_000, Duration::from_micros(500));
    let place = |name: &str| limits.hasher.hash_one(name) & BITS;
    let other = (0..)
        .map(|n| format!("c{n}"))
        .find(|name| place(name) == place("a"));
    let other = other.unwrap();
    let (mut of_a, mut of_other) = (0, 0);
    for _ in 0..4_100 {
        of_a += taken(&limits, "a", 1);
        of_other += taken(&limits, &other, 1);
    }
    assert_eq!((of_a, of_other), (4_000, 4_000));
}

#[test]
fn limited_unless_it_is_switched_off() {
    let clock = LimitClock::Manual(FakeRelativeClock::default());
    let refusals = Arc::<Refusals>::default();
    assert!(ClientLimits::new(&RateLimit::insecure_off(), &clock, &refusals).is_none());
    let default = ClientLimits::new(&RateLimit::default(), &clock, &refusals).unwrap();
    let good = taken(&default, "a", 11_000);
    assert_eq!(good, 10_000);
    let behind_a_balancer = RateLimit::default().insecure_exempt(vec!["0.0.0.0/0".parse().unwrap()]);
    assert!(ClientLimits::new(&behind_a_balancer, &clock, &refusals).is_some());
}
