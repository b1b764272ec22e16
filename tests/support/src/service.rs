//! The real binary as a child process, in a folder of its own.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::database::Database;
use crate::wait::{eventually, in_time};

/// Running tasks are interrupted at once when a test is over.
const BASE_SETTINGS: &str = "shutdown_grace = 0\nlog = \"debug\"\n";
const LOOPBACK: &str = "127.0.0.1";

/// A service to be started: its settings and its folder.
pub struct Setup {
    folder: TempDir,
    settings: String,
    tables: String,
    environment: Vec<(String, String)>,
    port: u16,
    /// Where the database and the dump lie, if not in `folder`.
    data: Option<PathBuf>,
    /// A program that starts the service, with its arguments.
    launcher: Vec<String>,
    host: String,
    insecure: bool,
}

impl Setup {
    /// The default settings, but for the grace at a stop: there is none.
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a folder for the test"),
            settings: BASE_SETTINGS.to_owned(),
            tables: String::new(),
            environment: Vec::new(),
            port: 0,
            data: None,
            launcher: Vec::new(),
            host: LOOPBACK.to_owned(),
            insecure: false,
        }
    }

    /// Not just any free port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Keeps the database and the dump in another folder.
    pub fn data_in(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// Another address to listen on.
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// Asks for no token, whatever the address.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// What stands in `venom.toml`.
    pub(crate) fn settings_text(&self) -> String {
        format!("{}\n{}", self.settings, self.tables)
    }

    /// Starts the service by another program, which ends up as the service itself.
    pub fn launched_by(mut self, launcher: Vec<String>) -> Self {
        self.launcher = launcher;
        self
    }

    /// A line of `venom.toml` before its tables; the last one of a key counts.
    pub fn setting(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        let start = format!("{key} = ");
        self.settings = self
            .settings
            .lines()
            .filter(|line| !line.starts_with(&start))
            .chain([format!("{key} = {value}").as_str()])
            .fold(String::new(), |text, line| text + line + "\n");
        self
    }

    /// A table of `venom.toml`, such as a processor.
    pub fn table(mut self, text: &str) -> Self {
        self.tables.push_str(text);
        self.tables.push('\n');
        self
    }

    /// A variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where everything of this service lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn database_path(&self) -> PathBuf {
        self.data_folder().join("venom.db")
    }

    pub fn state_file(&self) -> PathBuf {
        self.data_folder().join("state_dump.json")
    }

    /// Starts the service and waits until it listens.
    pub async fn start(self) -> Service {
        let mut child = self.spawn();
        let lock = self.lock_file();
        let url = eventually("the service listens", || {
            if let Some(status) = child.try_wait().expect("a child that can be waited for") {
                panic!("the service did not start: {status}\n{}", self.log());
            }
            let text = std::fs::read_to_string(&lock).unwrap_or_default();
            let url = text.lines().next().unwrap_or_default().to_owned();
            async move { (!url.is_empty()).then_some(url) }
        })
        .await;
        // What means every address is no address to go to.
        let url = url.replace("0.0.0.0", LOOPBACK);
        Service::new(self, child, url)
    }

    /// Starts the service and waits until it has ended: for starts that are to fail.
    pub async fn start_and_fail(&self) -> (ExitStatus, String) {
        let mut child = self.spawn();
        let ended = in_time("the service ends", child.wait()).await;
        (ended.expect("an exit status"), self.log())
    }

    /// What the service has said on stderr, all starts together.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("stderr.log")).unwrap_or_default()
    }

    fn data_folder(&self) -> &Path {
        self.data.as_deref().unwrap_or(self.folder())
    }

    fn lock_file(&self) -> PathBuf {
        self.data_folder().join("venom.db.lock")
    }

    /// Starts the service and waits for nothing.
    pub fn spawn(&self) -> Child {
        // The address of an earlier start would be taken for the new one's.
        let _ = File::options()
            .write(true)
            .truncate(true)
            .open(self.lock_file());
        std::fs::write(self.folder().join("venom.toml"), self.settings_text())
            .expect("a folder to write in");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder().join("stderr.log"));
        let program = crate::venom().into_os_string();
        let launcher = self.launcher.iter().map(OsString::from);
        let words: Vec<_> = launcher.chain([program]).collect();
        Command::new(&words[0])
            .args(&words[1..])
            .args([
                "serve",
                "--host",
                &self.host,
                "--port",
                &self.port.to_string(),
            ])
            .args(self.insecure.then_some("--insecure"))
            .arg("--database")
            .arg(self.database_path())
            .arg("--state-file")
            .arg(self.state_file())
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a folder to write in"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be started")
    }
}

