//! The tables `[processors.NAME]`: which processors there are, and the rules of their attempts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::backoff::{self, Backoff};
use super::choices::KindName;
use super::error::Error;
use super::hive::{self, HiveProcessorSettings};
use super::kinds::{self, CommandSettings, LlmSettings, WebhookSettings, WorkerSettings};
use super::rate::Rate;
use super::secret::Secret;
use super::table_reader::TableReader;
use super::value_types;

/// A server that accepts a connection and never answers would hold its tasks' slots forever.
const TIMEOUT_OF_REQUESTS: Duration = Duration::from_secs(600);

/// Tasks of a `hive` processor take no slot of `max_concurrent_tasks`, so this bounds them.
const CONCURRENCY_OF_THE_HIVE: u64 = 10_000;

/// The processor that exists without being configured.
pub(crate) const ECHO: &str = "echo";

/// One `[processors.NAME]` table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProcessorSettings {
    /// What the processor does, with the settings of that kind. `kind`
    pub(crate) kind: ProcessorKind,
    /// Seconds after which an attempt fails as `timeout`. Default: 10 minutes for `webhook` and `llm`,
    /// `hive_task_timeout` for `hive`; for the others it may take as long as it takes.
    pub(crate) timeout: Option<Duration>,
    /// At most this many at a time, besides the queue's own limit. Default: 10000 for `hive`; for
    /// the others, no limit of its own.
    pub(crate) concurrency: Option<u64>,
    /// Limit of starts in a period. Default: no limit.
    pub(crate) rate: Option<Rate>,
    /// How often a task that names no number itself is tried, 1 to 1000. Default: `hive_max_retries`
    /// for `hive`; for the others 1, never again.
    pub(crate) max_attempts: i64,
    /// Pauses between attempts.
    pub(crate) backoff: Backoff,
}

/// How a processor runs a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ProcessorKind {
    /// By answering `Processed: <content>`.
    Echo,
    /// By a child process.
    Command(CommandSettings),
    /// By a request to another service.
    Webhook(WebhookSettings),
    /// By asking a language model.
    Llm(LlmSettings),
    /// By waiting for a program outside to fetch it.
    Worker(WorkerSettings),
    /// By a job for the ARQ workers behind Redis.
    Hive(HiveProcessorSettings),
}

impl ProcessorKind {
    /// Returns the word after `kind =`.
    pub(crate) fn name(&self) -> &'static str {
        let kind = match self {
            Self::Echo => KindName::Echo,
            Self::Command(_) => KindName::Command,
            Self::Webhook(_) => KindName::Webhook,
            Self::Llm(_) => KindName::Llm,
            Self::Worker(_) => KindName::Worker,
            Self::Hive(_) => KindName::Hive,
        };
        kind.name()
    }

    /// Returns the environment variable with its secret, if it has one.
    pub(crate) fn secret_variable(&self) -> Option<&str> {
        let secret = match self {
            Self::Webhook(webhook) => webhook.secret.as_ref(),
            Self::Llm(llm) => llm.api_key.as_ref(),
            Self::Echo | Self::Command(_) | Self::Worker(_) | Self::Hive(_) => None,
        };
        match secret? {
            Secret::Env(name) => Some(name),
            Secret::File(_) => None,
        }
    }

    /// Returns the default timeout of its kind.
    fn usual_timeout(&self, of_hive: HiveDefaults) -> Option<Duration> {
        match self {
            Self::Webhook(_) | Self::Llm(_) => Some(TIMEOUT_OF_REQUESTS),
            Self::Hive(_) => Some(of_hive.timeout),
            Self::Echo | Self::Command(_) | Self::Worker(_) => None,
        }
    }

    /// Returns the default number of attempts of its kind.
    fn usual_attempts(&self, of_hive: HiveDefaults) -> i64 {
        match self {
            Self::Hive(_) => of_hive.max_attempts,
            _ => 1,
        }
    }

    /// Returns the default concurrency of its kind.
    fn usual_concurrency(&self) -> Option<u64> {
        matches!(self, Self::Hive(_)).then_some(CONCURRENCY_OF_THE_HIVE)
    }
}

/// Defaults of `hive` processors, which are settings themselves.
#[derive(Clone, Copy)]
pub(crate) struct HiveDefaults {
    pub(crate) timeout: Duration,
    pub(crate) max_attempts: i64,
}

/// Returns the processors of a service that configures none.
pub(crate) fn built_in() -> BTreeMap<String, ProcessorSettings> {
    let echo = ProcessorSettings {
        kind: ProcessorKind::Echo,
        timeout: None,
        concurrency: None,
        rate: None,
        max_attempts: 1,
        backoff: Backoff::default(),
    };
    BTreeMap::from([(ECHO.to_owned(), echo)])
}

/// Returns the end of "expected …" for a name that must be one of these processors.
pub(crate) fn one_of(processors: &BTreeMap<String, ProcessorSettings>) -> String {
    let names: Vec<_> = processors.keys().map(String::as_str).collect();
    format!("the name of a processor: {}", names.join(", "))
}

/// Reads every `[processors.NAME]`, in addition to the built-in ones or instead of them.
pub(crate) fn read(
    settings: &mut TableReader<'_>,
    of_hive: HiveDefaults,
) -> Result<BTreeMap<String, ProcessorSettings>, Error> {
    let mut processors = built_in();
    if let Some(tables) = settings.take_table("processors", value_types::PROCESSORS)? {
        for (name, mut table) in tables.tables(value_types::PLAIN_NAMES)? {
            let processor = read_one(&name, &mut table, of_hive)?;
            table.finish()?;
            processors.insert(name, processor);
        }
    }
    Ok(processors)
}

fn read_one(
    name: &str,
    table: &mut TableReader<'_>,
    of_hive: HiveDefaults,
) -> Result<ProcessorSettings, Error> {
    let kind = read_kind(name, table)?;
    Ok(ProcessorSettings {
        timeout: table
            .take("timeout", value_types::PERIOD)?
            .or_else(|| kind.usual_timeout(of_hive)),
        concurrency: table
            .take("concurrency", value_types::CONCURRENCY)?
            .or_else(|| kind.usual_concurrency()),
        rate: table.take("rate", value_types::RATE)?,
        max_attempts: table
            .take("max_attempts", value_types::ATTEMPTS)?
            .unwrap_or_else(|| kind.usual_attempts(of_hive)),
        backoff: backoff::read(table)?,
        kind,
    })
}

fn read_kind(name: &str, table: &mut TableReader<'_>) -> Result<ProcessorKind, Error> {
    let kind = match name {
        ECHO => table
            .take("kind", value_types::KIND)?
            .unwrap_or(KindName::Echo),
        _ => table.require_first("kind", value_types::KIND)?,
    };
    if name == ECHO && kind != KindName::Echo {
        let expected = "\"echo\", as this processor is always there; choose another name";
        return Err(table.refuse("kind", format!("{:?}", kind.name()), expected));
    }
    Ok(match kind {
        KindName::Echo => ProcessorKind::Echo,
        KindName::Command => ProcessorKind::Command(kinds::command(table)?),
        KindName::Webhook => ProcessorKind::Webhook(kinds::webhook(table)?),
        KindName::Llm => ProcessorKind::Llm(kinds::llm(table)?),
        KindName::Worker => ProcessorKind::Worker(kinds::worker(table)?),
        KindName::Hive => ProcessorKind::Hive(hive::processor(table)?),
    })
}
