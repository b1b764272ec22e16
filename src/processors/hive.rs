//! `hive`: runs a task on the ARQ workers behind Redis.
//!
//! No processor owns the connection to Redis: one [`HiveBackend`] holds it for all of them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, ready};

use crate::config::HiveProcessorSettings;
use crate::models::Timestamp;
use crate::processors::context::Context;
use crate::processors::processor::Processor;
use crate::processors::run_error::{Next, RunError};

/// How long a processor starts nothing while it has no backend.
const WITHOUT_BACKEND: Duration = Duration::from_secs(60);

/// Runs attempts on the workers behind Redis.
pub(crate) trait HiveBackend: Send + Sync {
    /// Runs one attempt as a job that `settings` describe, and returns its result. Keeps the promises of
    /// [`Processor::run`].
    fn run_attempt<'a>(
        &'a self,
        settings: &'a HiveProcessorSettings,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<String, RunError>>;
}

/// Completes a task with the result of an ARQ worker.
pub(crate) struct HiveProcessor {
    settings: HiveProcessorSettings,
    backend: Arc<OnceLock<Arc<dyn HiveBackend>>>,
}

impl HiveProcessor {
    pub(crate) fn new(
        settings: HiveProcessorSettings,
        backend: Arc<OnceLock<Arc<dyn HiveBackend>>>,
    ) -> Self {
        Self { settings, backend }
    }
}

impl Processor for HiveProcessor {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        match self.backend.get() {
            Some(backend) => backend.run_attempt(&self.settings, context),
            None => {
                let hold = Next::Hold(Timestamp::now().after(WITHOUT_BACKEND));
                let message = "the Hive is off: set enable_hive";
                ready(Err(RunError::with(message, hold))).boxed()
            }
        }
    }

    fn is_remote(&self) -> bool {
        true
    }
}
