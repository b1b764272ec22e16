//! Which waiting tasks start next: every lane that has room is asked for its first, and the most urgent
//! of them take the places.
//!
//! So a flood in one lane cannot starve another: what has no room is not even looked at.

use super::Error;
use super::batch::Plan;
use super::lanes::{Front, LaneName, Place};
use super::waiting::{self, Candidate, OwnedLane};
use super::writer::Writer;
use crate::models::{ClaimedTask, Timestamp};

/// Waiting tasks claimed in one transaction.
const CLAIM_TASKS: usize = 256;
/// Lanes whose fronts are looked up for one transaction.
const LOOKED_UP_LANES: usize = 256;

/// The lanes that have room and may have something to start.
#[derive(Default)]
struct Open {
    /// Those without a key, each with its free places: few, and read as far as they have room.
    plain: Vec<(String, u64)>,
    /// Those with a key, which may be thousands: some of those whose fronts are unknown.
    unknown: Vec<OwnedLane>,
    /// The fronts that are known.
    fronts: Vec<Place>,
}

impl Writer {
    /// Chooses waiting tasks to start with the room that is left.
    pub(super) async fn plan_claims(
        &mut self,
        plan: &mut Plan,
        time: Timestamp,
        now: &str,
    ) -> Result<(), Error> {
        if plan.room.closed || self.ledger.lanes.total() == 0 {
            return Ok(());
        }
        let open = self.open_lanes(plan, time);
        let mut candidates = self.plain_candidates(&open.plain, now).await?;
        candidates.extend(
            self.keyed_candidates(open.unknown, open.fronts, now)
                .await?,
        );
        candidates.sort_by_key(|candidate| candidate.place);
        candidates.truncate(CLAIM_TASKS);
        plan.claims = candidates
            .into_iter()
            .filter_map(|candidate| {
                let slot = plan.room.take(candidate.lane(), candidate.bytes)?;
                Some((candidate.attempt, slot))
            })
            .collect();
        Ok(())
    }

    fn open_lanes(&self, plan: &Plan, time: Timestamp) -> Open {
        let mut open = Open::default();
        for (lane, front) in self.ledger.lanes.iter() {
            let front = front.at(time);
            if !front.may_be_due(time) {
                continue;
            }
            let free = plan.room.of(lane);
            match (lane.key, front) {
                _ if free == 0 => {}
                (None, _) => open.plain.push((lane.processor.to_owned(), free)),
                (Some(_), Front::Known { due, .. }) => open.fronts.extend(due),
                (Some(_), Front::Unknown) if open.unknown.len() == LOOKED_UP_LANES => {}
                (Some(key), Front::Unknown) => {
                    let lane = (lane.processor.to_owned(), Some(key.to_owned()));
                    open.unknown.push(lane);
                }
            }
        }
        open
    }

    async fn plain_candidates(
        &mut self,
        lanes: &[(String, u64)],
        now: &str,
    ) -> Result<Vec<Candidate>, Error> {
        let mut candidates = Vec::new();
        for (processor, free) in lanes {
            let key = None;
            let lane = LaneName { processor, key };
            let limit = (*free).min(CLAIM_TASKS as u64) as i64;
            let found = waiting::next_due_tasks(&mut self.conn, lane, now, limit).await?;
            if found.is_empty() {
                let lane = (processor.clone(), None);
                self.look_up(&[lane], now).await?;
            }
            candidates.extend(found);
        }
        Ok(candidates)
    }

    /// The most urgent tasks that stand at the fronts of lanes with a key.
    async fn keyed_candidates(
        &mut self,
        unknown: Vec<OwnedLane>,
        mut fronts: Vec<Place>,
        now: &str,
    ) -> Result<Vec<Candidate>, Error> {
        if !unknown.is_empty() {
            let found = self.look_up(&unknown, now).await?;
            fronts.extend(found.into_iter().filter_map(|front| match front {
                Front::Known { due, .. } => due,
                Front::Unknown => None,
            }));
        }
        if fronts.is_empty() {
            return Ok(Vec::new());
        }
        fronts.sort_unstable();
        fronts.truncate(CLAIM_TASKS);
        let seqs: Vec<_> = fronts.iter().map(|place| place.seq).collect();
        waiting::tasks_at(&mut self.conn, &seqs).await
    }

    /// Looks at the fronts of these lanes, and remembers them.
    async fn look_up(&mut self, lanes: &[OwnedLane], now: &str) -> Result<Vec<Front>, Error> {
        let fronts = waiting::fronts(&mut self.conn, lanes, now).await?;
        for ((processor, key), front) in lanes.iter().zip(&fronts) {
            let lane = LaneName {
                processor,
                key: key.as_deref(),
            };
            self.ledger.lanes.learn(lane, *front);
        }
        Ok(fronts)
    }
}

impl Plan {
    /// Puts the tasks that were claimed in the order in which they were chosen, each with its place.
    pub(super) fn hand_out(&self, claimed: &mut [ClaimedTask]) {
        let index = |task: &ClaimedTask| {
            let mut claims = self.claims.iter();
            claims.position(|(attempt, _)| *attempt == task.attempt)
        };
        claimed.sort_by_cached_key(index);
        for task in claimed {
            let chosen = index(task).map(|index| self.claims[index].1);
            task.terms.offer = chosen.and_then(|slot| slot.offer);
        }
    }
}
