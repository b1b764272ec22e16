//! What the clients know of their tasks, held against what the database has in the end.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::cli::error::Error;
use crate::state;
use crate::state::FinalState;

/// What a client was told of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    /// Nothing: the service was killed first. The task may be there or not.
    Nothing,
    /// An error: the task must not be there.
    Refused,
    /// 201 and this id: the task must be there.
    Accepted(String),
}

/// All tasks that were sent, by their contents, no two of which are alike.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    told: Arc<Mutex<HashMap<String, Told>>>,
}

impl Ledger {
    pub(crate) fn sent(&self, content: &str) {
        self.lock().insert(content.to_owned(), Told::Nothing);
    }

    pub(crate) fn refused(&self, content: &str) {
        self.lock().insert(content.to_owned(), Told::Refused);
    }

    pub(crate) fn acknowledged(&self, content: &str, id: &str) {
        let told = Told::Accepted(id.to_owned());
        self.lock().insert(content.to_owned(), told);
    }

    /// How many were accepted.
    pub(crate) fn accepted(&self) -> usize {
        let told = self.lock();
        let accepted = told.values();
        accepted
            .filter(|told| matches!(told, Told::Accepted(_)))
            .count()
    }

    /// Reads the database and counts.
    pub(crate) async fn check(&self, database: &Path) -> Result<Verdict, Error> {
        let failed = |error: state::OpenError| Error::Failed(error.to_string());
        let mut told = std::mem::take(&mut *self.lock());
        let mut verdict = Verdict::of(&told);
        let fates = state::fates(database, |fate| verdict.add(&mut told, &fate));
        fates.await.map_err(failed)?;
        // What is left was found in no row.
        let missing = told
            .values()
            .filter(|told| matches!(told, Told::Accepted(_)));
        verdict.lost = missing.count();
        let audit = state::audit(database).await.map_err(failed)?;
        verdict.problems = audit.problems().collect();
        Ok(verdict)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ledger as it is printed.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) kills: u32,
    accepted: usize,
    found: usize,
    lost: usize,
    completed: usize,
    /// Tasks that have COMPLETED more than once.
    completed_twice: usize,
    /// `FAILED` as `lost` after three crashes under them, as is promised.
    given_up: usize,
    /// Accepted, there, and in no state in which they may be.
    wrong: usize,
    unanswered: usize,
    unanswered_found: usize,
    refused_found: usize,
    /// Rows that nobody has sent, or that are there twice.
    unknown: usize,
    /// What the check of the file and of its rules has found.
    problems: Vec<String>,
}

impl Verdict {
    fn of(told: &HashMap<String, Told>) -> Self {
        let count = |wanted: fn(&Told) -> bool| told.values().filter(|told| wanted(told)).count();
        Self {
            accepted: count(|told| matches!(told, Told::Accepted(_))),
            unanswered: count(|told| *told == Told::Nothing),
            ..Self::default()
        }
    }

    /// Counts a row, and takes what was told of it out of `told`.
    fn add(&mut self, told: &mut HashMap<String, Told>, fate: &FinalState) {
        match told.remove(&fate.content) {
            None => self.unknown += 1,
            Some(Told::Nothing) => self.unanswered_found += 1,
            Some(Told::Refused) => self.refused_found += 1,
            Some(Told::Accepted(id)) if id != fate.id => self.wrong += 1,
            Some(Told::Accepted(_)) => self.found += 1,
        }
        let result = format!("Processed: {}", fate.content);
        match fate.completions {
            _ if fate.given_up => self.given_up += 1,
            1 if fate.is_completed() && fate.result == Some(result) => self.completed += 1,
            2.. => self.completed_twice += 1,
            _ => self.wrong += 1,
        }
    }

