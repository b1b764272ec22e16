//! The counters of one step of time, and the occurrences that they count. Pure.

use serde::{Deserialize, Serialize};

use super::{Histogram, Measured};
use crate::models::EventType;

/// One occurrence to count.
#[derive(Clone, Copy)]
pub(crate) enum Happened {
    Created,
    Started,
    Completed,
    Failed,
    Retried,
    /// A task started after this queue time.
    Waited(Measured),
    /// An attempt ended after this run time.
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

    /// Returns what a journal row of this type counts as; `None` if it is not counted.
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
