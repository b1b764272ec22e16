//! A task that started for a claim that has since disconnected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::WorkerProcessor;
use crate::config::Durability;
use crate::models::{HiveLink, NewTask};
use crate::processors::context::Context;
use crate::processors::run_error::Next;
use crate::processors::worker::call::WorkerCall;
use crate::processors::worker::claim_request::ClaimRequest;
use crate::processors::worker::lease_broker::LeaseBroker;
use crate::state::{self, ExecutionSite, Limits, Start, StateManager};

/// The offer for which the task started.
const OFFER: u64 = 3;

/// Returns the attempt of a task that started for an offer without a claim.
async fn orphan(folder: &TempDir) -> (StateManager, Context) {
    let path = folder.path().join("venom.db");
    let opened = state::open(&path, Durability::Normal).await.unwrap();
    let home = ExecutionSite::OutsideWorker {
        lease: Duration::from_secs(60),
    };
    let start = Start {
        limits: Limits {
            sites: [("outside".to_owned(), home)].into(),
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
        .offer(OFFER, vec!["outside".to_owned()], 1)
        .await
        .unwrap();
    let mut claimed = claims.recv().await.unwrap();
    let stop = CancellationToken::new();
    let context = Context::new(claimed.remove(0), stop, state.clone());
    (state, context)
}

#[tokio::test]
async fn it_goes_back_at_no_cost() {
    let folder = TempDir::new().unwrap();
    let (state, context) = orphan(&folder).await;
    let worker = WorkerProcessor::new(Arc::default());
    let error = worker.run(&context).await.unwrap_err();
    assert_eq!(error.next, Next::Uncounted);
    state.close().await.unwrap();
}

#[tokio::test]
async fn it_goes_back_if_the_claim_goes_while_it_is_on_its_way() {
    let folder = TempDir::new().unwrap();
    let (state, context) = orphan(&folder).await;
    let lease_broker = Arc::<LeaseBroker>::default();
    // Offers are numbered from 1; the attempt has begun for this one.
    let polls: Vec<_> = (0..OFFER)
        .map(|_| ClaimRequest::new(Arc::clone(&lease_broker), state.clone()))
        .collect();
    let worker = WorkerProcessor::new(lease_broker);
    let run = worker.run(&context);
    tokio::pin!(run);
    tokio::select! {
        biased;
        ended = &mut run => panic!("nobody has answered: {ended:?}"),
        () = tokio::task::yield_now() => {}
    }
    drop(polls);
    assert_eq!(run.await.unwrap_err().next, Next::Uncounted);
    state.close().await.unwrap();
}

#[tokio::test]
async fn a_stop_leaves_what_is_taken_and_gives_back_what_is_not() {
    for is_taken in [true, false] {
        let folder = TempDir::new().unwrap();
        let (state, context) = orphan(&folder).await;
        let lease_broker = Arc::<LeaseBroker>::default();
        let mut claims: Vec<_> = (0..OFFER).map(|_| lease_broker.join()).collect();
        let (_, mut hand_offs) = claims.pop().unwrap();
        let worker = WorkerProcessor::new(Arc::clone(&lease_broker));
        let run = worker.run(&context);
        let stop = async {
            let hand_off = hand_offs.recv().await.unwrap();
            let unanswered = match is_taken {
                true => {
                    hand_off.taken.send(None).unwrap();
                    let (task, attempt) = (context.task_id(), context.attempt());
                    lease_broker
                        .call(task, attempt, WorkerCall::Heartbeat)
                        .await
                        .unwrap();
                    None
                }
                false => Some(hand_off),
            };
            context.stop();
            unanswered
        };
        let (ended, _unanswered) = tokio::join!(run, stop);
        let next = match is_taken {
            true => Next::GoesOn,
            false => Next::Uncounted,
        };
        assert_eq!(ended.unwrap_err().next, next);
        state.close().await.unwrap();
    }
}
