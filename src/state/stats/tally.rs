//! What is counted in a step of time.

use serde::{Deserialize, Serialize};

use super::{Histogram, Measured};
use crate::models::EventType;

/// One thing to count.
#[derive(Clone, Copy)]
pub(in crate::state) enum Happened {
    Created,
    Started,
    Completed,
    Failed,
    Retried,
    /// A task started after it was due for so long.
    Waited(Measured),
    /// An attempt ended after it ran for so long.
    Ran(Measured),
}

/// The counts of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub created: u64,
    pub started: u64,
    pub completed: u64,
    pub failed: u64,
    pub retried: u64,
    pub wait: Histogram,
    pub run: Histogram,
}

impl Happened {
    pub fn waited(seconds: f64) -> Self {
        Self::Waited(Measured::new(seconds))
    }

    pub fn ran(seconds: f64) -> Self {
        Self::Ran(Measured::new(seconds))
    }

    /// What a journal row of this type says, if it is anything that is counted.
    pub fn of(kind: EventType) -> Option<Self> {
        match kind {
            EventType::TaskCreated => Some(Self::Created),
            EventType::TaskStarted => Some(Self::Started),
            EventType::TaskCompleted => Some(Self::Completed),
            EventType::TaskFailed | EventType::TaskAborted => Some(Self::Failed),
            EventType::TaskRetrying => Some(Self::Retried),
            EventType::TaskLog
            | EventType::TaskLiveLine
            | EventType::TaskProgress
            | EventType::TaskOutput
            | EventType::QueuePaused
            | EventType::QueueResumed
            | EventType::QueuePurged
            | EventType::EmergencyStop
            | EventType::SystemLog
            | EventType::EventsMissed => None,
        }
    }
}

impl Step {
    pub fn count(&mut self, happened: Happened) {
        match happened {
            Happened::Created => self.created += 1,
            Happened::Started => self.started += 1,
            Happened::Completed => self.completed += 1,
            Happened::Failed => self.failed += 1,
            Happened::Retried => self.retried += 1,
            Happened::Waited(time) => self.wait.add(time),
            Happened::Ran(time) => self.run.add(time),
        }
    }
}
