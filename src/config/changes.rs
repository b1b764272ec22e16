//! What differs between two readings of the settings, and which of it a running service takes over.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;

/// The keys that differ, in the order of the settings; those of tables as `processors.NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Taken over while the service runs.
    pub(crate) applied: Vec<String>,
    /// They hold from the next start on.
    pub(crate) needs_restart: Vec<String>,
    /// What was noticed when the settings were read: [`super::Loaded::warnings`].
    pub(crate) warnings: Vec<String>,
}

/// How a running service takes each setting; `explained` goes through them too. A setting that is missing
/// here does not compile.
macro_rules! for_each_setting {
    ($do:ident) => {
        $do! {
            restart host,
            restart port,
            restart auth,
            restart tls_cert_file,
            restart tls_key_file,
            live rate_limit,
            live hosts,
            live trusted_proxies,
            live cors_origins,
            restart database_path,
            restart state_file_path,
            restart state_dump,
            restart state_dump_interval,
            restart durability,
            live max_concurrent_tasks,
            live enable_queue_limits,
            live default_processor,
            tables processors,
            tables concurrency_keys,
            tables schedules,
            restart shutdown_grace,
            restart poll_interval,
            restart body_limit_bytes,
            restart max_connections,
            restart header_timeout,
            restart request_timeout,
            restart idle_timeout,
            restart inbox_limit_bytes,
            live running_limit_bytes,
            live task_log_limit_lines,
            live task_log_limit_bytes,
            live retention_completed,
            live retention_failed,
            restart enable_hive,
            restart redis_host,
            restart redis_port,
            restart redis_db,
            restart redis_password,
            restart redis_password_file,
            restart redis_username,
            restart redis_tls,
            restart redis_ca_file,
            restart hive_high_priority_queue,
            restart hive_background_queue,
            restart hive_broadcast_channel,
            live hive_task_timeout,
            live hive_max_retries,
            restart hive_zombie_task_timeout,
            restart otlp_endpoint,
            restart otlp_headers,
            restart otlp_service_name,
            restart log_format,
            restart log,
        }
    };
}

pub(crate) use for_each_setting;

impl Settings {
    /// What a service with these settings makes of `wanted`: the settings that hold from now on, and
    /// what is different about them or would be after a restart.
    pub(crate) fn reloaded(&self, wanted: Self) -> (Self, Changes) {
        let mut changes = Changes::default();
        macro_rules! take {
            (@restart $field:ident $held:ident) => {
                if $held.$field != self.$field {
                    changes.needs_restart.push(stringify!($field).to_owned());
                    $held.$field = self.$field.clone();
                }
            };
            (@live $field:ident $held:ident) => {
                if $held.$field != self.$field {
                    changes.applied.push(stringify!($field).to_owned());
                }
            };
            (@tables $field:ident $held:ident) => {
                let names = differing(&self.$field, &$held.$field);
                let name = |name| format!("{}.{name}", stringify!($field));
                changes.applied.extend(names.into_iter().map(name));
            };
            ($($how:ident $field:ident,)*) => {{
                let Self { $($field: _,)* } = &wanted;
                let mut held = wanted;
                $(take!(@$how $field held);)*
                held
            }};
        }
        let held = for_each_setting!(take);
        (held, changes)
    }
}

/// The names whose tables are not the same.
fn differing<'a, T: PartialEq>(
    before: &'a BTreeMap<String, T>,
    after: &'a BTreeMap<String, T>,
) -> BTreeSet<&'a str> {
    let names = before.keys().chain(after.keys()).map(String::as_str);
    names
        .filter(|name| before.get(*name) != after.get(*name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeySettings;

    #[test]
    fn what_a_running_service_cannot_change_stays_as_it_is() {
        let running = Settings::default();
        let wanted = Settings {
            port: 9000,
            max_concurrent_tasks: 7,
            log: "debug".to_owned(),
            concurrency_keys: BTreeMap::from([("gpu".to_owned(), KeySettings::DEFAULT)]),
            ..Settings::default()
        };
        let (held, changes) = running.reloaded(wanted.clone());
        assert_eq!(
            changes.applied,
            ["max_concurrent_tasks", "concurrency_keys.gpu"]
        );
        assert_eq!(changes.needs_restart, ["port", "log"]);
        assert_eq!((held.port, held.max_concurrent_tasks), (8000, 7));

        // What needs a restart still needs it the second time.
        let (_, changes) = held.reloaded(wanted);
        assert!(changes.applied.is_empty());
        assert_eq!(changes.needs_restart, ["port", "log"]);
    }

    #[test]
    fn a_table_that_is_gone_is_a_change() {
        let keys = |names: &[&str]| Settings {
            concurrency_keys: names
                .iter()
                .map(|name| ((*name).to_owned(), KeySettings::DEFAULT))
                .collect(),
            ..Settings::default()
        };
        let (held, changes) = keys(&["a", "b"]).reloaded(keys(&["b", "c"]));
        assert_eq!(
            changes.applied,
            ["concurrency_keys.a", "concurrency_keys.c"]
        );
        assert!(changes.needs_restart.is_empty());
        assert_eq!(held, keys(&["b", "c"]));
    }
}
