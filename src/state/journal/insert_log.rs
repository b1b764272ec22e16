//! The row that the Writer inserts into `logs`: as a row in memory, or as a JSON array.

use serde::Serialize;

use crate::state::db::raw::id_text::IdText;
use crate::state::db::raw::row_table::TableRow;
use crate::state::db::raw::value::SqlValue;

/// A row for `logs`: task_id, type, agent, message, data, at (`None`: the time of the transaction), guard.
///
/// The guard is a row number, an attempt and a status. The row is written only if the task has these by then;
/// otherwise the change that the row reports has lost its race.
#[derive(Serialize)]
pub(crate) struct InsertLog<'a>(
    pub(crate) Option<IdText>,
    pub(crate) &'static str,
    pub(crate) Option<&'a str>,
    pub(crate) Option<&'a str>,
    pub(crate) &'a str,
    pub(crate) Option<String>,
    pub(crate) Option<i64>,
    pub(crate) Option<i64>,
    pub(crate) Option<&'static str>,
);

impl TableRow for InsertLog<'_> {
    const TABLE: &'static str = "new_logs";
    const COLUMNS: &'static str =
        "task_id, type, agent, message, data, at, if_seq, if_attempt, if_status";

    fn column(&self, index: usize) -> SqlValue<'_> {
        match index {
            0 => self.0.as_ref().map(IdText::as_str).into(),
            1 => self.1.into(),
            2 => self.2.into(),
            3 => self.3.into(),
            4 => self.4.into(),
            5 => self.5.as_ref().into(),
            6 => self.6.into(),
            7 => self.7.into(),
            8 => self.8.into(),
            _ => SqlValue::Null,
        }
    }
}
