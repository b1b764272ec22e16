//! The last few thousand events, shared by all listeners.
//!
//! Publishing appends and wakes; it never waits. Memory is bounded by [`RING_EVENTS`] and
//! [`RING_BYTES`]: whoever is further behind than that has missed something and must read the
//! journal. While nobody listens the ring stays empty and events are not even built.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use crate::models::Event;

/// Events the ring holds at most.
const RING_EVENTS: usize = 16_384;
/// Bytes of text the ring holds at most (besides the newest commit, which is always kept whole).
const RING_BYTES: usize = 16 * 1024 * 1024;
/// Commits given to a listener at a time, so that the lock is held shortly.
const BATCHES_AT_ONCE: usize = 32;

/// Live lines that a listener may be behind; of more it sees the newest, as each replaces the one before.
const LIVE_LINES: usize = 256;

/// The events of one commit, in order of their ids.
pub(crate) type Batch = Arc<[Event]>;

/// Where commits are announced; cheap to clone.
#[derive(Clone)]
pub(crate) struct Bus(Arc<Shared>);

struct Shared {
    ring: Mutex<Ring>,
    /// Id of the newest published journal row.
    head: watch::Sender<i64>,
    listeners: AtomicUsize,
    /// The last event that each listener has passed, by its number.
    places: Mutex<HashMap<u64, Arc<AtomicI64>>>,
    joined: AtomicU64,
    missed: AtomicU64,
    /// Events that are in no journal; the id of each is the head at the time.
    live_lines: broadcast::Sender<Batch>,
}

/// How the listeners are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    pub(crate) listeners: usize,
    /// Events that the slowest of them has still to be told.
    pub(crate) lag_events: u64,
    /// Events that listeners were too slow for, since the start.
    pub(crate) missed_events: u64,
}

#[derive(Default)]
struct Ring {
    /// The newest row that was announced without its event.
    skipped: i64,
    batches: VecDeque<Batch>,
    events: usize,
    bytes: usize,
}

/// What the ring can say to a listener that has seen everything up to some id.
pub(crate) enum Since {
    /// The commits that come next (the first may begin with events already seen).
    Batches(Vec<Batch>),
    /// The next event has left the ring; `oldest` is the first that is still there, if any is.
    Gone { oldest: Option<i64> },
}

impl Bus {
    /// A bus for a journal whose newest row is `head`.
    pub(crate) fn new(head: i64) -> Self {
        Self(Arc::new(Shared {
            ring: Mutex::default(),
            head: watch::Sender::new(head),
            listeners: AtomicUsize::new(0),
            places: Mutex::default(),
            joined: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            live_lines: broadcast::Sender::new(LIVE_LINES),
        }))
    }

    /// Id of the newest published journal row: what was committed until then is on disk.
    pub(crate) fn head(&self) -> i64 {
        *self.0.head.borrow()
    }

    /// Changes with every commit that wrote to the journal; holds the newest row's id.
    pub(crate) fn watch(&self) -> watch::Receiver<i64> {
        self.0.head.subscribe()
    }

    /// Whether anybody would see events that are published; if not, [`Bus::skip`] does.
    pub(crate) fn has_listeners(&self) -> bool {
        self.0.listeners.load(Ordering::SeqCst) > 0
    }

    /// Announces the events of one commit; their ids follow the head without a gap.
    pub(crate) fn publish(&self, events: Vec<Event>) {
        let Some(last) = events.last().map(|event| event.id) else {
            return;
        };
        self.ring().push(events.into());
        self.0.head.send_replace(last);
    }

    /// Announces a commit up to the journal row `head` without its events, when nobody listens.
    pub(crate) fn skip(&self, head: i64) {
        *self.ring() = Ring {
            skipped: head,
            ..Ring::default()
        };
        self.0.head.send_replace(head);
    }

    /// Shows an event that is in no journal to those who listen at this moment. Its id is the head.
    pub(crate) fn show(&self, event: Event) {
        // An error says that nobody listens.
        let _ = self.0.live_lines.send(Arc::from(vec![event]));
    }

    pub(crate) fn live_lines(&self) -> broadcast::Receiver<Batch> {
        self.0.live_lines.subscribe()
    }

