//! Every setting, on one screen, and how it is read.
//!
//! Five layers, each stronger than the one before: the defaults, `venom.toml`, `.env`, the
//! environment, the command line. [`Sources`] says where they are, [`Settings::load`] reads them and
//! checks the whole. A mistake stops the start with one sentence ([`Error`]); nothing is guessed and
//! no unknown key is passed over, because a misspelt setting that does nothing is found too late.
//!
//! The way of a value: `sources` collects the `layers` (`file`, `dotenv`, `environment`), a `table`
//! hands them out by key, a rule of `rules` makes the setting out of each, and `reader` says which.

mod backoff;
mod changes;
mod current;
mod dotenv;
mod environment;
mod error;
mod explained;
mod file;
mod hive;
mod keys;
mod kinds;
mod layers;
mod processors;
mod programs;
mod rate;
mod reader;
mod rules;
mod schedules;
mod secret;
mod service_links;
mod signing_key;
mod sources;
mod table;
#[cfg(test)]
mod tests;
mod time_zones;
mod values;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub(crate) use backoff::Backoff;
pub(crate) use changes::Changes;
pub(crate) use current::{Current, Publisher};
pub(crate) use environment::{CA_FILE, TOKEN, TOKEN_FILE, URL};
pub(crate) use error::{Error, Place};
pub(crate) use explained::Explained;
pub(crate) use hive::{HiveCodec, HiveProcessorSettings, HiveQueue, Password};
pub(crate) use keys::KeySettings;
pub(crate) use kinds::{CommandSettings, LlmSettings, WebhookSettings};
pub(crate) use processors::{ProcessorKind, ProcessorSettings};
pub(crate) use rate::Rate;
pub(crate) use schedules::{Missed, ScheduleSettings, When, parse_cron};
pub(crate) use secret::Secret;
pub(crate) use signing_key::{EXPECTED_KEY, signing_key};
pub(crate) use sources::{Overrides, Sources};
pub(crate) use time_zones::{TimeZoneRules, time_zone, time_zone_rules};

