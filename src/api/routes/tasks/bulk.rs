//! Retry, abort or delete all tasks that match a filter. `dry_run=true` only counts them.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::Shared;
use crate::api::error::ApiError;
use crate::api::input::query::Query;
use crate::api::input::task_filter;
use crate::api::input::task_filter::FILTERS;
use crate::api::openapi::parameters;
use crate::api::routes::tasks::task::retry_at;
use crate::models::TaskFilter;
use crate::state::Bulk;

/// The result of a command on all tasks that match a filter.
#[derive(Serialize, ToSchema)]
pub(crate) struct BulkDone {
    /// Always true.
    success: bool,
    /// Matching tasks in the right status.
    matched: u64,
    /// Tasks that were changed.
    changed: u64,
    /// Tasks that were skipped, by reason; missing if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Skipped>,
    dry_run: bool,
    message: String,
}

/// Tasks that a command skipped, by reason.
#[derive(Serialize, ToSchema)]
struct Skipped {
    /// Kept, because unfinished tasks depend on their results.
    needed: u64,
}

/// Retry the FAILED tasks that match a filter.
///
/// At least one filter is required. Tasks that never started keep a `run_at` in the future.
#[utoipa::path(
    post, path = "/api/v1/tasks/retry", tag = "Tasks", operation_id = "retry_tasks",
    params(parameters::FilterParameters, parameters::DryRunParameter, parameters::NowParameter),
    responses((status = 200, description = "The number of tasks", body = BulkDone)),
)]
pub(crate) async fn retry(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
) -> Result<Json<BulkDone>, ApiError> {
    let query = Query::parse(uri.query(), &[&FILTERS[..], &["dry_run", "now"]].concat())?;
    let (filter, dry_run) = read_from(&query, &caller)?;
    let state = api.state.as_actor(caller.name());
    let done = state.retry_all(&filter, retry_at(&query)?, dry_run).await?;
    Ok(answer(done, dry_run, "wait again"))
}

/// Delete the finished tasks that match a filter, with their logs.
///
/// At least one filter is required.
#[utoipa::path(
    delete, path = "/api/v1/tasks", tag = "Tasks", operation_id = "delete_tasks",
    params(parameters::FilterParameters, parameters::DryRunParameter),
    responses((status = 200, description = "The number of tasks", body = BulkDone)),
)]
pub(crate) async fn delete(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
) -> Result<Json<BulkDone>, ApiError> {
    let (filter, dry_run) = read(&caller, &uri)?;
    let state = api.state.as_actor(caller.name());
    let done = state.delete_all(&filter, dry_run).await?;
    Ok(answer(done, dry_run, "deleted"))
}

/// Abort the running tasks that match a filter.
///
/// When it answers, they have ended. At least one filter is required.
#[utoipa::path(
    post, path = "/api/v1/tasks/abort", tag = "Tasks", operation_id = "abort_tasks",
    params(parameters::FilterParameters, parameters::DryRunParameter),
    responses((status = 200, description = "The number of tasks", body = BulkDone)),
)]
pub(crate) async fn abort(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
) -> Result<Json<BulkDone>, ApiError> {
    let (filter, dry_run) = read(&caller, &uri)?;
    let running = api.state.running_of(&filter).await?;
    let matched = running.len() as u64;
    let changed = match dry_run {
        true => 0,
        false => {
            let queue = api.queue.as_actor(caller.name());
            queue.abort_all(running).await?
        }
    };
    let done = Bulk {
        matched,
        changed,
        needed: 0,
    };
    Ok(answer(done, dry_run, "aborted"))
}

fn read(caller: &Caller, uri: &Uri) -> Result<(TaskFilter, bool), ApiError> {
    let query = Query::parse(uri.query(), &[&FILTERS[..], &["dry_run"]].concat())?;
    read_from(&query, caller)
}

fn read_from(query: &Query, caller: &Caller) -> Result<(TaskFilter, bool), ApiError> {
    let dry_run = query.flag("dry_run", false)?;
    let mut filter = task_filter::read_some(query)?;
    caller.confine(&mut filter)?;
    Ok((filter, dry_run))
}

fn answer(done: Bulk, dry_run: bool, what: &str) -> Json<BulkDone> {
    let message = match dry_run {
        true if done.matched == 1 => "1 task matches; nothing was changed.".to_owned(),
        true => format!("{} tasks match; nothing was changed.", done.matched),
        false if done.needed > 0 => format!(
            "{} of {} tasks {what}; {} are kept, because open tasks need their results.",
            done.changed, done.matched, done.needed
        ),
        false => format!("{} of {} tasks {what}.", done.changed, done.matched),
    };
    let skipped = (done.needed > 0).then_some(Skipped {
        needed: done.needed,
    });
    Json(BulkDone {
        success: true,
        matched: done.matched,
        changed: done.changed,
        skipped,
        dry_run,
        message,
    })
}