    pub(crate) fn join(&self) -> Listening {
        self.0.listeners.fetch_add(1, Ordering::SeqCst);
        let number = self.0.joined.fetch_add(1, Ordering::Relaxed);
        let place = Arc::new(AtomicI64::new(self.head()));
        self.places().insert(number, Arc::clone(&place));
        Listening {
            bus: self.clone(),
            number,
            place,
        }
    }

    /// How the listeners are at this moment.
    pub(crate) fn audience(&self) -> Audience {
        let head = self.head();
        let places = self.places();
        let slowest = places.values().map(|place| place.load(Ordering::Relaxed));
        let lag = slowest.min().map_or(0, |place| head.saturating_sub(place));
        Audience {
            listeners: places.len(),
            lag_events: u64::try_from(lag).unwrap_or(0),
            missed_events: self.0.missed.load(Ordering::Relaxed),
        }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<u64, Arc<AtomicI64>>> {
        // Nothing can panic in between.
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commits after event `position`.
    pub(crate) fn since(&self, position: i64) -> Since {
        let ring = self.ring();
        let oldest = ring
            .batches
            .front()
            .and_then(|batch| batch.first())
            .map(|event| event.id);
        match oldest {
            Some(oldest) if oldest <= position + 1 => {
                let from = ring
                    .batches
                    .partition_point(|batch| batch.last().is_none_or(|last| last.id <= position));
                Since::Batches(
                    ring.batches
                        .range(from..)
                        .take(BATCHES_AT_ONCE)
                        .cloned()
                        .collect(),
                )
            }
            // Whoever joined when it was skipped has not been slow: it reads the journal.
            oldest => Since::Gone {
                oldest: oldest.filter(|_| position >= ring.skipped),
            },
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // A panic cannot leave the ring inconsistent enough to matter: at worst events are missed,
        // and listeners notice that by their ids.
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, batch: Batch) {
        self.events += batch.len();
        self.bytes += batch_bytes(&batch);
        self.batches.push_back(batch);
        while (self.events > RING_EVENTS || self.bytes > RING_BYTES) && self.batches.len() > 1 {
            let oldest = self.batches.pop_front().expect("there is more than one");
            self.events -= oldest.len();
            self.bytes -= batch_bytes(&oldest);
        }
    }
}

fn batch_bytes(batch: &[Event]) -> usize {
    batch
        .iter()
        .map(|event| 256 + event.message.as_ref().map_or(0, String::len) + event.data.len())
        .sum()
}

/// Counts as a listener while it lives.
pub(crate) struct Listening {
    bus: Bus,
    number: u64,
    place: Arc<AtomicI64>,
}

impl Listening {
    /// It has been told everything up to this event.
    pub(crate) fn passed(&self, event: i64) {
        self.place.store(event, Ordering::Relaxed);
    }

    /// It was too slow for so many events.
    pub(crate) fn missed(&self, events: i64) {
        let events = u64::try_from(events).unwrap_or(0);
        self.bus.0.missed.fetch_add(events, Ordering::Relaxed);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.bus.0.listeners.fetch_sub(1, Ordering::SeqCst);
        self.bus.places().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{EventType, Timestamp};

    fn event(id: i64) -> Event {
        Event::new(
            id,
            EventType::TaskCreated,
            Timestamp::now(),
            "{}".to_owned(),
        )
    }

    /// It joins while the event that nobody listened for is on its way to be announced.
    #[test]
    fn a_listener_that_joined_before_a_skip_reads_the_journal() {
        let bus = Bus::new(5);
        bus.skip(6);
        bus.publish(vec![event(7)]);
        assert!(matches!(bus.since(5), Since::Gone { oldest: None }));
        assert!(matches!(bus.since(6), Since::Batches(_)));
    }

    #[test]
    fn a_listener_that_was_too_slow_hears_of_the_oldest_event_left() {
        let bus = Bus::new(0);
        for id in 1..=RING_EVENTS as i64 + 1 {
            bus.publish(vec![event(id)]);
        }
        assert!(matches!(bus.since(0), Since::Gone { oldest: Some(2) }));
    }
}
