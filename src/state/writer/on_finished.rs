//! Unblocks or fails the dependents of a finished task, chunk by chunk.

use std::collections::HashSet;

use crate::models::{Failure, TaskId, Timestamp};
use crate::state::dependencies::cycles::{circles, links_of_waiting};
use crate::state::dependencies::{
    CHUNK_LINKS, EdgeChunk, EdgeProgress, fail_cycle_members, fail_dependents_of_missing,
    final_and_awaited, missing, process_edges,
};
use crate::state::error::Error;
use crate::state::retry::sql::Waiting;
use crate::state::writer::background::BackgroundJob;
use crate::state::writer::core::Core;
use crate::state::writer::publish::Committed;

impl Core {
    /// Notes that these tasks, which may be final already, have dependents.
    pub(crate) fn note_dependents_of(&mut self, tasks: HashSet<TaskId>) {
        for task in tasks {
            self.queue.awaited.insert(task);
            self.on_finished(task);
        }
    }

    /// A task may have become final: has the edges of its dependents processed soon.
    pub(crate) fn on_finished(&mut self, task: TaskId) {
        if self.queue.awaited.contains(&task) {
            let job = BackgroundJob::OnFinished(task);
            self.background.jobs.push_back(job);
        }
    }

    /// Processes a chunk of the edges of `upstream`, if it is final.
    pub(crate) async fn process_edges_of(
        &mut self,
        upstream: TaskId,
    ) -> Result<EdgeProgress, Error> {
        let time = Timestamp::now();
        let now = time.to_string();
        let written = self
            .transact(time, async |conn| process_edges(conn, upstream, &now).await)
            .await?;
        let progress = self.apply_edges(written).await;
        if progress == EdgeProgress::Done {
            self.queue.awaited.remove(&upstream);
        }
        Ok(progress)
    }

    /// Processes all edges of those of these tasks (a JSON list of ids) that are final.
    pub(crate) async fn process_all_edges(&mut self, tasks: &str) -> Result<(), Error> {
        for task in final_and_awaited(&mut self.db.conn, tasks).await? {
            while self.process_edges_of(task).await? == EdgeProgress::More {}
        }
        Ok(())
    }

    /// Fails the tasks that depend on missing tasks, or on each other in a cycle. Not while a dump comes in,
    /// whose tasks may come in any order.
    pub(crate) async fn fail_hopeless(&mut self) -> Result<(), Error> {
        let missing = missing(&mut self.db.conn).await?;
        self.fail_missing(missing).await?;
        let links = links_of_waiting(&mut self.db.conn).await?;
        let links = links.into_iter().filter_map(|(upstream, downstream)| {
            Some((
                TaskId::parse_str(&upstream).ok()?,
                TaskId::parse_str(&downstream).ok()?,
            ))
        });
        let cycles = circles(&links.collect::<Vec<_>>());
        for members in cycles.chunks(CHUNK_LINKS as usize) {
            let time = Timestamp::now();
            let now = time.to_string();
            let written = self
                .transact(time, async |conn| {
                    fail_cycle_members(conn, members, &now).await
                })
                .await?;
            self.apply_edges(written).await;
        }
        Ok(())
    }

    /// Fails the dependents of those of these tasks that do not exist.
    pub(crate) async fn fail_missing(&mut self, missing: Vec<TaskId>) -> Result<(), Error> {
        for upstream in missing {
            loop {
                let time = Timestamp::now();
                let now = time.to_string();
                let written = self
                    .transact(time, async |conn| {
                        fail_dependents_of_missing(conn, upstream, &now).await
                    })
                    .await?;
                match self.apply_edges(written).await {
                    EdgeProgress::More => {}
                    EdgeProgress::NotFinal => break,
                    EdgeProgress::Done => {
                        self.queue.awaited.remove(&upstream);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    async fn apply_edges(&mut self, (chunk, committed): (EdgeChunk, Committed)) -> EdgeProgress {
        let ended = chunk.unblocked.len() + chunk.failed.len();
        self.queue.blocked = self.queue.blocked.saturating_sub(ended as u64);
        self.enqueue(&chunk.unblocked, committed.time);
        for (task, processor) in &chunk.failed {
            self.meters.of(processor).failed(Failure::Upstream, 1);
            self.on_finished(*task);
        }
        self.publish(committed).await;
        chunk.progress
    }

    fn enqueue(&mut self, tasks: &[Waiting], now: Timestamp) {
        for task in tasks {
            self.queue.lanes.add(task.lane(), task.place(), now);
            self.due_since.record(task.seq, now);
        }
        self.more_to_claim = true;
    }
}
