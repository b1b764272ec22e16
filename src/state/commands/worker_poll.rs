//! Polls of outside workers: an offer is the number of free slots of a worker, for tasks of its processors.

use std::sync::Arc;

use crate::models::{Lease, LeaseOrigin, OfferId};
use crate::state::dispatch::poll_slot::PollSlot;
use crate::state::error::Error;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Up to `limit` tasks of these processors have a worker that runs them.
pub(crate) struct OfferSlots {
    pub(crate) id: OfferId,
    pub(crate) processors: Vec<String>,
    pub(crate) limit: u64,
}

/// Ends an offer, and returns how many of its tasks have not started.
pub(crate) struct WithdrawOffer(pub(crate) OfferId);

impl WriterCommand for OfferSlots {
    type Answer = ();

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<(), Error> {
        core.queue.poll_slots.push(PollSlot {
            id: self.id,
            processors: Arc::from(self.processors),
            left: self.limit,
        });
        core.more_to_claim = true;
        Ok(())
    }
}

impl WriterCommand for WithdrawOffer {
    type Answer = u64;

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<u64, Error> {
        let offers = &mut core.queue.poll_slots;
        let ended = offers.extract_if(.., |offer| offer.id == self.0);
        Ok(ended.map(|offer| offer.left).sum())
    }
}

impl Core {
    /// A task has started with this lease: its offer has room for one less.
    pub(crate) fn count_poll(&mut self, lease: Option<Lease>) {
        let Some(LeaseOrigin::Offer(id)) = lease.map(|lease| lease.origin) else {
            return;
        };
        for offer in self.queue.poll_slots.iter_mut().filter(|it| it.id == id) {
            offer.left = offer.left.saturating_sub(1);
        }
        self.queue.poll_slots.retain(|offer| offer.left > 0);
    }
}
