//! Journal rows of one task as what its followers are told. Pure.

use crate::models::length_in_json;
use crate::state::LogEntry;

/// Rows of more bytes than this, in JSON, become several events.
const RUN_BYTES: usize = 256 * 1024;

/// Rows that follow each other and become one event.
#[derive(Debug, PartialEq)]
pub(crate) struct News {
    /// Id of the last of them.
    pub(crate) newest: i64,
    pub(crate) said: Run,
    /// How much it says, in bytes of JSON.
    pub(crate) bytes: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Run {
    Lines(Vec<String>),
    Output(String),
}

/// Joins lines that follow each other, and outputs that do, as far as there is room in an event. A row that
/// says nothing belongs to the lines about it: what it stands for shows in the task's state.
pub(crate) fn in_runs(rows: Vec<(i64, LogEntry)>) -> Vec<News> {
    let mut runs: Vec<News> = Vec::new();
    for (newest, said) in rows {
        let bytes = match &said {
            // With its quotes and comma.
            LogEntry::Line(text) | LogEntry::Output(text) => length_in_json(text) + 3,
            LogEntry::Nothing => 0,
        };
        let last = runs.last_mut();
        let joined = match last.filter(|last| last.bytes + bytes <= RUN_BYTES || bytes == 0) {
            Some(last) => last.said.join(said.into()).map(|()| {
                last.newest = newest;
                last.bytes += bytes;
            }),
            None => Err(said.into()),
        };
        if let Err(said) = joined {
            runs.push(News {
                newest,
                said,
                bytes,
            });
        }
    }
    runs
}

impl Run {
    /// Adds what follows; gives it back if it is of the other kind.
    fn join(&mut self, next: Self) -> Result<(), Self> {
        match (self, next) {
            (Self::Lines(lines), Self::Lines(more)) => lines.extend(more),
            (Self::Output(text), Self::Output(more)) => text.push_str(&more),
            (_, next) => return Err(next),
        }
        Ok(())
    }
}

impl From<LogEntry> for Run {
    fn from(said: LogEntry) -> Self {
        match said {
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
        let runs = in_runs((1..).zip(rows).collect());
        let lines =
            |lines: &[&str]| Run::Lines(lines.iter().map(|line| (*line).to_owned()).collect());
        let expected = [
            (2, lines(&["started"])),
            (4, Run::Output("Hello".to_owned())),
            (6, lines(&["done"])),
        ];
        let runs: Vec<_> = runs.into_iter().map(|run| (run.newest, run.said)).collect();
        assert_eq!(runs, expected);
    }

    #[test]
    fn no_event_has_more_rows_than_there_is_room_for() {
        let line = |length: usize| LogEntry::Line("x".repeat(length));
        // The quote takes two bytes in JSON.
        let quotes = LogEntry::Output("\"".repeat(RUN_BYTES / 4));
        let more = LogEntry::Output("\"".repeat(RUN_BYTES / 4));
        let half = RUN_BYTES / 2;
        let rows = [
            line(half),
            line(half - 6),
            LogEntry::Nothing,
            line(1),
            line(2 * RUN_BYTES),
            LogEntry::Nothing,
            line(1),
            quotes,
            more,
        ];
        let newest: Vec<_> = in_runs((1..).zip(rows).collect())
            .iter()
            .map(|run| run.newest)
            .collect();
        assert_eq!(newest, [3, 4, 6, 7, 8, 9]);
    }
}
