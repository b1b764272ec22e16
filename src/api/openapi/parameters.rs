//! The parameters of calls besides their bodies, for the OpenAPI document alone (see [`crate::api::openapi::requests`]).

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
    /// Seconds to wait until the task has finished.
    #[param(required = false, minimum = 0, maximum = 3600)]
    wait: f64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IdempotencyParameter {
    /// A repeat with the same key and body gets the first answer, for 24 hours. With another body it is refused with 422.
    #[param(
        required = false,
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]([ -~]*[!-~])?$"
    )]
    idempotency_key: String,
}

/// Filters for tasks; a task must match all that are given.
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
    /// Words in content, result and error, in any order; at most 32.
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
    /// Where the page begins, from the `Link` header of the previous page.
    #[param(required = false, minimum = 1)]
    cursor: i64,
    /// Order of arrival: newest first (`desc`, the default) or oldest first (`asc`).
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
    /// Only count the tasks; change nothing.
    #[param(required = false, default = false)]
    dry_run: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NowParameter {
    /// Start at once, even tasks that never started and have a `run_at` in the future.
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
    /// Return the last lines instead of the first.
    #[param(required = false, default = false)]
    tail: bool,
    /// Only the steps of the task, without the output of its processor.
    #[param(required = false, default = false)]
    steps: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WithLogsParameter {
    /// `false` omits the log lines: `logs` is empty.
    #[param(required = false, default = true)]
    logs: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct LastEventIdParameter {
    /// The `id` of the last event that the client received. The stream continues after it.
    #[param(required = false, rename = "Last-Event-ID", default = 0)]
    last_event_id: i64,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParameters {
    /// Start with the events after this id. Default: only future events.
    #[param(required = false)]
    since: i64,
    /// Event types, separated by commas.
    #[param(required = false, example = "TASK_COMPLETED,TASK_FAILED")]
    types: String,
    /// Only the events of this task.
    #[param(required = false, value_type = Uuid)]
    task_id: TaskId,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HiveParameter {
    /// Send the command to all nodes of the Hive.
    #[param(required = false, default = false)]
    hive: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WindowParameter {
    /// How far to look back. Default: `5m`.
    #[param(required = false)]
    window: Window,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FullParameter {
    /// Also check the integrity of the whole database: seconds for each gigabyte.
    #[param(required = false, default = false)]
    full: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReplaceParameter {
    /// Replace existing tasks that differ from those of the file.
    #[param(required = false, default = false)]
    replace: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct KnownParameter {
    /// The `ETag` of the copy that the client has.
    #[param(required = false, rename = "If-None-Match")]
    if_none_match: String,
}
