//! The lease broker: connects an attempt with the claim that it started for, and a worker's later calls with their
//! attempt.
//!
//! Its one lock is held briefly and never across an await. A claim is registered before its offer is made, and an
//! attempt has its mailbox before its worker knows of it, so neither misses the other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use crate::models::{OfferId, TaskId, Timestamp};
use crate::processors::worker::call::{AttemptOver, IncomingCall, WorkerCall};
use crate::processors::worker::hand_off::HandOff;

/// The number of calls that one attempt's mailbox holds; further callers wait.
const CALLS: usize = 8;
/// How long a call waits for a running attempt that has no mailbox yet.
const MAILBOX_PATIENCE: Duration = Duration::from_secs(5);

/// The claims and mailboxes that all `worker` processors and the API share.
#[derive(Default)]
pub(crate) struct LeaseBroker {
    inner: Mutex<BrokerState>,
    /// Notified of each new mailbox.
    mailbox_opened: Notify,
}

#[derive(Default)]
struct BrokerState {
    last_offer: OfferId,
    /// The claims that wait for tasks.
    claims: HashMap<OfferId, mpsc::UnboundedSender<HandOff>>,
    mailboxes: HashMap<TaskId, MailboxEntry>,
}

struct MailboxEntry {
    attempt: i64,
    calls: mpsc::Sender<IncomingCall>,
}

/// The mailbox of a running attempt; closed when this is dropped.
pub(crate) struct AttemptMailbox<'a> {
    lease_broker: &'a LeaseBroker,
    task: TaskId,
    attempt: i64,
    pub(crate) calls: mpsc::Receiver<IncomingCall>,
}

impl LeaseBroker {
    /// Delivers a worker's call to its attempt; returns the new end of its lease.
    ///
    /// # Errors
    /// [`AttemptOver`] if that attempt has no mailbox, or ends before it has read the call.
    pub(crate) async fn call(
        &self,
        task: TaskId,
        attempt: i64,
        call: WorkerCall,
    ) -> Result<Timestamp, AttemptOver> {
        let calls = self.calls(task, attempt).ok_or(AttemptOver)?;
        let (reply, answer) = oneshot::channel();
        let sent = calls.send(IncomingCall { call, reply }).await;
        sent.map_err(|_| AttemptOver)?;
        answer.await.map_err(|_| AttemptOver)
    }

    /// Returns true if the attempt has a mailbox.
    pub(crate) fn has(&self, task: TaskId, attempt: i64) -> bool {
        self.calls(task, attempt).is_some()
    }

    /// Waits for the mailbox of an attempt that has just begun, or that the service has just resumed.
    pub(crate) async fn mailbox_opened(&self, task: TaskId, attempt: i64) {
        let mailbox_opened = async {
            loop {
                let next = self.mailbox_opened.notified();
                tokio::pin!(next);
                next.as_mut().enable();
                if self.has(task, attempt) {
                    return;
                }
                next.await;
            }
        };
        // Without a mailbox by then, the call itself fails.
        let _ = timeout(MAILBOX_PATIENCE, mailbox_opened).await;
    }

    fn calls(&self, task: TaskId, attempt: i64) -> Option<mpsc::Sender<IncomingCall>> {
        let inner = self.lock();
        let mailbox_opened = inner.mailboxes.get(&task)?;
        (mailbox_opened.attempt == attempt).then(|| mailbox_opened.calls.clone())
    }

    /// Opens the mailbox of an attempt that begins.
    pub(crate) fn open_mailbox(&self, task: TaskId, attempt: i64) -> AttemptMailbox<'_> {
        let (sender, calls) = mpsc::channel(CALLS);
        let mailbox_opened = MailboxEntry {
            attempt,
            calls: sender,
        };
        self.lock().mailboxes.insert(task, mailbox_opened);
        self.mailbox_opened.notify_waiters();
        AttemptMailbox {
            lease_broker: self,
            task,
            attempt,
            calls,
        }
    }

    /// Hands an attempt to the claim that it began for; drops it if the claim has gone.
    pub(crate) fn assign(&self, claim: OfferId, hand_off: HandOff) {
        if let Some(hand_offs) = self.lock().claims.get(&claim) {
            // It fails while the claim is being removed.
            let _ = hand_offs.send(hand_off);
        }
    }

    /// Registers a claim, and returns its id.
    pub(crate) fn join(&self) -> (OfferId, mpsc::UnboundedReceiver<HandOff>) {
        // Unbounded: no more hand-offs arrive than the claim has offered slots.
        let (sender, hand_offs) = mpsc::unbounded_channel();
        let mut inner = self.lock();
        inner.last_offer += 1;
        let id = inner.last_offer;
        inner.claims.insert(id, sender);
        (id, hand_offs)
    }

    /// Removes a claim.
    pub(crate) fn leave(&self, claim: OfferId) {
        self.lock().claims.remove(&claim);
    }

    fn lock(&self) -> MutexGuard<'_, BrokerState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AttemptMailbox<'_> {
    fn drop(&mut self) {
        let mut inner = self.lease_broker.lock();
        let is_this = |mailbox_opened: &MailboxEntry| mailbox_opened.attempt == self.attempt;
        if inner.mailboxes.get(&self.task).is_some_and(is_this) {
            inner.mailboxes.remove(&self.task);
        }
    }
}
