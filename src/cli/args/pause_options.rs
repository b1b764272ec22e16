//! The flags of a pause, of one service or of the whole Hive, and what the service is told by them.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::duration::period;
use crate::models::Timestamp;

/// What is paused, until when, and why.
#[derive(Args, Debug)]
pub(crate) struct PauseTerms {
    /// Only tasks of this processor
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    /// Resume by itself at this moment, such as 2026-12-24T18:00:00Z
    #[arg(long, value_name = "MOMENT")]
    until: Option<Timestamp>,
    /// Resume by itself after this time, such as 90, 10m, 2h or 1d
    #[arg(long = "for", value_name = "TIME", value_parser = period, conflicts_with = "until")]
    period: Option<Duration>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl PauseTerms {
    /// As the API names them; those that were not given are left out.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let end = self.period.map(|period| Timestamp::now().after(period));
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