/// The settings of one service.
///
/// The name of a field is its key in `venom.toml`; durations are written in seconds (`0.2`) or with a
/// unit (`"5m"`), sizes in bytes. Each field names its environment variable last; where that has no prefix, the same
/// with `VENOM_` before it works too.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Address to listen on. Default 127.0.0.1. `VENOM_HOST`, `--host`
    pub(crate) host: IpAddr,
    /// TCP port to listen on; 0 takes a free one. Default 8000. `VENOM_PORT`, `--port`
    pub(crate) port: u16,
    /// Whether requests need a token. Default auto. `VENOM_AUTH`, `--insecure`
    pub(crate) auth: Auth,
    /// The certificate chain with which the service speaks TLS, PEM; only with `tls_key_file`. Default:
    /// none, plain HTTP. `VENOM_TLS_CERT_FILE`
    pub(crate) tls_cert_file: Option<PathBuf>,
    /// Its private key, PEM. Default: none. `VENOM_TLS_KEY_FILE`
    pub(crate) tls_key_file: Option<PathBuf>,
    /// How many requests a client may make: a token, or an address where none is asked for. Default: any
    /// number. `VENOM_RATE_LIMIT`
    pub(crate) rate_limit: Option<Rate>,
    /// Names under which the service may be addressed, besides its own, where it does not answer to any.
    /// Default: none. `VENOM_HOSTS`
    pub(crate) hosts: Vec<String>,
    /// Proxies of which `X-Forwarded-For` is believed: addresses and networks. Default: none.
    /// `VENOM_TRUSTED_PROXIES`
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Origins besides the service's own whose pages may call it. Default: none. `VENOM_CORS_ORIGINS`
    pub(crate) cors_origins: Vec<String>,
    /// The database file, created as needed. Default `./data/venom.db`. `VENOM_DATABASE_PATH`,
    /// `--database`
    pub(crate) database_path: PathBuf,
    /// The dump: imported at the first start, written again after changes. Default
    /// `./data/memory/state_dump.json`. `STATE_FILE_PATH`, `--state-file`
    pub(crate) state_file_path: PathBuf,
    /// Whether the dump is written at all while the service runs and when it stops. Default on.
    /// `VENOM_STATE_DUMP`
    pub(crate) state_dump: bool,
    /// Seconds between two dumps at least; 0 leaves only the one at a clean stop. Default 30.
    /// `STATE_DUMP_INTERVAL`
    pub(crate) state_dump_interval: Duration,
    /// What a commit waits for. Default full. `VENOM_DURABILITY`
    pub(crate) durability: Durability,
    /// Tasks that may run at a time. Default 5. `MAX_CONCURRENT_TASKS`, `--max-concurrent`
    pub(crate) max_concurrent_tasks: u64,
    /// False starts every task at once, up to `running_limit_bytes`. Default true.
    /// `ENABLE_QUEUE_LIMITS`
    pub(crate) enable_queue_limits: bool,
    /// Processor of the tasks that name none. Default `echo`. `VENOM_DEFAULT_PROCESSOR`
    pub(crate) default_processor: String,
    /// The tables `[processors.NAME]`; `echo` is always among them. Only in `venom.toml`.
    pub(crate) processors: BTreeMap<String, ProcessorSettings>,
    /// The tables `[concurrency_keys.NAME]`, where `"*"` is every key without one. Only in
    /// `venom.toml`. [`Settings::key_settings`] finds what holds for a key.
    pub(crate) concurrency_keys: BTreeMap<String, KeySettings>,
    /// The tables `[schedules.NAME]`. Default: none. Only in `venom.toml`.
    pub(crate) schedules: BTreeMap<String, ScheduleSettings>,
    /// Seconds that running tasks get to finish when the service stops. Default 30.
    /// `VENOM_SHUTDOWN_GRACE`
    pub(crate) shutdown_grace: Duration,
    /// Seconds between two looks for rows that other programs wrote. Default 0.2.
    /// `VENOM_POLL_INTERVAL`
    pub(crate) poll_interval: Duration,
    /// Largest request body, in bytes. Default 8 MiB. `VENOM_BODY_LIMIT_BYTES`
    pub(crate) body_limit_bytes: usize,
    /// Connections open at a time. Default 10000. `VENOM_MAX_CONNECTIONS`
    pub(crate) max_connections: usize,
    /// Seconds a client may take to send a request's head, counted from when the connection is ready
    /// for it: so also how long an unused connection is kept. Default 30. `VENOM_HEADER_TIMEOUT`
    pub(crate) header_timeout: Duration,
    /// Seconds a client may take to send a request's body. Default 30. `VENOM_REQUEST_TIMEOUT`
    pub(crate) request_timeout: Duration,
    /// Seconds for which a client may take nothing of an answer that waits for it. Default 75.
    /// `VENOM_IDLE_TIMEOUT`
    pub(crate) idle_timeout: Duration,
    /// Bytes that accepted requests may take while they wait for the Writer. Default 64 MiB.
    /// `VENOM_INBOX_LIMIT_BYTES`
    pub(crate) inbox_limit_bytes: usize,
    /// Without queue limits: tasks are started until their contents take this many bytes. Default
    /// 256 MiB. `VENOM_RUNNING_LIMIT_BYTES`
    pub(crate) running_limit_bytes: usize,
    /// Lines of its own that a task may store; then the last 1000 of each attempt. Default 10000.
    /// `VENOM_TASK_LOG_LIMIT_LINES`
    pub(crate) task_log_limit_lines: u64,
    /// Bytes that these lines may have. Default 8 MiB. `VENOM_TASK_LOG_LIMIT_BYTES`
    pub(crate) task_log_limit_bytes: usize,
    /// How long a COMPLETED task is kept once it has finished: seconds, or `30d`. Default: for ever.
    /// `VENOM_RETENTION_COMPLETED`
    pub(crate) retention_completed: Option<Duration>,
    /// How long a FAILED task is kept once it has finished: seconds, or `30d`. Default: for ever.
    /// `VENOM_RETENTION_FAILED`
    pub(crate) retention_failed: Option<Duration>,
    /// Whether tasks of processors of kind `hive` go through Redis. Default false. `ENABLE_HIVE`
    pub(crate) enable_hive: bool,
    /// Name or address of the machine with Redis. Default `localhost`. `REDIS_HOST`
    pub(crate) redis_host: String,
    /// TCP port of Redis, not 0. Default 6379. `REDIS_PORT`
    pub(crate) redis_port: u16,
    /// Number of the database in Redis. Default 0. `REDIS_DB`
    pub(crate) redis_db: u32,
    /// Default: none. `REDIS_PASSWORD`. What is used is [`Settings::reveal_redis_password`].
    pub(crate) redis_password: Option<Password>,
    /// A file with the password, instead of `redis_password`. Default: none.
    /// `VENOM_REDIS_PASSWORD_FILE`
    pub(crate) redis_password_file: Option<PathBuf>,
    /// Default: none, which Redis takes for its user `default`. `REDIS_USERNAME`
    pub(crate) redis_username: Option<String>,
    /// Whether Redis is spoken to over TLS. Default false. `REDIS_TLS`
    pub(crate) redis_tls: bool,
    /// Certificates of authorities to trust instead of the usual ones, PEM; only with `redis_tls`.
    /// Default: none. `VENOM_REDIS_CA_FILE`
    pub(crate) redis_ca_file: Option<PathBuf>,
    /// ARQ's queue of urgent tasks. Default `venom:tasks:high`. `HIVE_HIGH_PRIORITY_QUEUE`
    pub(crate) hive_high_priority_queue: String,
    /// ARQ's queue of all other tasks. Default `venom:tasks:background`. `HIVE_BACKGROUND_QUEUE`
    pub(crate) hive_background_queue: String,
    /// The channel on which the hive is commanded. Default `venom:broadcast`.
    /// `HIVE_BROADCAST_CHANNEL`
    pub(crate) hive_broadcast_channel: String,
    /// Seconds after which an attempt of a `hive` processor without a `timeout` fails. Default 300.
    /// `HIVE_TASK_TIMEOUT`
    pub(crate) hive_task_timeout: Duration,
    /// How often a task of a `hive` processor without `max_attempts` is tried, 1 to 1000. Default 3.
    /// `HIVE_MAX_RETRIES`
    pub(crate) hive_max_retries: i64,
    /// Seconds after which a job of which nothing is heard is taken for lost. Default 600.
    /// `HIVE_ZOMBIE_TASK_TIMEOUT`
    pub(crate) hive_zombie_task_timeout: Duration,
    /// Where traces are sent by OTLP over HTTP: the collector's address, to which `/v1/traces` is added.
    /// Default: none, no traces. `OTEL_EXPORTER_OTLP_ENDPOINT` or `VENOM_OTLP_ENDPOINT`
    pub(crate) otlp_endpoint: Option<String>,
    /// Headers for the collector, `name=value` with commas between them. Default: none.
    /// `OTEL_EXPORTER_OTLP_HEADERS` or `VENOM_OTLP_HEADERS`
    pub(crate) otlp_headers: Option<Password>,
    /// The service's name in its traces. Default `venom-core`. `OTEL_SERVICE_NAME` or
    /// `VENOM_OTLP_SERVICE_NAME`
    pub(crate) otlp_service_name: String,
    /// How a log line is written. Default text. `VENOM_LOG_FORMAT`, `--log-format`
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or a filter as tracing's `EnvFilter` reads it. Default `info`.
    /// `VENOM_LOG`
    pub(crate) log: String,
}

