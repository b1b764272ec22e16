//! A task that has started for a poll which is not there any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::{Desk, Poll, Worker};
use crate::config::{Durability, WorkerSettings};
use crate::models::{HiveLink, NewTask};
use crate::processors::{Context, Next};
use crate::state::{self, Home, Limits, Start, StateManager};

/// The attempt of a task that has started for an offer of nobody's.
async fn orphan(folder: &TempDir) -> (StateManager, Context) {
    let path = folder.path().join("venom.db");
    let opened = state::open(&path, Durability::Normal).await.unwrap();
    let start = Start {
        limits: Limits {
            homes: [("outside".to_owned(), Home::Elsewhere)].into(),
            ..Limits::default()
        },
        metrics: crate::metrics::Metrics::default(),
        poll_interval: Duration::from_secs(1),
        inbox_limit_bytes: 1 << 20,
        default_processor: "outside",
        max_attempts: BTreeMap::new(),
        hive: HiveLink::Off,
    };
    let (state, _, _) = opened.start(start).await.unwrap();
    let mut claims = state.claim().await.unwrap();
    let room = state.reserve(1).unwrap();
    state
        .submit(NewTask::new("late", "outside"), None, room)
        .await
        .unwrap();
    state
        .offer(99, vec!["outside".to_owned()], 1)
        .await
        .unwrap();
    let mut claimed = claims.recv().await.unwrap();
    let stop = CancellationToken::new();
    let context = Context::new(claimed.remove(0), stop, state.clone());
    (state, context)
}

fn worker(desk: &Arc<Desk>) -> Worker {
    let lease = Duration::from_secs(60);
    Worker::new(&WorkerSettings { lease }, Arc::clone(desk))
}

#[tokio::test]
async fn it_goes_back_at_no_cost_if_nobody_else_comes() {
    let folder = TempDir::new().unwrap();
    let (_state, context) = orphan(&folder).await;
    let error = worker(&Arc::default()).run(&context).await.unwrap_err();
    assert_eq!(error.next, Next::Uncounted);
}

#[tokio::test]
async fn it_is_the_next_pollers_if_one_comes() {
    let folder = TempDir::new().unwrap();
    let (state, context) = orphan(&folder).await;
    let desk = Arc::default();
    let worker = worker(&desk);
    let next = async {
        let processors = vec!["outside".to_owned()];
        let stop = CancellationToken::new();
        loop {
            let poll = Poll::new(Arc::clone(&desk), state.clone(), processors.clone(), 1);
            let tasks = poll.tasks(Duration::ZERO, None, &stop).await.unwrap();
            if !tasks.is_empty() {
                return tasks.len();
            }
        }
    };
    tokio::select! {
        ended = worker.run(&context) => panic!("{ended:?}"),
        taken = next => assert_eq!(taken, 1),
    }
}
