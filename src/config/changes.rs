//! What differs between two readings of the settings, and which of it a running service applies.

use super::setting::Applies;
use super::settings::Settings;

/// The keys that differ, in the order of the settings; those of tables as `processors.NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SettingChanges {
    /// In effect as of the reload.
    pub(crate) applied: Vec<String>,
    /// In effect from the next start on.
    pub(crate) needs_restart: Vec<String>,
    /// Sentences about the settings as they were read: [`Loaded::warnings`](super::Loaded::warnings).
    pub(crate) warnings: Vec<String>,
}

impl Settings {
    /// Returns the settings that a service with these has after it has reloaded `wanted`, and what differs.
    ///
    /// A setting that applies on restart keeps its value, so the next reload reports it again.
    pub(crate) fn reloaded(&self, wanted: Self) -> (Self, SettingChanges) {
        let mut changes = SettingChanges::default();
        let mut reloaded = wanted;
        for setting in Self::ALL {
            let differences = (setting.differences)(self, &reloaded);
            match setting.applies {
                Applies::OnReload => changes.applied.extend(differences),
                Applies::OnRestart => {
                    changes.needs_restart.extend(differences);
                    (setting.copy)(self, &mut reloaded);
                }
            }
        }
        (reloaded, changes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::keys::KeySettings;
    use super::*;

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
