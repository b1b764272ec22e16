//! The flags that select tasks by their fields; `list`, `retry`, `abort` and `delete` share them.

use clap::Args;

use crate::models::{Failure, TaskStatus, Timestamp};

const HEADING: &str = "Which tasks";

/// A filter over tasks. A task has to match every given flag.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = HEADING)]
pub(crate) struct TaskFilterArgs {
    /// Select tasks of this status: PENDING, PROCESSING, COMPLETED or FAILED
    #[arg(long, value_parser = status)]
    status: Option<TaskStatus>,
    /// Select FAILED tasks; the same as --status FAILED
    #[arg(long, conflicts_with = "status")]
    failed: bool,
    /// Select FAILED tasks of this kind: error, timeout, aborted, purged, emergency_stop, lost, upstream
    #[arg(long, value_name = "KIND", value_parser = failure)]
    failure: Option<Failure>,
    /// Select tasks of this processor
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    /// Select tasks with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Select tasks of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Select tasks with these words in their content, result or error
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Select tasks submitted at this timestamp or later, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIMESTAMP")]
    since: Option<Timestamp>,
    /// Select tasks submitted before this timestamp
    #[arg(long, value_name = "TIMESTAMP")]
    until: Option<Timestamp>,
}

/// Query parameters of a request, in order.
pub(crate) type QueryParameters = Vec<(&'static str, String)>;

impl TaskFilterArgs {
    /// Returns the given flags under the parameter names of the API.
    pub(crate) fn parameters(&self) -> QueryParameters {
        let failed = self.failed.then_some(TaskStatus::Failed);
        let status = self.status.or(failed);
        let parameters = [
            ("status", status.map(|it| it.as_str().to_owned())),
            ("failure", self.failure.map(|it| it.as_str().to_owned())),
            ("processor", self.processor.clone()),
            ("tag", self.tag.clone()),
            ("session_id", self.session.clone()),
            ("q", self.search.clone()),
            ("since", self.since.map(|it| it.to_string())),
            ("until", self.until.map(|it| it.to_string())),
        ];
        let given = parameters.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

/// Returns the path followed by its query string, if there are parameters.
pub(crate) fn with_query(path: &str, parameters: &QueryParameters) -> String {
    if parameters.is_empty() {
        return path.to_owned();
    }
    let query = serde_urlencoded::to_string(parameters);
    let query = query.expect("pairs of texts always encode");
    format!("{path}?{query}")
}

fn status(name: &str) -> Result<TaskStatus, String> {
    let status = name.to_ascii_uppercase().parse();
    status.map_err(|error: crate::models::UnknownName| error.to_string())
}

fn failure(name: &str) -> Result<Failure, String> {
    let failure = name.to_ascii_lowercase().parse();
    failure.map_err(|error: crate::models::UnknownName| error.to_string())
}
