//! The lease broker: an attempt finds the claim that it started for, and a worker's later calls find their attempt.
//!
//! One lock, held for moments and never across an await. A claim is registered before its offer is made, and an attempt
//! has its mailbox before its worker hears of it, so neither misses the other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use crate::models::{OfferId, TaskId, Timestamp};
use crate::processors::worker::call::{Call, Incoming, Over};
use crate::processors::worker::hand_off::Assignment;

/// Calls that wait for one attempt; more of them wait in line.
const CALLS: usize = 8;
/// How long a call waits for an attempt that runs and has no seat yet.
const SEAT_PATIENCE: Duration = Duration::from_secs(5);

/// Shared by all `worker` processors and the API.
#[derive(Default)]
pub(crate) struct Desk {
    inner: Mutex<Inner>,
    /// Told of each new seat.
    seated: Notify,
}

#[derive(Default)]
struct Inner {
    last_offer: OfferId,
    /// Those who wait for tasks.
    claims: HashMap<OfferId, mpsc::UnboundedSender<Assignment>>,
    seats: HashMap<TaskId, Seated>,
}

struct Seated {
    attempt: i64,
    calls: mpsc::Sender<Incoming>,
}

/// A running attempt's place at the desk, given up when it is dropped.
pub(crate) struct Seat<'a> {
    desk: &'a Desk,
    task: TaskId,
    attempt: i64,
    pub(crate) calls: mpsc::Receiver<Incoming>,
}

impl Desk {
    /// Tells an attempt what its worker says; when its lease ends now.
    ///
    /// # Errors
    /// [`Over`] if that attempt has no seat, or ends before it has heard it.
    pub(crate) async fn call(
        &self,
        task: TaskId,
        attempt: i64,
        call: Call,
    ) -> Result<Timestamp, Over> {
        let calls = self.calls(task, attempt).ok_or(Over)?;
        let (reply, answer) = oneshot::channel();
        let sent = calls.send(Incoming { call, reply }).await;
        sent.map_err(|_| Over)?;
        answer.await.map_err(|_| Over)
    }

    /// Whether the attempt has a seat.
    pub(crate) fn has(&self, task: TaskId, attempt: i64) -> bool {
        self.calls(task, attempt).is_some()
    }

    /// Waits for the seat of an attempt that has just begun, or that the service has just taken up again.
    pub(crate) async fn seated(&self, task: TaskId, attempt: i64) {
        let seated = async {
            loop {
                let next = self.seated.notified();
                tokio::pin!(next);
                next.as_mut().enable();
                if self.has(task, attempt) {
                    return;
                }
                next.await;
            }
        };
        // Without a seat by then, the call itself says so.
        let _ = timeout(SEAT_PATIENCE, seated).await;
    }

    fn calls(&self, task: TaskId, attempt: i64) -> Option<mpsc::Sender<Incoming>> {
        let inner = self.lock();
        let seated = inner.seats.get(&task)?;
        (seated.attempt == attempt).then(|| seated.calls.clone())
    }

    /// A seat for an attempt that begins.
    pub(crate) fn seat(&self, task: TaskId, attempt: i64) -> Seat<'_> {
        let (sender, calls) = mpsc::channel(CALLS);
        let seated = Seated {
            attempt,
            calls: sender,
        };
        self.lock().seats.insert(task, seated);
        self.seated.notify_waiters();
        Seat {
            desk: self,
            task,
            attempt,
            calls,
        }
    }

    /// An attempt has begun for this claim. If the claim has gone, the assignment is dropped.
    pub(crate) fn assign(&self, claim: OfferId, assignment: Assignment) {
        if let Some(assignments) = self.lock().claims.get(&claim) {
            // Fails while the claim is going.
            let _ = assignments.send(assignment);
        }
    }

    /// A claim begins, under this name.
    pub(crate) fn join(&self) -> (OfferId, mpsc::UnboundedReceiver<Assignment>) {
        // Unbounded, because no more arrive than the claim has asked for.
        let (sender, assignments) = mpsc::unbounded_channel();
        let mut inner = self.lock();
        inner.last_offer += 1;
        let id = inner.last_offer;
        inner.claims.insert(id, sender);
        (id, assignments)
    }

    /// The claim has gone.
    pub(crate) fn leave(&self, claim: OfferId) {
        self.lock().claims.remove(&claim);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut inner = self.desk.lock();
        let is_this = |seated: &Seated| seated.attempt == self.attempt;
        if inner.seats.get(&self.task).is_some_and(is_this) {
            inner.seats.remove(&self.task);
        }
    }
}
