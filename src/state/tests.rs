//! What the handle promises, with a Writer on a database of its own.

mod faults;
mod power;
mod workload;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::config::Durability;
use crate::models::{ClaimedTask, HiveLink, NewTask, Timestamp};
use crate::state::commands::catch_up::CatchUpIndex;
use crate::state::dispatch::explain::ExplainedTask;
use crate::state::dispatch::limits::{ExecutionSite, Limits};
use crate::state::startup::Start;
use crate::state::store::StateManager;

/// Only a test that fails waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

type Claims = mpsc::UnboundedReceiver<Vec<ClaimedTask>>;

/// A queue without any place, whose processor `far` is behind the Hive.
async fn start(folder: &TempDir, hive: HiveLink) -> (StateManager, Claims) {
    let path = folder.path().join("venom.db");
    let opened = crate::state::startup::open(&path, Durability::Normal)
        .await
        .unwrap();
    let start = Start {
        limits: Limits {
            running: Some(0),
            running_bytes: 1 << 20,
            sites: [("far".to_owned(), ExecutionSite::Hive)].into(),
            ..Limits::default()
        },
        // No poll helps a task to start.
        metrics: crate::metrics::Metrics::default(),
        poll_interval: Duration::from_secs(3600),
        inbox_limit_bytes: 1 << 20,
        default_processor: "far",
        max_attempts: BTreeMap::new(),
        hive,
    };
    let (state, _, _) = opened.start(start).await.unwrap();
    let claims = state.claim().await.unwrap();
    (state, claims)
}

async fn submit(state: &StateManager, key: Option<&str>) {
    let mut task = NewTask::new("content", "far");
    task.concurrency_key = key.map(str::to_owned);
    let room = state.reserve(1).unwrap();
    state.submit(task, None, room).await.unwrap();
}

/// The next tasks that start; fails when none does for far too long.
async fn next(claims: &mut Claims) -> Vec<ClaimedTask> {
    let claimed = tokio::time::timeout(DEADLINE, claims.recv()).await;
    claimed.expect("something starts").unwrap()
}

async fn explain(state: &StateManager) -> serde_json::Value {
    let asked = ExplainedTask {
        processor: "far".to_owned(),
        concurrency_key: None,
        run_at: Timestamp::now(),
    };
    serde_json::to_value(state.explain(asked).await.unwrap()).unwrap()
}

#[tokio::test]
async fn tasks_wait_for_the_hive_and_start_when_it_is_connected() {
    let folder = TempDir::new().unwrap();
    let (state, mut claims) = start(&folder, HiveLink::at_start(true)).await;
    submit(&state, None).await;
    submit(&state, Some("key")).await;
    assert_eq!(state.queue_status().await.unwrap().pending, 2);
    assert!(claims.try_recv().is_err());
    let reasons = explain(&state).await;
    assert_eq!(reasons[0]["type"], "hive_away");
    assert_eq!(reasons[0]["reason"], "not connected yet");

    // After this, the Writer has nothing to wake up for but an order.
    state.ask_and_wait(CatchUpIndex).await.unwrap();
    state.set_hive_link(HiveLink::Connected).await.unwrap();
    let mut started = Vec::new();
    while started.len() < 2 {
        started.extend(next(&mut claims).await);
    }
    assert!(started.iter().all(|task| task.attempt.number == 1));
    assert_eq!(explain(&state).await, json!([]));
    // With the Hive there, one starts as it comes.
    submit(&state, None).await;
    assert_eq!(next(&mut claims).await.len(), 1);
}

#[tokio::test]
async fn nothing_starts_once_the_hive_is_away_again() {
    let folder = TempDir::new().unwrap();
    let (state, mut claims) = start(&folder, HiveLink::Connected).await;
    let away = HiveLink::Away {
        reason: "connection refused".to_owned(),
        since: Timestamp::now(),
    };
    state.set_hive_link(away.clone()).await.unwrap();
    submit(&state, None).await;
    let status = state.queue_status().await.unwrap();
    assert_eq!((status.pending, status.active), (1, 0));
    assert_eq!(status.hive, away);
    assert!(claims.try_recv().is_err());
}

#[tokio::test]
async fn a_hive_that_is_off_says_so() {
    let folder = TempDir::new().unwrap();
    let (state, _claims) = start(&folder, HiveLink::Off).await;
    submit(&state, None).await;
    let reasons = explain(&state).await;
    assert_eq!(reasons, json!([{ "type": "hive_away", "state": "off" }]));
    let status = serde_json::to_value(state.queue_status().await.unwrap()).unwrap();
    assert_eq!(status.get("hive"), None);
}
