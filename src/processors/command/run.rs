//! The life of one attempt: spawn the program, serve its pipes until it ends or is stopped, clean up, and return the
//! result.
//!
//! Everything happens inside one future: dropping it drops the [`Group`], which kills the processes. Each step runs
//! beside the pipes, so a host that is slow with a line delays no step.

use std::collections::HashSet;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::{Pin, pin};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, MaybeDone, join, maybe_done, select};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::group::{Group, command};
use super::guard::ProcessGuard;
use super::host::Host;
use super::orphans::{RunMark, kill_leftovers, kill_orphans};
use super::output::ResultText;
use super::pipes::{Kept, serve};
use super::start_error;
use crate::config::CommandSettings;
use crate::processors::command::scrubbed_env::ScrubbedEnv;
use crate::processors::run_error::RunError;
use crate::terminal::OutputLine;

/// After the leader's exit, the time for the rest of its group to end by itself: enough for a script's `tee` to write
/// its buffer, and short enough for a forgotten `sleep &`.
const LINGER: Duration = Duration::from_millis(500);

/// After a stop's kill, the time for the host to take the last lines.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// One attempt and what it needs.
pub(crate) struct CommandRun<'a> {
    pub(crate) settings: &'a CommandSettings,
    pub(crate) guard: &'a Arc<ProcessGuard>,
    pub(crate) scrubbed_env: &'a ScrubbedEnv,
    /// The time between SIGTERM and SIGKILL.
    pub(crate) kill_grace: Duration,
    pub(crate) mark: RunMark,
    pub(crate) content: &'a str,
}

impl CommandRun<'_> {
    /// Runs the attempt. A stop ends it within the kill grace and [`LAST_WORDS`], whatever the host and the program
    /// do; only a process stuck in the kernel takes longer.
    pub(crate) async fn to_end(&self, host: &impl Host) -> Result<String, RunError> {
        if self.mark.attempt > 1 {
            let tasks = HashSet::from([self.mark.task]);
            self.kill(move || kill_orphans(&tasks)).await;
        }
        let command = command(self.settings, self.scrubbed_env, &self.mark);
        let (mut group, pipes) = Group::spawn(command, self.guard)
            .map_err(|error| RunError::new(start_error::describe(self.settings, &error)))?;
        let last_call = CancellationToken::new();
        let mut pipes = pin!(maybe_done(serve(pipes, self.content, host, &last_call)));

        let stopped = self.end(&mut group, pipes.as_mut(), host).await;
        group.kill();
        let status = beside(pipes.as_mut(), group.reap()).await;
        last_call.cancel();
        tokio::select! {
            () = pipes.as_mut() => {}
            () = async { host.stopped().await; sleep(LAST_WORDS).await } => {}
        }
        match pipes.as_mut().take_output() {
            Some(kept) if !stopped => self.outcome(status, kept, host).await,
            _ => {
                // The task may return to the queue as if this attempt had never started. Its other runs are left
                // alone: a lost one may continue elsewhere on this machine.
                let runs = HashSet::from([self.mark.run]);
                self.kill(move || kill_leftovers(&runs)).await;
                Err(RunError::new("stopped before it finished".to_owned()))
            }
        }
    }

    /// Waits for the child or stops it, then waits briefly for its group. Returns true if stopped.
    async fn end<P>(
        &self,
        group: &mut Group,
        mut pipes: Pin<&mut MaybeDone<P>>,
        host: &impl Host,
    ) -> bool
    where
        P: Future<Output = Kept>,
    {
        let stopped = beside(pipes.as_mut(), exit_or_stop(group, host)).await;
        // The pipes end when all processes that hold them have ended. That may never happen: a process that left the
        // group can hold them too, and then the whole time passes.
        if stopped {
            group.terminate();
            let _ = timeout(self.kill_grace, join(group.leader_exited(), pipes)).await;
        } else {
            tokio::select! {
                () = pipes => {}
                () = sleep(LINGER) => {}
                () = host.stopped() => {}
            }
        }
        stopped
    }

    /// Kills what left an attempt's group and lived on, so that no two attempts run at once.
    async fn kill(&self, kill: impl FnOnce() -> io::Result<usize> + Send + 'static) {
        let task_id = self.mark.task;
        let killed = tokio::task::spawn_blocking(kill).await;
        match killed.map_err(io::Error::other).flatten() {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!(%task_id, count, "killed what an attempt left running");
            }
            Err(error) => {
                tracing::warn!(%task_id, %error, "cannot look for what an attempt left running");
            }
        }
    }

    async fn outcome(
        &self,
        status: io::Result<ExitStatus>,
        kept: Kept,
        host: &impl Host,
    ) -> Result<String, RunError> {
        let program = &self.settings.program;
        let status = status.map_err(|error| {
            RunError::new(format!(
                "cannot get the exit status of `{program}`: {error}"
            ))
        })?;
        if status.success() {
            return finish(kept.result).await;
        }
        let Some(line) = kept.last_error_line else {
            return Err(RunError::new(describe(status)));
        };
        if status.signal().is_some() {
            // A killed program could not print the cause: its last line alone would mislead.
            tokio::select! {
                () = host.log(OutputLine::plain(describe(status))) => {}
                () = host.stopped() => {}
            }
        }
        Err(RunError::new(line))
    }
}

/// Returns the result as it is stored. A large one is finished on a thread that may block.
async fn finish(result: ResultText) -> Result<String, RunError> {
    if !result.is_large() {
        return Ok(result.finish());
    }
    let finished = tokio::task::spawn_blocking(|| result.finish()).await;
    finished.map_err(|error| RunError::new(format!("cannot read the program's output: {error}")))
}

/// Waits for the child; returns true if the host stops it first.
async fn exit_or_stop(group: &mut Group, host: &impl Host) -> bool {
    tokio::select! {
        () = group.leader_exited() => false,
        () = host.stopped() => true,
    }
}

/// Runs `work` while the pipes are served.
async fn beside<T>(
    pipes: Pin<&mut MaybeDone<impl Future<Output = Kept>>>,
    work: impl Future<Output = T>,
) -> T {
    match select(pin!(work), pipes).await {
        Either::Left((done, _)) => done,
        Either::Right(((), work)) => work.await,
    }
}

/// Describes a status: `exit status 3`, `killed by signal 9 (SIGKILL)`.
fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit status {code}"),
        None => status
            .to_string()
            .replacen("signal:", "killed by signal", 1),
    }
}
