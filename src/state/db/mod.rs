//! The database file: how it is opened, locked, checked, backed up and kept small.

pub(super) mod backup;
pub(super) mod checkpoint;
pub(super) mod damaged_columns;
#[cfg(test)]
pub(super) mod describe;
pub(super) mod files;
pub(super) mod health;
pub(super) mod lock;
pub(super) mod meta;
pub(super) mod open;
pub(super) mod open_error;
pub(super) mod open_files;
pub(super) mod raw;
pub(super) mod search_pool;
pub(super) mod text;
pub(super) mod triggers;
pub(super) mod tx;
pub(super) mod vfs;
