//! Outside workers that wait for tasks: an offer is room for tasks of processors that run elsewhere.

use std::sync::Arc;

use crate::models::{Lease, LeaseOrigin, OfferId};
use crate::state::dispatch::poll_slot::PollSlot;
use crate::state::writer::run::Writer;

impl Writer {
    /// Up to `limit` tasks of these processors have somebody to run them.
    pub(crate) fn offer(&mut self, id: OfferId, processors: Vec<String>, limit: u64) {
        self.queue_state.poll_slots.push(PollSlot {
            id,
            processors: Arc::from(processors),
            left: limit,
        });
        self.more_to_claim = true;
    }

    /// Ends an offer; how many of its tasks have not started.
    pub(crate) fn withdraw(&mut self, id: OfferId) -> u64 {
        let ended = self
            .queue_state
            .poll_slots
            .extract_if(.., |offer| offer.id == id);
        ended.map(|offer| offer.left).sum()
    }

    /// A task has started on these terms: its offer has room for one less.
    pub(crate) fn take_offer(&mut self, lease: Option<Lease>) {
        let Some(LeaseOrigin::Offer(id)) = lease.map(|lease| lease.origin) else {
            return;
        };
        for offer in self
            .queue_state
            .poll_slots
            .iter_mut()
            .filter(|it| it.id == id)
        {
            offer.left = offer.left.saturating_sub(1);
        }
        self.queue_state.poll_slots.retain(|offer| offer.left > 0);
    }
}
