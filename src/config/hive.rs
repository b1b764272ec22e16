//! What the settings say of the Hive beyond single values: the processors of kind `hive`, the password
//! for Redis, and settings that do nothing without each other.

use std::fmt;

use super::error::Error;
use super::processors::ProcessorKind;
use super::table::Table;
use super::{Settings, rules};

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

/// Which of the Hive's two queues a job goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HiveQueue {
    /// The urgent one, whatever the task. `"high"`
    High,
    /// The other one, whatever the task. `"background"`
    Background,
    /// The urgent one for tasks with a priority above 0. `"by priority"`
    ByPriority,
}

impl HiveQueue {
    /// Whether a task of this priority is urgent.
    pub(crate) fn is_high(self, priority: i64) -> bool {
        match self {
            Self::High => true,
            Self::Background => false,
            Self::ByPriority => priority > 0,
        }
    }
}

/// How ARQ's jobs and results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HiveCodec {
    /// As ARQ does by itself.
    Pickle,
    /// Workers that are given a JSON serializer.
    Json,
    /// Workers that are given a MessagePack serializer.
    Msgpack,
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

pub(crate) fn processor(table: &mut Table<'_>) -> Result<HiveProcessorSettings, Error> {
    Ok(HiveProcessorSettings {
        function: table.require("function", rules::FUNCTION)?,
        queue: table
            .take("queue", rules::HIVE_QUEUE)?
            .unwrap_or(HiveQueue::ByPriority),
        codec: table
            .take("codec", rules::HIVE_CODEC)?
            .unwrap_or(HiveCodec::Pickle),
        expects_result: table.take("expects_result", rules::SWITCH)?.unwrap_or(true),
    })
}

/// What a user of the Hive has probably forgotten: nothing goes through it without both its switch and
/// a processor.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    let mut names = settings.processors.iter().filter_map(|(name, processor)| {
        matches!(processor.kind, ProcessorKind::Hive(_)).then_some(name)
    });
    match (settings.enable_hive, names.next()) {
        (true, None) => vec![
            "the Hive is on, but no processor is of kind \"hive\": all tasks run locally"
                .to_owned(),
        ],
        (false, Some(name)) => vec![format!(
            "processor {name} is of kind \"hive\", but the Hive is off: its tasks wait until \
             `enable_hive` is set"
        )],
        _ => Vec::new(),
    }
}
