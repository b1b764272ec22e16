//! What is counted in a step of time.

use serde::{Deserialize, Serialize};

use super::{Histogram, Measured};
use crate::models::EventType;

/// One thing to count.
#[derive(Clone, Copy)]
pub(crate) enum Happened {
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
pub(crate) struct Step {
    pub(crate) created: u64,
    pub(crate) started: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) retried: u64,
    pub(crate) wait: Histogram,
    pub(crate) run: Histogram,
}

impl Happened {
    pub(crate) fn waited(seconds: f64) -> Self {
        Self::Waited(Measured::new(seconds))
    }

    pub(crate) fn ran(seconds: f64) -> Self {
        Self::Ran(Measured::new(seconds))
    }

    /// What a journal row of this type says, if it is anything that is counted.
    pub(crate) fn of(kind: EventType) -> Option<Self> {
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
    pub(crate) fn count(&mut self, happened: Happened) {
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
