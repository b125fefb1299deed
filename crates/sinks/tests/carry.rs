//! Events reach a receiver at least once, in order, whatever fails; what falls too far behind follows its mode.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, AuditSink as _, Event, EventId, Outcome, Target};
use sealstone_sinks::{Carrier, DeliveryError, Limits, Mode, Receiver, Standing};
use sealstone_trail::{Read, Rotation, TrailFile};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

fn event(name: &str) -> Event<'_> {
    Event {
        id: EventId::from_random([7; 16]),
        time: UnixTime::since_unix_epoch(Duration::from_secs(1_767_322_984)),
        action: Action::UpdateClient,
        outcome: Outcome::Success,
        reason: None,
        initiator: Actor::default(),
        target: Target::Client(name.into()),
        request_id: "r".into(),
    }
}

/// Keeps the numbers of what it was told, and refuses while told so.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Vec<u64>>>,
    deaf: Arc<AtomicBool>,
    /// Hears, and says that it did not: what is lost is the answer.
    mute: Arc<AtomicBool>,
    /// Never answers: a broker that holds its publishers back.
    held: Arc<AtomicBool>,
}

#[async_trait]
impl Receiver for Ear {
    async fn deliver(&mut self, events: &[Read]) -> Result<(), DeliveryError> {
        if self.held.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.deaf.load(Ordering::Relaxed) {
            return Err(DeliveryError::connection("nobody there"));
        }
        let numbers = events.iter().map(|event| event.line.sequence);
        self.heard.lock().unwrap().extend(numbers);
        if self.mute.load(Ordering::Relaxed) {
            return Err(DeliveryError::Deadline);
        }
        Ok(())
    }
}

struct World {
    folder: tempfile::TempDir,
    trail: Arc<TrailFile>,
    ear: Ear,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trail = TrailFile::open(
            &folder.path().join("audit.jsonl"),
            &folder.path().join("audit.key"),
            Rotation {
                size: Some(20_000),
                age: None,
            },
        );
        Self {
            folder,
            trail: Arc::new(trail.unwrap()),
            ear: Ear::default(),
        }
    }

    fn cursor(&self) -> PathBuf {
        self.folder.path().join("cursor")
    }

    fn record(&self, number: usize) {
        for _ in 0..number {
            self.trail.record(&event("a")).unwrap();
        }
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_767_322_984));
        self.trail.tend(now).unwrap();
    }

    /// A carrier at work, and how to end it.
    fn carry(&self, mode: Mode, most_behind: u64) -> (Standing, Carrying) {
        let standing = Standing::new("ear", mode);
        let limits = Limits { most_behind };
        let carrier = Carrier::new(self.trail.clone(), standing.clone(), limits, &self.cursor()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let work = carrier.carry(Box::new(self.ear.clone()), async {
            drop(stopped.await);
        });
        (standing, Carrying(stop, tokio::spawn(work)))
    }

    fn heard(&self) -> Vec<u64> {
        self.ear.heard.lock().unwrap().clone()
    }
}

struct Carrying(oneshot::Sender<()>, tokio::task::JoinHandle<()>);

impl Carrying {
    async fn stop(self) {
        drop(self.0);
        self.1.await.unwrap();
    }
}

/// Time is the test's own: it passes when everybody waits.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came true");
}

