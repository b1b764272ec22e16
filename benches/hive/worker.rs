//! `venom hive worker` with an echo as the processor of all jobs.

use std::fs::File;
use std::process::Stdio;

use tokio::process::Command;

use crate::process::Process;
use crate::service::Home;
use crate::{Bench, Result};

pub struct Worker {
    // The order matters: the process ends before its folder goes.
    process: Process,
    _home: Home,
}

impl Worker {
    pub fn start(bench: &Bench, max_jobs: u32) -> Result<Self> {
        let home = Home::empty(&bench.plan)?;
        let settings = format!(
            "redis_host = \"127.0.0.1\"\nredis_port = {}\n[processors.noop]\nkind = \"echo\"\n",
            bench.redis.port
        );
        std::fs::write(home.path().join("venom.toml"), settings)?;
        let mut command = Command::new(&bench.plan.binary);
        command
            .args(["hive", "worker", "--max-jobs", &max_jobs.to_string()])
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(home.path().join("worker.log"))?);
        let process = Process::spawn(&mut command)?;
        Ok(Self {
            process,
            _home: home,
        })
    }

    pub fn process(&self) -> &Process {
        &self.process
    }
}
