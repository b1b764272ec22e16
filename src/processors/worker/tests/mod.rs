//! The desk: which claim gets an attempt, and which attempt hears a call.

mod late;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::call::{Call, Over};
use crate::models::Attempt;
use crate::processors::worker::hand_off::Assignment;
use crate::processors::worker::lease_broker::Desk;

fn assignment() -> (Assignment, oneshot::Receiver<Option<String>>) {
    let (taken, is_taken) = oneshot::channel();
    let assignment = Assignment {
        attempt: Attempt {
            seq: 1,
            task_id: Uuid::now_v7(),
            number: 1,
        },
        lease: Duration::from_secs(60),
        trace: None,
        taken,
    };
    (assignment, is_taken)
}

#[tokio::test]
async fn an_attempt_goes_to_the_claim_that_it_began_for_or_back() {
    let desk = Desk::default();
    let (first, mut of_first) = desk.join();
    let (second, mut of_second) = desk.join();
    let (wanted, mut is_taken) = assignment();
    let task = wanted.attempt.task_id;
    desk.assign(second, wanted);
    assert!(of_first.try_recv().is_err());
    let got = of_second.try_recv().unwrap();
    assert_eq!(got.attempt.task_id, task);
    // Not answered yet.
    assert!(is_taken.try_recv().is_err());
    got.taken.send(Some("blue".to_owned())).unwrap();
    assert_eq!(is_taken.await.unwrap().as_deref(), Some("blue"));

    // A claim that goes gives back what it has, and gets no more.
    let (wanted, is_taken) = assignment();
    desk.assign(first, wanted);
    desk.leave(first);
    drop(of_first);
    is_taken.await.unwrap_err();
    let (wanted, is_taken) = assignment();
    desk.assign(first, wanted);
    is_taken.await.unwrap_err();
}

#[tokio::test]
async fn a_call_reaches_its_own_attempt_alone() {
    let desk = Desk::default();
    let task = Uuid::now_v7();
    assert_eq!(desk.call(task, 1, Call::Heartbeat).await, Err(Over));
    let first = desk.seat(task, 1);
    let mut second = desk.seat(task, 2);
    // A seat that is given up does not take the next attempt's with it.
    drop(first);
    assert_eq!(desk.call(task, 1, Call::Heartbeat).await, Err(Over));
    let call = desk.call(task, 2, Call::Heartbeat);
    let unanswered = async { drop(second.calls.recv().await) };
    assert_eq!(tokio::join!(call, unanswered).0, Err(Over));
    drop(second);
    assert_eq!(desk.call(task, 2, Call::Heartbeat).await, Err(Over));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_seat_of_an_attempt_that_begins() {
    let desk = Arc::<Desk>::default();
    let task = Uuid::now_v7();
    let waiting = tokio::spawn({
        let desk = Arc::clone(&desk);
        async move {
            desk.seated(task, 1).await;
            desk.has(task, 1)
        }
    });
    tokio::task::yield_now().await;
    let _other = desk.seat(Uuid::now_v7(), 1);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    let _seat = desk.seat(task, 1);
    assert!(waiting.await.unwrap());
    // Not for ever.
    desk.seated(task, 2).await;
    assert!(!desk.has(task, 2));
}
