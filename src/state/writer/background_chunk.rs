//! Does one chunk of background work at the end of a turn of the Writer.

use crate::state::dependencies::EdgeProgress;
use crate::state::writer::background::BackgroundJob;
use crate::state::writer::core::Core;

impl Core {
    /// Does one chunk of the first job; the rest of it goes to the end of the line.
    pub(crate) async fn work_in_background(&mut self) {
        match self.background.jobs.pop_front() {
            Some(BackgroundJob::Purge(purge)) => self.work_on_purge(purge).await,
            Some(BackgroundJob::RepairTimes(repair)) => self.work_on_times(repair).await,
            Some(BackgroundJob::OnFinished(task)) => {
                let job = BackgroundJob::OnFinished(task);
                match self.process_edges_of(task).await {
                    Err(error) => {
                        self.note_failure(&error);
                        self.background.retry_later.push(job);
                    }
                    Ok(EdgeProgress::More) => self.background.jobs.push_back(job),
                    Ok(EdgeProgress::Done | EdgeProgress::NotFinal) => {}
                }
            }
            None => {}
        }
    }
}
