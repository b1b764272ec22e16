//! One listener's position in the journal.
//!
//! A feed is a position: the id of the last event it has passed. It moves on through the bus while
//! the bus still holds the next event, and through the journal while it is catching up. A feed that
//! was live and fell out of the bus is told which ids it missed and goes on from there: reading the
//! journal for it again and again would make everyone pay for the slowest. Since the position only
//! ever moves forward, nothing is delivered twice; since ids have no gaps, nothing is left out
//! unsaid.
//!
//! Live lines are in no journal. Each comes right after the event whose id it has, and is left out if the
//! feed is past that.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::sync::watch;

use super::bus::{Batch, Bus, Listening, Since};
use crate::models::{Event, EventType, TaskId};

/// Events read from the journal at a time.
const PAGE: u32 = 200;
/// Events delivered at a time: what a listener that has stopped reading can keep from being freed.
const CHUNK: usize = 128;

/// Where stored events are read from.
pub(crate) trait Journal: Clone + Send + Sync + 'static {
    type Error: std::error::Error + Send + Sync;

    /// The events after row `after`, at most up to row `upto`, of `task_id` if given; oldest first,
    /// no more than `limit`.
    fn events_after(
        &self,
        after: i64,
        upto: i64,
        task_id: Option<TaskId>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Event>, Self::Error>> + Send;
}

/// Which events a listener wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only these types; `None` for all.
    pub(crate) types: Option<HashSet<EventType>>,
    /// Only events of this task.
    pub(crate) task_id: Option<TaskId>,
}

impl Filter {
    fn admits(&self, event: &Event) -> bool {
        self.task_id.is_none_or(|id| event.task_id == Some(id))
            && self
                .types
                .as_ref()
                .is_none_or(|types| types.contains(&event.kind))
    }
}

/// What a feed gives its listener.
#[derive(Clone)]
pub(crate) enum Delivery {
    Event(EventRef),
    /// These ids went by while the listener was too slow; `?since=<from - 1>` replays them.
    Missed {
        from: i64,
        to: i64,
    },
}

/// An event of a shared batch.
#[derive(Clone)]
pub(crate) struct EventRef {
    batch: Batch,
    index: usize,
}

impl std::ops::Deref for EventRef {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.batch[self.index]
    }
}

/// A listener's place in the journal; see the module's words.
pub(crate) struct Feed<J> {
    bus: Bus,
    journal: J,
    filter: Filter,
    position: i64,
    /// Whether it has reached the bus once: from then on falling behind means missing events.
    live: bool,
    head: watch::Receiver<i64>,
    live_lines: broadcast::Receiver<Batch>,
    /// The live line that comes next.
    next_live_line: Option<Batch>,
    listening: Listening,
}

impl<J: Journal> Feed<J> {
    /// A feed of what comes after event `since`, or after now.
    ///
    /// A `since` beyond the newest event counts as now.
    pub(crate) fn new(bus: &Bus, journal: J, filter: Filter, since: Option<i64>) -> Self {
        let listening = bus.join();
        let live_lines = bus.live_lines();
        let head = bus.watch();
        let newest = *head.borrow();
        let position = since.map_or(newest, |since| since.clamp(0, newest));
        listening.passed(position);
        Self {
            bus: bus.clone(),
            journal,
            filter,
            position,
            live: false,
            head,
            live_lines,
            next_live_line: None,
            listening,
        }
    }

    /// Id of the last event that was passed, delivered or filtered out.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// The next deliveries, at least one; waits until there is one. Safe to cancel.
    ///
    /// # Errors
    /// When the journal cannot be read; calling again goes on from the same place.
    pub(crate) async fn next(&mut self) -> Result<Vec<Delivery>, J::Error> {
        loop {
            // Who asks for more has taken what there was.
            self.listening.passed(self.position);
            let mut upto = *self.head.borrow_and_update();
            // After the head: a live line was shown before the head went past it, so it is here by now.
            if let Some(line) = self.take_live_line() {
                let id = line[0].id;
                if id <= self.position {
                    return Ok(vec![Delivery::Event(EventRef {
                        batch: line,
                        index: 0,
                    })]);
                }
                upto = upto.min(id);
                self.next_live_line = Some(line);
            }
            if upto <= self.position {
                self.wait().await;
                continue;
            }
            let deliveries = match self.bus.since(self.position) {
                Since::Batches(batches) => self.follow(&batches, upto),
                Since::Gone {
                    oldest: Some(oldest),
                } if self.live => vec![self.fall_behind(oldest)],
                Since::Gone { .. } => self.catch_up(upto).await?,
            };
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
        }
    }

    /// Waits for a commit or a live line. The bus lives in `self`, so their senders do too.
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.head.changed() => {}
            line = self.live_lines.recv(), if self.next_live_line.is_none() => {
                let line = line.ok();
                self.next_live_line = line.filter(|line| self.filter.admits(&line[0]));
            }
        }
    }

    /// The next live line that the feed has not gone past.
    fn take_live_line(&mut self) -> Option<Batch> {
        loop {
            if let Some(line) = self.next_live_line.take()
                && line[0].id >= self.position
            {
                return Some(line);
            }
            match self.live_lines.try_recv() {
                Ok(line) if self.filter.admits(&line[0]) => self.next_live_line = Some(line),
                Ok(_) | Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    fn follow(&mut self, batches: &[Batch], upto: i64) -> Vec<Delivery> {
        self.live = true;
        let seen = self.position;
        let mut deliveries = Vec::new();
        for batch in batches {
            for (index, event) in batch.iter().enumerate() {
                if deliveries.len() == CHUNK || event.id > upto {
                    return deliveries;
                }
                self.position = self.position.max(event.id);
                if event.id > seen && self.filter.admits(event) {
                    let batch = Arc::clone(batch);
                    deliveries.push(Delivery::Event(EventRef { batch, index }));
                }
            }
        }
        deliveries
    }

    fn fall_behind(&mut self, oldest: i64) -> Delivery {
        let from = self.position + 1;
        self.listening.missed(oldest - from);
        self.position = oldest - 1;
        Delivery::Missed {
            from,
            to: self.position,
        }
    }

    async fn catch_up(&mut self, upto: i64) -> Result<Vec<Delivery>, J::Error> {
        let task_id = self.filter.task_id;
        let events: Batch = self
            .journal
            .events_after(self.position, upto, task_id, PAGE)
            .await?
            .into();
        self.position = match events.last() {
            Some(last) if events.len() >= PAGE as usize => last.id,
            _ => upto,
        };
        let admitted = (0..events.len()).filter(|&index| self.filter.admits(&events[index]));
        Ok(admitted
            .map(|index| {
                Delivery::Event(EventRef {
                    batch: Arc::clone(&events),
                    index,
                })
            })
            .collect())
    }
}