    /// Whether all that was promised was kept.
    pub(crate) fn is_kept(&self) -> bool {
        let broken =
            self.lost + self.completed_twice + self.wrong + self.refused_found + self.unknown;
        // What accepted nothing has kept nothing.
        broken == 0 && self.problems.is_empty() && self.accepted > 0
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "kept": self.is_kept(),
            "kills": self.kills,
            "accepted": self.accepted,
            "found": self.found,
            "lost": self.lost,
            "completed": self.completed,
            "completed_twice": self.completed_twice,
            "given_up": self.given_up,
            "wrong": self.wrong,
            "unanswered": self.unanswered,
            "unanswered_found": self.unanswered_found,
            "refused_found": self.refused_found,
            "unknown": self.unknown,
            "problems": self.problems,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, count: usize, words: &str| {
            writeln!(f, "{}", format!("{name:<18}{count:>9}  {words}").trim_end())
        };
        line("killed (-9)", self.kills as usize, "")?;
        line("accepted (201)", self.accepted, "")?;
        line("  found", self.found, "")?;
        line("  lost", self.lost, "must be 0")?;
        line(
            "unanswered",
            self.unanswered,
            "killed before the answer: there or not",
        )?;
        line("  found", self.unanswered_found, "")?;
        line("completed", self.completed, "of all that were found")?;
        line("  twice", self.completed_twice, "must be 0")?;
        line(
            "given up",
            self.given_up,
            "after three crashes under them, as promised",
        )?;
        line("wrong", self.wrong, "must be 0: another id, result or end")?;
        line("refused, there", self.refused_found, "must be 0")?;
        line(
            "unknown",
            self.unknown,
            "must be 0: sent by nobody, or there twice",
        )?;
        for problem in &self.problems {
            writeln!(f, "database: {problem}")?;
        }
        match self.is_kept() {
            _ if self.accepted == 0 => write!(f, "Nothing was accepted, so nothing is proved."),
            true => write!(f, "The promise was kept: nothing accepted is lost."),
            false => write!(f, "The promise was BROKEN."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(content: &str, id: &str) -> FinalState {
        FinalState {
            id: id.to_owned(),
            status: "COMPLETED".to_owned(),
            content: content.to_owned(),
            result: Some(format!("Processed: {content}")),
            completions: 1,
            given_up: false,
        }
    }

    fn verdict(rows: &[FinalState]) -> Verdict {
        let ledger = Ledger::default();
        for content in ["accepted", "refused", "unanswered"] {
            ledger.sent(content);
        }
        ledger.acknowledged("accepted", "1");
        ledger.refused("refused");
        let mut told = ledger.lock().clone();
        let mut verdict = Verdict::of(&told);
        for row in rows {
            verdict.add(&mut told, row);
        }
        verdict.lost = 1 - usize::from(!told.contains_key("accepted"));
        verdict
    }

    #[test]
    fn what_was_accepted_must_be_there_once_and_as_it_was() {
        let good = row("accepted", "1");
        assert!(verdict(std::slice::from_ref(&good)).is_kept());
        assert!(verdict(&[good.clone(), row("unanswered", "2")]).is_kept());
        let twice = FinalState {
            completions: 2,
            ..good.clone()
        };
        let changed = FinalState {
            result: None,
            ..good.clone()
        };
        let unfinished = FinalState {
            status: "PENDING".to_owned(),
            completions: 0,
            ..good.clone()
        };
        for rows in [
            vec![],
            vec![row("accepted", "7")],
            vec![good.clone(), row("refused", "3")],
            vec![good.clone(), row("of nobody", "4")],
            vec![good.clone(), good.clone()],
            vec![twice],
            vec![changed],
            vec![unfinished],
        ] {
            assert!(!verdict(&rows).is_kept(), "{rows:?}");
        }
    }

    #[test]
    fn what_is_given_up_after_three_crashes_is_no_broken_promise() {
        let given_up = FinalState {
            status: "FAILED".to_owned(),
            result: None,
            completions: 0,
            given_up: true,
            ..row("accepted", "1")
        };
        let verdict = verdict(&[given_up]);
        assert!(verdict.is_kept() && verdict.given_up == 1);
    }
}
