//! What is done to all tasks of a filter: retry, abort, delete. With `dry_run=true` they are counted.

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

/// What was done to the tasks of a filter.
#[derive(Serialize, ToSchema)]
pub(crate) struct BulkDone {
    /// Always true.
    success: bool,
    /// Tasks of the filter to which it can be done.
    matched: u64,
    /// Those to which it was done.
    changed: u64,
    /// Why it was not done to others, and to how many; left out where there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Skipped>,
    dry_run: bool,
    message: String,
}

/// Why something was not done to all tasks of a filter.
#[derive(Serialize, ToSchema)]
struct Skipped {
    /// Not deleted: open tasks come after them and need their results.
    needed: u64,
}

/// Have the tasks of a filter that have FAILED wait again.
///
/// At least one filter is needed. Tasks that never began keep their `run_at` if that lies ahead.
#[utoipa::path(
    post, path = "/api/v1/tasks/retry", tag = "Tasks", operation_id = "retry_tasks",
    params(parameters::FilterParameters, parameters::DryRunParameter, parameters::NowParameter),
    responses((status = 200, description = "How many they were", body = BulkDone)),
)]
pub(crate) async fn retry(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
) -> Result<Json<BulkDone>, ApiError> {
    let query = Query::parse(uri.query(), &[&FILTERS[..], &["dry_run", "now"]].concat())?;
    let (filter, dry_run) = read_from(&query, &caller)?;
    let state = api.state.in_name_of(caller.name());
    let done = state.retry_all(&filter, retry_at(&query)?, dry_run).await?;
    Ok(answer(done, dry_run, "wait again"))
}

/// Delete the finished tasks of a filter, with their logs.
///
/// At least one filter is needed.
#[utoipa::path(
    delete, path = "/api/v1/tasks", tag = "Tasks", operation_id = "delete_tasks",
    params(parameters::FilterParameters, parameters::DryRunParameter),
    responses((status = 200, description = "How many they were", body = BulkDone)),
)]
pub(crate) async fn delete(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
) -> Result<Json<BulkDone>, ApiError> {
    let (filter, dry_run) = read(&caller, &uri)?;
    let state = api.state.in_name_of(caller.name());
    let done = state.delete_all(&filter, dry_run).await?;
    Ok(answer(done, dry_run, "deleted"))
}

/// Abort the running tasks of a filter.
///
/// When it answers they have ended. At least one filter is needed.
#[utoipa::path(
    post, path = "/api/v1/tasks/abort", tag = "Tasks", operation_id = "abort_tasks",
    params(parameters::FilterParameters, parameters::DryRunParameter),
    responses((status = 200, description = "How many they were", body = BulkDone)),
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
            let queue = api.queue.in_name_of(caller.name());
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
