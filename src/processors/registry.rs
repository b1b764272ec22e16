//! The configured processors, by name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, ready};

use super::command::{Command, Guard};
use super::echo::Echo;
use super::{Context, Processor, RunError};
use crate::config::{ProcessorKind, Settings};

/// One configured processor and the rules of its attempts.
pub struct Entry {
    pub processor: Arc<dyn Processor>,
    /// An attempt that takes longer fails as `timeout`.
    pub timeout: Option<Duration>,
}

/// Every processor a task may name.
pub struct Registry {
    entries: HashMap<String, Entry>,
    default: String,
}

impl Registry {
    /// The processors of the settings; `echo` is always among them.
    pub fn new(settings: &Settings) -> Self {
        let echo = (
            "echo".to_owned(),
            Entry {
                processor: Arc::new(Echo) as _,
                timeout: None,
            },
        );
        let guard = Arc::new(Guard::default());
        let configured = settings.processors.iter().map(|(name, processor)| {
            let run: Arc<dyn Processor> = match &processor.kind {
                ProcessorKind::Echo => Arc::new(Echo),
                ProcessorKind::Command(command) => {
                    Arc::new(Command::new(command.clone(), Arc::clone(&guard)))
                }
                ProcessorKind::Webhook(_) | ProcessorKind::Llm(_) | ProcessorKind::Worker(_) => {
                    Arc::new(NotThereYet)
                }
            };
            (
                name.clone(),
                Entry {
                    processor: run,
                    timeout: processor.timeout,
                },
            )
        });
        Self {
            entries: std::iter::once(echo).chain(configured).collect(),
            default: settings.default_processor.clone(),
        }
    }

    /// The processor of this name, if one is configured.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The processor of tasks that name none.
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// All names, sorted, for messages.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.entries.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// A kind that can be configured and not yet run.
struct NotThereYet;

impl Processor for NotThereYet {
    fn run<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        let reason = "processors of this kind are not there yet";
        ready(Err(RunError(reason.to_owned()))).boxed()
    }
}
