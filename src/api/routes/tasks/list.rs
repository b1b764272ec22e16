//! A page of the tasks that pass a filter, with the way to the next one.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::api::auth::caller::Caller;
use crate::api::context::Api;
use crate::api::error::{ApiError, Problem};
use crate::api::input::query::Query;
use crate::api::input::task_filter;
use crate::api::input::task_filter::FILTERS;
use crate::models::Order;

/// Tasks in a page, if the request does not say.
const TASKS: u32 = 100;
/// The most tasks in a page.
const TASKS_LIMIT: u32 = 1000;
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// The parameters of a list.
pub(crate) fn parameters() -> Vec<&'static str> {
    [&["limit", "cursor", "order", "logs"], &FILTERS[..]].concat()
}

/// The page that `query` asks for.
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

/// The header that says how many tasks there are on all pages, where that is known.
pub(crate) fn total_count(total: Option<i64>) -> Option<[(HeaderName, HeaderValue); 1]> {
    total.map(|total| [(TOTAL_COUNT, HeaderValue::from(total))])
}

fn order(query: &Query) -> Result<Order, ApiError> {
    match query.text("order") {
        None | Some("desc") => Ok(Order::NewestFirst),
        Some("asc") => Ok(Order::OldestFirst),
        Some(text) => {
            let msg = "Input should be one of asc, desc";
            Err(Problem::new("enum", &["query", "order"], msg, Value::from(text)).into())
        }
    }
}

/// Row numbers grow as tasks arrive, and a task keeps its own: whatever comes meanwhile, the pages
/// neither repeat nor leave out a task.
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
