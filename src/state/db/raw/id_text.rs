//! [`IdText`]: the text of an ID in place, so that a row can lend it to SQLite.

use serde::{Serialize, Serializer};
use uuid::fmt::Hyphenated;

use crate::models::TaskId;

/// The text of a task's ID.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdText([u8; Hyphenated::LENGTH]);

impl IdText {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<TaskId> for IdText {
    fn from(id: TaskId) -> Self {
        let mut text = [0; Hyphenated::LENGTH];
        id.hyphenated().encode_lower(&mut text);
        Self(text)
    }
}

impl Serialize for IdText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
