//! Real ARQ from PyPI: workers that run the functions of `arq_worker.py`, and a client. Whoever comes
//! from the same [`Arq`] shares its gates and its ledger.

use std::fs::File;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};
use tokio::process::{Child, Command};

use crate::redis::Redis;
use crate::repository;
use crate::wait::{eventually, in_time};

/// The virtual environments that `scripts/test` makes, one for each version.
const OLD: &str = "target/arq-0.26.1-venv";
const NEWEST: &str = "target/arq-venv";

/// One version of ARQ with one codec, on one queue.
pub struct Arq {
    folder: TempDir,
    environment: &'static str,
    queue: String,
    codec: &'static str,
}

/// A worker that runs; killed when it is dropped.
pub struct ArqWorker {
    child: Child,
    log: NamedTempFile,
}

impl Arq {
    /// The newest version, on this queue, with pickle.
    pub fn newest(queue: &str) -> Self {
        Self::of(NEWEST, queue)
    }

    /// Version 0.26.1 and the newest.
    pub fn both(queue: &str) -> [Self; 2] {
        [OLD, NEWEST].map(|environment| Self::of(environment, queue))
    }

    fn of(environment: &'static str, queue: &str) -> Self {
        Self {
            folder: TempDir::new().expect("a folder for ARQ"),
            environment,
            queue: queue.to_owned(),
            codec: "pickle",
        }
    }

    /// `pickle`, `json` or `msgpack`, for workers and clients.
    pub fn codec(mut self, codec: &'static str) -> Self {
        self.codec = codec;
        self
    }

    /// The folder of the virtual environment, which names the version.
    pub fn environment(&self) -> &'static str {
        self.environment
    }

    /// Starts a worker and waits until it is ready.
    pub async fn worker(&self, redis: &Redis) -> ArqWorker {
        let mut command = self.python("arq_worker.py", redis);
        command.arg(self.folder.path());
        ArqWorker::start(command, &self.folder, "ready").await
    }

    /// The same for a worker that runs at most `max_jobs` jobs at a time.
    pub async fn worker_for(&self, redis: &Redis, max_jobs: usize) -> ArqWorker {
        let mut command = self.python("arq_worker.py", redis);
        command.arg(self.folder.path());
        command.env("MAX_JOBS", max_jobs.to_string());
        ArqWorker::start(command, &self.folder, "ready").await
    }

    /// Starts `arq SETTINGS` in this folder of the repository, and waits until it has said that it starts.
    pub async fn worker_of(&self, folder: &str, settings: &str, redis: &Redis) -> ArqWorker {
        let mut command = self.command("arq");
        command
            .arg(settings)
            .current_dir(repository().join(folder))
            .env("REDIS_URL", redis.url())
            .env("QUEUE", &self.queue);
        ArqWorker::start(command, &self.folder, "Starting worker").await
    }

    /// What a client with these words answers; see `arq_client.py`.
    pub async fn client(&self, redis: &Redis, words: &[&str]) -> Value {
        let mut command = self.python("arq_client.py", redis);
        let output = command.args(words).stderr(Stdio::inherit()).output();
        let output = in_time("the client answers", output).await;
        let output = output.expect("a program that can be started");
        assert!(output.status.success(), "{words:?}: {}", output.status);
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The exit status of `arq --check` for this queue.
    pub async fn check(&self, redis: &Redis) -> Option<i32> {
        let settings = "from arq.connections import RedisSettings\n\
                        class Settings:\n    functions = []\n";
        let settings = format!(
            "{settings}    queue_name = {:?}\n    redis_settings = RedisSettings.from_dsn({:?})\n",
            self.queue,
            redis.url()
        );
        std::fs::write(self.folder.path().join("checked.py"), settings).expect("a folder");
        let mut command = self.command("arq");
        command.args(["--check", "checked.Settings"]);
        command.current_dir(&self.folder).stdout(Stdio::null());
        let status = command.stderr(Stdio::null()).status();
        let status = in_time("the check ends", status).await;
        status.expect("a program that can be started").code()
    }

    /// Enqueues a job whose task has the same id.
    pub async fn enqueue(&self, redis: &Redis, id: &str, function: &str, payload: &str) {
        let words = ["enqueue", id, function, id, payload];
        assert_eq!(self.client(redis, &words).await, true);
    }

    /// Lets everybody through who waits at this gate, and who comes later.
    pub fn open_gate(&self, gate: &str) {
        File::create(self.folder.path().join(gate)).expect("a folder to write in");
    }

    /// What the workers' functions have noted, in order: `WORD TASK_ID JOB_ID JOB_TRY`.
    pub fn ledger(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("ledger"));
        text.unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// How many lines of the ledger begin so.
    pub fn noted(&self, start: &str) -> usize {
        let ledger = self.ledger();
        ledger.iter().filter(|line| line.starts_with(start)).count()
    }

    /// Waits until this many lines of the ledger begin so.
    pub async fn until_noted(&self, start: &str, count: usize) {
        eventually("the ledger says so", || async {
            (self.noted(start) >= count).then_some(())
        })
        .await;
    }

    fn python(&self, script: &str, redis: &Redis) -> Command {
        let mut command = self.command("python");
        command
            .arg(repository().join("tests/support/python").join(script))
            .args([&redis.url(), &self.queue, self.codec]);
        command
    }

    /// A program of the virtual environment.
    fn command(&self, program: &str) -> Command {
        let path = repository()
            .join(self.environment)
            .join("bin")
            .join(program);
        assert!(
            path.exists(),
            "there is no {}: scripts/test makes it",
            self.environment
        );
        let mut command = Command::new(path);
        command
            // Nothing is left in the source folders.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

impl ArqWorker {
    /// Starts it and waits until it has said this.
    async fn start(mut command: Command, folder: &TempDir, ready: &str) -> Self {
        let log = NamedTempFile::new_in(folder).expect("a folder to write in");
        let [out, err] = [(); 2].map(|()| log.as_file().try_clone().expect("a file"));
        let child = command.stdout(out).stderr(err).spawn();
        let child = child.expect("a program that can be started");
        let mut worker = Self { child, log };
        eventually("the worker is ready", || {
            let ended = worker.child.try_wait().expect("a child");
            assert!(ended.is_none(), "the worker has ended\n{}", worker.log());
            let there = worker.log().contains(ready);
            async move { there.then_some(()) }
        })
        .await;
        worker
    }

    /// `kill -9`
    pub async fn kill9(mut self) {
        self.child.kill().await.expect("a running worker");
    }

    /// SIGTERM, and waits for the end: ARQ cancels what runs and leaves it to be run again.
    pub async fn stop(mut self) {
        let pid = self.child.id().expect("a running worker").cast_signed();
        let pid = Pid::from_raw(pid).expect("a process id");
        kill_process(pid, Signal::TERM).expect("a running worker");
        let ended = in_time("the worker ends", self.child.wait()).await;
        ended.expect("an exit status");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }
}

impl Drop for ArqWorker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the ARQ worker's words:\n{}", self.log());
        }
    }
}
