//! Claims PENDING tasks: every lane with capacity offers its first ones, and the most urgent of them take the slots.
//!
//! Lanes at their limit are skipped, so a backlog in one lane never delays another.

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

/// Tasks claimed in one transaction.
const CLAIM_TASKS: usize = 256;
/// Lanes whose heads are looked up for one transaction.
const LOOKED_UP_LANES: usize = 256;

/// The lanes that have capacity and may have a ready task.
#[derive(Default)]
struct Open {
    /// Lanes without a key, each with its free slots. They are few, and are read as far as they have slots.
    plain: Vec<(String, u64)>,
    /// Lanes with a key, which may be thousands, whose heads are unknown: those that may be the most urgent.
    unknown: Vec<OwnedLane>,
    /// The most urgent of the known heads.
    fronts: Vec<(LanePosition, OwnedLane)>,
}

impl Core {
    /// Chooses the PENDING tasks that take the capacity that is left.
    pub(crate) async fn plan_claims(
        &mut self,
        plan: &mut Plan,
        time: Timestamp,
        now: &str,
    ) -> Result<(), Error> {
        if plan.room.halted || self.queue.lanes.total() == 0 {
            return Ok(());
        }
        let open = self.open_lanes(plan, time);
        let mut candidates = self.plain_candidates(&open.plain, now).await?;
        candidates.extend(
            self.keyed_candidates(open.unknown, open.fronts, now)
                .await?,
        );
        candidates.sort_by_key(|candidate| candidate.position);
        candidates.truncate(CLAIM_TASKS);
        plan.claims = candidates
            .into_iter()
            .filter_map(|candidate| {
                let lane = candidate.lane();
                let slot = plan.room.reserve(&self.queue, lane, candidate.bytes)?;
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

    /// The lanes to look at. Lanes whose keys are at their limit are put to sleep until the keys have capacity.
    fn open_lanes(&mut self, plan: &Plan, time: Timestamp) -> Open {
        let queue_state = &self.queue;
        let has_room = |key: &str| plan.room.slots_for_key(queue_state, key) > 0;
        let mut open = Open::default();
        let mut unknown = Vec::new();
        let mut shut = Vec::new();
        for (processor, lanes) in queue_state.lanes.processors() {
            let free = plan.room.slots_for_processor(queue_state, processor);
            if free == 0 {
                continue;
            }
            if lanes.unkeyed_may_be_due(time) {
                open.plain.push((processor.to_owned(), free));
            }
            let name = |key: &str| (processor.to_owned(), Some(key.to_owned()));
            let (fronts, looked_up) = (open.fronts.len(), unknown.len());
            let most = usize::try_from(free).unwrap_or(usize::MAX).min(CLAIM_TASKS);
            for (place, key) in lanes.due() {
                if !has_room(key) {
                    shut.push((processor.to_owned(), key.to_owned()));
                } else if open.fronts.len() - fronts < most {
                    open.fronts.push((place, name(key)));
                } else {
                    break;
                }
            }
            for (urgency, key) in lanes.unknown() {
                if !has_room(key) {
                    shut.push((processor.to_owned(), key.to_owned()));
                } else if unknown.len() - looked_up < LOOKED_UP_LANES {
                    unknown.push((Reverse(urgency), name(key)));
                } else {
                    break;
                }
            }
        }
        unknown.sort_by_key(|(urgency, _)| *urgency);
        unknown.truncate(LOOKED_UP_LANES);
        open.unknown = unknown.into_iter().map(|(_, lane)| lane).collect();
        self.shut(shut, time);
        open
    }

    /// Puts the lanes to sleep whose keys are at their limit by what is committed, not only by this plan.
    fn shut(&mut self, lanes: Vec<(String, String)>, time: Timestamp) {
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

    async fn plain_candidates(
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

    /// The first tasks of a processor's lane without a key: prefetched, or read with some of those that follow.
    async fn first_of(
        &mut self,
        processor: &str,
        count: usize,
        now: &str,
    ) -> Result<Vec<Candidate>, Error> {
        let key = None;
        let lane = LaneName { processor, key };
        let ahead = self.queue.lanes.prefetch(processor);
        if let Some(known) = ahead.as_ref().and_then(|ahead| ahead.first(count)) {
            return Ok(known);
        }
        let limit = ahead.map_or(count, |ahead| ahead.read_size(count));
        let conn = &mut self.db.conn;
        let mut found = candidates_sql::next_due_tasks(conn, lane, now, limit as i64).await?;
        let Some(last) = found.last() else {
            let lane = (processor.to_owned(), None);
            self.look_up(&[lane], now).await?;
            return Ok(found);
        };
        let is_more = found.len() > count;
        let until = match last.position.priority {
            Reverse(priority) if is_more => {
                candidates_sql::next_more_urgent(conn, lane, priority, now).await?
            }
            Reverse(_) => None,
        };
        if let Some(ahead) = self.queue.lanes.prefetch(processor) {
            ahead.adapt_read_size(limit, found.len());
            if is_more {
                ahead.fill(found.clone(), until);
            }
        }
        found.truncate(count);
        Ok(found)
    }

    /// The most urgent heads of lanes with a key.
    async fn keyed_candidates(
        &mut self,
        unknown: Vec<OwnedLane>,
        mut fronts: Vec<(LanePosition, OwnedLane)>,
        now: &str,
    ) -> Result<Vec<Candidate>, Error> {
        if !unknown.is_empty() {
            let found = self.look_up(&unknown, now).await?;
            let found = found.into_iter().zip(unknown);
            fronts.extend(found.filter_map(|(front, lane)| match front {
                LaneHead::Known { due, .. } => Some((due?, lane)),
                LaneHead::Unknown => None,
            }));
        }
        if fronts.is_empty() {
            return Ok(Vec::new());
        }
        fronts.sort_unstable();
        fronts.truncate(CLAIM_TASKS);
        let seqs: Vec<_> = fronts.iter().map(|(place, _)| place.seq).collect();
        let candidates = candidates_sql::candidates_at(&mut self.db.conn, &seqs).await?;
        let found: HashSet<_> = candidates.iter().map(|it| it.attempt.seq).collect();
        for (place, (processor, key)) in &fronts {
            if !found.contains(&place.seq) {
                // Another program has changed it.
                let key = key.as_deref();
                let lane = LaneName { processor, key };
                self.queue.lanes.set_head(lane, LaneHead::Unknown);
            }
        }
        Ok(candidates)
    }

    /// Reads the heads of these lanes, and remembers them.
    async fn look_up(&mut self, lanes: &[OwnedLane], now: &str) -> Result<Vec<LaneHead>, Error> {
        let fronts = lane_heads_sql::lane_heads(&mut self.db.conn, lanes, now).await?;
        for ((processor, key), front) in lanes.iter().zip(&fronts) {
            let lane = LaneName {
                processor,
                key: key.as_deref(),
            };
            self.queue.lanes.set_head(lane, *front);
        }
        Ok(fronts)
    }
}

impl Plan {
    /// Sorts the claimed tasks in the order in which they were chosen, and gives each its lease.
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
