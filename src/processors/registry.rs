//! The configured processors, by name. A reload replaces them while the service runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use super::command::CommandProcessor;
use super::echo::EchoProcessor;
use super::hive::{HiveBackend, HiveProcessor};
use super::llm::LlmProcessor;
use super::log_book::LogLimits;
use super::webhook::WebhookProcessor;
use super::worker::WorkerProcessor;
use crate::config::{Backoff, ProcessorKind, ProcessorSettings, Settings};
use crate::processors::command::guard::ProcessGuard;
use crate::processors::command::orphan_reaper::OrphanProcessReaper;
use crate::processors::command::scrubbed_env::ScrubbedEnv;
use crate::processors::processor::Processor;
use crate::processors::worker::lease_broker::LeaseBroker;

/// One configured processor and the limits of its attempts.
#[derive(Clone)]
pub(crate) struct ProcessorEntry {
    pub(crate) processor: Arc<dyn Processor>,
    /// An attempt that takes longer fails as `timeout`.
    pub(crate) timeout: Option<Duration>,
    /// The number of attempts of a task that sets none.
    pub(crate) max_attempts: i64,
    pub(crate) backoff: Backoff,
    /// How much of a task's output is stored.
    pub(crate) log_limits: LogLimits,
}

/// All processors that a task may name.
pub(crate) struct Registry {
    configured: RwLock<Arc<ConfiguredProcessors>>,
    shared: SharedServices,
}

/// What the processors of a kind share across reloads.
#[derive(Clone, Default)]
struct SharedServices {
    guard: Arc<ProcessGuard>,
    scrubbed_env: Arc<ScrubbedEnv>,
    process_reaper: Arc<OrphanProcessReaper>,
    lease_broker: Arc<LeaseBroker>,
    backend: Arc<OnceLock<Arc<dyn HiveBackend>>>,
}

/// The processors of one version of the settings.
struct ConfiguredProcessors {
    entries: HashMap<String, ProcessorEntry>,
    settings: BTreeMap<String, ProcessorSettings>,
    default: String,
    log_limits: LogLimits,
}

impl Registry {
    /// Creates the processors of the settings, and `echo`.
    pub(crate) fn new(settings: &Settings) -> Self {
        let shared = SharedServices::default();
        shared.scrubbed_env.configure(settings);
        let configured = ConfiguredProcessors::new(settings, &shared, None);
        Self {
            configured: RwLock::new(Arc::new(configured)),
            shared,
        }
    }

    /// Replaces the processors after a reload. Running attempts keep theirs; a processor with unchanged settings
    /// stays.
    pub(crate) fn configure(&self, settings: &Settings) {
        self.shared.scrubbed_env.configure(settings);
        let before = self.configured();
        let configured = ConfiguredProcessors::new(settings, &self.shared, Some(&before));
        let mut place = self
            .configured
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *place = Arc::new(configured);
    }

    /// Returns the processor of this name, if one is configured.
    pub(crate) fn get(&self, name: &str) -> Option<ProcessorEntry> {
        self.configured().entries.get(name).cloned()
    }

    /// Returns true if outside workers run this processor's tasks.
    pub(crate) fn is_worker(&self, name: &str) -> bool {
        let configured = self.configured();
        let settings = configured.settings.get(name);
        settings.is_some_and(|processor| matches!(processor.kind, ProcessorKind::Worker(_)))
    }

    /// Returns true if this processor's tasks run outside this process and its children.
    pub(crate) fn is_outside(&self, name: &str) -> bool {
        let entry = self.get(name);
        self.is_worker(name) || entry.is_some_and(|entry| entry.processor.is_remote())
    }

    /// Returns the processor of an attempt that an outside worker has leased, whatever the settings say of its name.
    pub(crate) fn leased(&self, name: &str) -> ProcessorEntry {
        let worker = || Arc::new(WorkerProcessor::new(self.lease_broker()));
        match self.get(name) {
            Some(entry) if self.is_worker(name) => entry,
            Some(entry) => ProcessorEntry {
                processor: worker(),
                ..entry
            },
            None => ProcessorEntry {
                processor: worker(),
                timeout: None,
                max_attempts: 1,
                backoff: Backoff::default(),
                log_limits: self.configured().log_limits,
            },
        }
    }

