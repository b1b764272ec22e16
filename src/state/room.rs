//! Room that is still free, counted down while one transaction is put together. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::lanes::LaneName;
use super::limits::{Home, Limits};
use crate::models::OfferId;

/// What a task in the running set costs in memory besides its content, roughly.
pub(super) const TASK_BYTES: usize = 1024;

#[derive(Debug)]
pub(super) struct Room {
    pub limits: Arc<Limits>,
    /// Nothing starts at all.
    pub closed: bool,
    pub tasks: u64,
    pub bytes: usize,
    /// Free places of the processors that have fewer than the queue.
    pub processors: HashMap<String, u64>,
    /// Free places of the keys that are in use; any other has all of its own.
    pub keys: HashMap<String, u64>,
    /// Outside workers that wait for tasks, the first come first.
    pub offers: Vec<Offer>,
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
    /// Tasks of this lane that may still start.
    pub fn of(&self, lane: LaneName<'_>) -> u64 {
        if self.closed {
            return 0;
        }
        let own = self.processors.get(lane.processor).copied();
        let own = own.unwrap_or(u64::MAX);
        let key = lane.key.map_or(u64::MAX, |key| self.of_key(key));
        own.min(key).min(self.of_place(lane.processor))
    }

    /// Takes a place for a task of this lane with a content of `bytes`, if there is one.
    ///
    /// The last free byte admits a task of any size, so that the largest content can run at all.
    pub fn take(&mut self, lane: LaneName<'_>, bytes: usize) -> Option<Slot> {
        if self.of(lane) == 0 {
            return None;
        }
        if let Some(free) = self.processors.get_mut(lane.processor) {
            *free -= 1;
        }
        if let Some(key) = lane.key {
            let free = self.of_key(key);
            self.keys.insert(key.to_owned(), free - 1);
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

    fn of_key(&self, key: &str) -> u64 {
        let unused = || {
            let rule = self.limits.key(key);
            let starts = rule.rate.map_or(u64::MAX, |rate| u64::from(rate.starts));
            rule.concurrency.unwrap_or(u64::MAX).min(starts)
        };
        self.keys.get(key).copied().unwrap_or_else(unused)
    }

    fn offers_for<'a>(&'a mut self, processor: &'a str) -> impl Iterator<Item = &'a mut Offer> {
        let takes = move |offer: &&mut Offer| {
            offer.left > 0 && offer.processors.iter().any(|name| name == processor)
        };
        self.offers.iter_mut().filter(takes)
    }
}
