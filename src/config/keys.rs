//! The tables `[concurrency_keys.NAME]`: how many tasks of one concurrency key may run, and how often
//! they may start.

use std::collections::BTreeMap;

use super::error::Error;
use super::rate::Rate;
use super::table_reader::TableReader;
use super::value_types;

/// The name that stands for every key without a table.
const EVERY_OTHER: &str = "*";

/// The limits that the tasks of one concurrency key share, whichever processors run them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySettings {
    /// At most this many at a time. Default, in a table: no limit.
    pub(crate) concurrency: Option<u64>,
    /// Limit of starts in a period. Default: no limit.
    pub(crate) rate: Option<Rate>,
}

impl KeySettings {
    /// The settings of a key if neither it nor `"*"` has a table: one task at a time.
    pub(crate) const DEFAULT: Self = Self {
        concurrency: Some(1),
        rate: None,
    };
}

/// Returns the settings of `key` among these: its own, else those of `"*"`, else the default.
pub(crate) fn find<'a>(keys: &'a BTreeMap<String, KeySettings>, key: &str) -> &'a KeySettings {
    keys.get(key)
        .or_else(|| keys.get(EVERY_OTHER))
        .unwrap_or(&KeySettings::DEFAULT)
}

/// Reads every `[concurrency_keys.NAME]`.
pub(crate) fn read(settings: &mut TableReader<'_>) -> Result<BTreeMap<String, KeySettings>, Error> {
    let mut keys = BTreeMap::new();
    if let Some(tables) = settings.take_table("concurrency_keys", value_types::KEYS)? {
        for (name, mut table) in tables.tables(value_types::KEY_NAMES)? {
            let key = KeySettings {
                concurrency: table.take("concurrency", value_types::CONCURRENCY)?,
                rate: table.take("rate", value_types::RATE)?,
            };
            table.finish()?;
            keys.insert(name, key);
        }
    }
    Ok(keys)
}
