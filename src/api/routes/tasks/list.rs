//! `GET /api/v1/tasks`: every task in one streamed answer, or a page of those that a filter matches.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::Value;

use crate::api::auth::caller::Caller;
use crate::api::context::{Api, Shared};
use crate::api::error::{ApiError, Problem};
use crate::api::input::query::Query;
use crate::api::input::task_filter;
use crate::api::input::task_filter::FILTERS;
use crate::api::openapi::parameters;
use crate::models::{ListOrder, Task, TaskFilter};
use crate::state::{Error, Page};

/// Default number of tasks in a page.
const TASKS: u32 = 100;
/// Largest number of tasks in a page.
const TASKS_LIMIT: u32 = 1000;
/// Tasks read at a time for a streamed list.
const PAGE: u32 = 200;
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// List tasks.
///
/// Without parameters, and unless the token is restricted to some processors: every task, newest first, in one answer. With
/// parameters: one page of the tasks that match the filter.
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
    let query = Query::parse(uri.query(), &known_parameters())?;
    if !query.is_empty() || caller.require_unrestricted().is_err() {
        return page(&api, &caller, &query).await;
    }
    let everything = TaskFilter::default();
    // Before the answer begins, so that a storage error is a clean 503. Later pages are read as fast as the client reads.
    let first = api
        .state
        .tasks_of(&everything, ListOrder::NewestFirst, None, PAGE, true);
    let first = first.await?;
    let total = total_count(first.total);
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
            // Cuts the connection, so that no client takes half a list for the whole.
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

/// Returns the names of a list's parameters.
pub(crate) fn known_parameters() -> Vec<&'static str> {
    [&["limit", "cursor", "order", "logs"], &FILTERS[..]].concat()
}

/// Answers with the page that `query` asks for.
pub(crate) async fn page(api: &Api, caller: &Caller, query: &Query) -> Result<Response, ApiError> {
    let mut filter = task_filter::read(query)?;
    caller.confine(&mut filter)?;
    let limit = query.count("limit", TASKS_LIMIT)?.unwrap_or(TASKS);
    let (order, cursor) = (order(query)?, cursor(query)?);
    let with_logs = query.flag("logs", true)?;
    let page = api.state.tasks_of(&filter, order, cursor, limit, with_logs);
    let page = page.await?;
    let mut response = (total_count(page.total), Json(page.tasks)).into_response();
    if let Some(next) = page.next {
        let query = query.with("cursor", &next.to_string());
        let link = format!("</api/v1/tasks?{query}>; rel=\"next\"");
        let link = HeaderValue::try_from(link).expect("a query string is ASCII");
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Returns the header with the number of tasks on all pages, if it is known.
pub(crate) fn total_count(total: Option<i64>) -> Option<[(HeaderName, HeaderValue); 1]> {
    total.map(|total| [(TOTAL_COUNT, HeaderValue::from(total))])
}

fn order(query: &Query) -> Result<ListOrder, ApiError> {
    match query.text("order") {
        None | Some("desc") => Ok(ListOrder::NewestFirst),
        Some("asc") => Ok(ListOrder::OldestFirst),
        Some(text) => {
            let msg = "Input should be one of asc, desc";
            Err(Problem::new("enum", &["query", "order"], msg, Value::from(text)).into())
        }
    }
}

/// Reads the cursor: the row number of a task. Row numbers increase and never change, so tasks that arrive between two
/// requests make the pages neither repeat nor skip a task.
fn cursor(query: &Query) -> Result<Option<i64>, ApiError> {
    let expected = "the cursor of a Link header";
    let cursor = query.get("cursor", "value_error", expected)?;
    if cursor.is_some_and(|row: i64| row < 1) {
        let msg = format!("Input should be {expected}");
        let found = Value::from(query.text("cursor"));
        return Err(Problem::new("value_error", &["query", "cursor"], msg, found).into());
    }
    Ok(cursor)
}
