//! The flags that choose tasks by what they are; list, retry, abort and delete share them.

use clap::Args;

use crate::models::{Failure, TaskStatus, Timestamp};

const HEADING: &str = "Which tasks";

/// Each flag narrows the choice.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = HEADING)]
pub(crate) struct Filter {
    /// Tasks of this status: PENDING, PROCESSING, COMPLETED or FAILED
    #[arg(long, value_parser = status)]
    status: Option<TaskStatus>,
    /// FAILED tasks; the same as --status FAILED
    #[arg(long, conflicts_with = "status")]
    failed: bool,
    /// Tasks that failed like this: error, timeout, aborted, purged, emergency_stop, lost, upstream
    #[arg(long, value_name = "KIND", value_parser = failure)]
    failure: Option<Failure>,
    /// Tasks of this processor
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    /// Tasks with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Tasks of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Tasks with these words in their content, result or error
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Tasks submitted at this moment or later, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "MOMENT")]
    since: Option<Timestamp>,
    /// Tasks submitted before this moment
    #[arg(long, value_name = "MOMENT")]
    until: Option<Timestamp>,
}

/// Parameters of a request, in order.
pub(crate) type Parameters = Vec<(&'static str, String)>;

impl Filter {
    /// What was given, under the names of the API.
    pub(crate) fn parameters(&self) -> Parameters {
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

/// The path with its parameters, if there are any.
pub(crate) fn with_query(path: &str, parameters: &Parameters) -> String {
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
