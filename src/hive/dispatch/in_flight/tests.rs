//! What jobs in flight report for each order of events and checks.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use super::*;
use crate::hive::dispatch::job_watch::RECLAIMED_WITHIN;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

const ID: &str = "a:1";

fn boarded() -> (InFlight, JobHandle) {
    let in_flight = InFlight::default();
    let job = in_flight.track(ID.to_owned(), "q");
    assert!(in_flight.wanted_by_queue(&ALL).is_empty());
    job.sent();
    (in_flight, job)
}

const ALL: WantedChecks = WantedChecks {
    all: true,
    jobs: Vec::new(),
};

#[tokio::test]
async fn starts_releases_and_results_are_heard_and_nothing_else() {
    let (in_flight, job) = boarded();
    in_flight.on_event("arq:result:other:1", b"set");
    in_flight.on_event("arq:result:a:1", b"expire");
    in_flight.on_event("arq:in-progress:a:1", b"set");
    assert_eq!(job.news().await, JobUpdate::Started);
    in_flight.on_event("arq:in-progress:a:1", b"expire");
    in_flight.on_event("arq:in-progress:other:1", b"del");
    in_flight.on_event("arq:in-progress:a:1", b"del");
    let wanted = in_flight.wanted().await;
    assert_eq!(in_flight.wanted_by_queue(&wanted)["q"], [ID]);
    in_flight.apply_check(ID, RedisState::Queued, check(600));
    assert_eq!(job.news().await, JobUpdate::Released);
    in_flight.on_event("arq:result:a:1", b"set");
    in_flight.on_event("arq:in-progress:a:1", b"del");
    assert_eq!(*in_flight.wanted_jobs(), WantedChecks::default());
    assert_eq!(job.news().await, JobUpdate::Finished);
}

/// A look that begins now.
fn check(seconds: u64) -> StatusCheck {
    StatusCheck {
        began: Instant::now(),
        patience: Duration::from_secs(seconds),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_during_a_look_is_newer() {
    let (in_flight, job) = boarded();
    let check = check(600);
    tokio::time::advance(Duration::from_millis(1)).await;
    in_flight.on_event("arq:in-progress:a:1", b"set");
    assert_eq!(job.news().await, JobUpdate::Started);
    in_flight.apply_check(ID, RedisState::Queued, check);
    in_flight.on_event("arq:result:a:1", b"set");
    assert_eq!(job.news().await, JobUpdate::Finished);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_extends_its_claim_is_never_silent() {
    let (in_flight, job) = boarded();
    in_flight.apply_check(ID, RedisState::Kept, check(600));
    assert_eq!(job.news().await, JobUpdate::Started);
    tokio::time::advance(Duration::from_secs(6000)).await;
    in_flight.apply_check(ID, RedisState::Kept, check(600));
    in_flight.apply_check(ID, RedisState::Queued, check(600));
    assert_eq!(job.news().await, JobUpdate::Released);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_has_a_job_for_too_long_is_silent() {
    let (in_flight, job) = boarded();
    in_flight.apply_check(ID, RedisState::Claimed, check(600));
    assert_eq!(job.news().await, JobUpdate::Started);
    tokio::time::advance(Duration::from_secs(500)).await;
    // Claimed anew: its time begins again.
    in_flight.on_event("arq:in-progress:a:1", b"set");
    assert_eq!(job.news().await, JobUpdate::Started);
    tokio::time::advance(Duration::from_secs(500)).await;
    in_flight.apply_check(ID, RedisState::Claimed, check(600));
    tokio::time::advance(Duration::from_secs(101)).await;
    in_flight.apply_check(ID, RedisState::Claimed, check(600));
    assert_eq!(job.news().await, JobUpdate::Silent);
}

#[tokio::test]
async fn a_look_that_finds_nothing_new_wakes_nobody() {
    let (in_flight, job) = boarded();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut news = pin!(job.news());
    let waiting = news.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(waiting.is_pending());
    in_flight.apply_check(ID, RedisState::Queued, check(600));
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    in_flight.apply_check(ID, RedisState::Finished, check(600));
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_has_left_is_not_looked_at() {
    let (in_flight, job) = boarded();
    let taken_over = in_flight.track(ID.to_owned(), "q");
    taken_over.sent();
    drop(job);
    assert_eq!(in_flight.wanted_by_queue(&ALL)["q"], [ID]);
    in_flight.apply_check(ID, RedisState::Finished, check(0));
    assert_eq!(taken_over.news().await, JobUpdate::Finished);
    drop(taken_over);
    assert!(in_flight.wanted_by_queue(&ALL).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_redis_has_forgotten_is_gone_when_nobody_claims_it_again() {
    let (in_flight, job) = boarded();
    assert!(in_flight.apply_check(ID, RedisState::Gone, check(600)));
    assert!(!in_flight.apply_check(ID, RedisState::Queued, check(600)));
    assert!(in_flight.apply_check(ID, RedisState::Gone, check(600)));
    tokio::time::advance(RECLAIMED_WITHIN).await;
    assert!(!in_flight.apply_check(ID, RedisState::Gone, check(600)));
    assert_eq!(job.news().await, JobUpdate::Gone);
}

#[tokio::test(start_paused = true)]
async fn the_worker_of_a_job_that_redis_has_forgotten_keeps_its_time() {
    let (in_flight, job) = boarded();
    in_flight.apply_check(ID, RedisState::Claimed, check(600));
    assert_eq!(job.news().await, JobUpdate::Started);
    for news in [JobUpdate::Forgotten, JobUpdate::Gone] {
        in_flight.apply_check(ID, RedisState::Gone, check(600));
        assert_eq!(job.news().await, news);
        tokio::time::advance(Duration::from_secs(600)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_there_just_now_has_had_no_result() {
    for (seconds, had_none) in [(1, true), (60, false)] {
        let (in_flight, job) = boarded();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        in_flight.apply_check(ID, RedisState::Ended, check(600));
        assert_eq!(job.news().await, JobUpdate::Ended { had_none });
    }
}