    /// Returns the broker that hands tasks to outside workers.
    pub(crate) fn lease_broker(&self) -> Arc<LeaseBroker> {
        Arc::clone(&self.shared.lease_broker)
    }

    /// Sets the backend of all `hive` processors. Only the first call has an effect.
    pub(crate) fn set_backend(&self, backend: Arc<dyn HiveBackend>) {
        if self.shared.backend.set(backend).is_err() {
            tracing::warn!("a second Hive backend was set and is ignored");
        }
    }

    /// Kills what finished attempts left running. Called when no attempts run.
    pub(crate) async fn end_leftovers(&self) {
        self.shared.process_reaper.reap().await;
    }

    /// Returns the processor of tasks that name none.
    pub(crate) fn default_name(&self) -> String {
        self.configured().default.clone()
    }

    /// Returns all names, sorted, for messages.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.configured().entries.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// Returns the number of attempts for each processor's tasks.
    pub(crate) fn max_attempts(&self) -> BTreeMap<String, i64> {
        let configured = self.configured();
        let entries = configured.entries.iter();
        entries
            .map(|(name, entry)| (name.clone(), entry.max_attempts))
            .collect()
    }

    /// Creates a registry of this one processor, with a single attempt and no timeout.
    #[cfg(test)]
    pub(crate) fn of_one(name: &str, processor: Arc<dyn Processor>) -> Self {
        let entry = ProcessorEntry {
            processor,
            timeout: None,
            max_attempts: 1,
            backoff: Backoff::default(),
            log_limits: LogLimits::NONE,
        };
        let configured = ConfiguredProcessors {
            entries: [(name.to_owned(), entry)].into(),
            settings: BTreeMap::new(),
            default: name.to_owned(),
            log_limits: LogLimits::NONE,
        };
        Self {
            configured: RwLock::new(Arc::new(configured)),
            shared: SharedServices::default(),
        }
    }

    fn configured(&self) -> Arc<ConfiguredProcessors> {
        let configured = self
            .configured
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&configured)
    }
}

impl ConfiguredProcessors {
    fn new(settings: &Settings, shared: &SharedServices, before: Option<&Self>) -> Self {
        let log_limits = LogLimits {
            lines: settings.task_log_limit_lines,
            bytes: settings.task_log_limit_bytes as u64,
        };
        let entries = settings.processors.iter().map(|(name, processor)| {
            let kept = before.and_then(|before| before.processor(name, &processor.kind));
            let entry = ProcessorEntry {
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

    /// Returns the processor of this name if it was built from the same settings.
    fn processor(&self, name: &str, kind: &ProcessorKind) -> Option<Arc<dyn Processor>> {
        let is_same = self.settings.get(name)?.kind == *kind;
        is_same.then(|| Arc::clone(&self.entries[name].processor))
    }
}

fn build(kind: &ProcessorKind, shared: &SharedServices) -> Arc<dyn Processor> {
    match kind {
        ProcessorKind::Echo => Arc::new(EchoProcessor),
        ProcessorKind::Command(command) => {
            let (guard, scrubbed_env) =
                (Arc::clone(&shared.guard), Arc::clone(&shared.scrubbed_env));
            let process_reaper = Arc::clone(&shared.process_reaper);
            Arc::new(CommandProcessor::new(
                command.clone(),
                guard,
                scrubbed_env,
                process_reaper,
            ))
        }
        ProcessorKind::Webhook(webhook) => Arc::new(WebhookProcessor::new(webhook.clone())),
        ProcessorKind::Llm(llm) => Arc::new(LlmProcessor::new(llm.clone())),
        ProcessorKind::Worker(_) => {
            Arc::new(WorkerProcessor::new(Arc::clone(&shared.lease_broker)))
        }
        ProcessorKind::Hive(hive) => Arc::new(HiveProcessor::new(
            hive.clone(),
            Arc::clone(&shared.backend),
        )),
    }
}
