//! The jobs that are out, and what is heard of them.
//!
//! Redis tells of each result and each claim by a keyspace event, so that a job costs nothing while it is out,
//! and its result is known at once, however many others are out. Events are lost with the connection, and
//! tell nothing of what does not happen; so all jobs are looked at from time to time too, many in one command.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::hive::handle::{JobState, JobStatus};
use crate::hive::redis::keys;
use crate::models::{TaskId, Timestamp};

/// All jobs that are out, by id.
#[derive(Clone, Default)]
pub(crate) struct Flights(Arc<Shared>);

#[derive(Default)]
struct Shared {
    flights: Mutex<HashMap<String, Arc<Flight>>>,
    wanted: Mutex<Wanted>,
    look: Notify,
}

/// The jobs that somebody wants looked at soon.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) all: bool,
    /// By their ids.
    pub(crate) jobs: Vec<String>,
}

/// One job that is out.
pub(crate) struct Flight {
    queue: String,
    known: Mutex<Known>,
    heard: Notify,
}

#[derive(Default)]
struct Known {
    /// Before it is sent there is nothing to look at.
    is_sent: bool,
    claimed_since: Option<Instant>,
    /// What of that was told.
    told: Option<Instant>,
    /// When it was last known to be in Redis.
    seen_at: Option<Instant>,
    /// Since when Redis knows nothing of it.
    forgotten_since: Option<Instant>,
    is_forgotten_told: bool,
    end: Option<News>,
}

/// What is heard of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A worker has claimed it.
    Started,
    /// No worker has it any more; it waits in its queue again.
    Released,
    /// It has a result.
    Landed,
    /// It has ended and has no result. `had_none` if it cannot have had one for long.
    Ended { had_none: bool },
    /// Redis knows nothing of it any more; the worker that has begun it may still send its result.
    Forgotten,
    /// Nothing is left of it, not even a result.
    Gone,
    /// Its worker has had it for longer than one may.
    Silent,
}

/// How a job stands, as `look.lua` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Landed,
    /// A worker that gives no sign of life has it.
    Claimed,
    /// A worker has it that extends its claim as long as it lives.
    Kept,
    Queued,
    /// A worker has ended it, and there is no result.
    Ended,
    /// Redis knows nothing of it.
    Gone,
}

/// How long ago a job was in Redis that has ended and cannot have had a result for long.
const PROMPT: Duration = Duration::from_secs(2);
/// How long a job is looked for that Redis does not know, before it counts as gone: a worker that was not heard of
/// claims what it runs again.
const RECLAIMED_WITHIN: Duration = Duration::from_secs(2);

/// A look at jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// What has been heard since is newer than what it finds.
    pub(crate) began: Instant,
    /// How long a worker that gives no sign of life may have a job.
    pub(crate) patience: Duration,
}

/// A job that is out for as long as this lives.
pub(crate) struct Ticket {
    flights: Flights,
    id: String,
    flight: Arc<Flight>,
}

impl Flights {
    /// Listens for news of this job in this queue, until the ticket is dropped.
    pub(crate) fn board(&self, id: String, queue: &str) -> Ticket {
        let flight = Arc::new(Flight {
            queue: queue.to_owned(),
            known: Mutex::default(),
            heard: Notify::new(),
        });
        self.flights().insert(id.clone(), Arc::clone(&flight));
        Ticket {
            flights: self.clone(),
            id,
            flight,
        }
    }

    /// A keyspace event such as `set` has told of this key, such as `arq:result:ID`.
    pub(crate) fn hear(&self, key: &str, event: &[u8]) {
        let (result, claim) = (
            key.strip_prefix(keys::RESULT),
            key.strip_prefix(keys::IN_PROGRESS),
        );
        let (id, standing) = match (result, claim, event) {
            (Some(id), _, b"set") => (id, Some(Standing::Landed)),
            (_, Some(id), b"set") => (id, Some(Standing::Claimed)),
            // Its worker has given it back, or has ended it without a result.
            (_, Some(id), b"del") => (id, None),
            _ => return,
        };
        let flight = self.flights().get(id).cloned();
        match (flight, standing) {
            (Some(flight), Some(standing)) => flight.hear(standing, None),
            (Some(flight), None) if flight.is_open() => self.look_at(id),
            _ => {}
        }
    }

