//! `command`: a child process for each attempt, fed with the task's content.
//!
//! What a program can rely on:
//! - It is started without a shell, in a session and process group of its own, with the settings'
//!   `args`, `env` and `working_directory`. A `program` without a slash is looked up in `PATH` (the
//!   one of `env`, if that sets it). One with a slash is a path, and if it is relative it starts at
//!   `working_directory`, or where the service was started; so do relative `args`, as the program
//!   itself reads them.
//! - Its environment is the service's, without secrets and the service's own variables (`scrubbed_env`), plus
//!   `env`.
//! - `VENOM_TASK_ID` and `VENOM_ATTEMPT` are in its environment and the task's `content` is on its
//!   standard input, which then ends. It need not read it.
//! - A task with dependencies (`after`) finds their ids, statuses and results in the JSON file that
//!   `VENOM_UPSTREAM` names: `[{"id", "status", "result"}, …]`, in the order of `after`.
//! - While traces are on, `TRACEPARENT` and `TRACESTATE` name the trace that the task belongs to.
//! - Each line it prints, on either output, is a log line as it comes (to 64 KiB). Standard output
//!   is also the result (to 1 MiB), without its last line end. The line `::progress 0.4` sets the
//!   progress and is neither. Bytes that are not UTF-8, and NUL, become U+FFFD. When the service is
//!   behind with its log, the program waits in its `write`.
//! - A carriage return begins the line anew, so the log has the last state of a progress bar. Live viewers see the
//!   current state of an unfinished line. Colours are kept beside the line's text; other escape sequences are
//!   removed, from the result too.
//! - Exit status 0 completes the task. Any other fails it with the last line of standard error that
//!   is not blank, or else with the status or signal itself.
//! - When the attempt has to end, its group gets SIGTERM, and SIGCONT in case it is stopped, and has five
//!   seconds before SIGKILL.
//! - Its background processes end with it: once it has exited, the rest of its group has
//!   half a second to close the output, and is killed. A process that has left the group (`setsid`) is
//!   found by `VENOM_TASK_ID` in its environment and killed a second or two later (`orphan_reaper`, Linux);
//!   one that is to live on is started without that variable.
//! - It may open as many files as the service was allowed to when it was started.
//! - When the service dies, so do the program (Linux), its group (`guard`) and, before the task is
//!   run again, anything else that it started (`orphans`).
//!
//! `run` is the life of one attempt, `group` its processes, `pipes` its streams, `output` their
//! meaning. A service that is process 1 of a container gets its grandchildren's zombies to reap, and
//! does not: run it with an init (`docker run --init`).

pub(super) mod group;
pub(super) mod guard;
pub(super) mod host;
pub(super) mod orphan_reaper;
pub(super) mod orphans;
pub(super) mod output;
pub(super) mod pipes;
pub(super) mod run;
pub(super) mod scrubbed_env;
pub(super) mod start_error;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tempfile::NamedTempFile;

use self::guard::ProcessGuard;
use self::orphan_reaper::OrphanProcessReaper;
use self::orphans::RunMark;
use self::run::CommandRun;
use self::scrubbed_env::ScrubbedEnv;
use crate::config::CommandSettings;
use crate::models::TraceContext;
use crate::processors::context::Context;
use crate::processors::processor::Processor;
use crate::processors::run_error::RunError;

pub(crate) use self::group::{die_with, remember_file_limit};
pub(crate) use self::orphans::kill_orphans;

/// The time between SIGTERM and SIGKILL.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// Names the file with the results of the task's dependencies.
const UPSTREAM_VARIABLE: &str = "VENOM_UPSTREAM";

/// Runs each task as a child process.
pub(crate) struct CommandProcessor {
    settings: CommandSettings,
    guard: Arc<ProcessGuard>,
    scrubbed_env: Arc<ScrubbedEnv>,
    process_reaper: Arc<OrphanProcessReaper>,
}

impl CommandProcessor {
    /// Creates a processor for one `[processors.NAME]` table. All processors of a service share the guard, the names
    /// of the scrubbed variables, and the orphan reaper.
    pub(crate) fn new(
        settings: CommandSettings,
        guard: Arc<ProcessGuard>,
        scrubbed_env: Arc<ScrubbedEnv>,
        process_reaper: Arc<OrphanProcessReaper>,
    ) -> Self {
        Self {
            settings,
            guard,
            scrubbed_env,
            process_reaper,
        }
    }
}

impl Processor for CommandProcessor {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        async move {
            let upstream = upstream_file(context).await?;
            let mut settings = Cow::Borrowed(&self.settings);
            if let Some(file) = &upstream {
                let path = file.path().to_string_lossy().into_owned();
                settings
                    .to_mut()
                    .env
                    .insert(UPSTREAM_VARIABLE.to_owned(), path);
            }
            if let Some(trace) = context.trace() {
                with_trace(settings.to_mut(), trace);
            }
            let run = CommandRun {
                settings: &settings,
                guard: &self.guard,
                scrubbed_env: &self.scrubbed_env,
                kill_grace: KILL_GRACE,
                mark: RunMark::new(context.task_id(), context.attempt()),
                content: context.content(),
            };
            let ended = run.to_end(context).await;
            self.process_reaper.ended(run.mark.run);
            ended
        }
        .boxed()
    }
}

/// Writes the results of the task's dependencies to a JSON file, removed when dropped. `None` without dependencies.
async fn upstream_file(context: &Context) -> Result<Option<NamedTempFile>, RunError> {
    let upstream = context.upstream().await?;
    if upstream.is_empty() {
        return Ok(None);
    }
    let write = move || -> std::io::Result<NamedTempFile> {
        let mut file = NamedTempFile::with_prefix("venom-upstream-")?;
        serde_json::to_writer(&mut file, &upstream)?;
        file.flush()?;
        Ok(file)
    };
    let written = tokio::task::spawn_blocking(write).await;
    let written = written.map_err(std::io::Error::other).flatten();
    let why = |error| {
        RunError::new(format!(
            "cannot write the results of its dependencies: {error}"
        ))
    };
    written.map(Some).map_err(why)
}

/// Gives the program its own trace, and never one from the service's own environment.
fn with_trace(settings: &mut CommandSettings, trace: TraceContext) {
    let state = trace.tracestate.unwrap_or_default();
    for (name, value) in [("TRACEPARENT", trace.traceparent), ("TRACESTATE", state)] {
        settings.env.insert(name.to_owned(), value);
    }
}
