//! Real `venom hive worker` processes. Those of one [`Yard`] share its gates and its ledger.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::redis::{Redis, Reply};
use crate::wait::{eventually, in_time};

/// What each command notes is a line `WORD CONTENT ATTEMPT`.
const NOTE: &str =
    r#"content=$(cat); note() { echo "$1 $content $VENOM_ATTEMPT" >> "$YARD/ledger"; }; note run;"#;
/// The processors by name, and what each does after that.
const PROCESSORS: [(&str, &str, &str); 4] = [
    ("upper", "printf %s \"$content\" | tr a-z A-Z", ""),
    ("fail", "echo bad >&2; exit 1", ""),
    ("slow", "exec sleep 1000", "timeout = 0.2"),
    ("gate", GATED, ""),
];

/// Waits for its gate, which is named as its content is.
const GATED: &str =
    "while [ ! -e \"$YARD/$content\" ]; do sleep 0.01; done; note done; printf 'let through'";

/// A folder where workers meet tests.
pub struct Yard {
    folder: TempDir,
    shutdown_grace: u32,
    login: Option<(String, String)>,
}

/// A worker that runs; killed when it is dropped.
pub struct HiveWorker {
    child: Child,
    log: PathBuf,
}

impl Yard {
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a folder for workers"),
            shutdown_grace: 0,
            login: None,
        }
    }

    /// Sets how many seconds its workers give running jobs when they are stopped.
    pub fn shutdown_grace(mut self, seconds: u32) -> Self {
        self.shutdown_grace = seconds;
        self
    }

    /// Its workers log into Redis as this user.
    pub fn login(mut self, name: &str, password: &str) -> Self {
        self.login = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// The table of one more processor like `gate`, with these settings.
    pub fn gate_table(&self, name: &str, settings: &str) -> String {
        table(self.folder.path(), name, GATED, settings)
    }

    /// The table of one more processor that runs this script, which has its content in `$content`.
    pub fn table(&self, name: &str, script: &str) -> String {
        table(self.folder.path(), name, script, "")
    }

    /// Starts a worker with the processors `upper`, `fail`, `slow` and `gate`, and waits until it is connected.
    pub async fn worker(&self, redis: &Redis, name: &str) -> HiveWorker {
        self.worker_with(redis, name, &[], "").await
    }

    /// The same with more flags and more processors.
    pub async fn worker_with(
        &self,
        redis: &Redis,
        name: &str,
        flags: &[&str],
        tables: &str,
    ) -> HiveWorker {
        self.worker_at(redis.port(), name, flags, tables).await
    }

    /// The same at a port that leads to Redis.
    pub async fn worker_at(
        &self,
        port: u16,
        name: &str,
        flags: &[&str],
        tables: &str,
    ) -> HiveWorker {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder to write in");
        let login = self.login.as_ref().map(|(name, password)| {
            format!("redis_username = {name:?}\nredis_password = {password:?}\n")
        });
        let settings = format!(
            "shutdown_grace = {}\nlog = \"debug\"\nredis_host = \"127.0.0.1\"\nredis_port = {port}\n{}{}{tables}",
            self.shutdown_grace,
            login.unwrap_or_default(),
            processors(self.folder.path()),
        );
        std::fs::write(folder.join("venom.toml"), settings).expect("a folder to write in");
        let mut command = worker();
        command.args(["--name", name]).args(flags);
        HiveWorker::start(command, &folder).await
    }

    /// A worker with the settings of `examples/hive/worker.toml`, but for the port.
    pub async fn worker_of_the_example(&self, redis: &Redis) -> HiveWorker {
        let example = include_str!("../../../examples/hive/worker.toml");
        std::fs::write(self.folder.path().join("worker.toml"), example)
            .expect("a folder to write in");
        let mut command = worker();
        command
            .args(["--config", "worker.toml"])
            .env("REDIS_PORT", redis.port().to_string());
        HiveWorker::start(command, self.folder.path()).await
    }

    /// Lets everybody through who waits at this gate, and who comes later.
    pub fn open_gate(&self, gate: &str) {
        File::create(self.folder.path().join(gate)).expect("a folder to write in");
    }

    /// What the commands have noted, in order.
    pub fn ledger(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("ledger")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until the ledger has this line.
    pub async fn until_noted(&self, line: &str) {
        eventually("the ledger says so", || async {
            self.ledger()
                .iter()
                .any(|noted| noted == line)
                .then_some(())
        })
        .await;
    }
}

/// `venom hive worker`, and nothing of this environment but the path.
fn worker() -> Command {
    let mut command = Command::new(crate::venom());
    command
        .args(["hive", "worker"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

impl HiveWorker {
    /// Starts it in this folder, and waits until it is connected.
    async fn start(mut command: Command, folder: &Path) -> Self {
        let log = folder.join("stderr.log");
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a folder to write in"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be started");
        let worker = Self { child, log };
        worker.until_said("connected to Redis").await;
        worker
    }

    /// `kill -9`
    pub async fn kill9(mut self) {
        self.child.kill().await.expect("a running worker");
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(self) -> ExitStatus {
        self.tell_to_stop();
        self.ended().await
    }

    /// SIGTERM
    pub fn tell_to_stop(&self) {
        let pid = self.child.id().expect("a running worker").cast_signed();
        let pid = Pid::from_raw(pid).expect("a process id");
        kill_process(pid, Signal::TERM).expect("a running worker");
    }

    /// Waits for the end.
    pub async fn ended(mut self) -> ExitStatus {
        let ended = in_time("the worker ends", self.child.wait()).await;
        ended.expect("an exit status")
    }

    /// Waits until its log holds this.
    pub async fn until_said(&self, words: &str) {
        eventually(&format!("the worker says {words:?}"), || async {
            self.log().contains(words).then_some(())
        })
        .await;
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for HiveWorker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the worker's words:\n{}", self.log());
        }
    }
}

/// Puts a JSON job into a queue.
pub async fn put(redis: &Redis, queue: &str, id: &str, function: &str, payload: &str, score: &str) {
    let job = json!({ "t": null, "f": function, "a": [id, payload], "k": {}, "et": 1 });
    let key = format!("arq:job:{id}");
    redis.command(&["SET", &key, &job.to_string()]).await;
    redis.command(&["ZADD", queue, score, id]).await;
}

/// A result's text, once it is there.
pub async fn result_text(redis: &Redis, id: &str) -> String {
    let key = format!("arq:result:{id}");
    eventually("there is a result", || async {
        match redis.command(&["GET", &key]).await {
            Reply::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => None,
        }
    })
    .await
}

fn processors(yard: &Path) -> String {
    let tables = PROCESSORS.map(|(name, script, settings)| table(yard, name, script, settings));
    tables.concat()
}

fn table(yard: &Path, name: &str, script: &str, settings: &str) -> String {
    format!(
        "[processors.{name}]\nkind = \"command\"\nprogram = \"sh\"\n\
         args = [\"-c\", '''{NOTE} {script}''']\n{settings}\n\
         [processors.{name}.env]\nYARD = \"{}\"\n",
        yard.display()
    )
}
