//! Length limits of the texts that name and group tasks, which appear in every list.

/// Characters of a tag, a session ID or a worker name.
pub(crate) const NAME_CHARS: usize = 200;

/// Characters of a `concurrency_key`, a `unique_key` or the `reason` of a pause.
pub(crate) const KEY_CHARS: usize = 1000;

/// Number of tags of one task.
pub(crate) const TAGS_LIMIT: usize = 100;