    /// Has this job looked at soon.
    pub(crate) fn look_at(&self, id: &str) {
        self.wanted_jobs().jobs.push(id.to_owned());
        self.0.look.notify_one();
    }

    /// Has all jobs looked at soon.
    pub(crate) fn look_at_all(&self) {
        self.wanted_jobs().all = true;
        self.0.look.notify_one();
    }

    /// The jobs that somebody wants looked at, as soon as there are any.
    pub(crate) async fn wanted(&self) -> Wanted {
        self.0.look.notified().await;
        std::mem::take(&mut *self.wanted_jobs())
    }

    fn wanted_jobs(&self) -> MutexGuard<'_, Wanted> {
        let wanted = &self.0.wanted;
        wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many jobs are out.
    pub(crate) fn count(&self) -> usize {
        self.flights().len()
    }

    /// The ids of the wanted jobs that have been sent, by queue.
    pub(crate) fn by_queue(&self, wanted: &Wanted) -> HashMap<String, Vec<String>> {
        let flights = self.flights();
        let mut ids: HashMap<String, Vec<String>> = HashMap::new();
        let mut add = |id: &String, flight: &Flight| {
            if !flight.known().is_sent {
                return;
            }
            match ids.get_mut(&flight.queue) {
                Some(ids) => ids.push(id.clone()),
                None => drop(ids.insert(flight.queue.clone(), vec![id.clone()])),
            }
        };
        match wanted.all {
            true => flights.iter().for_each(|(id, flight)| add(id, flight)),
            false => {
                let found = wanted.jobs.iter();
                let found = found.filter_map(|id| Some((id, flights.get(id)?)));
                found.for_each(|(id, flight)| add(id, flight));
            }
        }
        ids
    }

    /// How the job of this attempt is, or one of an earlier attempt that it goes on with.
    pub(crate) fn status_of(&self, task: TaskId, attempt: i64) -> Option<JobStatus> {
        let flights = self.flights();
        let own = keys::job_id(task, attempt);
        let found = flights.get_key_value(&own);
        let prefix = keys::job_prefix(task);
        let other = || flights.iter().find(|(id, _)| id.starts_with(&prefix));
        let (id, flight) = found
            .filter(|(_, flight)| flight.known().is_sent)
            .or_else(other)?;
        Some(flight.status(id))
    }

