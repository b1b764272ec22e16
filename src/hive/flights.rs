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

use super::keys;

/// All jobs that are out, by id.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<Shared>);

#[derive(Default)]
struct Shared {
    flights: Mutex<HashMap<String, Arc<Flight>>>,
    look: Notify,
}

/// One job that is out.
pub(super) struct Flight {
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
    end: Option<News>,
}

/// What is heard of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A worker has claimed it.
    Started,
    /// No worker has it any more; it waits in its queue again.
    Released,
    /// It has a result.
    Landed,
    /// Nothing is left of it, not even a result.
    Gone,
    /// Its worker has had it for longer than one may.
    Silent,
}

/// How a job stands, as `look.lua` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Landed,
    /// A worker that gives no sign of life has it.
    Claimed,
    /// A worker has it that extends its claim as long as it lives.
    Kept,
    Queued,
    Gone,
}

/// A look at jobs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// What has been heard since is newer than what it finds.
    pub began: Instant,
    /// How long a worker that gives no sign of life may have a job.
    pub patience: Duration,
}

/// A job that is out for as long as this lives.
pub(super) struct Ticket {
    flights: Flights,
    id: String,
    flight: Arc<Flight>,
}

impl Flights {
    /// Listens for news of this job in this queue, until the ticket is dropped.
    pub fn board(&self, id: String, queue: &str) -> Ticket {
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
    pub fn hear(&self, key: &str, event: &[u8]) {
        let (result, claim) = (
            key.strip_prefix(keys::RESULT),
            key.strip_prefix(keys::IN_PROGRESS),
        );
        let (id, standing) = match (result, claim, event) {
            (Some(id), _, b"set") => (id, Standing::Landed),
            (_, Some(id), b"set") => (id, Standing::Claimed),
            (_, Some(id), b"del") => (id, Standing::Queued),
            _ => return,
        };
        let flight = self.flights().get(id).cloned();
        if let Some(flight) = flight {
            flight.hear(standing, None);
        }
    }

    /// Has all jobs looked at soon.
    pub fn look_at_all(&self) {
        self.0.look.notify_one();
    }

    /// Resolves when somebody wants all jobs looked at.
    pub async fn wanted(&self) {
        self.0.look.notified().await;
    }

    /// How many jobs are out.
    pub fn count(&self) -> usize {
        self.flights().len()
    }

    /// The ids of all jobs that have been sent, by queue.
    pub fn by_queue(&self) -> HashMap<String, Vec<String>> {
        let mut ids: HashMap<String, Vec<String>> = HashMap::new();
        for (id, flight) in self.flights().iter() {
            if !flight.known().is_sent {
                continue;
            }
            match ids.get_mut(&flight.queue) {
                Some(ids) => ids.push(id.clone()),
                None => drop(ids.insert(flight.queue.clone(), vec![id.clone()])),
            }
        }
        ids
    }

    /// Somebody has looked at this job.
    pub fn see(&self, id: &str, standing: Standing, look: Look) {
        let flight = self.flights().get(id).cloned();
        if let Some(flight) = flight {
            flight.hear(standing, Some(look));
        }
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

    /// By an event, or by a look.
    fn hear(&self, standing: Standing, look: Option<Look>) {
        let mut known = self.known();
        match standing {
            Standing::Landed => known.end = Some(News::Landed),
            Standing::Gone => known.end = Some(News::Gone),
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
        let has_news = known.end.is_some() || known.told != known.claimed_since;
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
        known.end.take()
    }
}

impl Ticket {
    /// The job's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The queue that it was sent to.
    pub fn queue(&self) -> &str {
        &self.flight.queue
    }

    /// The job is in Redis from now on.
    pub fn sent(&self) {
        self.flight.known().is_sent = true;
    }

    /// The next that is heard of the job.
    pub async fn news(&self) -> News {
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

    async fn boarded() -> (Flights, Ticket) {
        let flights = Flights::default();
        let ticket = flights.board(ID.to_owned(), "q");
        assert!(flights.by_queue().is_empty());
        ticket.sent();
        (flights, ticket)
    }

    #[tokio::test]
    async fn starts_releases_and_results_are_heard_and_nothing_else() {
        let (flights, ticket) = boarded().await;
        flights.hear("arq:result:other:1", b"set");
        flights.hear("arq:result:a:1", b"expire");
        flights.hear("arq:in-progress:a:1", b"set");
        assert_eq!(ticket.news().await, News::Started);
        flights.hear("arq:in-progress:a:1", b"expire");
        flights.hear("arq:in-progress:a:1", b"del");
        assert_eq!(ticket.news().await, News::Released);
        flights.hear("arq:result:a:1", b"set");
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
        let (flights, ticket) = boarded().await;
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
        let (flights, ticket) = boarded().await;
        flights.see(ID, Standing::Kept, look(600));
        assert_eq!(ticket.news().await, News::Started);
        tokio::time::advance(Duration::from_secs(6000)).await;
        flights.see(ID, Standing::Kept, look(600));
        flights.see(ID, Standing::Queued, look(600));
        assert_eq!(ticket.news().await, News::Released);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_has_a_job_for_too_long_is_silent() {
        let (flights, ticket) = boarded().await;
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
        let (flights, ticket) = boarded().await;
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
        let (flights, ticket) = boarded().await;
        let taken_over = flights.board(ID.to_owned(), "q");
        taken_over.sent();
        drop(ticket);
        assert_eq!(flights.by_queue()["q"], [ID]);
        flights.see(ID, Standing::Gone, look(0));
        assert_eq!(taken_over.news().await, News::Gone);
        drop(taken_over);
        assert!(flights.by_queue().is_empty());
    }
}