/// A service that runs; killed when it is dropped.
pub struct Service {
    pub(crate) setup: Setup,
    child: Child,
    url: String,
    pub(crate) client: reqwest::Client,
}

/// A service that ran; it can be looked at, changed and started again.
pub struct Stopped(Setup);

impl Service {
    /// A service with default settings.
    pub async fn start() -> Self {
        Setup::new().start().await
    }

    /// A service with default settings and the processor `gate`.
    pub async fn with_gates() -> Self {
        Setup::new().gates().start().await
    }

    fn new(setup: Setup, child: Child, url: String) -> Self {
        // A connection kept for later may be closed by the service at the
        // moment it is used again, which is no fault of either.
        // One provider for all clients of this process; the first to come has set it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .tls_certs_only([])
            .pool_max_idle_per_host(0)
            .timeout(crate::DEADLINE)
            .build()
            .expect("a client");
        Self {
            setup,
            child,
            url,
            client,
        }
    }

    /// The full address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// `127.0.0.1:port`
    pub fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("a running child")
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// A connection of another program to the database.
    pub async fn database(&self) -> Database {
        Database::open(&self.setup.database_path()).await
    }

    /// SIGTERM, without waiting for the end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("a process id");
        kill_process(pid, signal).expect("a running child");
    }

    /// Waits for the end, whatever its exit status.
    pub async fn exited(mut self) -> (ExitStatus, Stopped) {
        let ended = in_time("the service ends", self.child.wait()).await;
        (ended.expect("an exit status"), Stopped(self.into_setup()))
    }

    /// A clean stop; fails unless the exit code is 0.
    pub async fn stop(self) -> Stopped {
        self.terminate();
        self.ended().await
    }

    /// Waits for the end that [`Service::terminate`] began.
    pub async fn ended(mut self) -> Stopped {
        let ended = in_time("the service stops", self.child.wait()).await;
        let status = ended.expect("an exit status");
        assert!(
            status.success(),
            "the service stopped with {status}\n{}",
            self.setup.log()
        );
        Stopped(self.into_setup())
    }

    /// `kill -9`
    pub async fn kill9(mut self) -> Stopped {
        self.child.kill().await.expect("a running child");
        Stopped(self.into_setup())
    }

    fn into_setup(mut self) -> Setup {
        std::mem::replace(&mut self.setup, Setup::new())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.setup.log();
            let from = log.len().saturating_sub(4000);
            let tail = String::from_utf8_lossy(&log.as_bytes()[from..]).into_owned();
            eprintln!("--- the service's last words:\n{tail}");
        }
    }
}

impl Stopped {
    /// The same service again, on what it left.
    pub async fn start(self) -> Service {
        self.0.start().await
    }

    pub fn setup(&self) -> &Setup {
        &self.0
    }

    /// The same, to be started with another setting.
    pub fn with_setting(self, key: &str, value: impl std::fmt::Display) -> Self {
        Self(self.0.setting(key, value))
    }

    /// The same, to be started with other tables in `venom.toml`.
    pub fn with_tables(mut self, tables: &str) -> Self {
        tables.clone_into(&mut self.0.tables);
        self
    }

    /// The database it left.
    pub async fn database(&self) -> Database {
        Database::open(&self.0.database_path()).await
    }
}
