//! What calls take besides a body, for the document alone (see [`crate::api::openapi::requests`]).

#![expect(dead_code, reason = "they describe, and are never made")]

use utoipa::IntoParams;

use crate::models::{Failure, TaskId, TaskStatus, Timestamp};
use crate::state::Window;

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct TaskIdParameter {
    /// The task's id.
    #[param(example = "01890a5d-ac96-774b-bcce-b302099a8057", value_type = Uuid)]
    task_id: TaskId,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitParameter {
    /// Seconds to wait for the task's end.
    #[param(required = false, minimum = 0, maximum = 3600)]
    wait: f64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IdempotencyParameter {
    /// A repeat with the same key and body gets the first answer, for 24 hours; with another body it is
    /// refused.
    #[param(
        required = false,
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]([ -~]*[!-~])?$"
    )]
    idempotency_key: String,
}

/// Which tasks are meant; all of what is given has to hold.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FilterParameters {
    #[param(required = false)]
    status: TaskStatus,
    #[param(required = false)]
    processor: String,
    /// One of the task's tags.
    #[param(required = false)]
    tag: String,
    #[param(required = false)]
    session_id: String,
    #[param(required = false)]
    failure: Failure,
    /// Words of content, result and error, in any order; up to 32 of them.
    #[param(
        required = false,
        min_length = 1,
        max_length = 1000,
        example = "haiku queues"
    )]
    q: String,
    /// Created at this time or later.
    #[param(required = false)]
    since: Timestamp,
    /// Created before this time.
    #[param(required = false)]
    until: Timestamp,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParameters {
    /// Tasks in the answer.
    #[param(required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
    /// Where the page begins: that of the `Link` header of the page before.
    #[param(required = false, minimum = 1)]
    cursor: i64,
    /// By arrival: newest first (`desc`) unless it is `asc`.
    #[param(required = false, inline)]
    order: OrderName,
}

#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
enum OrderName {
    Asc,
    Desc,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DryRunParameter {
    /// Only count them.
    #[param(required = false, default = false)]
    dry_run: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NowParameter {
    /// Start at once what never began, too, and not at the `run_at` that it was submitted with.
    #[param(required = false, default = false)]
    now: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParameters {
    /// Lines after the one with this id.
    #[param(required = false, default = 0)]
    since: i64,
    /// Lines in the answer.
    #[param(required = false, minimum = 1, maximum = 10_000, default = 1000)]
    limit: u32,
    /// If there are more, the last lines instead of the first.
    #[param(required = false, default = false)]
    tail: bool,
    /// Only what tells what became of the task, without what its processor printed.
    #[param(required = false, default = false)]
    steps: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WithLogsParameter {
    /// `false` leaves the log lines out: `logs` is empty then.
    #[param(required = false, default = true)]
    logs: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct LastEventIdParameter {
    /// The `id` of the last event that the client has seen: the stream goes on after it.
    #[param(required = false, rename = "Last-Event-ID", default = 0)]
    last_event_id: i64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParameters {
    /// Tells all events after the one with this id first; left out, what happens from here on.
    #[param(required = false)]
    since: i64,
    /// Types of events, separated by commas.
    #[param(required = false, example = "TASK_COMPLETED,TASK_FAILED")]
    types: String,
    /// The events of one task.
    #[param(required = false, value_type = Uuid)]
    task_id: TaskId,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HiveParameter {
    /// Whether all nodes of the Hive are to do the same.
    #[param(required = false, default = false)]
    hive: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WindowParameter {
    /// How far to look back; left out, it is `5m`.
    #[param(required = false)]
    window: Window,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FullParameter {
    /// Whether the whole database is read, and held against its rules: seconds for each gigabyte.
    #[param(required = false, default = false)]
    full: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReplaceParameter {
    /// Whether a task of the file takes the place of one that is there and differs.
    #[param(required = false, default = false)]
    replace: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct KnownParameter {
    /// The `ETag` of what the client has.
    #[param(required = false, rename = "If-None-Match")]
    if_none_match: String,
}
