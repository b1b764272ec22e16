//! Outside workers that wait for tasks: an offer is room for tasks of processors that run elsewhere.

use std::sync::Arc;

use super::room::Offer;
use super::writer::Writer;
use crate::models::OfferId;

impl Writer {
    /// Up to `limit` tasks of these processors have somebody to run them.
    pub(super) fn offer(&mut self, processors: Vec<String>, limit: u64) -> OfferId {
        self.last_offer += 1;
        let id = self.last_offer;
        self.ledger.offers.push(Offer {
            id,
            processors: Arc::from(processors),
            left: limit,
        });
        self.more_to_claim = true;
        id
    }

    /// A task has started that answers this offer.
    pub(super) fn take_offer(&mut self, offer: Option<OfferId>) {
        let Some(id) = offer else {
            return;
        };
        for offer in self.ledger.offers.iter_mut().filter(|it| it.id == id) {
            offer.left = offer.left.saturating_sub(1);
        }
        self.ledger.offers.retain(|offer| offer.left > 0);
    }
}
