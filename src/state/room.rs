//! Room that is still free, counted down while one transaction is put together. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::lanes::LaneName;
use super::ledger::Ledger;
use super::limits::{Home, Limits};
use crate::models::{OfferId, Timestamp};

/// What a task in the running set costs in memory besides its content, roughly.
pub(super) const TASK_BYTES: usize = 1024;

#[derive(Debug)]
pub(super) struct Room {
    pub limits: Arc<Limits>,
    /// Nothing starts at all.
    pub closed: bool,
    pub tasks: u64,
    pub bytes: usize,
    pub now: Timestamp,
    /// What the transaction changes of the processors, and of the keys, that the ledger knows.
    pub processors: HashMap<String, Change>,
    pub keys: HashMap<String, Change>,
    /// Outside workers that wait for tasks, the first come first.
    pub offers: Vec<Offer>,
}

/// What a transaction changes of a processor or a key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    /// Tasks that end, and so give their places back first.
    pub ended: u64,
    /// Tasks that start.
    pub taken: u64,
}

/// An outside worker that waits for tasks.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub id: OfferId,
    pub processors: Arc<[String]>,
    /// Tasks that it still takes.
    pub left: u64,
}

/// A place that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// For a task that runs elsewhere: the offer that it answers.
    pub offer: Option<OfferId>,
}

impl Room {
    /// Tasks of this processor that may still start, as far as their keys allow it.
    pub fn of_processor(&self, ledger: &Ledger, processor: &str) -> u64 {
        if self.closed {
            return 0;
        }
        let change = self.processors.get(processor).copied();
        let own = ledger.free_of_processor(processor, change.unwrap_or_default(), self.now);
        own.min(self.of_place(processor))
    }

    /// Tasks of this key that may still start, as far as their processors allow it.
    pub fn of_key(&self, ledger: &Ledger, key: &str) -> u64 {
        let change = self.keys.get(key).copied();
        ledger.free_of_key(key, change.unwrap_or_default(), self.now)
    }

    /// A running task of this lane ends.
    pub fn give_back(&mut self, lane: LaneName<'_>) {
        change(&mut self.processors, lane.processor).ended += 1;
        if let Some(key) = lane.key {
            change(&mut self.keys, key).ended += 1;
        }
    }

    /// Takes a place for a task of this lane with a content of `bytes`, if there is one.
    ///
    /// The last free byte admits a task of any size, so that the largest content can run at all.
    pub fn take(&mut self, ledger: &Ledger, lane: LaneName<'_>, bytes: usize) -> Option<Slot> {
        let is_full = lane.key.is_some_and(|key| self.of_key(ledger, key) == 0);
        if is_full || self.of_processor(ledger, lane.processor) == 0 {
            return None;
        }
        change(&mut self.processors, lane.processor).taken += 1;
        if let Some(key) = lane.key {
            change(&mut self.keys, key).taken += 1;
        }
        if self.limits.is_external(lane.processor) {
            let offer = self.offers_for(lane.processor).next()?;
            offer.left -= 1;
            let offer = Some(offer.id);
            return Some(Slot { offer });
        }
        self.tasks -= 1;
        self.bytes = self.bytes.saturating_sub(bytes + TASK_BYTES);
        Some(Slot { offer: None })
    }

    /// Places in the queue, or with outside workers.
    fn of_place(&self, processor: &str) -> u64 {
        match self.limits.homes.get(processor) {
            None => 0,
            Some(Home::Here) if self.bytes == 0 => 0,
            Some(Home::Here) => self.tasks,
            Some(Home::Elsewhere) => {
                let takes = |offer: &&Offer| offer.processors.iter().any(|name| name == processor);
                let offers = self.offers.iter().filter(takes);
                offers.map(|offer| offer.left).sum()
            }
        }
    }

    fn offers_for<'a>(&'a mut self, processor: &'a str) -> impl Iterator<Item = &'a mut Offer> {
        let takes = move |offer: &&mut Offer| {
            offer.left > 0 && offer.processors.iter().any(|name| name == processor)
        };
        self.offers.iter_mut().filter(takes)
    }
}

fn change<'a>(changes: &'a mut HashMap<String, Change>, name: &str) -> &'a mut Change {
    if !changes.contains_key(name) {
        changes.insert(name.to_owned(), Change::default());
    }
    changes.get_mut(name).expect("it is there")
}
