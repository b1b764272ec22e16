//! How long the texts may be that name, group and find tasks. They stand in everybody's lists.

/// Characters of a tag, of a session's id and of a worker's name.
pub(crate) const NAME_CHARS: usize = 200;

/// Characters of a `concurrency_key`, of a `unique_key` and of a pause's `reason`.
pub(crate) const KEY_CHARS: usize = 1000;

/// Tags of one task.
pub(crate) const TAGS_LIMIT: usize = 100;
