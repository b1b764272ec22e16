//! What is done to all tasks of a filter: retry, abort, delete. With `dry_run=true` they are counted.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::caller::Caller;
use super::document::parameters;
use super::error::ApiError;
use super::filter::FILTERS;
use super::query::Query;
use super::{Api, Shared, filter};
use crate::models::TaskFilter;
use crate::state::Bulk;

/// What was done to the tasks of a filter.
#[derive(Serialize, ToSchema)]
pub(super) struct BulkDone {
    /// Always true.
    success: bool,
    /// Tasks of the filter to which it can be done.
    matched: u64,
    /// Those to which it was done.
    changed: u64,
    dry_run: bool,
    message: String,
}

/// Have the tasks of a filter that have FAILED wait again.
///
/// At least one filter is needed.
#[utoipa::path(
    post, path = "/api/v1/tasks/retry", tag = "Tasks", operation_id = "retry_tasks",
    params(parameters::FilterParameters, parameters::DryRunParameter),
    responses((status = 200, description = "How many they were", body = BulkDone)),
)]
pub(super) async fn retry(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
) -> Result<Json<BulkDone>, ApiError> {
    let (filter, dry_run) = read(&caller, &uri)?;
    let state = api.state.in_name_of(caller.name());
    let done = state.retry_all(&filter, dry_run).await?;
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
pub(super) async fn delete(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
) -> Result<Json<BulkDone>, ApiError> {
    let (filter, dry_run) = read(&caller, &uri)?;
    let done = api.state.delete_all(&filter, dry_run).await?;
    note(&api, &caller, "delete", done.changed).await;
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
pub(super) async fn abort(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
) -> Result<Json<BulkDone>, ApiError> {
    let (filter, dry_run) = read(&caller, &uri)?;
    let running = api.state.running_of(&filter).await?;
    let matched = running.len() as u64;
    let changed = match dry_run {
        true => 0,
        false => api.queue.abort_all(running).await?,
    };
    note(&api, &caller, "abort", changed).await;
    Ok(answer(Bulk { matched, changed }, dry_run, "aborted"))
}

/// What has no event that says who did it.
async fn note(api: &Api, caller: &Caller, done: &str, changed: u64) {
    if changed > 0 {
        let words = match done {
            "abort" => format!("{changed} tasks were aborted by hand"),
            _ => format!("{changed} tasks were deleted"),
        };
        let data = json!({ "done": done, "tasks": changed });
        caller.note(&api.state, words, data).await;
    }
}

fn read(caller: &Caller, uri: &Uri) -> Result<(TaskFilter, bool), ApiError> {
    let query = Query::parse(uri.query(), &[&FILTERS[..], &["dry_run"]].concat())?;
    let dry_run = query.get("dry_run", "bool_parsing", "true or false")?;
    let mut filter = filter::read_some(&query)?;
    caller.confine(&mut filter)?;
    Ok((filter, dry_run.unwrap_or(false)))
}

fn answer(done: Bulk, dry_run: bool, what: &str) -> Json<BulkDone> {
    let message = match dry_run {
        true if done.matched == 1 => "1 task matches; nothing was changed.".to_owned(),
        true => format!("{} tasks match; nothing was changed.", done.matched),
        false => format!("{} of {} tasks {what}.", done.changed, done.matched),
    };
    Json(BulkDone {
        success: true,
        matched: done.matched,
        changed: done.changed,
        dry_run,
        message,
    })
}
