//! Text columns with any bytes, which another program may have written. Reading them never fails.

use sqlx::Sqlite;
use sqlx::sqlite::{SqliteTypeInfo, SqliteValueRef};

use crate::models::{TaskId, Timestamp};
use crate::state::error::Error;

/// A text column. Bytes that are not UTF-8 become U+FFFD.
#[derive(Debug)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn parse_id(&self) -> Result<TaskId, Error> {
        self.0
            .parse()
            .map_err(|_| Error::BadRow(format!("tasks.id: {:?} is not a UUID", self.0)))
    }

    /// Returns the time, or the current time if the column has no valid one.
    pub(crate) fn time_or_now(&self) -> Timestamp {
        self.0.parse().unwrap_or_else(|_| Timestamp::now())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl sqlx::Type<Sqlite> for Text {
    fn type_info() -> SqliteTypeInfo {
        <String as sqlx::Type<Sqlite>>::type_info()
    }
}

impl<'r> sqlx::Decode<'r, Sqlite> for Text {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let bytes = <&[u8] as sqlx::Decode<Sqlite>>::decode(value)?;
        Ok(Self(String::from_utf8_lossy(bytes).into_owned()))
    }
}
