//! A worker as a node: orders are for the jobs that it takes and runs.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;

use super::running::Reason;
use crate::hive::cluster::command::Command;
use crate::hive::cluster::member::{Condition, Failure, Role};
use crate::hive::redis::keys::NodeKeys;
use crate::hive::worker::job_runner::Workplace;

/// The part that a worker plays.
pub(crate) struct WorkerRole {
    pub(crate) workplace: Arc<Workplace>,
    pub(crate) max_jobs: usize,
}

impl Role for WorkerRole {
    async fn obey(&self, command: Command) -> Result<(), Failure> {
        let workplace = &self.workplace;
        match command {
            Command::Pause(pause) => {
                let name = pause.processor.as_ref();
                if name.is_none_or(|name| workplace.functions.contains(name)) {
                    workplace.pauses.pause(pause);
                }
            }
            Command::Resume(resume) => workplace.pauses.resume(resume),
            Command::EmergencyStop => {
                workplace.pauses.stop();
                for running in workplace.running.all() {
                    running.stop(Reason::Abort);
                }
            }
            Command::Status => {}
        }
        Ok(())
    }

    async fn stay_stopped(&self) -> Result<(), Failure> {
        self.workplace.pauses.stop();
        Ok(())
    }

    async fn condition(&self) -> Result<Condition, Failure> {
        Ok(Condition {
            running: self.workplace.running.len() as u64,
            max: Some(self.max_jobs as u64),
            paused: self.workplace.pauses.is_paused(),
        })
    }

    /// A worker remembers nothing: what stands holds for it when it comes.
    async fn known_order(&self) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    async fn note_order(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn settle(&self) {
        self.workplace.pauses.settle();
    }

    async fn look_around(
        &self,
        _: &str,
        _: &mut MultiplexedConnection,
        _: &NodeKeys,
    ) -> Result<(), Failure> {
        Ok(())
    }
}
