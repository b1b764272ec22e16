//! Chooses which pending tasks start next: the most urgent ready tasks of lanes below their limits.
//!
//! `process_batch` calls [`Core::plan_claims`] after the submissions of the batch have been planned. Lanes at their limit are skipped, so a backlog in one lane never delays another.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::models::{ClaimedTask, Timestamp};
use crate::state::dispatch::capacity::CapacityChange;
use crate::state::dispatch::lanes::candidate::Candidate;
use crate::state::dispatch::lanes::head::{LaneHead, LanePosition};
use crate::state::dispatch::lanes::lane_name::{LaneName, OwnedLane};
use crate::state::dispatch::{candidates_sql, lane_heads_sql};
use crate::state::error::Error;
use crate::state::writer::batch::{Plan, PlannedClaim};
use crate::state::writer::core::Core;

/// Maximum number of tasks claimed in one transaction.
const CLAIM_TASKS: usize = 256;
/// Maximum number of lanes whose heads are read for one transaction.
const LOOKED_UP_LANES: usize = 256;

/// The lanes that have free slots and may have a ready task.
#[derive(Default)]
struct OpenLanes {
    /// Processors whose lane without a key is open, each with its free slots.
    unkeyed: Vec<(String, u64)>,
    /// Lanes with a key whose heads are unknown, the possibly most urgent first. There may be thousands of lanes.
    unknown: Vec<OwnedLane>,
    /// Lanes with a key whose heads are known and ready, with the position of each head.
    heads: Vec<(LanePosition, OwnedLane)>,
}

impl Core {
    /// Chooses the PENDING tasks that start, adds them to `plan.claims`, and reserves their slots.
    pub(crate) async fn plan_claims(
        &mut self,
        plan: &mut Plan,
        time: Timestamp,
        now: &str,
    ) -> Result<(), Error> {
        if plan.capacity.halted || self.queue.lanes.total() == 0 {
            return Ok(());
        }
        let open = self.open_lanes(plan, time);
        let mut candidates = self.unkeyed_candidates(&open.unkeyed, now).await?;
        candidates.extend(self.keyed_candidates(open.unknown, open.heads, now).await?);
        candidates.sort_by_key(|candidate| candidate.position);
        candidates.truncate(CLAIM_TASKS);
        plan.claims = candidates
            .into_iter()
            .filter_map(|candidate| {
                let lane = candidate.lane();
                let slot = plan.capacity.reserve(&self.queue, lane, candidate.bytes)?;
                let is_rated = self.queue.limits().period(lane).is_some();
                Some(PlannedClaim {
                    attempt: candidate.attempt,
                    slot,
                    rated: is_rated.then_some((candidate.processor, candidate.key)),
                })
            })
            .collect();
        Ok(())
    }

    /// Returns the lanes to read. Puts lanes to sleep whose keys are at their limit.
    fn open_lanes(&mut self, plan: &Plan, time: Timestamp) -> OpenLanes {
        let queue_state = &self.queue;
        let has_slot = |key: &str| plan.capacity.slots_for_key(queue_state, key) > 0;
        let mut open = OpenLanes::default();
        let mut unknown = Vec::new();
        let mut full = Vec::new();
        for (processor, lanes) in queue_state.lanes.processors() {
            let free = plan.capacity.slots_for_processor(queue_state, processor);
            if free == 0 {
                continue;
            }
            if lanes.unkeyed_may_be_due(time) {
                open.unkeyed.push((processor.to_owned(), free));
            }
            let name = |key: &str| (processor.to_owned(), Some(key.to_owned()));
            let (heads_before, unknown_before) = (open.heads.len(), unknown.len());
            let max_heads = usize::try_from(free).unwrap_or(usize::MAX).min(CLAIM_TASKS);
            for (position, key) in lanes.due() {
                if !has_slot(key) {
                    full.push((processor.to_owned(), key.to_owned()));
                } else if open.heads.len() - heads_before < max_heads {
                    open.heads.push((position, name(key)));
                } else {
                    break;
                }
            }
            for (urgency, key) in lanes.unknown() {
                if !has_slot(key) {
                    full.push((processor.to_owned(), key.to_owned()));
                } else if unknown.len() - unknown_before < LOOKED_UP_LANES {
                    unknown.push((Reverse(urgency), name(key)));
                } else {
                    break;
                }
            }
        }
        unknown.sort_by_key(|(urgency, _)| *urgency);
        unknown.truncate(LOOKED_UP_LANES);
        open.unknown = unknown.into_iter().map(|(_, lane)| lane).collect();
        self.sleep_full_lanes(full, time);
        open
    }

