//! The lease broker: which claim gets an attempt, and which attempt gets a call.

mod late;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::call::{AttemptOver, WorkerCall};
use crate::models::Attempt;
use crate::processors::worker::hand_off::HandOff;
use crate::processors::worker::lease_broker::LeaseBroker;

fn hand_off() -> (HandOff, oneshot::Receiver<Option<String>>) {
    let (taken, is_taken) = oneshot::channel();
    let hand_off = HandOff {
        attempt: Attempt {
            seq: 1,
            task_id: Uuid::now_v7(),
            number: 1,
        },
        lease: Duration::from_secs(60),
        trace: None,
        taken,
    };
    (hand_off, is_taken)
}

#[tokio::test]
async fn an_attempt_goes_to_the_claim_that_it_began_for_or_back() {
    let lease_broker = LeaseBroker::default();
    let (first, mut of_first) = lease_broker.join();
    let (second, mut of_second) = lease_broker.join();
    let (wanted, mut is_taken) = hand_off();
    let task = wanted.attempt.task_id;
    lease_broker.assign(second, wanted);
    assert!(of_first.try_recv().is_err());
    let got = of_second.try_recv().unwrap();
    assert_eq!(got.attempt.task_id, task);
    // Not answered yet.
    assert!(is_taken.try_recv().is_err());
    got.taken.send(Some("blue".to_owned())).unwrap();
    assert_eq!(is_taken.await.unwrap().as_deref(), Some("blue"));

    // A claim that leaves returns its attempts and gets no more.
    let (wanted, is_taken) = hand_off();
    lease_broker.assign(first, wanted);
    lease_broker.leave(first);
    drop(of_first);
    is_taken.await.unwrap_err();
    let (wanted, is_taken) = hand_off();
    lease_broker.assign(first, wanted);
    is_taken.await.unwrap_err();
}

#[tokio::test]
async fn a_call_reaches_its_own_attempt_alone() {
    let lease_broker = LeaseBroker::default();
    let task = Uuid::now_v7();
    assert_eq!(
        lease_broker.call(task, 1, WorkerCall::Heartbeat).await,
        Err(AttemptOver)
    );
    let first = lease_broker.open_mailbox(task, 1);
    let mut second = lease_broker.open_mailbox(task, 2);
    // A closed mailbox leaves the next attempt's open.
    drop(first);
    assert_eq!(
        lease_broker.call(task, 1, WorkerCall::Heartbeat).await,
        Err(AttemptOver)
    );
    let call = lease_broker.call(task, 2, WorkerCall::Heartbeat);
    let unanswered = async { drop(second.calls.recv().await) };
    assert_eq!(tokio::join!(call, unanswered).0, Err(AttemptOver));
    drop(second);
    assert_eq!(
        lease_broker.call(task, 2, WorkerCall::Heartbeat).await,
        Err(AttemptOver)
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_mailbox_of_an_attempt_that_begins() {
    let lease_broker = Arc::<LeaseBroker>::default();
    let task = Uuid::now_v7();
    let waiting = tokio::spawn({
        let lease_broker = Arc::clone(&lease_broker);
        async move {
            lease_broker.mailbox_opened(task, 1).await;
            lease_broker.has(task, 1)
        }
    });
    tokio::task::yield_now().await;
    let _other = lease_broker.open_mailbox(Uuid::now_v7(), 1);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    let _mailbox = lease_broker.open_mailbox(task, 1);
    assert!(waiting.await.unwrap());
    // Not for ever.
    lease_broker.mailbox_opened(task, 2).await;
    assert!(!lease_broker.has(task, 2));
}
