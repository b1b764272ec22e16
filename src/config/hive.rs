//! The settings of processors of kind `hive`, and the type of passwords that stand among the settings.

use std::fmt;

use super::choices::{HiveCodec, HiveQueue};
use super::error::Error;
use super::table_reader::TableReader;
use super::value_types;

/// The jobs that a `hive` processor makes of its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HiveProcessorSettings {
    /// The function that ARQ workers run: Python names joined by dots, to 200 characters. Always set.
    pub(crate) function: String,
    /// Where the jobs are queued. Default: by priority.
    pub(crate) queue: HiveQueue,
    /// How jobs and results are written, which the workers must be set up for. Default pickle.
    pub(crate) codec: HiveCodec,
    /// Whether the function stores a result in Redis. Without one a task is COMPLETED when its job has ended.
    /// Default true.
    pub(crate) expects_result: bool,
}

/// The password for Redis where it stands among the settings. No dump of the settings shows it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(String);

impl Password {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The password itself; never empty.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

pub(crate) fn processor(table: &mut TableReader<'_>) -> Result<HiveProcessorSettings, Error> {
    Ok(HiveProcessorSettings {
        function: table.require("function", value_types::FUNCTION)?,
        queue: table
            .take("queue", value_types::HIVE_QUEUE)?
            .unwrap_or(HiveQueue::ByPriority),
        codec: table
            .take("codec", value_types::HIVE_CODEC)?
            .unwrap_or(HiveCodec::Pickle),
        expects_result: table
            .take("expects_result", value_types::SWITCH)?
            .unwrap_or(true),
    })
}
