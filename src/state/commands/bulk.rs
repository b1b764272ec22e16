//! Changes a chunk of the tasks that pass a filter. Tasks that changed since the search are skipped.

use std::collections::HashSet;

use serde_json::json;
use sqlx::SqliteConnection;

use crate::models::TaskId;
use crate::state::db::text::Text;
use crate::state::dependencies::needed_by;
use crate::state::error::Error;
use crate::state::query::list;
use crate::state::query::list::FoundTask;
use crate::state::retry::requeue::RetryAt;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// What is done to many tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BulkChange {
    Retry(RetryAt),
    Delete,
}

/// Changes these tasks in one transaction.
pub(crate) struct ChangeFound(pub(crate) BulkChange, pub(crate) Vec<FoundTask>);

/// What was done to some of many tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BulkChanged {
    pub(crate) changed: u64,
    /// Tasks that were kept, because open tasks need their results.
    pub(crate) needed: u64,
}

impl WriterCommand for ChangeFound {
    type Answer = BulkChanged;

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<BulkChanged, Error> {
        let Self(change, found) = self;
        match change {
            BulkChange::Retry(at) => Ok(BulkChanged {
                changed: core.retry_found(&found, at, actor).await?,
                needed: 0,
            }),
            BulkChange::Delete => core.delete_found(&found, actor).await,
        }
    }
}

impl Core {
    async fn delete_found(
        &mut self,
        found: &[FoundTask],
        actor: Option<&str>,
    ) -> Result<BulkChanged, Error> {
        let ids = deletable(&mut self.db.conn, found).await?;
        self.process_all_edges(&serde_json::to_string(&ids)?)
            .await?;
        let kept = needed_by(&mut self.db.conn, &serde_json::to_string(&ids)?).await?;
        let kept: HashSet<_> = kept.into_iter().map(|(upstream, _)| upstream).collect();
        let (needed, free): (Vec<TaskId>, Vec<_>) =
            ids.into_iter().partition(|id| kept.contains(id));
        let ids = serde_json::to_string(&free)?;
        let audit = |tasks| {
            let data = json!({ "done": "delete", "tasks": tasks });
            (format!("{tasks} tasks were deleted"), data)
        };
        let changed = self.delete_final(&ids, actor, audit).await?;
        Ok(BulkChanged {
            changed,
            needed: needed.len() as u64,
        })
    }
}

/// Those of the found tasks that are final and unchanged.
async fn deletable(conn: &mut SqliteConnection, found: &[FoundTask]) -> Result<Vec<TaskId>, Error> {
    let rows = list::seqs_and_ends(found)?;
    let ids = sqlx::query_scalar!(
        r#"SELECT tasks.id AS "id!: Text"
             FROM jsonb_each(?1) AS found CROSS JOIN tasks ON tasks.seq = found.value ->> 0
            WHERE tasks.finished_at = found.value ->> 1"#,
        rows
    )
    .fetch_all(conn)
    .await?;
    ids.iter().map(Text::parse_id).collect()
}
