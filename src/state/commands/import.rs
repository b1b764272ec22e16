//! Imports the tasks of a dump, a chunk in one transaction.

use std::time::Duration;

use tokio::time::Instant;

use crate::models::{Task, Timestamp};
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::error::Error;
use crate::state::import;
use crate::state::import::{ImportReport, Imported};
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// How long the next chunk of a dump may take to come.
const BETWEEN_CHUNKS: Duration = Duration::from_mins(1);

/// Imports these tasks.
pub(crate) struct ImportTasks {
    pub(crate) tasks: Vec<Task>,
    pub(crate) replace: bool,
}

/// All tasks of a dump are imported: those that depend on a task that was not among them fail.
pub(crate) struct EndImport;

impl WriterCommand for ImportTasks {
    type Answer = ImportReport;

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<ImportReport, Error> {
        core.importing_until = Instant::now() + BETWEEN_CHUNKS;
        let time = Timestamp::now();
        let written = core.transact(time, async |conn| {
            let mut imported = import::import(conn, self.tasks, self.replace).await?;
            let mut entries = std::mem::take(&mut imported.rows);
            entries.extend(imported.report.audit_entry(actor));
            Ok((imported, entries))
        });
        let (imported, committed) = written.await?;
        let report = core.apply_import(imported, time);
        core.publish(committed).await;
        Ok(report)
    }
}

impl WriterCommand for EndImport {
    type Answer = ();

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<(), Error> {
        core.importing_until = Instant::now();
        let ended = core.fail_hopeless().await;
        // So that no start looks through the rows of a whole dump.
        core.stats.store_soon();
        ended
    }
}

impl Core {
    fn apply_import(&mut self, imported: Imported, time: Timestamp) -> ImportReport {
        let queue = &mut self.queue;
        self.due_since.record_import(time);
        for ((processor, key), count) in &imported.pending {
            let key = key.as_deref();
            queue.lanes.add_unknown(LaneName { processor, key }, *count);
        }
        queue.blocked += imported.blocked;
        for ((processor, key), count) in &imported.no_longer_pending {
            let key = key.as_deref();
            queue.lanes.remove(LaneName { processor, key }, *count);
        }
        queue.blocked = queue.blocked.saturating_sub(imported.no_longer_blocked);
        if imported.report.replaced > 0 {
            self.say_that_waiting_ended();
        }
        self.note_dependents_of(imported.upstream);
        self.more_to_claim = true;
        imported.report
    }
}
