//! When the periodic dump is written.

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::super::test_store::{TestStore, task};
use super::*;

const INTERVAL: Duration = Duration::from_secs(30);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A dumper on its own, with the handles to drive it. Time passes only in `sleep`.
struct Bench {
    store: TestStore,
    changes: watch::Sender<i64>,
    stop: CancellationToken,
    folder: TempDir,
    dumper: JoinHandle<Periodic<TestStore>>,
}

impl Bench {
    fn start(store: TestStore, interval: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (changes, receiver) = watch::channel(1);
        let file = StateFile::new(folder.path().join("dumps/state_dump.json"));
        let mut periodic = Periodic::new(store.clone(), file, interval, receiver);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let dumper = tokio::spawn(async move {
            periodic.run(stopped).await;
            periodic
        });
        Self {
            store,
            changes,
            stop,
            folder,
            dumper,
        }
    }

    fn change(&self) {
        self.changes.send_modify(|newest| *newest += 1);
    }

    async fn stop(self) -> Periodic<TestStore> {
        self.stop.cancel();
        self.dumper.await.unwrap()
    }
}

#[tokio::test]
async fn a_dump_waits_for_its_interval_and_its_rest() {
    let began = Instant::now();
    let last = |took| Last {
        began,
        ended: began + took,
    };
    let next =
        |changed_after, took| next_dump_at(INTERVAL, began + changed_after, last(took)) - began;

    assert_eq!(next(seconds(1), Duration::ZERO), INTERVAL);
    assert_eq!(next(seconds(1), Duration::from_millis(100)), INTERVAL);
    assert_eq!(next(seconds(1), seconds(1)), seconds(101));
    assert_eq!(next(seconds(50), seconds(1)), seconds(101));
    assert_eq!(next(seconds(500), seconds(1)), seconds(500) + SETTLE);
}

#[tokio::test]
async fn dumps_take_less_than_a_hundredth_of_the_time() {
    for millis in [1, 50, 299, 301, 5_000, 600_000] {
        let took = Duration::from_millis(millis);
        let began = Instant::now();
        let ended = began + took;
        let next = next_dump_at(INTERVAL, ended, Last { began, ended });
        let share = took.as_secs_f64() / (next - began).as_secs_f64();
        assert!(share < 0.01, "{took:?}: {share}");
    }
}

#[tokio::test]
async fn times_beyond_the_clock_are_no_panic() {
    let now = Instant::now();
    let last = Last {
        began: now,
        ended: now + seconds(1_000_000_000),
    };
    assert!(next_dump_at(Duration::MAX, now, last) > now);
}

#[tokio::test(start_paused = true)]
async fn changes_are_dumped_at_most_every_interval() {
    let bench = Bench::start(TestStore::default(), INTERVAL);
    sleep(seconds(29)).await;
    assert_eq!(bench.store.exports(), 0);
    sleep(seconds(2)).await;
    assert_eq!(bench.store.exports(), 1, "a crash may have come before");
    sleep(seconds(600)).await;
    assert_eq!(bench.store.exports(), 1, "nothing has changed");

    bench.store.add(task(1, "hello"));
    bench.change();
    sleep(seconds(1)).await;
    assert_eq!(bench.store.exports(), 2, "the interval is over already");
    for _ in 0..300 {
        bench.change();
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(bench.store.exports(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_first_change_is_dumped_within_seconds_and_the_next_after_the_interval() {
    for interval in [INTERVAL, Duration::MAX] {
        let bench = Bench::start(TestStore::default(), interval);
        sleep(seconds(5)).await;
        assert_eq!(bench.store.exports(), 0, "nothing has changed");
        bench.store.add(task(1, "hello"));
        bench.change();
        sleep(seconds(2)).await;
        assert_eq!(bench.store.exports(), 1);
        bench.change();
        sleep(seconds(27)).await;
        assert_eq!(bench.store.exports(), 1);
        sleep(seconds(3)).await;
        assert_eq!(bench.store.exports(), 1 + usize::from(interval == INTERVAL));
    }
}

#[tokio::test(start_paused = true)]
async fn the_final_dump_is_written_only_if_there_is_need() {
    let bench = Bench::start(TestStore::default(), INTERVAL);
    sleep(seconds(31)).await;
    let mut unchanged = bench.stop().await;
    assert_eq!(unchanged.final_dump().await.unwrap(), None);

    let bench = Bench::start(TestStore::default(), INTERVAL);
    sleep(seconds(31)).await;
    bench.change();
    let mut changed = bench.stop().await;
    assert!(changed.final_dump().await.unwrap().is_some());
    assert_eq!(changed.final_dump().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn with_no_interval_there_is_only_the_final_dump() {
    let bench = Bench::start(TestStore::default(), Duration::ZERO);
    bench.change();
    sleep(seconds(3600)).await;
    assert_eq!(bench.store.exports(), 0);
    let mut periodic = bench.stop().await;
    assert!(periodic.final_dump().await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_dump_that_failed_is_tried_again() {
    let bench = Bench::start(TestStore::default(), INTERVAL);
    let in_the_way = bench.folder.path().join("dumps");
    std::fs::write(&in_the_way, "a file, no folder").unwrap();
    sleep(seconds(45)).await;
    std::fs::remove_file(&in_the_way).unwrap();
    sleep(seconds(10)).await;
    assert!(!in_the_way.exists(), "not before the interval is over");
    sleep(seconds(10)).await;
    assert!(in_the_way.join("state_dump.json").exists());
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_dump() {
    let tasks = vec![task(1, "hello")];
    let store = TestStore::holding(tasks).that_stops_answering_after(1);
    let bench = Bench::start(store.clone(), INTERVAL);
    store.stopped_answering().await;
    let folder = bench.folder.path().join("dumps");
    let mut periodic = {
        bench.stop.cancel();
        bench.dumper.await.unwrap()
    };
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);

    store.answer_again();
    assert_eq!(periodic.final_dump().await.unwrap().unwrap().tasks, 1);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}
