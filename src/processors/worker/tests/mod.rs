//! The desk: which poll gets a task, and what becomes of those whose poll has gone.

mod late;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::assignment::{Assignment, Taken};
use super::call::{Call, Over};
use super::desk::Desk;
use crate::models::OfferId;

fn assignment(processor: &str, offer: OfferId) -> (Assignment, oneshot::Receiver<Taken>) {
    let time = "2026-01-31T12:00:00.000000Z";
    let task = json!({
        "id": Uuid::now_v7(), "content": "", "created_at": time, "status": "PROCESSING",
        "result": null, "logs": [], "context_history": {}, "context_used": null,
        "processor": processor, "priority": 0, "attempt": 1, "max_attempts": 1, "run_at": time,
        "started_at": time, "finished_at": null, "failure": null, "error": null, "progress": null,
        "tags": [], "session_id": null,
    });
    let (taken, is_taken) = oneshot::channel();
    let assignment = Assignment {
        offer: Some(offer),
        task: serde_json::from_value(task).unwrap(),
        upstream: Vec::new(),
        trace: None,
        lease: Duration::from_secs(60),
        taken,
    };
    (assignment, is_taken)
}

fn join(desk: &Desk, processor: &str, limit: usize) -> OfferId {
    desk.join(&[processor.to_owned()], limit, Arc::new(Notify::new()))
}

#[test]
fn a_task_goes_to_the_poll_that_it_started_for_and_else_to_another() {
    let desk = Desk::default();
    let first = join(&desk, "a", 1);
    let second = join(&desk, "a", 1);
    let other = join(&desk, "b", 1);
    let tasks: Vec<_> = (0..3).map(|_| assignment("a", second)).collect();
    let (tasks, _taken): (Vec<_>, Vec<_>) = tasks.into_iter().unzip();
    for task in tasks {
        desk.arrive(task);
    }
    // Nobody gets more than it asked for, and all have arrived.
    assert_eq!(desk.count(second), (1, 3));
    assert_eq!(desk.count(first), (1, 0));
    assert_eq!(desk.count(other), (0, 0));
    // The third waits for the next.
    assert_eq!(desk.leave(join(&desk, "a", 5)).len(), 1);
}

#[test]
fn what_a_poll_leaves_behind_is_for_the_next() {
    let desk = Desk::default();
    let cut_off = join(&desk, "a", 2);
    let (wanted, mut is_taken) = assignment("a", cut_off);
    let (ended, gone) = assignment("a", cut_off);
    desk.arrive(wanted);
    desk.arrive(ended);
    drop(gone);
    desk.put_back(desk.leave(cut_off));
    assert_eq!(desk.count(cut_off), (0, 0));

    let other = join(&desk, "b", 2);
    assert_eq!(desk.count(other), (0, 0));
    let next = join(&desk, "a", 2);
    let got = desk.leave(next).into_iter();
    let taken: Vec<_> = got.filter_map(|task| task.take(Some("blue"))).collect();
    // The attempt that has ended meanwhile is nobody's.
    assert_eq!(taken.len(), 1);
    assert_eq!(is_taken.try_recv().unwrap().worker.as_deref(), Some("blue"));
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
