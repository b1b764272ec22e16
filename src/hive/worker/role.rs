//! A worker as a node: commands concern the jobs that it claims and runs.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;

use super::running::StopCause;
use crate::hive::cluster::command::ClusterCommand;
use crate::hive::cluster::role::{NodeCondition, NodeError, NodeRole};
use crate::hive::redis::keys::NodeKeys;
use crate::hive::worker::job_runner::WorkerContext;

/// The role of a worker.
pub(crate) struct WorkerRole {
    pub(crate) worker: Arc<WorkerContext>,
    pub(crate) max_jobs: usize,
}

impl NodeRole for WorkerRole {
    async fn run_command(&self, command: ClusterCommand) -> Result<(), NodeError> {
        let worker = &self.worker;
        match command {
            ClusterCommand::Pause(pause) => {
                let name = pause.processor.as_ref();
                if name.is_none_or(|name| worker.functions.contains(name)) {
                    worker.pauses.pause(pause);
                }
            }
            ClusterCommand::Resume(resume) => worker.pauses.resume(resume),
            ClusterCommand::EmergencyStop => {
                worker.pauses.stop();
                for running in worker.running.all() {
                    running.stop(StopCause::Abort);
                }
            }
            ClusterCommand::Status => {}
        }
        Ok(())
    }

    async fn stay_stopped(&self) -> Result<(), NodeError> {
        self.worker.pauses.stop();
        Ok(())
    }

    async fn condition(&self) -> Result<NodeCondition, NodeError> {
        Ok(NodeCondition {
            running: self.worker.running.len() as u64,
            max: Some(self.max_jobs as u64),
            paused: self.worker.pauses.is_paused(),
        })
    }

    /// Returns `None`: a worker stores nothing, so the command in force applies when it joins.
    async fn last_command(&self) -> Result<Option<String>, NodeError> {
        Ok(None)
    }

    async fn store_last_command(&self, _: &str) -> Result<(), NodeError> {
        Ok(())
    }

    fn become_ready(&self) {
        self.worker.pauses.become_ready();
    }

    async fn after_report(
        &self,
        _: &str,
        _: &mut MultiplexedConnection,
        _: &NodeKeys,
    ) -> Result<(), NodeError> {
        Ok(())
    }
}
