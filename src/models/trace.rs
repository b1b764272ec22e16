//! Where a task stands in somebody's trace, as W3C's Trace Context writes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The headers `traceparent` and `tracestate`. A task has them as `context_history.trace`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TraceContext {
    pub(crate) traceparent: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tracestate: Option<String>,
}