/// Whether requests need a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// On loopback they need none, on every other address they do.
    Auto,
    Required,
    Off,
}

impl Auth {
    /// Whether a service that listens on `address` asks for tokens.
    pub(crate) fn is_required(self, address: IpAddr) -> bool {
        match self {
            Self::Auto => !address.to_canonical().is_loopback(),
            Self::Required => true,
            Self::Off => false,
        }
    }
}

/// What a commit waits for before its callers are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The disk: an acknowledged task survives a power cut.
    Full,
    /// The operating system: an acknowledged task survives a crash of the service, not a power cut.
    Normal,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What [`Settings::load`] found.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// Sentences for the log: settings that do nothing without others, programs that are not there.
    pub(crate) warnings: Vec<String>,
    /// What is not here is left at its default.
    pub(crate) origins: Origins,
}

/// Where each setting stands that is set, by key.
pub(crate) type Origins = BTreeMap<&'static str, Place>;

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8000,
            auth: Auth::Auto,
            tls_cert_file: None,
            tls_key_file: None,
            rate_limit: None,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            database_path: "./data/venom.db".into(),
            state_file_path: "./data/memory/state_dump.json".into(),
            state_dump: true,
            state_dump_interval: Duration::from_secs(30),
            durability: Durability::Full,
            max_concurrent_tasks: 5,
            enable_queue_limits: true,
            default_processor: processors::ECHO.to_owned(),
            processors: processors::built_in(),
            concurrency_keys: BTreeMap::new(),
            schedules: BTreeMap::new(),
            shutdown_grace: Duration::from_secs(30),
            poll_interval: Duration::from_millis(200),
            body_limit_bytes: 8 << 20,
            max_connections: 10_000,
            header_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            inbox_limit_bytes: 64 << 20,
            running_limit_bytes: 256 << 20,
            task_log_limit_lines: 10_000,
            task_log_limit_bytes: 8 << 20,
            retention_completed: None,
            retention_failed: None,
            enable_hive: false,
            redis_host: "localhost".to_owned(),
            redis_port: 6379,
            redis_db: 0,
            redis_password: None,
            redis_password_file: None,
            redis_username: None,
            redis_tls: false,
            redis_ca_file: None,
            hive_high_priority_queue: "venom:tasks:high".to_owned(),
            hive_background_queue: "venom:tasks:background".to_owned(),
            hive_broadcast_channel: "venom:broadcast".to_owned(),
            hive_task_timeout: Duration::from_secs(300),
            hive_max_retries: 3,
            hive_zombie_task_timeout: Duration::from_secs(600),
            otlp_endpoint: None,
            otlp_headers: None,
            otlp_service_name: "venom-core".to_owned(),
            log_format: LogFormat::Text,
            log: "info".to_owned(),
        }
    }
}

