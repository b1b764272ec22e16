//! The life of one attempt: spawn, serve the pipes until the child ends or has to, clean up, judge.
//!
//! Everything happens inside one future, so that dropping it drops the [`Group`], which kills. The
//! pipes are served beside each step: while the host is slow with a line, the steps go on.

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

/// After the leader's exit, the time for the rest of its group to end by itself: enough for a
/// script's `tee` to write what it still holds, and short enough for a forgotten `sleep &`.
const LINGER: Duration = Duration::from_millis(500);

/// After a stop's kill, the time for the host to take what was still printed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// One attempt and what it is made from.
pub(crate) struct CommandRun<'a> {
    pub(crate) settings: &'a CommandSettings,
    pub(crate) guard: &'a Arc<ProcessGuard>,
    pub(crate) scrubbed_env: &'a ScrubbedEnv,
    /// From SIGTERM to SIGKILL.
    pub(crate) kill_grace: Duration,
    pub(crate) mark: RunMark,
    pub(crate) content: &'a str,
}

impl CommandRun<'_> {
    /// Runs the attempt. A stop ends it within the kill grace and [`LAST_WORDS`], whatever the host
    /// and the program do; only a process stuck in the kernel is waited for longer.
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
            Some(kept) if !stopped => self.judge(status, kept, host).await,
            _ => {
                // The task may go back to the queue as if this attempt had never been. Of its other runs
                // nothing is touched: one that was lost may go on elsewhere on this machine.
                let runs = HashSet::from([self.mark.run]);
                self.kill(move || kill_leftovers(&runs)).await;
                Err(RunError::new("stopped before it ended".to_owned()))
            }
        }
    }

    /// Waits for the child, or asks it to end; then gives its group a while. `true` if stopped.
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
        // That the pipes end says that all who had them have. It may never come: a process that
        // left the group can have them too, and then the whole while passes.
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

    /// Ends what left an attempt's group and lived on, so that no two attempts run at once.
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

    async fn judge(
        &self,
        status: io::Result<ExitStatus>,
        kept: Kept,
        host: &impl Host,
    ) -> Result<String, RunError> {
        let program = &self.settings.program;
        let status = status.map_err(|error| {
            RunError::new(format!("cannot learn how `{program}` ended: {error}"))
        })?;
        if status.success() {
            return finish(kept.result).await;
        }
        let Some(line) = kept.last_error_line else {
            return Err(RunError::new(describe(status)));
        };
        if status.signal().is_some() {
            // The program had no chance to print why: its last line alone would be a riddle.
            tokio::select! {
                () = host.log(OutputLine::plain(describe(status))) => {}
                () = host.stopped() => {}
            }
        }
        Err(RunError::new(line))
    }
}

/// The result as it is stored. A large one takes milliseconds, which others would wait for.
async fn finish(result: ResultText) -> Result<String, RunError> {
    if !result.is_large() {
        return Ok(result.finish());
    }
    let finished = tokio::task::spawn_blocking(|| result.finish()).await;
    finished.map_err(|error| RunError::new(format!("cannot read the program's output: {error}")))
}

/// Waits for the child; `true` if the host wants it stopped first.
async fn exit_or_stop(group: &mut Group, host: &impl Host) -> bool {
    tokio::select! {
        () = group.leader_exited() => false,
        () = host.stopped() => true,
    }
}

/// Does `work` while the pipes are served.
async fn beside<T>(
    pipes: Pin<&mut MaybeDone<impl Future<Output = Kept>>>,
    work: impl Future<Output = T>,
) -> T {
    match select(pin!(work), pipes).await {
        Either::Left((done, _)) => done,
        Either::Right(((), work)) => work.await,
    }
}

/// `exit status 3`, `killed by signal 9 (SIGKILL)`.
fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit status {code}"),
        None => status
            .to_string()
            .replacen("signal:", "killed by signal", 1),
    }
}
