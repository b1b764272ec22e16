//! A `redis-server` of the benchmark's own, and the connection to it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, FromRedisValue};
use tokio::process::Command;

use crate::options::Plan;
use crate::process::Process;
use crate::service::{Home, free_port};
use crate::{QUEUE, Result};

const START_PATIENCE: Duration = Duration::from_secs(10);
const DRAIN_PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at the queue.
const LOOK: Duration = Duration::from_millis(2);

pub struct Redis {
    // The order matters: the process ends before its folder goes.
    process: Process,
    _home: Home,
    pub port: u16,
    connection: MultiplexedConnection,
}

impl Redis {
    /// Starts one that keeps nothing on disk.
    pub async fn start(plan: &Plan) -> Result<Self> {
        let home = Home::empty(plan)?;
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let process = Process::spawn(&mut command)
            .map_err(|error| format!("{error}; `scripts/test` installs it"))?;
        let connection = connect(port).await?;
        Ok(Self {
            process,
            _home: home,
            port,
            connection,
        })
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        Ok(command.query_async(&mut self.connection.clone()).await?)
    }

    /// What `INFO SECTION` says of this field.
    pub async fn info(&self, section: &str, field: &str) -> Result<String> {
        let text: String = self.ask(::redis::cmd("INFO").arg(section)).await?;
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(name, _)| *name == field);
        Ok(found.ok_or("INFO lacks a field")?.1.to_owned())
    }

    pub async fn version(&self) -> Result<String> {
        self.info("server", "redis_version").await
    }

    /// Forgets everything.
    pub async fn empty(&self) -> Result<()> {
        self.ask(&::redis::cmd("FLUSHALL")).await
    }

    /// How many jobs the queue holds.
    pub async fn queued(&self) -> Result<u64> {
        self.ask(::redis::cmd("ZCARD").arg(QUEUE)).await
    }

    /// Waits until the queue's length is so; the length then, and when that was.
    pub async fn until(&self, wanted: impl Fn(u64) -> bool) -> Result<(u64, Instant)> {
        let patience = Instant::now() + DRAIN_PATIENCE;
        loop {
            let length = self.queued().await?;
            if wanted(length) {
                return Ok((length, Instant::now()));
            }
            if Instant::now() > patience {
                return Err(
                    format!("after {DRAIN_PATIENCE:?} the queue still has {length}").into(),
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn connect(port: u16) -> Result<MultiplexedConnection> {
    let client = ::redis::Client::open(("127.0.0.1", port))?;
    let patience = Instant::now() + START_PATIENCE;
    loop {
        match client.get_multiplexed_async_connection().await {
            Ok(connection) => return Ok(connection),
            Err(error) if Instant::now() > patience => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