    /// Puts the lanes to sleep whose keys are at their limit, until a slot may be free. Slots that only this plan
    /// reserves do not count, because the plan may not be committed.
    fn sleep_full_lanes(&mut self, lanes: Vec<(String, String)>, time: Timestamp) {
        for (processor, key) in lanes {
            if self
                .queue
                .slots_for_key(&key, CapacityChange::default(), time)
                == 0
            {
                let until = self.queue.key_rate_frees_at(&key, time);
                self.queue.lanes.sleep(&processor, &key, until);
            }
        }
    }

    /// Returns the first ready tasks of the lanes without a key, at most as many as each lane has free slots.
    async fn unkeyed_candidates(
        &mut self,
        lanes: &[(String, u64)],
        now: &str,
    ) -> Result<Vec<Candidate>, Error> {
        let mut candidates = Vec::new();
        for (processor, free) in lanes {
            let count = usize::try_from(*free).unwrap_or(usize::MAX);
            candidates.extend(
                self.first_of(processor, count.min(CLAIM_TASKS), now)
                    .await?,
            );
        }
        Ok(candidates)
    }

    /// Returns the first `count` ready tasks of a processor's lane without a key. They come from the prefetch; if it is
    /// empty, this reads them and fills the prefetch with those that follow.
    async fn first_of(
        &mut self,
        processor: &str,
        count: usize,
        now: &str,
    ) -> Result<Vec<Candidate>, Error> {
        let key = None;
        let lane = LaneName { processor, key };
        let prefetch = self.queue.lanes.prefetch(processor);
        if let Some(known) = prefetch.as_ref().and_then(|prefetch| prefetch.first(count)) {
            return Ok(known);
        }
        let limit = prefetch.map_or(count, |prefetch| prefetch.read_size(count));
        let conn = &mut self.db.conn;
        let mut found = candidates_sql::next_due_tasks(conn, lane, now, limit as i64).await?;
        let Some(last) = found.last() else {
            let lane = (processor.to_owned(), None);
            self.read_heads(&[lane], now).await?;
            return Ok(found);
        };
        let has_more = found.len() > count;
        let until = match last.position.priority {
            Reverse(priority) if has_more => {
                candidates_sql::next_more_urgent(conn, lane, priority, now).await?
            }
            Reverse(_) => None,
        };
        if let Some(prefetch) = self.queue.lanes.prefetch(processor) {
            prefetch.adapt_read_size(limit, found.len());
            if has_more {
                prefetch.fill(found.clone(), until);
            }
        }
        found.truncate(count);
        Ok(found)
    }

    /// Returns the most urgent heads of lanes with a key as candidates. Reads the unknown heads first.
    async fn keyed_candidates(
        &mut self,
        unknown: Vec<OwnedLane>,
        mut heads: Vec<(LanePosition, OwnedLane)>,
        now: &str,
    ) -> Result<Vec<Candidate>, Error> {
        if !unknown.is_empty() {
            let found = self.read_heads(&unknown, now).await?;
            let found = found.into_iter().zip(unknown);
            heads.extend(found.filter_map(|(head, lane)| match head {
                LaneHead::Known { due, .. } => Some((due?, lane)),
                LaneHead::Unknown => None,
            }));
        }
        if heads.is_empty() {
            return Ok(Vec::new());
        }
        heads.sort_unstable();
        heads.truncate(CLAIM_TASKS);
        let seqs: Vec<_> = heads.iter().map(|(position, _)| position.seq).collect();
        let candidates = candidates_sql::candidates_at(&mut self.db.conn, &seqs).await?;
        let found: HashSet<_> = candidates.iter().map(|it| it.attempt.seq).collect();
        for (position, (processor, key)) in &heads {
            if !found.contains(&position.seq) {
                // Another program has changed the task.
                let key = key.as_deref();
                let lane = LaneName { processor, key };
                self.queue.lanes.set_head(lane, LaneHead::Unknown);
            }
        }
        Ok(candidates)
    }

    /// Reads the heads of these lanes, stores them in the queue state and returns them.
    async fn read_heads(&mut self, lanes: &[OwnedLane], now: &str) -> Result<Vec<LaneHead>, Error> {
        let heads = lane_heads_sql::lane_heads(&mut self.db.conn, lanes, now).await?;
        for ((processor, key), head) in lanes.iter().zip(&heads) {
            let lane = LaneName {
                processor,
                key: key.as_deref(),
            };
            self.queue.lanes.set_head(lane, *head);
        }
        Ok(heads)
    }
}

impl Plan {
    /// Sorts the claimed tasks in the order of the plan's claims and sets the lease of each.
    pub(crate) fn hand_out(&self, claimed: &mut [ClaimedTask]) {
        let index = |task: &ClaimedTask| {
            let mut claims = self.claims.iter();
            claims.position(|claim| claim.attempt == task.attempt)
        };
        claimed.sort_by_cached_key(index);
        for task in claimed {
            let chosen = index(task).map(|index| self.claims[index].slot);
            task.terms.lease = chosen.and_then(|slot| slot.lease);
        }
    }
}
