//! Every setting by its key: what reads it, and how settings must fit together.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{Error, Place};
use super::processors::HiveDefaults;
use super::table::Table;
use super::{Settings, keys, processors, rules, schedules};

/// Takes every setting out of the top table; one that is not there has its default.
pub(crate) fn read(table: &mut Table<'_>) -> Result<Settings, Error> {
    let default = Settings::default();
    // First, because processors fall back on them.
    let hive_task_timeout = table
        .take("hive_task_timeout", rules::PERIOD)?
        .unwrap_or(default.hive_task_timeout);
    let hive_max_retries = table
        .take("hive_max_retries", rules::ATTEMPTS)?
        .unwrap_or(default.hive_max_retries);
    let of_hive = HiveDefaults {
        timeout: hive_task_timeout,
        max_attempts: hive_max_retries,
    };
    let processors = processors::read(table, of_hive)?;
    // The name of the field is the key, and a field without a rule does not compile.
    macro_rules! settings {
        ($($key:ident: $rule:ident,)*) => {
            Settings {
                concurrency_keys: keys::read(table)?,
                schedules: schedules::read(table, &processors)?,
                processors,
                hive_task_timeout,
                hive_max_retries,
                $($key: table.take(stringify!($key), rules::$rule)?.unwrap_or(default.$key),)*
            }
        };
    }
    Ok(settings! {
        host: HOST,
        port: PORT,
        auth: AUTH,
        tls_cert_file: OPTIONAL_PATH,
        tls_key_file: OPTIONAL_PATH,
        rate_limit: REQUEST_RATE,
        hosts: HOST_NAMES,
        trusted_proxies: NETWORKS,
        cors_origins: ORIGINS,
        database_path: PATH,
        state_file_path: PATH,
        state_dump: SWITCH,
        state_dump_interval: SECONDS,
        durability: DURABILITY,
        max_concurrent_tasks: CONCURRENCY,
        enable_queue_limits: SWITCH,
        default_processor: NAME,
        shutdown_grace: SECONDS,
        poll_interval: PERIOD,
        body_limit_bytes: BODY_BYTES,
        max_connections: CONNECTIONS,
        header_timeout: PERIOD,
        request_timeout: PERIOD,
        idle_timeout: PERIOD,
        inbox_limit_bytes: MEMORY_BYTES,
        running_limit_bytes: MEMORY_BYTES,
        task_log_limit_lines: LOG_LINES,
        task_log_limit_bytes: MEMORY_BYTES,
        retention_completed: RETENTION,
        retention_failed: RETENTION,
        enable_hive: SWITCH,
        redis_host: REDIS_HOST,
        redis_port: REDIS_PORT,
        redis_db: REDIS_DB,
        redis_password: PASSWORD,
        redis_password_file: OPTIONAL_PATH,
        redis_username: USERNAME,
        redis_tls: SWITCH,
        redis_ca_file: OPTIONAL_PATH,
        hive_high_priority_queue: REDIS_NAME,
        hive_background_queue: REDIS_NAME,
        hive_broadcast_channel: REDIS_NAME,
        hive_zombie_task_timeout: PERIOD,
        otlp_endpoint: OTLP_ENDPOINT,
        otlp_headers: OTLP_HEADERS,
        otlp_service_name: SERVICE_NAME,
        log_format: LOG_FORMAT,
        log: LOG_FILTER,
    })
}

/// Checks what no setting can say for itself.
pub(crate) fn check(
    settings: &Settings,
    origins: &BTreeMap<&'static str, Place>,
) -> Result<(), Error> {
    let refuse = |key: &'static str, found: String, expected: String| {
        let place = origins.get(key).cloned().unwrap_or(Place::Default);
        Err(Error::invalid(key, place, found, expected))
    };
    let Settings {
        default_processor,
        processors,
        database_path,
        state_file_path,
        body_limit_bytes,
        inbox_limit_bytes,
        tls_cert_file,
        tls_key_file,
        redis_password,
        redis_password_file,
        redis_tls,
        redis_ca_file,
        ..
    } = settings;
    if !processors.contains_key(default_processor) {
        return refuse(
            "default_processor",
            format!("{default_processor:?}"),
            processors::one_of(processors),
        );
    }
    if inbox_limit_bytes < body_limit_bytes {
        let expected = format!(
            "at least `body_limit_bytes` ({body_limit_bytes}), or no room is ever enough for the \
             largest request"
        );
        return refuse("inbox_limit_bytes", inbox_limit_bytes.to_string(), expected);
    }
    let pair = [
        ("tls_cert_file", tls_cert_file),
        ("tls_key_file", tls_key_file),
    ];
    for [(key, file), (other, missing)] in [pair, [pair[1], pair[0]]] {
        if file.is_some() && missing.is_none() {
            let expected = format!("`{other}` beside it");
            return refuse(key, "half of a pair".to_owned(), expected);
        }
    }
    if redis_password.is_some() && redis_password_file.is_some() {
        let found = "a second place for one secret, beside `redis_password`";
        return refuse(
            "redis_password_file",
            found.to_owned(),
            "one of the two".to_owned(),
        );
    }
    if redis_ca_file.is_some() && !redis_tls {
        let found = "a file, though `redis_tls` is off";
        let expected = "`redis_tls = true` beside it";
        return refuse("redis_ca_file", found.to_owned(), expected.to_owned());
    }
    if same_file(database_path, state_file_path) {
        let expected = "another file than `database_path`, which the dump would overwrite";
        return refuse(
            "state_file_path",
            format!("{state_file_path:?}"),
            expected.to_owned(),
        );
    }
    Ok(())
}

fn same_file(one: &Path, other: &Path) -> bool {
    let plain = |path: &Path| path.strip_prefix(".").unwrap_or(path).to_owned();
    plain(one) == plain(other)
}