#[tokio::test(start_paused = true)]
async fn everything_is_delivered_in_order_over_rotations_and_restarts() {
    let world = World::new();
    world.record(1);
    let (standing, carrying) = world.carry(Mode::Required, 1_000);
    for _ in 0..20 {
        world.record(10);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let last = world.trail.standing().sequence;
    until(|| world.heard().last() == Some(&last)).await;
    carrying.stop().await;
    assert!(
        fs::read_dir(world.folder.path()).unwrap().count() > 6,
        "it was rotated"
    );
    // Nobody listens; then somebody does, from where it stopped.
    world.record(30);
    let (_, carrying) = world.carry(Mode::Required, 1_000);
    let last = world.trail.standing().sequence;
    until(|| world.heard().last() == Some(&last)).await;
    carrying.stop().await;
    // The first carrier began with the last event that was there.
    assert_eq!(world.heard(), (2..=last).collect::<Vec<_>>());
    assert_eq!(
        (
            standing.now().lost,
            standing.now().failures,
            standing.now().behind
        ),
        (0, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn what_fails_comes_again_and_is_told() {
    let world = World::new();
    world.record(1);
    world.ear.mute.store(true, Ordering::Relaxed);
    let (standing, carrying) = world.carry(Mode::BestEffort, 1_000);
    world.record(5);
    until(|| standing.now().failures >= 3).await;
    assert!(standing.now().failing && standing.now().delivered == 0);
    world.ear.mute.store(false, Ordering::Relaxed);
    let last = world.trail.standing().sequence;
    until(|| standing.now().behind == 0).await;
    carrying.stop().await;
    let heard = world.heard();
    assert!(heard.ends_with(&(2..=last).collect::<Vec<_>>()), "{heard:?}");
    assert!(
        heard.len() > usize::try_from(last).unwrap(),
        "at least once, and here oftener"
    );
    assert!(!standing.now().failing);
}

#[tokio::test(start_paused = true)]
async fn a_required_receiver_that_is_too_far_behind_is_over_until_it_caught_up() {
    let world = World::new();
    world.record(1);
    world.ear.deaf.store(true, Ordering::Relaxed);
    let (standing, carrying) = world.carry(Mode::Required, 50);
    world.record(40);
    until(|| standing.now().behind >= 40).await;
    assert!(!standing.is_over());
    world.record(40);
    until(|| standing.is_over()).await;
    assert_eq!(standing.now().lost, 0);
    world.ear.deaf.store(false, Ordering::Relaxed);
    until(|| !standing.is_over() && standing.now().behind == 0).await;
    carrying.stop().await;
    let last = world.trail.standing().sequence;
    assert_eq!(world.heard(), (2..=last).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_was_sent_and_has_not_taken_counts_as_behind() {
    let world = World::new();
    world.record(1);
    world.ear.held.store(true, Ordering::Relaxed);
    let (standing, carrying) = world.carry(Mode::Required, 50);
    world.record(60);
    // While the delivery is under way, long before it has failed by its deadline.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(standing.is_over());
    let missing = world.trail.standing().sequence - 1;
    assert_eq!((standing.now().behind, standing.now().failures), (missing, 0));
    world.ear.held.store(false, Ordering::Relaxed);
    until(|| !standing.is_over() && standing.now().behind == 0).await;
    carrying.stop().await;
    let last = world.trail.standing().sequence;
    assert_eq!(world.heard(), (2..=last).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_required_receiver_that_is_back_keeps_nobody_waiting_for_half_a_minute() {
    let world = World::new();
    world.record(1);
    world.ear.deaf.store(true, Ordering::Relaxed);
    let (standing, carrying) = world.carry(Mode::Required, 50);
    world.record(60);
    // Away so long that tries have become as rare as they get.
    tokio::time::sleep(Duration::from_secs(590)).await;
    assert!(standing.is_over());
    world.ear.deaf.store(false, Ordering::Relaxed);
    let back = tokio::time::Instant::now();
    until(|| !standing.is_over()).await;
    carrying.stop().await;
    assert!(back.elapsed() < Duration::from_secs(3), "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn of_a_best_effort_receiver_the_oldest_are_passed_over_and_counted() {
    let world = World::new();
    world.record(1);
    world.ear.deaf.store(true, Ordering::Relaxed);
    let (standing, carrying) = world.carry(Mode::BestEffort, 50);
    world.record(200);
    until(|| standing.now().lost > 0).await;
    assert!(!standing.is_over());
    world.ear.deaf.store(false, Ordering::Relaxed);
    until(|| standing.now().behind == 0).await;
    carrying.stop().await;
    let (heard, last) = (world.heard(), world.trail.standing().sequence);
    assert_eq!(heard.last(), Some(&last));
    let lost = standing.now().lost;
    assert_eq!(
        lost + u64::try_from(heard.len()).unwrap(),
        last - 1,
        "each is delivered or counted"
    );
    assert!(heard.len() <= 60, "{}", heard.len());
}

#[tokio::test(start_paused = true)]
async fn events_whose_file_is_gone_are_counted() {
    let world = World::new();
    world.record(1);
    world.ear.deaf.store(true, Ordering::Relaxed);
    let (standing, carrying) = world.carry(Mode::Required, 1_000_000);
    for _ in 0..8 {
        world.record(30);
    }
    carrying.stop().await;
    let rotated = sealstone_trail::rotated(&world.folder.path().join("audit.jsonl")).unwrap();
    assert!(rotated.len() > 2);
    fs::remove_file(&rotated[0].1).unwrap();
    let before = standing.now().lost;
    assert_eq!(before, 0);
    fs::write(world.cursor(), "1\n").unwrap();
    world.ear.deaf.store(false, Ordering::Relaxed);
    let (standing, carrying) = world.carry(Mode::Required, 1_000_000);
    let last = world.trail.standing().sequence;
    until(|| world.heard().last() == Some(&last)).await;
    carrying.stop().await;
    assert_eq!(standing.now().lost, rotated[1].0 - 2);
}
