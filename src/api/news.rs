//! Journal rows of one task as what its followers are told. Pure.

use crate::state::Said;

/// Rows that follow each other and become one event.
#[derive(Debug, PartialEq)]
pub(super) struct News {
    /// Id of the last of them.
    pub newest: i64,
    pub said: Run,
}

#[derive(Debug, PartialEq)]
pub(super) enum Run {
    Lines(Vec<String>),
    Output(String),
}

/// Joins lines that follow each other, and outputs that do. A row that says nothing belongs to the
/// lines about it: what it stands for shows in the task's state.
pub(super) fn in_runs(rows: Vec<(i64, Said)>) -> Vec<News> {
    let mut runs: Vec<News> = Vec::new();
    for (newest, said) in rows {
        let joined = match runs.last_mut() {
            Some(last) => last.said.join(said.into()).map(|()| last.newest = newest),
            None => Err(said.into()),
        };
        if let Err(said) = joined {
            runs.push(News { newest, said });
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

impl From<Said> for Run {
    fn from(said: Said) -> Self {
        match said {
            Said::Line(line) => Self::Lines(vec![line]),
            Said::Output(text) => Self::Output(text),
            Said::Nothing => Self::Lines(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_events_in_their_order() {
        let line = |text: &str| Said::Line(text.to_owned());
        let output = |text: &str| Said::Output(text.to_owned());
        let rows = [
            line("started"),
            Said::Nothing,
            output("Hel"),
            output("lo"),
            Said::Nothing,
            line("done"),
        ];
        let runs = in_runs((1..).zip(rows).collect());
        let lines = |newest, lines: &[&str]| News {
            newest,
            said: Run::Lines(lines.iter().map(|line| (*line).to_owned()).collect()),
        };
        let hello = Run::Output("Hello".to_owned());
        let expected = [
            lines(2, &["started"]),
            News {
                newest: 4,
                said: hello,
            },
            lines(6, &["done"]),
        ];
        assert_eq!(runs, expected);
    }
}
