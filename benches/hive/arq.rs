//! Real ARQ from PyPI: its client and its worker, by `arq_side.py`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::process::Process;
use crate::redis::Redis;
use crate::{Failure, Result};

/// Made by `scripts/test`, of the newest version.
const ENVIRONMENT: &str = "target/arq-venv";

pub struct Arq {
    python: PathBuf,
    url: String,
}

/// How an ARQ worker is set up.
#[derive(Clone, Copy)]
pub struct Setup {
    pub max_jobs: u32,
    pub poll_delay: f64,
}

impl Arq {
    pub fn find(redis: &Redis) -> Result<Self> {
        let python = root().join(ENVIRONMENT).join("bin/python");
        if !python.exists() {
            return Err(format!("there is no {ENVIRONMENT}: `scripts/test` makes it").into());
        }
        let url = redis.url();
        Ok(Self { python, url })
    }

    /// Of ARQ and Python, for the heading.
    pub async fn versions(&self) -> Result<String> {
        let code = "import platform; from arq.version import VERSION; \
                    print(f'arq {VERSION}, Python {platform.python_version()}')";
        let output = Command::new(&self.python).args(["-c", code]).output();
        Ok(String::from_utf8(output.await?.stdout)?.trim().to_owned())
    }

    pub fn worker(&self, setup: Setup) -> Result<Process> {
        let (max_jobs, poll_delay) = (setup.max_jobs.to_string(), setup.poll_delay.to_string());
        let mut command = self.side(&["worker", &max_jobs, &poll_delay]);
        Process::spawn(command.stdout(Stdio::null()))
    }

    /// Puts this many jobs into the queue.
    pub async fn enqueue(&self, count: u64) -> Result<()> {
        self.answer(&["enqueue", &count.to_string()]).await?;
        Ok(())
    }

    /// For jobs that each come alone: milliseconds to the start, and until the client sees the result.
    pub async fn latency(&self, count: usize, pause: f64) -> Result<Vec<(f64, f64)>> {
        let words = ["latency", &count.to_string(), &pause.to_string()];
        Ok(serde_json::from_slice(&self.answer(&words).await?)?)
    }

    async fn answer(&self, words: &[&str]) -> Result<Vec<u8>> {
        let output = self.side(words).kill_on_drop(true).output().await?;
        if !output.status.success() {
            return Err(Failure::from(format!("{words:?}: {}", output.status)));
        }
        Ok(output.stdout)
    }

    fn side(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command
            .arg(root().join("benches/hive/arq_side.py"))
            .arg(&self.url)
            .args(words)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        command
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
