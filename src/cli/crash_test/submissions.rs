//! Records which answer the clients received for every task they submitted, and compares it with the database.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::answer::{Answer, Answers};
use super::verdict::Verdict;
use crate::cli::error::Error;
use crate::state;

/// All submissions of a test; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Submissions {
    answers: Arc<Mutex<Answers>>,
}

impl Submissions {
    /// Records a task before its request is sent.
    pub(crate) fn sent(&self, content: &str) {
        self.record(content, Answer::Unanswered);
    }

    /// Records an error as the answer.
    pub(crate) fn rejected(&self, content: &str) {
        self.record(content, Answer::Rejected);
    }

    /// Records a 201 as the answer.
    pub(crate) fn acknowledged(&self, content: &str, id: &str) {
        self.record(content, Answer::Accepted(id.to_owned()));
    }

    /// Returns the number of accepted tasks.
    pub(crate) fn accepted(&self) -> usize {
        let answers = self.lock();
        let accepted = answers.values();
        accepted
            .filter(|answer| matches!(answer, Answer::Accepted(_)))
            .count()
    }

    /// Reads the database and compares it with the answers.
    pub(crate) async fn check(&self, database: &Path) -> Result<Verdict, Error> {
        let failed = |error: state::OpenError| Error::Failed(error.to_string());
        let mut answers = std::mem::take(&mut *self.lock());
        let mut verdict = Verdict::of(&answers);
        let read = state::fates(database, |task| verdict.count(&mut answers, &task));
        read.await.map_err(failed)?;
        verdict.count_lost(&answers);
        let audit = state::audit(database).await.map_err(failed)?;
        verdict.problems = audit.problems().collect();
        Ok(verdict)
    }

    #[cfg(test)]
    pub(crate) fn answers(&self) -> Answers {
        self.lock().clone()
    }

    fn record(&self, content: &str, answer: Answer) {
        self.lock().insert(content.to_owned(), answer);
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
