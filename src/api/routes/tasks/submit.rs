//! Tasks: submit, read, list.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::{Api, Shared};
use crate::api::error::{ApiError, Taken};
use crate::api::http::tracing_span::Traced;
use crate::api::input::body::{IdempotencyHeader, JsonBody, TaskIdPath, once};
use crate::api::input::new_task::read_task;
use crate::api::input::query::Query;
use crate::api::openapi::{parameters, requests};
use crate::api::routes::tasks::{list, wait};
use crate::models::{Order, Task, TaskFilter, TaskId, TaskStatus, Timestamp};
use crate::state::{Error, Page};

/// Tasks read at a time for a listing.
const PAGE: u32 = 200;

/// The answer to a submission. The status is the one with which the task was accepted; it may be
/// running already.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "task_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "status": "PENDING",
    "created_at": "2026-01-31T12:00:00.000000Z"
})))]
pub(crate) struct Created {
    #[schema(value_type = Uuid)]
    task_id: TaskId,
    status: TaskStatus,
    created_at: Timestamp,
}

/// Submit a task.
///
/// When it answers, the task is on disk. With `wait` it answers when the task has finished.
#[utoipa::path(
    post, path = "/api/v1/tasks", tag = "Tasks", operation_id = "submit_task",
    params(parameters::WaitParameter, parameters::IdempotencyParameter),
    request_body = requests::TaskRequest,
    responses(
        (status = 200, description = "With `wait`: the task has finished", body = Task),
        (status = 201, description = "The task is accepted", body = Created),
        (status = 202, description = "With `wait`: the time is over, and the task has not finished",
            body = Task),
        (status = 409, description = "Another task has this `unique_key`", body = Taken),
    ),
)]
pub(crate) async fn create(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
    traced: Traced,
    IdempotencyHeader(key): IdempotencyHeader,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let wait = wait::of(&Query::parse(uri.query(), &["wait"])?)?;
    if api.stopping.is_cancelled() {
        return Err(Error::Stopping.into());
    }
    let room = api.state.reserve(body.len())?;
    let (registry, who) = (Arc::clone(&api.registry), caller.clone());
    let read = move |body: &[u8]| read_task(body, &registry, &who);
    let mut task = api.intake.parse(&body, read).await?;
    caller.check(&task.processor)?;
    caller.check_upstream(&api.state, &task.after).await?;
    let once = key.map(|key| once(&caller, key, &body));
    let commit = traced.commit(std::slice::from_mut(&mut task));
    let accepted = api.state.submit(task, once, room).await;
    commit.end(&accepted, |accepted| Some(accepted.task_id.to_string()));
    let accepted = accepted?;
    // Without the task, which may have been deleted since, the answer is that it was accepted.
    if let Some(wait) = wait
        && let Some(task) =
            wait::answer_when_finished(&api, &caller, accepted.task_id, wait).await?
    {
        return Ok(task);
    }
    let created = Created {
        task_id: accepted.task_id,
        status: TaskStatus::Pending,
        created_at: accepted.created_at,
    };
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// One task.
///
/// With `wait` it answers when the task has finished, or with the task as it is when the time is over.
#[utoipa::path(
    get, path = "/api/v1/tasks/{task_id}", tag = "Tasks", operation_id = "get_task",
    params(parameters::TaskIdParameter, parameters::WaitParameter, parameters::WithLogsParameter),
    responses((status = 200, description = "The task", body = Task)),
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
    TaskIdPath(task_id): TaskIdPath,
) -> Result<Json<Task>, ApiError> {
    let query = Query::parse(uri.query(), &["wait", "logs"])?;
    let (wait, with_logs) = (wait::of(&query)?, query.flag("logs", true)?);
    if let Some(wait) = wait {
        wait::until_finished(&api, task_id, wait).await?;
    }
    let task = match with_logs {
        true => api.state.task(task_id).await?,
        false => api.state.task_without_logs(task_id).await?,
    };
    // While it waited, an import may have put another processor's task in its place.
    let task = task.filter(|task| caller.covers(&task.processor));
    task.map(Json).ok_or(ApiError::NotFound("Task not found"))
}

/// List tasks.
///
/// Without any parameter it is every task, newest first, in one answer, unless the token is for some
/// processors. With any, it is a page of the tasks that pass the filter.
#[utoipa::path(
    get, path = "/api/v1/tasks", tag = "Tasks", operation_id = "list_tasks",
    params(
        parameters::PageParameters,
        parameters::WithLogsParameter,
        parameters::FilterParameters
    ),
    responses((status = 200, description = "Tasks", body = Vec<Task>, headers(
        ("Link" = String, description = "The next page, if there is one: `<…>; rel=\"next\"`"),
        ("X-Total-Count" = i64, description = "Tasks on all pages, where that is cheap to know"),
    ))),
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = Query::parse(uri.query(), &list::parameters())?;
    if !query.is_empty() || caller.check_whole().is_err() {
        return list::page(&api, &caller, &query).await;
    }
    let everything = TaskFilter::default();
    // Before the answer begins, so that a storage error is a clean 503; later pages are read as the client
    // takes them.
    let first = api
        .state
        .tasks_of(&everything, Order::NewestFirst, None, PAGE, true);
    let first = first.await?;
    let total = list::total_count(first.total);
    let pages = stream::unfold(Listing::First(first), move |listing| {
        next_chunk(Arc::clone(&api), listing)
    });
    let json = (header::CONTENT_TYPE, "application/json");
    Ok(([json], total, Body::from_stream(pages)).into_response())
}

enum Listing {
    First(Page),
    After(i64),
    Done,
}

async fn next_chunk(api: Arc<Api>, listing: Listing) -> Option<(Result<Bytes, Error>, Listing)> {
    let (tasks, last, opening) = match listing {
        Listing::First(page) => (page.tasks, page.next, true),
        Listing::After(seq) => match api.state.tasks_before(seq, PAGE).await {
            Ok(rows) => {
                let last = rows.last().map(|(seq, _)| *seq);
                (
                    rows.into_iter().map(|(_, task)| task).collect(),
                    last,
                    false,
                )
            }
            // The connection is cut, so that nobody takes half a list for a whole one.
            Err(error) => return Some((Err(error), Listing::Done)),
        },
        Listing::Done => return None,
    };
    let mut chunk = Vec::with_capacity(64 * 1024);
    for (index, task) in tasks.iter().enumerate() {
        chunk.push(if opening && index == 0 { b'[' } else { b',' });
        serde_json::to_writer(&mut chunk, task).expect("a task always encodes");
    }
    if opening && tasks.is_empty() {
        chunk.push(b'[');
    }
    let next = match last {
        Some(seq) => Listing::After(seq),
        None => {
            chunk.push(b']');
            Listing::Done
        }
    };
    Some((Ok(chunk.into()), next))
}
