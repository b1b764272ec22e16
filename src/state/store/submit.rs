//! `StateManager`: submissions of clients and schedules, and imports of dumps.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use crate::models::{IdempotencyKey, NewTask, Task, TaskId, json};
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
use crate::state::writer::batch::{Accepted, Reservation, Submission};
use crate::state::writer::message::WriterMessage;

impl StateManager {
    /// Reserves memory for a submission of `bytes`. Callers do that before they read the body.
    ///
    /// # Errors
    /// [`Error::Busy`] at once if the submissions that wait for the Writer take all of the memory.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Reservation, Error> {
        let permits = u32::try_from(1 + bytes / PERMIT_BYTES).unwrap_or(u32::MAX);
        Arc::clone(&self.inbox)
            .try_acquire_many_owned(permits)
            .map(Reservation)
            .map_err(|_| Error::Busy)
    }

    /// Submits a task and returns when it is on disk. A repeated request with the same `key` gets the first answer.
    ///
    /// # Errors
    /// When it could not be stored, or a precondition fails.
    pub(crate) async fn submit(
        &self,
        task: NewTask,
        key: Option<IdempotencyKey>,
        reservation: Reservation,
    ) -> Result<Accepted, Error> {
        let (reply, answer) = oneshot::channel();
        let submission = Box::new(Submission {
            idempotency_key: key,
            reply: Some(reply),
            reservation: Some(reservation),
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

    /// Submits all of these tasks or none, in one transaction. Returns their ids in their order.
    ///
    /// # Errors
    /// When they could not be stored, or a precondition of one of them fails.
    pub(crate) async fn submit_all(
        &self,
        tasks: Vec<NewTask>,
        key: Option<IdempotencyKey>,
        reservation: Reservation,
    ) -> Result<Vec<TaskId>, Error> {
        let mut submissions: Vec<_> = tasks.into_iter().map(Submission::new).collect();
        if let Some(first) = submissions.first_mut() {
            first.reservation = Some(reservation);
        }
        self.ask(SubmitTogether(submissions, key)).await
    }

    /// Processes a due time of a schedule exactly once. Returns the task that this or an earlier call submitted, if any.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn submit_scheduled(&self, due: Due) -> Result<Option<TaskId>, Error> {
        self.ask(due).await
    }

    /// Returns the progress of each schedule, by name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn schedule_progress(&self) -> Result<HashMap<String, Progress>, Error> {
        schedules::progress(&self.read).await
    }

    /// Writes tasks of a dump in one transaction. Returns which are new, which exist and which conflict.
    ///
    /// # Errors
    /// When they could not be stored. Then no task was stored.
    pub(crate) async fn import(
        &self,
        tasks: Vec<Task>,
        replace: bool,
    ) -> Result<ImportReport, Error> {
        self.ask(ImportTasks { tasks, replace }).await
    }

    /// Ends an import: tasks that depend on a task which the dump does not have fail.
    ///
    /// # Errors
    /// When it could not be stored; the next start tries again.
    pub(crate) async fn end_import(&self) -> Result<(), Error> {
        self.ask(EndImport).await
    }

    /// Returns the fields that the last imported dump had besides its tasks, in the order of the dump.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn dump_fields(&self) -> Result<Map<String, Value>, Error> {
        match meta::get(&self.read, meta::DUMP_FIELDS).await? {
            Some(fields) => Ok(json::parse_object(fields.as_bytes()).unwrap_or_default()),
            None => Ok(Map::new()),
        }
    }

    /// Stores the fields that a dump had besides its tasks.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn set_dump_fields(&self, fields: Map<String, Value>) -> Result<(), Error> {
        let fields = Value::Object(fields).to_string();
        self.ask(SetMeta(meta::DUMP_FIELDS, fields)).await
    }
}
