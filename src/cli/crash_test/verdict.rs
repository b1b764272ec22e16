//! The verdict of a crash test: what the database holds, compared with what the clients were told.

use std::fmt;

use serde_json::{Value, json};

use super::answer::{Answer, Answers};
use crate::state::FinalState;

/// The result of a test.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) kills: u32,
    accepted: usize,
    found: usize,
    lost: usize,
    completed: usize,
    /// Tasks that COMPLETED more than once.
    completed_twice: usize,
    /// Tasks that are FAILED as `lost` after three crashes while they ran, as the service promises.
    given_up: usize,
    /// Accepted tasks with a wrong id, result or status.
    wrong: usize,
    unanswered: usize,
    unanswered_found: usize,
    refused_found: usize,
    /// Rows that no client submitted, or that exist twice.
    unknown: usize,
    /// Damage and violated invariants of the database.
    pub(crate) problems: Vec<String>,
}

impl Verdict {
    /// Counts the answers.
    pub(crate) fn of(answers: &Answers) -> Self {
        let count = |wanted: fn(&Answer) -> bool| answers.values().filter(|it| wanted(it)).count();
        Self {
            accepted: count(|answer| matches!(answer, Answer::Accepted(_))),
            unanswered: count(|answer| *answer == Answer::Unanswered),
            ..Self::default()
        }
    }

    /// Counts a row, and removes the answer for it from `answers`.
    pub(crate) fn count(&mut self, answers: &mut Answers, task: &FinalState) {
        match answers.remove(&task.content) {
            None => self.unknown += 1,
            Some(Answer::Unanswered) => self.unanswered_found += 1,
            Some(Answer::Rejected) => self.refused_found += 1,
            Some(Answer::Accepted(id)) if id != task.id => self.wrong += 1,
            Some(Answer::Accepted(_)) => self.found += 1,
        }
        let result = format!("Processed: {}", task.content);
        match task.completions {
            _ if task.given_up => self.given_up += 1,
            1 if task.is_completed() && task.result == Some(result) => self.completed += 1,
            2.. => self.completed_twice += 1,
            _ => self.wrong += 1,
        }
    }

    /// Counts the accepted tasks among the answers that no row was found for.
    pub(crate) fn count_lost(&mut self, remaining: &Answers) {
        let lost = remaining.values();
        let lost = lost.filter(|answer| matches!(answer, Answer::Accepted(_)));
        self.lost = lost.count();
    }

    /// Returns true if no accepted task was lost or changed, and at least one was accepted.
    pub(crate) fn is_pass(&self) -> bool {
        let broken =
            self.lost + self.completed_twice + self.wrong + self.refused_found + self.unknown;
        broken == 0 && self.problems.is_empty() && self.accepted > 0
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "kept": self.is_pass(),
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
            "killed before the answer: may exist or not",
        )?;
        line("  found", self.unanswered_found, "")?;
        line("completed", self.completed, "of all found tasks")?;
        line("  twice", self.completed_twice, "must be 0")?;
        line(
            "given up",
            self.given_up,
            "failed as lost after three crashes, as promised",
        )?;
        line(
            "wrong",
            self.wrong,
            "must be 0: different id, result or status",
        )?;
        line("rejected, found", self.refused_found, "must be 0")?;
        line(
            "unknown",
            self.unknown,
            "must be 0: never submitted, or found twice",
        )?;
        for problem in &self.problems {
            writeln!(f, "database: {problem}")?;
        }
        match self.is_pass() {
            _ if self.accepted == 0 => {
                write!(f, "FAIL: no task was accepted, so nothing is proved.")
            }
            true => write!(f, "PASS: no accepted task was lost."),
            false => write!(f, "FAIL: accepted tasks were lost or damaged."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::submissions::Submissions;
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
        let submissions = Submissions::default();
        for content in ["accepted", "refused", "unanswered"] {
            submissions.sent(content);
        }
        submissions.acknowledged("accepted", "1");
        submissions.rejected("refused");
        let mut answers = submissions.answers();
        let mut verdict = Verdict::of(&answers);
        for row in rows {
            verdict.count(&mut answers, row);
        }
        verdict.count_lost(&answers);
        verdict
    }

    #[test]
    fn an_accepted_task_must_exist_once_and_unchanged() {
        let good = row("accepted", "1");
        assert!(verdict(std::slice::from_ref(&good)).is_pass());
        assert!(verdict(&[good.clone(), row("unanswered", "2")]).is_pass());
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
            vec![good.clone(), row("unknown", "4")],
            vec![good.clone(), good.clone()],
            vec![twice],
            vec![changed],
            vec![unfinished],
        ] {
            assert!(!verdict(&rows).is_pass(), "{rows:?}");
        }
    }

    #[test]
    fn a_task_given_up_after_three_crashes_passes() {
        let given_up = FinalState {
            status: "FAILED".to_owned(),
            result: None,
            completions: 0,
            given_up: true,
            ..row("accepted", "1")
        };
        let verdict = verdict(&[given_up]);
        assert!(verdict.is_pass() && verdict.given_up == 1);
    }
}