impl Settings {
    /// Reads every layer and checks the whole.
    ///
    /// # Errors
    /// The first mistake found: an unreadable file, an unknown key, a bad value, or two settings
    /// that contradict each other. A value that a stronger layer replaces is not looked at.
    pub(crate) fn load(sources: &Sources) -> Result<Loaded, Error> {
        let (layers, passed_over) = sources.read()?;
        let mut table = layers.table();
        let settings = reader::read(&mut table)?;
        let origins = table.finish()?;
        reader::check(&settings, &origins)?;
        let warnings = passed_over.into_iter();
        let warnings = warnings.chain(hive::warnings(&settings));
        Ok(Loaded {
            warnings: warnings.chain(programs::warnings(&settings)).collect(),
            settings,
            origins,
        })
    }

    /// The password for Redis as it is at this moment, wherever it stands. Reads its file.
    ///
    /// # Errors
    /// A sentence, without anything of the password, when the file cannot be read or is empty.
    pub(crate) fn reveal_redis_password(&self) -> Result<Option<String>, String> {
        match (&self.redis_password, &self.redis_password_file) {
            (Some(password), _) => Ok(Some(password.reveal().to_owned())),
            (None, Some(path)) => Secret::File(path.clone()).reveal().map(Some),
            (None, None) => Ok(None),
        }
    }

    /// What holds for the tasks of a concurrency key: its own table, else the one of `"*"`, else
    /// [`KeySettings::DEFAULT`].
    pub(crate) fn key_settings(&self, key: &str) -> &KeySettings {
        keys::find(&self.concurrency_keys, key)
    }
}
