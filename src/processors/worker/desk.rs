//! The desk: where the polls of outside workers and the attempts that they are to run meet, and where a
//! worker's later calls find their attempt.
//!
//! One lock, held for moments and never across an await. An attempt has its seat before its task is laid
//! on the desk, so that a worker's first call finds it; a poll is here before its offer is made, so that
//! no task arrives too early.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc, oneshot};

use super::assignment::Assignment;
use super::call::{Call, Incoming, Over};
use crate::models::{OfferId, TaskId, Timestamp};

/// Calls that wait for one attempt; more of them wait in line.
const CALLS: usize = 8;

/// Shared by all `worker` processors and the API.
#[derive(Default)]
pub struct Desk(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    last_offer: OfferId,
    /// Those who wait for tasks, the longest first.
    polls: BTreeMap<OfferId, Waiting>,
    /// Started tasks whose poll has gone, for the next one that comes.
    stranded: Vec<Assignment>,
    seats: HashMap<TaskId, Seated>,
}

/// A poll, as the desk sees it.
struct Waiting {
    processors: Vec<String>,
    limit: usize,
    /// Tasks that have arrived for its offer, wherever they went.
    arrived: u64,
    got: Vec<Assignment>,
    news: Arc<Notify>,
}

struct Seated {
    attempt: i64,
    calls: mpsc::Sender<Incoming>,
}

/// A running attempt's place at the desk, given up when it is dropped.
pub(super) struct Seat<'a> {
    desk: &'a Desk,
    task: TaskId,
    attempt: i64,
    pub calls: mpsc::Receiver<Incoming>,
}

impl Desk {
    /// Tells an attempt what its worker says; when its lease ends now.
    ///
    /// # Errors
    /// [`Over`] if that attempt does not run, or ends before it has heard it.
    pub async fn call(&self, task: TaskId, attempt: i64, call: Call) -> Result<Timestamp, Over> {
        let calls = self.calls(task, attempt).ok_or(Over)?;
        let (reply, answer) = oneshot::channel();
        let sent = calls.send(Incoming { call, reply }).await;
        sent.map_err(|_| Over)?;
        answer.await.map_err(|_| Over)
    }

    fn calls(&self, task: TaskId, attempt: i64) -> Option<mpsc::Sender<Incoming>> {
        let inner = self.lock();
        let seated = inner.seats.get(&task)?;
        (seated.attempt == attempt).then(|| seated.calls.clone())
    }

    /// A seat for an attempt that begins.
    pub(super) fn seat(&self, task: TaskId, attempt: i64) -> Seat<'_> {
        let (sender, calls) = mpsc::channel(CALLS);
        let seated = Seated {
            attempt,
            calls: sender,
        };
        self.lock().seats.insert(task, seated);
        Seat {
            desk: self,
            task,
            attempt,
            calls,
        }
    }

    /// A started task wants to be taken: by the poll that it started for, else by the one that has waited
    /// longest, else by the next that comes.
    pub(super) fn arrive(&self, assignment: Assignment) {
        let mut inner = self.lock();
        let offer = assignment.offer;
        if let Some(poll) = offer.and_then(|offer| inner.polls.get_mut(&offer)) {
            poll.arrived += 1;
            poll.news.notify_one();
        }
        inner.place(assignment);
    }

    /// Somebody waits for tasks; what lies here for such is theirs at once.
    pub(super) fn join(&self, processors: &[String], limit: usize, news: Arc<Notify>) -> OfferId {
        let mut inner = self.lock();
        inner.last_offer += 1;
        let id = inner.last_offer;
        let waiting = Waiting {
            processors: processors.to_vec(),
            limit,
            arrived: 0,
            got: Vec::new(),
            news,
        };
        inner.polls.insert(id, waiting);
        for assignment in std::mem::take(&mut inner.stranded) {
            inner.place(assignment);
        }
        id
    }

    /// How many tasks lie here for this poll, and how many have arrived for its offer.
    pub(super) fn count(&self, poll: OfferId) -> (usize, u64) {
        let inner = self.lock();
        let poll = inner.polls.get(&poll);
        poll.map_or((0, 0), |poll| (poll.got.len(), poll.arrived))
    }

    /// The poll has gone, with its tasks.
    pub(super) fn leave(&self, poll: OfferId) -> Vec<Assignment> {
        let left = self.lock().polls.remove(&poll);
        left.map(|poll| poll.got).unwrap_or_default()
    }

    /// Tasks that their poll did not take after all.
    pub(super) fn put_back(&self, assignments: Vec<Assignment>) {
        let mut inner = self.lock();
        for assignment in assignments {
            inner.place(assignment);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn place(&mut self, assignment: Assignment) {
        let processor = &assignment.task.processor;
        let own = assignment.offer;
        let own = own.filter(|id| self.polls.get(id).is_some_and(|poll| poll.takes(processor)));
        let mut takers = self.polls.iter().filter(|(_, poll)| poll.takes(processor));
        let taker = own.or_else(|| takers.next().map(|(id, _)| *id));
        match taker.and_then(|id| self.polls.get_mut(&id)) {
            Some(poll) => {
                poll.got.push(assignment);
                poll.news.notify_one();
            }
            None => {
                self.stranded.retain(Assignment::is_wanted);
                self.stranded.push(assignment);
            }
        }
    }
}

impl Waiting {
    fn takes(&self, processor: &str) -> bool {
        self.got.len() < self.limit && self.processors.iter().any(|name| name == processor)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut inner = self.desk.lock();
        let is_this = |seated: &Seated| seated.attempt == self.attempt;
        if inner.seats.get(&self.task).is_some_and(is_this) {
            inner.seats.remove(&self.task);
        }
        // A task that nobody took would lie here until another one does.
        inner.stranded.retain(Assignment::is_wanted);
    }
}
