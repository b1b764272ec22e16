//! The service under test: a child process in the folder of the test.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Url;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::announced;
use crate::cli::error::Error;
use crate::config::Durability;
use crate::processors::die_with;
use crate::state::{Lock, RECORD_WRITES};

pub(crate) const DATABASE: &str = "venom.db";
const LOG: &str = "service.log";
const SETTINGS: &str = "venom.toml";
/// The longest time for a start, and for a queue that does not get shorter.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// How the service under test runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceOptions {
    pub(crate) durability: Durability,
    /// Whether it records its writes, so that the test can cut the power.
    pub(crate) records_writes: bool,
}

/// A running service. Dropping it kills the process.
pub(crate) struct ServiceProcess {
    child: Child,
    folder: PathBuf,
}

impl ServiceProcess {
    /// Starts this program as a service in `folder`, and returns before it listens.
    pub(crate) fn start(folder: &Path, options: ServiceOptions) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::Failed(format!("cannot start a service: {error}"));
        let database = folder.join(DATABASE);
        fs::write(folder.join(SETTINGS), settings(options.durability)).map_err(failed)?;
        // A killed service leaves its address in the lock file.
        fs::write(Lock::path_of(&database), "").map_err(failed)?;
        let child = command(folder, options).and_then(|mut command| command.spawn());
        Ok(Self {
            child: child.map_err(failed)?,
            folder: folder.to_owned(),
        })
    }

    /// Waits until the service listens and returns its address.
    pub(crate) async fn listens(&self) -> Result<Url, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(url) = announced(&self.folder.join(DATABASE)) {
                return Ok(url);
            }
            if Instant::now() > deadline {
                return Err(Error::Failed(format!(
                    "the service did not start: {}",
                    last_words(&self.folder)
                )));
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Kills the process with SIGKILL and waits for its end.
    pub(crate) async fn kill(mut self) -> Result<(), Error> {
        let killed = self.child.kill().await;
        killed.map_err(|error| Error::Failed(format!("cannot kill the service: {error}")))
    }

    /// Shuts the service down gracefully.
    pub(crate) async fn stop(mut self) -> Result<(), Error> {
        let failed = |error: io::Error| Error::Failed(format!("cannot stop the service: {error}"));
        let pid = self
            .child
            .id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()));
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).map_err(|error| failed(error.into()))?;
        }
        let status = self.child.wait().await.map_err(failed)?;
        match status.success() {
            true => Ok(()),
            false => Err(Error::Failed(format!(
                "the service failed at shutdown: {}",
                last_words(&self.folder)
            ))),
        }
    }
}

/// Returns the settings of the test; those of the user are ignored. The dump is not tested here.
fn settings(durability: Durability) -> String {
    let durability = durability.name();
    format!("durability = \"{durability}\"\nstate_dump = false\n")
}

fn command(folder: &Path, options: ServiceOptions) -> io::Result<Command> {
    let log: File = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(LOG))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["serve", "--host", "127.0.0.1", "--port", "0"])
        .args(["--database", DATABASE, "--config", SETTINGS])
        .args(["--state-file", "state_dump.json"])
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        // Ctrl-C must reach only the test, which ends the service itself.
        .process_group(0);
    if options.records_writes {
        command.env(RECORD_WRITES, "1");
    }
    let test = rustix::process::getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; `die_with` makes two
    // system calls and allocates nothing.
    #[expect(
        unsafe_code,
        reason = "the kernel alone can end it after a kill -9 of the test"
    )]
    unsafe {
        command.pre_exec(move || die_with(test));
    }
    Ok(command)
}

/// Returns the last line of the service's log.
fn last_words(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
    log.lines().last().unwrap_or("its log is empty").to_owned()
}

/// Waits until the service has no PENDING and no running task.
pub(crate) async fn drained(url: &Url) -> Result<(), Error> {
    let client = ServiceClient::new(url, None, None)?;
    let mut least = u64::MAX;
    let mut deadline = Instant::now() + PATIENCE;
    loop {
        let queue = client.get("/api/v1/queue/status").await?;
        let count = |name: &str| queue[name].as_u64().unwrap_or(0);
        let open = count("pending") + count("active");
        if open == 0 {
            return Ok(());
        }
        if open < least {
            least = open;
            deadline = Instant::now() + PATIENCE;
        } else if Instant::now() > deadline {
            return Err(Error::Failed(format!("{open} tasks do not finish")));
        }
        sleep(10 * BETWEEN_LOOKS).await;
    }
}
