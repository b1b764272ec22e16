//! Real child processes against a recording [`Host`]. They are `sh` scripts, and speak to their
//! test by lines and named pipes; nothing here waits by the clock except for what must not happen.

mod endings;
#[cfg(target_os = "linux")]
mod orphans;
mod output;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::guard::ProcessGuard;
use super::orphans::RunMark;
use super::run::CommandRun;
use crate::config::CommandSettings;
use crate::models::TaskId;
use crate::processors::command::host::Host;
use crate::processors::command::scrubbed_env::ScrubbedEnv;
use crate::terminal::OutputLine;

/// No test takes this long unless something hangs.
const HANGS: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Log(String),
    Progress(f64),
}

/// A host that records what a run reports.
struct Recorder {
    seen: watch::Sender<Vec<Seen>>,
    stop: CancellationToken,
    /// While shut, a line is kept but its writer waits.
    open: watch::Sender<bool>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            seen: watch::Sender::default(),
            stop: CancellationToken::new(),
            open: watch::Sender::new(true),
        }
    }
}

impl Recorder {
    fn logs(&self) -> Vec<String> {
        let seen = self.seen.borrow();
        let log = |seen: &Seen| match seen {
            Seen::Log(line) => Some(line.clone()),
            Seen::Progress(_) => None,
        };
        seen.iter().filter_map(log).collect()
    }

    /// Waits for this line.
    async fn line(&self, line: &str) {
        self.line_that(|seen| (seen == line).then_some(())).await;
    }

    /// Waits for a line `NAME <process id>`.
    async fn process_id(&self, name: &str) -> i32 {
        self.line_that(|line| line.strip_prefix(name)?.trim().parse().ok())
            .await
    }

    async fn line_that<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let mut seen = self.seen.subscribe();
        let found = |seen: &Vec<Seen>| {
            seen.iter().find_map(|seen| match seen {
                Seen::Log(line) => find(line),
                Seen::Progress(_) => None,
            })
        };
        let waited = timeout(HANGS, seen.wait_for(|seen| found(seen).is_some())).await;
        let seen = waited.expect("the line never came").expect("open");
        found(&seen).expect("just found")
    }
}

impl Host for Recorder {
    async fn log(&self, line: OutputLine) {
        self.seen
            .send_modify(|seen| seen.push(Seen::Log(line.text)));
        let _ = self.open.subscribe().wait_for(|&open| open).await;
    }

    async fn live_line(&self, _: OutputLine) {}

    async fn progress(&self, progress: f64) {
        self.seen
            .send_modify(|seen| seen.push(Seen::Progress(progress)));
    }

    async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

/// One attempt to be run, and its host.
struct Attempt {
    settings: CommandSettings,
    guard: Arc<ProcessGuard>,
    scrubbed_env: ScrubbedEnv,
    kill_grace: Duration,
    task_id: TaskId,
    number: i64,
    content: String,
    host: Recorder,
}

impl Attempt {
    /// An attempt whose program is a shell with this script.
    fn script(script: &str) -> Self {
        Self {
            settings: CommandSettings {
                program: "sh".into(),
                args: vec!["-c".into(), script.into()],
                env: [].into(),
                working_directory: None,
            },
            guard: Arc::default(),
            scrubbed_env: ScrubbedEnv::default(),
            kill_grace: HANGS,
            task_id: TaskId::new_v4(),
            number: 1,
            content: String::new(),
            host: Recorder::default(),
        }
    }

    async fn run(&self) -> Result<String, String> {
        let run = CommandRun {
            settings: &self.settings,
            guard: &self.guard,
            scrubbed_env: &self.scrubbed_env,
            kill_grace: self.kill_grace,
            mark: RunMark::new(self.task_id, self.number),
            content: &self.content,
        };
        let ended = timeout(HANGS, run.to_end(&self.host)).await;
        ended.expect("the run hangs").map_err(|error| error.message)
    }

    /// Runs it beside `act`, and answers when both have ended.
    async fn run_beside(&self, act: impl Future<Output = ()>) -> Result<String, String> {
        tokio::join!(self.run(), act).0
    }
}

/// Waits until the process is dead, whether or not somebody has reaped it.
#[cfg(target_os = "linux")]
async fn ended(process: i32) {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let id = Pid::from_raw(process).unwrap();
    let Ok(pidfd) = pidfd_open(id, PidfdFlags::empty()) else {
        return; // Reaped already.
    };
    // SAFETY: the descriptor is owned by what it is registered with.
    #[expect(unsafe_code, reason = "see `group`")]
    let exit = unsafe {
        tokio::io::unix::AsyncFd::register_with_interest(pidfd, tokio::io::Interest::READABLE)
    };
    let exit = exit.unwrap();
    let waited = timeout(HANGS, exit.readable()).await;
    let _ = waited.expect("the process lives on").unwrap();
}

/// Whether the process runs (a zombie does not).
#[cfg(target_os = "linux")]
fn runs(process: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    status.is_ok_and(|status| !status.contains("\nState:\tZ"))
}
