//! `hive`: hands a task over to the ARQ workers behind Redis.
//!
//! The connection to Redis is no processor's own: whoever holds it is the [`Carrier`] of them all.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, ready};

use crate::config::HiveProcessorSettings;
use crate::models::Timestamp;
use crate::processors::context::Context;
use crate::processors::processor::Processor;
use crate::processors::run_error::{Next, RunError};

/// How long a processor starts nothing if it has no carrier.
const WITHOUT_CARRIER: Duration = Duration::from_secs(60);

/// Who takes a task to the workers and brings its result back.
pub(crate) trait Carrier: Send + Sync {
    /// Runs one attempt by a job as `settings` describe it, and answers with its result. It keeps to
    /// what [`Processor::run`] promises.
    fn carry<'a>(
        &'a self,
        settings: &'a HiveProcessorSettings,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<String, RunError>>;
}

/// Completes a task with what an ARQ worker answers.
pub(crate) struct Hive {
    settings: HiveProcessorSettings,
    carrier: Arc<OnceLock<Arc<dyn Carrier>>>,
}

impl Hive {
    pub(crate) fn new(
        settings: HiveProcessorSettings,
        carrier: Arc<OnceLock<Arc<dyn Carrier>>>,
    ) -> Self {
        Self { settings, carrier }
    }
}

impl Processor for Hive {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        match self.carrier.get() {
            Some(carrier) => carrier.carry(&self.settings, context),
            None => {
                let hold = Next::Hold(Timestamp::now().after(WITHOUT_CARRIER));
                let message = "the Hive is off: set enable_hive";
                ready(Err(RunError::with(message, hold))).boxed()
            }
        }
    }

    fn is_remote(&self) -> bool {
        true
    }
}
