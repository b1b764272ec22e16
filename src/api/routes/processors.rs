//! `GET /api/v1/processors`: the processors and their load.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::caller::Caller;
use crate::api::context::Shared;
use crate::api::error::ApiError;
use crate::api::input::query::NoParameters;
use crate::state::ProcessorStatus;

/// One processor in the list.
#[derive(Serialize, ToSchema)]
#[schema(as = Processor)]
pub(crate) struct Listed {
    name: String,
    /// Null if tasks name it but the settings do not.
    #[schema(required)]
    kind: Option<&'static str>,
    #[serde(flatten)]
    status: ProcessorStatus,
    /// Why its tasks do not start at present; missing while they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// List the processors and their load, by name.
///
/// A token that is restricted to some processors sees those.
#[utoipa::path(
    get, path = "/api/v1/processors", tag = "Queue", operation_id = "list_processors",
    responses((status = 200, description = "Processors", body = Vec<Listed>)),
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    _: NoParameters,
) -> Result<Json<Vec<Listed>>, ApiError> {
    let mut processors: BTreeMap<_, _> = api.state.processors().await?.into_iter().collect();
    for name in api.registry.names() {
        processors.entry(name).or_default();
    }
    let settings = api.current.get();
    let problem = api.state.health().problem();
    let own = processors.into_iter();
    let own = own.filter(|(name, _)| caller.covers(name));
    let listed = own.map(|(name, status)| Listed {
        kind: settings.processors.get(&name).map(|set| set.kind.name()),
        name,
        status,
        problem: problem.clone(),
    });
    Ok(Json(listed.collect()))
}
