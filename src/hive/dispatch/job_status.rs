//! The state of a task's job, as clients read it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::models::Timestamp;

/// The state of a task's job, as this service knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HiveJobStatus)]
pub(crate) struct JobStatus {
    pub(crate) job_id: String,
    pub(crate) queue: String,
    #[serde(rename = "job")]
    pub(crate) state: JobState,
    /// When a worker claimed it, or when Redis was found not to know it; `null` before that.
    #[schema(required)]
    pub(crate) since: Option<Timestamp>,
}

/// How far a job has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HiveJobState)]
pub(crate) enum JobState {
    /// It is not in Redis yet.
    Sending,
    /// It is in its queue; no worker has claimed it.
    Queued,
    /// A worker has claimed it.
    Taken,
    /// Redis does not know it.
    Forgotten,
}