    /// Somebody has looked at this job; whether it has to be looked at again soon.
    pub(crate) fn see(&self, id: &str, standing: Standing, look: Look) -> bool {
        let flight = self.flights().get(id).cloned();
        flight.is_some_and(|flight| {
            flight.hear(standing, Some(look));
            flight.is_to_be_confirmed()
        })
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<String, Arc<Flight>>> {
        let flights = &self.0.flights;
        flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self, id: &str) -> JobStatus {
        let known = self.known();
        let (state, since) = match (known.forgotten_since, known.claimed_since) {
            _ if !known.is_sent => (JobState::Sending, None),
            (Some(since), _) => (JobState::Forgotten, Some(since)),
            (None, Some(since)) => (JobState::Taken, Some(since)),
            (None, None) => (JobState::Queued, None),
        };
        JobStatus {
            job_id: id.to_owned(),
            queue: self.queue.clone(),
            state,
            since: since.map(|since| Timestamp::now().before(since.elapsed())),
        }
    }

    /// Whether its end is not known yet.
    fn is_open(&self) -> bool {
        self.known().end.is_none()
    }

    /// Whether Redis does not know it and no worker is known to have begun it: that may be told soon.
    fn is_to_be_confirmed(&self) -> bool {
        let known = self.known();
        known.end.is_none() && known.forgotten_since.is_some() && known.claimed_since.is_none()
    }

    /// By an event, or by a look.
    fn hear(&self, standing: Standing, look: Option<Look>) {
        let mut known = self.known();
        let seen_before = known.seen_at;
        if !matches!(standing, Standing::Gone | Standing::Ended) {
            known.seen_at = Some(Instant::now());
            known.forgotten_since = None;
            known.is_forgotten_told = false;
        }
        match standing {
            Standing::Landed => known.end = Some(News::Landed),
            Standing::Ended => {
                let is_prompt = |at: Instant| at.elapsed() <= PROMPT;
                let had_none = seen_before.is_some_and(is_prompt);
                known.end = Some(News::Ended { had_none });
            }
            Standing::Gone => known.miss(look),
            Standing::Queued => {
                let is_older = |look: Look| known.claimed_since.is_some_and(|at| at > look.began);
                if !look.is_some_and(is_older) {
                    known.claimed_since = None;
                }
            }
            Standing::Claimed | Standing::Kept => {
                let now = Instant::now();
                // An event is a new claim; a look may only find the old one.
                if look.is_none() || known.claimed_since.is_none() {
                    known.claimed_since = Some(now);
                }
                let since = known.claimed_since.unwrap_or(now);
                let is_silent = |look: Look| now.duration_since(since) > look.patience;
                if standing == Standing::Claimed && look.is_some_and(is_silent) {
                    known.end = Some(News::Silent);
                }
            }
        }
        let has_news = known.has_news();
        drop(known);
        // A look that finds all as it was wakes nobody: there may be very many.
        if has_news {
            self.heard.notify_one();
        }
    }

    fn take_news(&self) -> Option<News> {
        let mut known = self.known();
        if known.end.is_none() && known.told != known.claimed_since {
            known.told = known.claimed_since;
            return Some(match known.told {
                Some(_) => News::Started,
                None => News::Released,
            });
        }
        if known.end.is_none() && known.is_forgotten_untold() {
            known.is_forgotten_told = true;
            return Some(News::Forgotten);
        }
        known.end.take()
    }
}

impl Known {
    /// A look has found nothing of it. A worker that has begun it gets the time that one may have a job for.
    fn miss(&mut self, look: Option<Look>) {
        let Some(look) = look else {
            return;
        };
        let since = *self.forgotten_since.get_or_insert(look.began);
        let patience = match self.claimed_since {
            Some(_) => look.patience.max(RECLAIMED_WITHIN),
            None => RECLAIMED_WITHIN,
        };
        if look.began.duration_since(since) >= patience {
            self.end = Some(News::Gone);
        }
    }

    fn is_forgotten_untold(&self) -> bool {
        let may_come_back = self.forgotten_since.is_some() && self.claimed_since.is_some();
        may_come_back && !self.is_forgotten_told
    }

    fn has_news(&self) -> bool {
        self.end.is_some() || self.told != self.claimed_since || self.is_forgotten_untold()
    }
}

impl Ticket {
    /// The job's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The queue that it was sent to.
    pub(crate) fn queue(&self) -> &str {
        &self.flight.queue
    }

    /// The job is in Redis from now on.
    pub(crate) fn sent(&self) {
        let mut known = self.flight.known();
        known.is_sent = true;
        known.seen_at = Some(Instant::now());
    }

    /// The job was in Redis before; it may have ended long ago.
    pub(crate) fn was_sent(&self) {
        self.flight.known().is_sent = true;
    }

