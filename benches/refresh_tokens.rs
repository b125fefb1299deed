//! Codes redeemed and refresh tokens rotated through the ports on SQLite, each acknowledged when it is on the disk,
//! beside the bare store in the same run: the same statements on the same schema, their values ready, in transactions as
//! large as the callers are many. What the disk allows is printed too, and what 100,000 live sessions take of memory.

#[path = "refresh_tokens/bare.rs"]
mod bare;
#[path = "refresh_tokens/records.rs"]
mod records;
#[path = "refresh_tokens/sessions.rs"]
mod sessions;

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bare::Bare;
use rustix::time::{ClockId, clock_gettime};
use sealstone_grants::{
    code::{CodeStore as _, Redeemed},
    refresh::{RefreshStore as _, Rotation},
};
use sealstone_storage::SqlStore;
use tokio::task::JoinSet;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests under way at once: what a busy server has.
const CALLERS: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // Only tried, as `cargo test` and `cargo bench -- --test` do.
    let is_test = has("--test") || !has("--bench");
    if has(sessions::FLAG) {
        sessions::keep(is_test);
        return;
    }
    let effort = if is_test {
        Effort { rounds: 1, calls: 64 }
    } else {
        Effort {
            rounds: 11,
            calls: 6_400,
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    runtime.block_on(run(folder.path(), effort));
    sessions::measure(is_test);
}

#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    /// How many of each kind in a round, of all callers together.
    calls: usize,
}

/// What one kind of round took.
#[derive(Default)]
struct Times {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Times {
    async fn add(&mut self, calls: usize, work: impl Future<Output = ()>) {
        let (started, cpu) = (Instant::now(), process_cpu());
        work.await;
        let microseconds = |time: Duration| time.as_secs_f64() * 1e6 / calls as f64;
        self.wall.push(microseconds(started.elapsed()));
        self.cpu.push(microseconds(process_cpu() - cpu));
    }
}

async fn run(folder: &Path, effort: Effort) {
    let store = Arc::new(SqlStore::open(&folder.join("ours.db")).await.expect("a store"));
    let mut bare = Bare::open(&folder.join("bare.db")).await;
    let [
        mut redeemed,
        mut bare_redeemed,
        mut rotated,
        mut bare_rotated,
        mut alone,
        mut bare_alone,
    ] = std::array::from_fn(|_| Times::default());
    let few = (effort.calls / 16).max(1);
    let mut disk = Vec::new();
    for round in 0..effort.rounds {
        let first = round * effort.calls;
        let all: Vec<u64> = (first as u64..(first + effort.calls) as u64).collect();
        insert_codes(&store, &all).await;
        bare.insert_codes(&all).await;
        redeemed.add(all.len(), redeem(&store, &all, CALLERS)).await;
        bare_redeemed.add(all.len(), bare.redeem(&all, CALLERS)).await;
        rotated.add(all.len(), rotate(&store, &all, CALLERS)).await;
        bare_rotated.add(all.len(), bare.rotate(&all, CALLERS)).await;
        alone.add(few, rotate(&store, &all[..few], 1)).await;
        bare_alone.add(few, bare.rotate(&all[..few], 1)).await;
        disk.push(flush(folder, few));
        for (number, generation) in [
            (all[0], 3),
            (all[few.min(all.len() - 1)], if few < all.len() { 2 } else { 3 }),
        ] {
            let family = store
                .family(&records::family_id(number))
                .await
                .expect("a store")
                .expect("kept");
            assert_eq!(family.generation, generation);
        }
    }
    bare.check(effort.rounds * effort.calls).await;
    store.check_integrity().await.expect("whole");
    println!(
        "\nwall-clock time, and CPU time of the process, a call: median of {} rounds",
        effort.rounds
    );
    println!("{:<58} {:>9} {:>9} {:>9}", "", "a second", "us", "CPU us");
    report("code redeemed, 64 callers", &redeemed, &bare_redeemed);
    report("refresh token rotated, 64 callers", &rotated, &bare_rotated);
    report("refresh token rotated, 1 caller", &alone, &bare_alone);
    let disk = median(disk);
    println!(
        "{:<58} {:9.0} {disk:9.1}",
        "the disk: 4 KiB appended and flushed",
        1e6 / disk
    );
}

fn report(name: &str, ours: &Times, bare: &Times) {
    for (name, times) in [
        (name.to_owned(), ours),
        ("  floor: the bare store".to_owned(), bare),
    ] {
        let (wall, cpu) = (median(times.wall.clone()), median(times.cpu.clone()));
        println!("{name:<58} {:9.0} {wall:9.1} {cpu:9.1}", 1e6 / wall);
    }
    let ratio =
        |ours: &[f64], bare: &[f64]| median(ours.iter().zip(bare).map(|(ours, bare)| ours / bare).collect());
    let (wall, cpu) = (ratio(&ours.wall, &bare.wall), ratio(&ours.cpu, &bare.cpu));
    println!("{:<58} {:>9} {wall:8.2}x {cpu:8.2}x", "  ratio", "");
}

async fn insert_codes(store: &Arc<SqlStore>, numbers: &[u64]) {
    spread(
        store,
        numbers,
        CALLERS,
        |store: Arc<SqlStore>, number| async move {
            store.insert_code(records::code(number)).await.expect("kept");
        },
    )
    .await;
}

/// As the token endpoint does: the code is looked at, then spent.
async fn redeem(store: &Arc<SqlStore>, numbers: &[u64], callers: usize) {
    spread(
        store,
        numbers,
        callers,
        |store: Arc<SqlStore>, number| async move {
            let hash = records::hash(number);
            let code = store.code(&hash).await.expect("a store").expect("kept");
            assert_eq!(code.record.hash, hash);
            let redemption = records::redemption(number);
            let redeemed = store.redeem(&hash, &redemption, records::now()).await;
            assert_eq!(redeemed.expect("a store"), Redeemed::Done);
        },
    )
    .await;
}

/// As the token endpoint does: the family is looked at, then its next generation is written.
async fn rotate(store: &Arc<SqlStore>, numbers: &[u64], callers: usize) {
    spread(
        store,
        numbers,
        callers,
        |store: Arc<SqlStore>, number| async move {
            let family = store.family(&records::family_id(number)).await;
            let family = family.expect("a store").expect("kept");
            let rotation = records::rotation(*family);
            assert_eq!(store.rotate(&rotation).await.expect("a store"), Rotation::Rotated);
        },
    )
    .await;
}

/// Each caller does its share, one after the other.
async fn spread<F, Fut>(store: &Arc<SqlStore>, numbers: &[u64], callers: usize, call: F)
where
    F: Fn(Arc<SqlStore>, u64) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let store = Arc::clone(store);
        let own: Vec<u64> = numbers.iter().copied().skip(caller).step_by(callers).collect();
        tasks.spawn(async move {
            for number in own {
                call(Arc::clone(&store), number).await;
            }
        });
    }
    tasks.join_all().await;
}

/// Microseconds for what every durable commit needs at least.
fn flush(folder: &Path, times: usize) -> f64 {
    let mut file = File::create(folder.join("flushed")).expect("a file");
    let started = Instant::now();
    for _time in 0..times {
        file.write_all(&[0x5a; 4096]).expect("written");
        file.sync_data().expect("flushed");
    }
    started.elapsed().as_secs_f64() * 1e6 / times as f64
}

fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("a time since the process began")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
