//! Turns journal rows of one task into stream updates. Pure.

use crate::models::length_in_json;
use crate::state::LogEntry;

/// Rows of more bytes than this, in JSON, become several events.
const GROUP_BYTES: usize = 256 * 1024;

/// Rows that follow each other and become one event.
#[derive(Debug, PartialEq)]
pub(crate) struct StreamUpdate {
    /// Id of its last row.
    pub(crate) last_row: i64,
    pub(crate) content: UpdateContent,
    /// Size of its content, in bytes of JSON.
    pub(crate) bytes: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) enum UpdateContent {
    Lines(Vec<String>),
    Output(String),
}

/// Joins consecutive lines, and consecutive outputs, up to [`GROUP_BYTES`]. A row without content joins the lines
/// around it, because the task's state shows its effect.
pub(crate) fn group_rows(rows: Vec<(i64, LogEntry)>) -> Vec<StreamUpdate> {
    let mut updates: Vec<StreamUpdate> = Vec::new();
    for (last_row, content) in rows {
        let bytes = match &content {
            // With its quotes and comma.
            LogEntry::Line(text) | LogEntry::Output(text) => length_in_json(text) + 3,
            LogEntry::Nothing => 0,
        };
        let last = updates.last_mut();
        let joined = match last.filter(|last| last.bytes + bytes <= GROUP_BYTES || bytes == 0) {
            Some(last) => last.content.join(content.into()).map(|()| {
                last.last_row = last_row;
                last.bytes += bytes;
            }),
            None => Err(content.into()),
        };
        if let Err(content) = joined {
            updates.push(StreamUpdate {
                last_row,
                content,
                bytes,
            });
        }
    }
    updates
}

impl UpdateContent {
    /// Appends `next`. Returns it as the error if it is of the other kind.
    fn join(&mut self, next: Self) -> Result<(), Self> {
        match (self, next) {
            (Self::Lines(lines), Self::Lines(more)) => lines.extend(more),
            (Self::Output(text), Self::Output(more)) => text.push_str(&more),
            (_, next) => return Err(next),
        }
        Ok(())
    }
}

impl From<LogEntry> for UpdateContent {
    fn from(content: LogEntry) -> Self {
        match content {
            LogEntry::Line(line) => Self::Lines(vec![line]),
            LogEntry::Output(text) => Self::Output(text),
            LogEntry::Nothing => Self::Lines(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_events_in_their_order() {
        let line = |text: &str| LogEntry::Line(text.to_owned());
        let output = |text: &str| LogEntry::Output(text.to_owned());
        let rows = [
            line("started"),
            LogEntry::Nothing,
            output("Hel"),
            output("lo"),
            LogEntry::Nothing,
            line("done"),
        ];
        let updates = group_rows((1..).zip(rows).collect());
        let lines = |lines: &[&str]| {
            UpdateContent::Lines(lines.iter().map(|line| (*line).to_owned()).collect())
        };
        let expected = [
            (2, lines(&["started"])),
            (4, UpdateContent::Output("Hello".to_owned())),
            (6, lines(&["done"])),
        ];
        let updates: Vec<_> = updates
            .into_iter()
            .map(|update| (update.last_row, update.content))
            .collect();
        assert_eq!(updates, expected);
    }

    #[test]
    fn no_event_has_more_rows_than_there_is_room_for() {
        let line = |length: usize| LogEntry::Line("x".repeat(length));
        // The quote takes two bytes in JSON.
        let quotes = LogEntry::Output("\"".repeat(GROUP_BYTES / 4));
        let more = LogEntry::Output("\"".repeat(GROUP_BYTES / 4));
        let half = GROUP_BYTES / 2;
        let rows = [
            line(half),
            line(half - 6),
            LogEntry::Nothing,
            line(1),
            line(2 * GROUP_BYTES),
            LogEntry::Nothing,
            line(1),
            quotes,
            more,
        ];
        let last_row: Vec<_> = group_rows((1..).zip(rows).collect())
            .iter()
            .map(|update| update.last_row)
            .collect();
        assert_eq!(last_row, [3, 4, 6, 7, 8, 9]);
    }
}
