//! The service under measurement: the real binary, in a folder of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::IgnoredAny;
use tempfile::TempDir;
use tokio::process::Command;

use crate::Result;
use crate::client::{Control, Target};
use crate::meter::Meter;
use crate::options::Plan;
use crate::process::{Memory, Process};

/// With limits off a task starts as soon as it is accepted.
pub const LIMITS_OFF: Environment = &[("ENABLE_QUEUE_LIMITS", "false")];
/// The limit that the service has by default.
pub const LIMIT_5: Environment = &[
    ("ENABLE_QUEUE_LIMITS", "true"),
    ("MAX_CONCURRENT_TASKS", "5"),
];

/// Settings in addition to the inherited environment.
pub type Environment = &'static [(&'static str, &'static str)];

const START_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(60);
const DRAIN_PATIENCE: Duration = Duration::from_secs(120);

/// A temporary folder that a service lives in; gone when dropped.
pub struct Home {
    folder: TempDir,
}

impl Home {
    pub fn empty(plan: &Plan) -> Result<Self> {
        std::fs::create_dir_all(&plan.folder)?;
        Ok(Self {
            folder: tempfile::Builder::new()
                .prefix("bench-")
                .tempdir_in(&plan.folder)?,
        })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn database(&self) -> PathBuf {
        self.path().join("venom.db")
    }
}

pub struct Service {
    // The order matters: the process ends before its folder goes.
    pub process: Process,
    home: Home,
    pub address: SocketAddr,
    /// From before the spawn to the first answer of `/healthz`.
    pub first_answer: Duration,
}

/// `GET /api/v1/queue/status`, as far as it is needed.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct QueueStatus {
    pub pending: u64,
    pub processing: u64,
}

impl Service {
    pub async fn start(plan: &Plan, home: Home, environment: Environment) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = command(plan, &home, address)?;
        command.envs(environment.iter().copied());
        let started = Instant::now();
        let mut process = Process::spawn(&mut command)?;
        if let Err(failure) = wait_for_answer(&mut process, address).await {
            let log = std::fs::read_to_string(log_file(&home)).unwrap_or_default();
            return Err(format!("the service did not start: {failure}\n{log}").into());
        }
        Ok(Self {
            process,
            home,
            address,
            first_answer: started.elapsed(),
        })
    }

    /// A clean stop; gives the folder back.
    pub async fn stop(self) -> Result<Home> {
        self.process
            .stop(STOP_PATIENCE)
            .await
            .map_err(|error| format!("the service {error}"))?;
        Ok(self.home)
    }

    /// The end of a service whose folder is thrown away: no final dump of a million rows.
    pub async fn kill(self) -> Result<()> {
        self.process.kill().await
    }

    pub async fn pause(&self) -> Result<()> {
        self.control()
            .await?
            .post("/api/v1/queue/pause")
            .await
            .map(|IgnoredAny| ())
    }

    pub async fn resume(&self) -> Result<()> {
        self.control()
            .await?
            .post("/api/v1/queue/resume")
            .await
            .map(|IgnoredAny| ())
    }

    pub async fn queue_status(&self) -> Result<QueueStatus> {
        self.control().await?.get("/api/v1/queue/status").await
    }

    /// Waits until the queue holds no more than `floor`: what was there before the load.
    pub async fn drained(&self, floor: QueueStatus) -> Result<()> {
        let mut control = self.control().await?;
        let patience = Instant::now() + DRAIN_PATIENCE;
        loop {
            let status: QueueStatus = control.get("/api/v1/queue/status").await?;
            if status.pending <= floor.pending && status.processing <= floor.processing {
                return Ok(());
            }
            if Instant::now() > patience {
                return Err(format!("after {DRAIN_PATIENCE:?} there is still {status:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn control(&self) -> Result<Control> {
        Control::connect(self.address).await
    }

    pub fn target(&self) -> Target {
        Target {
            address: self.address,
            path: "/api/v1/tasks",
        }
    }

    /// Submissions that are answered when their task is completed.
    pub fn waiting_target(&self) -> Target {
        Target {
            address: self.address,
            path: "/api/v1/tasks?wait=60",
        }
    }

    pub fn database(&self) -> PathBuf {
        self.home.database()
    }

    pub fn memory(&self) -> Option<Memory> {
        self.process.memory()
    }

    pub fn meter(&self) -> Meter<'_> {
        Meter::start(&self.process, Vec::new())
    }
}

fn command(plan: &Plan, home: &Home, address: SocketAddr) -> Result<Command> {
    let log = std::fs::File::create(log_file(home))?;
    let mut command = Command::new(&plan.binary);
    command
        .args(["serve", "--host", "127.0.0.1", "--port"])
        .arg(address.port().to_string())
        .arg("--database")
        .arg(home.database())
        .arg("--state-file")
        .arg(home.path().join("state_dump.json"))
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(command)
}

fn log_file(home: &Home) -> PathBuf {
    home.path().join("service.log")
}

/// A port that nobody has.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Asks for `/healthz` each millisecond until it is answered.
async fn wait_for_answer(process: &mut Process, address: SocketAddr) -> Result<()> {
    let patience = Instant::now() + START_PATIENCE;
    while let Err(failure) = ask_for_health(address).await {
        if let Some(status) = process.ended()? {
            return Err(status.to_string().into());
        }
        if Instant::now() > patience {
            return Err(format!("no answer within {START_PATIENCE:?}: {failure}").into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn ask_for_health(address: SocketAddr) -> Result<()> {
    Control::connect(address)
        .await?
        .get("/healthz")
        .await
        .map(|IgnoredAny| ())
}
