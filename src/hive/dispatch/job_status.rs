//! How far a task's job has come, as clients read it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::models::Timestamp;

/// How a task's job is, as this service knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HiveJobStatus)]
pub(crate) struct JobStatus {
    pub(crate) job_id: String,
    pub(crate) queue: String,
    #[serde(rename = "job")]
    pub(crate) state: JobState,
    /// When a worker has taken it, or Redis was found not to know it any more.
    #[schema(required)]
    pub(crate) since: Option<Timestamp>,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HiveJobState)]
pub(crate) enum JobState {
    /// It is not in Redis yet.
    Sending,
    /// It is in its queue, and no worker has taken it.
    Queued,
    /// A worker has it.
    Taken,
    /// Redis does not know it any more.
    Forgotten,
}
