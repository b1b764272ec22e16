//! What comes in: tasks of clients and schedules, and dumps.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use crate::models::{NewTask, Task, TaskId, json};
use crate::state::commands::import::{EndImport, ImportTasks};
use crate::state::commands::set_meta::SetMeta;
use crate::state::commands::submit_many::SubmitTogether;
use crate::state::commands::submit_scheduled::Due;
use crate::state::db::meta;
use crate::state::error::Error;
use crate::state::import::ImportReport;
use crate::state::schedules;
use crate::state::schedules::Progress;
use crate::state::store::{PERMIT_BYTES, StateManager};
use crate::state::writer::batch::{Accepted, IdempotencyKey, Reservation, Submission};
use crate::state::writer::message::WriterMessage;

impl StateManager {
    /// Takes room in memory for a submission of `bytes`, before it is read any further.
    ///
    /// # Errors
    /// [`Error::Busy`] at once, when too much is waiting already.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Reservation, Error> {
        let permits = u32::try_from(1 + bytes / PERMIT_BYTES).unwrap_or(u32::MAX);
        Arc::clone(&self.inbox)
            .try_acquire_many_owned(permits)
            .map(Reservation)
            .map_err(|_| Error::Busy)
    }

    /// Accepts a task: it is on disk when this returns. A repeat of the request that `once` names gets
    /// the first one's answer.
    ///
    /// # Errors
    /// When it could not be stored, or something stands in its way.
    pub(crate) async fn submit(
        &self,
        task: NewTask,
        once: Option<IdempotencyKey>,
        room: Reservation,
    ) -> Result<Accepted, Error> {
        let (reply, answer) = oneshot::channel();
        let submission = Box::new(Submission {
            once,
            reply: Some(reply),
            room: Some(room),
            ..Submission::new(task)
        });
        self.messages
            .try_send(WriterMessage::Submit(submission))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::Busy,
                mpsc::error::TrySendError::Closed(_) => Error::Stopping,
            })?;
        answer.await.unwrap_or(Err(Error::Stopping))
    }

    /// Accepts all of these tasks or none, in one transaction; their ids, in their order.
    ///
    /// # Errors
    /// When they could not be stored, or something stands in the way of one of them.
    pub(crate) async fn submit_all(
        &self,
        tasks: Vec<NewTask>,
        once: Option<IdempotencyKey>,
        room: Reservation,
    ) -> Result<Vec<TaskId>, Error> {
        let mut submissions: Vec<_> = tasks.into_iter().map(Submission::new).collect();
        if let Some(first) = submissions.first_mut() {
            first.room = Some(room);
        }
        self.ask(SubmitTogether(submissions, once)).await
    }

    /// Deals with a due time of a schedule once; the task that it made just now or before, if any.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn submit_scheduled(&self, due: Due) -> Result<Option<TaskId>, Error> {
        self.ask(due).await
    }

    /// How far each schedule has come, by name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn schedule_progress(&self) -> Result<HashMap<String, Progress>, Error> {
        schedules::progress(&self.read).await
    }

    /// Writes tasks of a dump, in one transaction.
    ///
    /// # Errors
    /// When they could not be stored; then none of them was.
    pub(crate) async fn import(
        &self,
        tasks: Vec<Task>,
        replace: bool,
    ) -> Result<ImportReport, Error> {
        self.ask(ImportTasks { tasks, replace }).await
    }

    /// All tasks of a dump have been imported: who waits for one that was not among them waits no longer.
    ///
    /// # Errors
    /// When it could not be stored; the next start tries again.
    pub(crate) async fn end_import(&self) -> Result<(), Error> {
        self.ask(EndImport).await
    }

    /// What the last imported dump held besides its tasks, in its order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn dump_fields(&self) -> Result<Map<String, Value>, Error> {
        match meta::get(&self.read, meta::DUMP_FIELDS).await? {
            Some(fields) => Ok(json::parse_object(fields.as_bytes()).unwrap_or_default()),
            None => Ok(Map::new()),
        }
    }

    /// Remembers what a dump held besides its tasks.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn set_dump_fields(&self, fields: Map<String, Value>) -> Result<(), Error> {
        let fields = Value::Object(fields).to_string();
        self.ask(SetMeta(meta::DUMP_FIELDS, fields)).await
    }
}
