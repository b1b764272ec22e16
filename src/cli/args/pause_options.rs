//! The flags of `venom pause` and `venom hive pause`, and the request fields that they make.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::duration::read_duration;
use crate::models::Timestamp;

/// Scope, end and reason of a pause.
#[derive(Args, Debug)]
pub(crate) struct PauseOptions {
    /// Pause only this processor
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    /// Resume automatically at this timestamp, such as 2026-12-24T18:00:00Z
    #[arg(long, value_name = "TIMESTAMP")]
    until: Option<Timestamp>,
    /// Resume automatically after this duration, such as 90, 10m, 2h or 1d
    #[arg(long = "for", value_name = "DURATION", value_parser = read_duration, conflicts_with = "until")]
    duration: Option<Duration>,
    /// Record a reason, which status and page show
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl PauseOptions {
    /// Returns the given flags under the field names of the API.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let end = self
            .duration
            .map(|duration| Timestamp::now().after(duration));
        let mut fields = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("processor", self.processor.as_ref().map(|it| json!(it)));
        set("until", self.until.or(end).map(|it| json!(it)));
        set("reason", self.reason.as_ref().map(|it| json!(it)));
        fields
    }
}
