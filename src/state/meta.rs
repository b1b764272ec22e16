//! The keys of the `meta` table.

/// A [`crate::models::Pause`], while the queue is paused.
pub(super) const PAUSE: &str = "pause";
/// What the imported `state_dump.json` held besides the tasks.
pub(super) const DUMP_FIELDS: &str = "dump_fields";
/// The processor of tasks that name none.
pub(super) const DEFAULT_PROCESSOR: &str = "default_processor";
/// A [`crate::models::Pause`] for each processor that starts nothing, by name.
pub(super) const CLOSED: &str = "closed";
/// The number of attempts of each processor's tasks, by name.
pub(super) const MAX_ATTEMPTS: &str = "max_attempts";
/// The newest journal row whose task the full-text index knows, a number.
pub(super) const INDEXED_EVENT: &str = "indexed_event";
