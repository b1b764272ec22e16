//! The configured processors, by name. A reload replaces them while the service runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use super::command::Command;
use super::echo::Echo;
use super::hive::{Hive, HiveBackend};
use super::llm::Llm;
use super::log_book::LogLimits;
use super::webhook::Webhook;
use super::worker::Worker;
use crate::config::{Backoff, ProcessorKind, ProcessorSettings, Settings};
use crate::processors::command::guard::Guard;
use crate::processors::command::orphan_reaper::Sweeper;
use crate::processors::command::scrubbed_env::Withheld;
use crate::processors::processor::Processor;
use crate::processors::worker::lease_broker::Desk;

/// One configured processor and the rules of its attempts.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) processor: Arc<dyn Processor>,
    /// An attempt that takes longer fails as `timeout`.
    pub(crate) timeout: Option<Duration>,
    /// Attempts of a task that says no number.
    pub(crate) max_attempts: i64,
    pub(crate) backoff: Backoff,
    /// How much of a task's output is stored.
    pub(crate) log_limits: LogLimits,
}

/// Every processor a task may name.
pub(crate) struct Registry {
    configured: RwLock<Arc<Configured>>,
    shared: Shared,
}

/// What the processors of a kind have in common, whatever the settings become.
#[derive(Clone, Default)]
struct Shared {
    guard: Arc<Guard>,
    withheld: Arc<Withheld>,
    sweeper: Arc<Sweeper>,
    desk: Arc<Desk>,
    backend: Arc<OnceLock<Arc<dyn HiveBackend>>>,
}

/// The processors of one reading of the settings.
struct Configured {
    entries: HashMap<String, Entry>,
    settings: BTreeMap<String, ProcessorSettings>,
    default: String,
    log_limits: LogLimits,
}

impl Registry {
    /// The processors of the settings; `echo` is always among them.
    pub(crate) fn new(settings: &Settings) -> Self {
        let shared = Shared::default();
        shared.withheld.configure(settings);
        let configured = Configured::new(settings, &shared, None);
        Self {
            configured: RwLock::new(Arc::new(configured)),
            shared,
        }
    }

    /// Takes the processors of other settings. What runs goes on as it began; a processor whose settings
    /// are the same stays.
    pub(crate) fn configure(&self, settings: &Settings) {
        self.shared.withheld.configure(settings);
        let before = self.configured();
        let configured = Configured::new(settings, &self.shared, Some(&before));
        let mut place = self
            .configured
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *place = Arc::new(configured);
    }

    /// The processor of this name, if one is configured.
    pub(crate) fn get(&self, name: &str) -> Option<Entry> {
        self.configured().entries.get(name).cloned()
    }

    /// Whether the tasks of this processor are run by programs outside.
    pub(crate) fn is_worker(&self, name: &str) -> bool {
        let configured = self.configured();
        let settings = configured.settings.get(name);
        settings.is_some_and(|processor| matches!(processor.kind, ProcessorKind::Worker(_)))
    }

    /// Whether the tasks of this processor run outside of this process and its children.
    pub(crate) fn is_outside(&self, name: &str) -> bool {
        let entry = self.get(name);
        self.is_worker(name) || entry.is_some_and(|entry| entry.processor.is_remote())
    }

    /// What runs an attempt that an outside worker has, whatever its processor has become since.
    pub(crate) fn leased(&self, name: &str) -> Entry {
        let worker = || Arc::new(Worker::new(self.desk()));
        match self.get(name) {
            Some(entry) if self.is_worker(name) => entry,
            Some(entry) => Entry {
                processor: worker(),
                ..entry
            },
            None => Entry {
                processor: worker(),
                timeout: None,
                max_attempts: 1,
                backoff: Backoff::default(),
                log_limits: self.configured().log_limits,
            },
        }
    }

    /// Where those programs get their tasks.
    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.shared.desk)
    }

    /// Gives the processors of kind `hive` who carries their tasks. The first one stays.
    pub(crate) fn set_backend(&self, backend: Arc<dyn HiveBackend>) {
        if self.shared.backend.set(backend).is_err() {
            tracing::warn!("a second Hive backend was set and is ignored");
        }
    }

    /// Ends what finished attempts left running. Called when no more attempts run.
    pub(crate) async fn end_leftovers(&self) {
        self.shared.sweeper.sweep().await;
    }

    /// The processor of tasks that name none.
    pub(crate) fn default_name(&self) -> String {
        self.configured().default.clone()
    }

    /// All names, sorted, for messages.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.configured().entries.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The number of attempts of each processor's tasks.
    pub(crate) fn max_attempts(&self) -> BTreeMap<String, i64> {
        let configured = self.configured();
        let entries = configured.entries.iter();
        entries
            .map(|(name, entry)| (name.clone(), entry.max_attempts))
            .collect()
    }

    /// A registry of this one processor, with a single attempt and no time limit.
    #[cfg(test)]
    pub(crate) fn of_one(name: &str, processor: Arc<dyn Processor>) -> Self {
        let entry = Entry {
            processor,
            timeout: None,
            max_attempts: 1,
            backoff: Backoff::default(),
            log_limits: LogLimits::NONE,
        };
        let configured = Configured {
            entries: [(name.to_owned(), entry)].into(),
            settings: BTreeMap::new(),
            default: name.to_owned(),
            log_limits: LogLimits::NONE,
        };
        Self {
            configured: RwLock::new(Arc::new(configured)),
            shared: Shared::default(),
        }
    }

    fn configured(&self) -> Arc<Configured> {
        let configured = self
            .configured
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&configured)
    }
}

impl Configured {
    fn new(settings: &Settings, shared: &Shared, before: Option<&Self>) -> Self {
        let log_limits = LogLimits {
            lines: settings.task_log_limit_lines,
            bytes: settings.task_log_limit_bytes as u64,
        };
        let entries = settings.processors.iter().map(|(name, processor)| {
            let kept = before.and_then(|before| before.processor(name, &processor.kind));
            let entry = Entry {
                processor: kept.unwrap_or_else(|| build(&processor.kind, shared)),
                timeout: processor.timeout,
                max_attempts: processor.max_attempts,
                backoff: processor.backoff,
                log_limits,
            };
            (name.clone(), entry)
        });
        Self {
            entries: entries.collect(),
            settings: settings.processors.clone(),
            default: settings.default_processor.clone(),
            log_limits,
        }
    }

    /// The processor of this name, if it was built from the same settings.
    fn processor(&self, name: &str, kind: &ProcessorKind) -> Option<Arc<dyn Processor>> {
        let is_same = self.settings.get(name)?.kind == *kind;
        is_same.then(|| Arc::clone(&self.entries[name].processor))
    }
}

fn build(kind: &ProcessorKind, shared: &Shared) -> Arc<dyn Processor> {
    match kind {
        ProcessorKind::Echo => Arc::new(Echo),
        ProcessorKind::Command(command) => {
            let (guard, withheld) = (Arc::clone(&shared.guard), Arc::clone(&shared.withheld));
            let sweeper = Arc::clone(&shared.sweeper);
            Arc::new(Command::new(command.clone(), guard, withheld, sweeper))
        }
        ProcessorKind::Webhook(webhook) => Arc::new(Webhook::new(webhook.clone())),
        ProcessorKind::Llm(llm) => Arc::new(Llm::new(llm.clone())),
        ProcessorKind::Worker(_) => Arc::new(Worker::new(Arc::clone(&shared.desk))),
        ProcessorKind::Hive(hive) => Arc::new(Hive::new(hive.clone(), Arc::clone(&shared.backend))),
    }
}
