//! The tables `[concurrency_keys.NAME]`: how many tasks of one concurrency key may run, and how often
//! they may start.

use std::collections::BTreeMap;

use super::error::Error;
use super::rate::Rate;
use super::rules;
use super::table::Table;

/// The name that stands for every key without a table.
const EVERY_OTHER: &str = "*";

/// What is kept to by the tasks of one concurrency key, whichever processors run them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySettings {
    /// At most this many at a time. Default, in a table: no limit.
    pub(crate) concurrency: Option<u64>,
    /// At most so many starts in a time. Default: as many as come.
    pub(crate) rate: Option<Rate>,
}

impl KeySettings {
    /// What holds for a key without a table where there is no table `"*"` either: one at a time.
    pub(crate) const DEFAULT: Self = Self {
        concurrency: Some(1),
        rate: None,
    };
}

/// The settings of `key` among these: its own, else those of `"*"`, else the default.
pub(crate) fn find<'a>(keys: &'a BTreeMap<String, KeySettings>, key: &str) -> &'a KeySettings {
    keys.get(key)
        .or_else(|| keys.get(EVERY_OTHER))
        .unwrap_or(&KeySettings::DEFAULT)
}

/// Every `[concurrency_keys.NAME]`.
pub(crate) fn read(settings: &mut Table<'_>) -> Result<BTreeMap<String, KeySettings>, Error> {
    let mut keys = BTreeMap::new();
    if let Some(tables) = settings.take_table("concurrency_keys", rules::KEYS)? {
        for (name, mut table) in tables.tables(rules::KEY_NAMES)? {
            let key = KeySettings {
                concurrency: table.take("concurrency", rules::CONCURRENCY)?,
                rate: table.take("rate", rules::RATE)?,
            };
            table.finish()?;
            keys.insert(name, key);
        }
    }
    Ok(keys)
}
