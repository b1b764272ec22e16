//! The one table of settings: key, type, default, when a change applies, what it takes, variable, flag, meaning.
//!
//! The comments of the settings are the text of venom.example.toml, .env.example and docs/reference/settings.md.
//! After a change: `VENOM_UPDATE_GENERATED=1 cargo test --lib generated_`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::choices::{Auth, Durability, LogFormat};
use super::error::Error;
use super::hive::Password;
use super::keys::{self, KeySettings};
use super::processors::{self, HiveDefaults, ProcessorSettings};
use super::rate::Rate;
use super::schedules::{self, ScheduleSettings};
use super::setting::{Applies, Setting, define_settings};
use super::setting_value::SettingValue;
use super::table_reader::TableReader;
use super::value_types;

define_settings! {
    /// The settings of one service.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct Settings;

    section "Where the service listens, and to whom";

    /// Address to listen on.
    host: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST), OnRestart, HOST, flag "--host";

    /// TCP port to listen on. 0 takes a free one.
    port: u16 = 8000, OnRestart, PORT, flag "--port";

    /// Whether requests require authentication by a token, which `venom token create` makes. "auto": on every
    /// address but loopback. "required": always. "off": never, so everybody who reaches the service may do
    /// everything.
    auth: Auth = Auth::Auto, OnRestart, AUTH, flag "--insecure";

    /// TLS: the certificate chain, PEM. Only together with tls_key_file; without both, plain HTTP.
    tls_cert_file: Option<PathBuf> = None, OnRestart, OPTIONAL_PATH;

    /// TLS: the private key of the certificate, PEM.
    tls_key_file: Option<PathBuf> = None, OnRestart, OPTIONAL_PATH;

    /// How many requests a client may make, such as "100/s" (units s, m, h, d). It counts for each token by its
    /// name, or for each address if no token is required. Beyond it the answer is 429.
    rate_limit: Option<Rate> = None, OnReload, REQUEST_RATE;

    /// Host names by which the service may be addressed besides its own. They matter where it does not answer to
    /// any name: on loopback it answers to localhost, without tokens on another address to addresses, localhost
    /// and the machine's name. No ports, no wildcards: ["build.lan"]. In a variable, separated by commas.
    hosts: Vec<String> = Vec::new(), OnReload, HOST_NAMES;

    /// Proxies in front of the service whose X-Forwarded-For is believed: addresses and networks
    /// ("10.0.0.0/8"). In a variable, separated by commas.
    trusted_proxies: Vec<IpNet> = Vec::new(), OnReload, NETWORKS;

    /// Origins besides the service's own whose pages may call it, exactly as browsers write them:
    /// ["https://app.example.org"]. In a variable, separated by commas.
    cors_origins: Vec<String> = Vec::new(), OnReload, ORIGINS;

    section "The database";

    /// The database file. It is created if it is missing.
    database_path: PathBuf = "./data/venom.db".into(), OnRestart, PATH, flag "--database";

    /// What a commit waits for. "full": the disk, so that nothing acknowledged is lost in a power cut. "normal":
    /// the operating system, so that nothing acknowledged is lost when the service crashes.
    durability: Durability = Durability::Full, OnRestart, DURABILITY;

    /// Seconds between two looks for tasks that other programs wrote into the database.
    poll_interval: Duration = Duration::from_millis(200), OnRestart, PERIOD;

    section "The dump: the whole state as one JSON file";

    /// The dump's file. If it exists at the first start, it is imported.
    state_file_path: PathBuf = "./data/memory/state_dump.json".into(), OnRestart, PATH,
        also "STATE_FILE_PATH", flag "--state-file";

    /// Whether the service writes the dump: after changes, and when it stops. false leaves it to `venom export`.
    state_dump: bool = true, OnRestart, SWITCH;

    /// Least number of seconds between two dumps. 0 leaves only the one at a clean stop.
    state_dump_interval: Duration = Duration::from_secs(30), OnRestart, SECONDS, also "STATE_DUMP_INTERVAL";

    section "Running tasks";

    /// Number of tasks that may run at the same time.
    max_concurrent_tasks: u64 = 5, OnReload, CONCURRENCY,
        also "MAX_CONCURRENT_TASKS", flag "--max-concurrent";

    /// Whether max_concurrent_tasks holds. false starts every task at once, until the contents of the running
    /// tasks take running_limit_bytes.
    enable_queue_limits: bool = true, OnReload, SWITCH, also "ENABLE_QUEUE_LIMITS";

    /// Bytes that the contents of running tasks may take if there are no queue limits.
    running_limit_bytes: usize = 256 << 20, OnReload, MEMORY_BYTES;

    /// Seconds that running tasks get to finish when the service stops. Then they are interrupted and run again
    /// after the next start.
    shutdown_grace: Duration = Duration::from_secs(30), OnRestart, SECONDS;

    /// Lines of its own that a task may add to its log. Of what follows, the last 1000 of each attempt are kept.
    task_log_limit_lines: u64 = 10_000, OnReload, LOG_LINES;

    /// Bytes that these lines may take.
    task_log_limit_bytes: usize = 8 << 20, OnReload, MEMORY_BYTES;

    section "How long finished tasks are kept";

    /// How long a COMPLETED task is kept once it has finished: seconds, or "12h", "30d" (units s, m, h, d).
    retention_completed: Option<Duration> = None, OnReload, RETENTION;

    /// How long a FAILED task is kept once it has finished.
    retention_failed: Option<Duration> = None, OnReload, RETENTION;

    section "Limits that keep one client from slowing down the others";

    /// Size of the largest request body, in bytes.
    body_limit_bytes: usize = 8 << 20, OnRestart, BODY_BYTES;

    /// Bytes of accepted requests that may wait to be written. Beyond it the answer is 503.
    inbox_limit_bytes: usize = 64 << 20, OnRestart, MEMORY_BYTES;

    /// Number of connections that may be open at the same time.
    max_connections: usize = 10_000, OnRestart, CONNECTIONS;

    /// Seconds that a client may take to send a request's head. An unused connection is closed after them too.
    header_timeout: Duration = Duration::from_secs(30), OnRestart, PERIOD;

    /// Seconds that a client may take to send a request's body.
    request_timeout: Duration = Duration::from_secs(30), OnRestart, PERIOD;

    /// Seconds after which a connection is closed if the client takes nothing of a response that waits for it.
    idle_timeout: Duration = Duration::from_secs(75), OnRestart, PERIOD;

    section "The Hive: tasks of processors of kind \"hive\" go through Redis to ARQ workers";

    /// Whether the Hive is on.
    enable_hive: bool = false, OnRestart, SWITCH, also "ENABLE_HIVE";

    /// Name or address of the machine with Redis.
    redis_host: String = "localhost".to_owned(), OnRestart, REDIS_HOST, also "REDIS_HOST";

    /// TCP port of Redis.
    redis_port: u16 = 6379, OnRestart, REDIS_PORT, also "REDIS_PORT";

    /// Number of the database in Redis.
    redis_db: u32 = 0, OnRestart, REDIS_DB, also "REDIS_DB";

    /// User name for Redis. Empty means Redis's user `default`.
    redis_username: Option<String> = None, OnRestart, USERNAME, also "REDIS_USERNAME";

    /// Password for Redis. Empty means none.
    redis_password: Option<Password> = None, OnRestart, PASSWORD, also "REDIS_PASSWORD";

    /// File with the password for Redis, instead of redis_password.
    redis_password_file: Option<PathBuf> = None, OnRestart, OPTIONAL_PATH;

    /// Whether the connection to Redis uses TLS.
    redis_tls: bool = false, OnRestart, SWITCH, also "REDIS_TLS";

    /// CA certificates to trust instead of the system's, PEM. Only with redis_tls.
    redis_ca_file: Option<PathBuf> = None, OnRestart, OPTIONAL_PATH;

    /// ARQ's queue of urgent tasks.
    hive_high_priority_queue: String = "venom:tasks:high".to_owned(), OnRestart, REDIS_NAME,
        also "HIVE_HIGH_PRIORITY_QUEUE";

    /// ARQ's queue of all other tasks.
    hive_background_queue: String = "venom:tasks:background".to_owned(), OnRestart, REDIS_NAME,
        also "HIVE_BACKGROUND_QUEUE";

    /// Redis channel on which commands are broadcast to the whole hive.
    hive_broadcast_channel: String = "venom:broadcast".to_owned(), OnRestart, REDIS_NAME,
        also "HIVE_BROADCAST_CHANNEL";

    /// Seconds after which an attempt fails, for processors of kind "hive" without a timeout of their own.
    hive_task_timeout: Duration = Duration::from_secs(300), OnReload, PERIOD, also "HIVE_TASK_TIMEOUT";

    /// Number of attempts, for processors of kind "hive" without max_attempts of their own.
    hive_max_retries: i64 = 3, OnReload, ATTEMPTS, also "HIVE_MAX_RETRIES";

    /// Seconds after which a job that shows no sign of life is lost.
    hive_zombie_task_timeout: Duration = Duration::from_secs(600), OnRestart, PERIOD,
        also "HIVE_ZOMBIE_TASK_TIMEOUT";

    section "OpenTelemetry";

    /// The collector to which traces are sent by OTLP over HTTP, such as "http://localhost:4318"; /v1/traces is
    /// added to it. Empty means no traces.
    otlp_endpoint: Option<String> = None, OnRestart, OTLP_ENDPOINT, also "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// Headers for the collector, such as "api-key=secret", separated by commas.
    otlp_headers: Option<Password> = None, OnRestart, OTLP_HEADERS, also "OTEL_EXPORTER_OTLP_HEADERS";

    /// Name of the service in its traces.
    otlp_service_name: String = "venom-core".to_owned(), OnRestart, SERVICE_NAME, also "OTEL_SERVICE_NAME";

    section "The service's own log";

    /// What is logged: a level (error, warn, info, debug, trace, off) or a filter such as
    /// "info,venom_core=debug".
    log: String = "info".to_owned(), OnRestart, LOG_FILTER;

    /// How a line is written: "text" for people, "json" for machines.
    log_format: LogFormat = LogFormat::Text, OnRestart, LOG_FORMAT, flag "--log-format";

    section "Processors: ways to run a task";

    /// Processor of the tasks that name none.
    default_processor: String = processors::ECHO.to_owned(), OnReload, NAME;

    /// The tables [processors.NAME]. `echo` is always among them.
    processors: BTreeMap<String, ProcessorSettings> = processors::built_in(), OnReload,
        PROCESSORS via read_processors;

    /// The tables [concurrency_keys.NAME], where "*" stands for every key that has no table.
    concurrency_keys: BTreeMap<String, KeySettings> = BTreeMap::new(), OnReload, KEYS via read_keys;

    /// The tables [schedules.NAME].
    schedules: BTreeMap<String, ScheduleSettings> = BTreeMap::new(), OnReload, SCHEDULES via read_schedules;
}

/// Reads the processors. Those of kind `hive` fall back on settings that stand before them in the list.
fn read_processors(table: &mut TableReader<'_>, settings: &mut Settings) -> Result<(), Error> {
    let of_hive = HiveDefaults {
        timeout: settings.hive_task_timeout,
        max_attempts: settings.hive_max_retries,
    };
    settings.processors = processors::read(table, of_hive)?;
    Ok(())
}

fn read_keys(table: &mut TableReader<'_>, settings: &mut Settings) -> Result<(), Error> {
    settings.concurrency_keys = keys::read(table)?;
    Ok(())
}

/// Reads the schedules. Each may name one of the processors, which stand before them in the list.
fn read_schedules(table: &mut TableReader<'_>, settings: &mut Settings) -> Result<(), Error> {
    settings.schedules = schedules::read(table, &settings.processors)?;
    Ok(())
}

impl Settings {
    /// Returns the settings of a concurrency key: those of its own table, else of `"*"`, else
    /// [`KeySettings::DEFAULT`].
    pub(crate) fn key_settings(&self, key: &str) -> &KeySettings {
        keys::find(&self.concurrency_keys, key)
    }
}