    /// The next that is heard of the job.
    pub(crate) async fn news(&self) -> News {
        loop {
            if let Some(news) = self.flight.take_news() {
                return news;
            }
            self.flight.heard.notified().await;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut flights = self.flights.flights();
        // A later attempt may have taken the job over.
        if flights
            .get(&self.id)
            .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
        {
            flights.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    const ID: &str = "a:1";

    fn boarded() -> (Flights, Ticket) {
        let flights = Flights::default();
        let ticket = flights.board(ID.to_owned(), "q");
        assert!(flights.by_queue(&ALL).is_empty());
        ticket.sent();
        (flights, ticket)
    }

    const ALL: Wanted = Wanted {
        all: true,
        jobs: Vec::new(),
    };

    #[tokio::test]
    async fn starts_releases_and_results_are_heard_and_nothing_else() {
        let (flights, ticket) = boarded();
        flights.hear("arq:result:other:1", b"set");
        flights.hear("arq:result:a:1", b"expire");
        flights.hear("arq:in-progress:a:1", b"set");
        assert_eq!(ticket.news().await, News::Started);
        flights.hear("arq:in-progress:a:1", b"expire");
        flights.hear("arq:in-progress:other:1", b"del");
        flights.hear("arq:in-progress:a:1", b"del");
        let wanted = flights.wanted().await;
        assert_eq!(flights.by_queue(&wanted)["q"], [ID]);
        flights.see(ID, Standing::Queued, look(600));
        assert_eq!(ticket.news().await, News::Released);
        flights.hear("arq:result:a:1", b"set");
        flights.hear("arq:in-progress:a:1", b"del");
        assert_eq!(*flights.wanted_jobs(), Wanted::default());
        assert_eq!(ticket.news().await, News::Landed);
    }

    /// A look that begins now.
    fn look(seconds: u64) -> Look {
        Look {
            began: Instant::now(),
            patience: Duration::from_secs(seconds),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_heard_during_a_look_is_newer() {
        let (flights, ticket) = boarded();
        let look = look(600);
        tokio::time::advance(Duration::from_millis(1)).await;
        flights.hear("arq:in-progress:a:1", b"set");
        assert_eq!(ticket.news().await, News::Started);
        flights.see(ID, Standing::Queued, look);
        flights.hear("arq:result:a:1", b"set");
        assert_eq!(ticket.news().await, News::Landed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_extends_its_claim_is_never_silent() {
        let (flights, ticket) = boarded();
        flights.see(ID, Standing::Kept, look(600));
        assert_eq!(ticket.news().await, News::Started);
        tokio::time::advance(Duration::from_secs(6000)).await;
        flights.see(ID, Standing::Kept, look(600));
        flights.see(ID, Standing::Queued, look(600));
        assert_eq!(ticket.news().await, News::Released);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_has_a_job_for_too_long_is_silent() {
        let (flights, ticket) = boarded();
        flights.see(ID, Standing::Claimed, look(600));
        assert_eq!(ticket.news().await, News::Started);
        tokio::time::advance(Duration::from_secs(500)).await;
        // Claimed anew: its time begins again.
        flights.hear("arq:in-progress:a:1", b"set");
        assert_eq!(ticket.news().await, News::Started);
        tokio::time::advance(Duration::from_secs(500)).await;
        flights.see(ID, Standing::Claimed, look(600));
        tokio::time::advance(Duration::from_secs(101)).await;
        flights.see(ID, Standing::Claimed, look(600));
        assert_eq!(ticket.news().await, News::Silent);
    }

    #[tokio::test]
    async fn a_look_that_finds_nothing_new_wakes_nobody() {
        let (flights, ticket) = boarded();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut news = pin!(ticket.news());
        let waiting = news.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(waiting.is_pending());
        flights.see(ID, Standing::Queued, look(600));
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
        flights.see(ID, Standing::Landed, look(600));
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_has_left_is_not_looked_at() {
        let (flights, ticket) = boarded();
        let taken_over = flights.board(ID.to_owned(), "q");
        taken_over.sent();
        drop(ticket);
        assert_eq!(flights.by_queue(&ALL)["q"], [ID]);
        flights.see(ID, Standing::Landed, look(0));
        assert_eq!(taken_over.news().await, News::Landed);
        drop(taken_over);
        assert!(flights.by_queue(&ALL).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_redis_has_forgotten_is_gone_when_nobody_claims_it_again() {
        let (flights, ticket) = boarded();
        assert!(flights.see(ID, Standing::Gone, look(600)));
        assert!(!flights.see(ID, Standing::Queued, look(600)));
        assert!(flights.see(ID, Standing::Gone, look(600)));
        tokio::time::advance(RECLAIMED_WITHIN).await;
        assert!(!flights.see(ID, Standing::Gone, look(600)));
        assert_eq!(ticket.news().await, News::Gone);
    }

    #[tokio::test(start_paused = true)]
    async fn the_worker_of_a_job_that_redis_has_forgotten_keeps_its_time() {
        let (flights, ticket) = boarded();
        flights.see(ID, Standing::Claimed, look(600));
        assert_eq!(ticket.news().await, News::Started);
        for news in [News::Forgotten, News::Gone] {
            flights.see(ID, Standing::Gone, look(600));
            assert_eq!(ticket.news().await, news);
            tokio::time::advance(Duration::from_secs(600)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_was_there_just_now_has_had_no_result() {
        for (seconds, had_none) in [(1, true), (60, false)] {
            let (flights, ticket) = boarded();
            tokio::time::advance(Duration::from_secs(seconds)).await;
            flights.see(ID, Standing::Ended, look(600));
            assert_eq!(ticket.news().await, News::Ended { had_none });
        }
    }
}
