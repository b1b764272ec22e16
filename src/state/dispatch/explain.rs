//! The explanation why a pending task does not start, and the status of each processor, both read from the
//! queue state. Pure.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::models::{HiveLink, Pause, TaskId, Timestamp};
use crate::state::dispatch::limits::{ExecutionSite, Limit};
use crate::state::dispatch::queue_state::QueueState;

/// Running tasks to name in one obstacle at most.
const MAX_RUNNING: usize = 20;

/// The pending task to explain.
#[derive(Clone, Debug)]
pub(crate) struct ExplainedTask {
    pub(crate) processor: String,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) run_at: Timestamp,
}

/// The obstacles. Empty if the task only waits for its turn in the lane.
pub(crate) type Explanation = Vec<Obstacle>;

/// One thing that must change before the task can start.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Obstacle {
    /// The queue is paused.
    Paused {
        since: Timestamp,
        #[schema(required)]
        until: Option<Timestamp>,
        #[schema(required)]
        reason: Option<String>,
        /// Name of the token that paused it.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Its processor is paused or deferred.
    ProcessorPaused {
        processor: String,
        since: Timestamp,
        #[schema(required)]
        until: Option<Timestamp>,
        #[schema(required)]
        reason: Option<String>,
        /// Name of the token that paused it.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Its `run_at` is in the future.
    NotDue { run_at: Timestamp },
    /// All slots of the queue are busy.
    NoFreeSlot {
        limit: u64,
        #[schema(value_type = Vec<Uuid>)]
        running: Vec<TaskId>,
    },
    /// The contents of running tasks use all the memory that they may.
    NoMemory { limit_bytes: usize },
    /// All slots of its processor are busy.
    ProcessorLimit {
        processor: String,
        limit: u64,
        #[schema(value_type = Vec<Uuid>)]
        running: Vec<TaskId>,
    },
    /// Its processor has reached its rate limit.
    ProcessorRate {
        processor: String,
        rate: String,
        frees_at: Timestamp,
    },
    /// All slots of its concurrency key are busy.
    KeyLimit {
        concurrency_key: String,
        limit: u64,
        #[schema(value_type = Vec<Uuid>)]
        running: Vec<TaskId>,
    },
    /// Its concurrency key has reached its rate limit.
    KeyRate {
        concurrency_key: String,
        rate: String,
        frees_at: Timestamp,
    },
    /// No outside worker is waiting for tasks of its processor: none is running, or all are busy.
    NoWorker {
        processor: String,
        #[schema(value_type = Vec<Uuid>)]
        running: Vec<TaskId>,
    },
    /// The Hive takes no tasks: it is off, or Redis is unreachable.
    HiveAway {
        #[serde(flatten)]
        hive: HiveLink,
    },
    /// The service is shutting down.
    Stopping,
}

/// The status of one processor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct ProcessorStatus {
    pub(crate) running: u64,
    /// Pending tasks, except those that are blocked by dependencies.
    pub(crate) pending: u64,
    #[schema(required)]
    pub(crate) concurrency: Option<u64>,
    #[schema(required)]
    pub(crate) rate: Option<String>,
    /// When its rate allows the next start; `null` if it allows one at once.
    #[schema(required)]
    pub(crate) rate_frees_at: Option<Timestamp>,
    /// Its pause; `null` if it is not paused.
    #[schema(required)]
    pub(crate) paused: Option<Pause>,
}

impl QueueState {
    /// Returns everything that must change before the task can start.
    pub(crate) fn explain(&self, task: &ExplainedTask, now: Timestamp) -> Explanation {
        let mut obstacles = Vec::new();
        if !self.claiming {
            obstacles.push(Obstacle::Stopping);
        }
        if let Some(pause) = &self.pause {
            obstacles.push(Obstacle::Paused {
                since: pause.since,
                until: pause.until,
                reason: pause.reason.clone(),
                by: pause.by.clone(),
            });
        }
        if task.run_at > now {
            let run_at = task.run_at;
            obstacles.push(Obstacle::NotDue { run_at });
        }
        self.explain_processor(&task.processor, now, &mut obstacles);
        if let Some(key) = &task.concurrency_key {
            self.explain_key(key, now, &mut obstacles);
        }
        obstacles
    }

    fn explain_processor(&self, name: &str, now: Timestamp, obstacles: &mut Vec<Obstacle>) {
        let processor = || name.to_owned();
        if let Some(pause) = self.processor_pause(name, now) {
            obstacles.push(Obstacle::ProcessorPaused {
                processor: processor(),
                since: pause.since,
                until: pause.until,
                reason: pause.reason.clone(),
                by: pause.by.clone(),
            });
        }
        let Limit { concurrency, rate } = self.limits().processor(name);
        if let Some(limit) = concurrency.filter(|limit| self.running_of_processor(name) >= *limit) {
            obstacles.push(Obstacle::ProcessorLimit {
                processor: processor(),
                limit,
                running: self.some_running(Some(name), None),
            });
        }
        let frees_at = self.processor_rate_frees_at(name, now);
        if let (Some(rate), Some(frees_at)) = (rate, frees_at) {
            obstacles.push(Obstacle::ProcessorRate {
                processor: processor(),
                rate: rate.to_string(),
                frees_at,
            });
        }
        self.explain_site(name, now, obstacles);
    }

    fn explain_site(&self, processor: &str, now: Timestamp, obstacles: &mut Vec<Obstacle>) {
        match self.limits().site(processor) {
            Some(ExecutionSite::OutsideWorker { .. }) => self.explain_workers(processor, obstacles),
            Some(ExecutionSite::Hive) => {
                if self.hive != HiveLink::Connected {
                    let hive = self.hive.clone();
                    obstacles.push(Obstacle::HiveAway { hive });
                }
                let capacity = self.capacity(std::iter::empty(), now);
                if capacity.memory.hive == 0 {
                    let limit_bytes = self.limits().running_bytes;
                    obstacles.push(Obstacle::NoMemory { limit_bytes });
                }
            }
            None | Some(ExecutionSite::Local) => self.explain_slots(now, obstacles),
        }
    }

    fn explain_workers(&self, processor: &str, obstacles: &mut Vec<Obstacle>) {
        let mut polls = self.poll_slots.iter();
        if !polls.any(|poll| poll.serves(processor)) {
            obstacles.push(Obstacle::NoWorker {
                processor: processor.to_owned(),
                running: self.some_running(Some(processor), None),
            });
        }
    }

    fn explain_slots(&self, now: Timestamp, obstacles: &mut Vec<Obstacle>) {
        let capacity = self.capacity(std::iter::empty(), now);
        if let (0, Some(limit)) = (capacity.slots, self.limits().running) {
            let running = self.some_running(None, None);
            obstacles.push(Obstacle::NoFreeSlot { limit, running });
        }
        if capacity.memory.local == 0 {
            let limit_bytes = self.limits().running_bytes;
            obstacles.push(Obstacle::NoMemory { limit_bytes });
        }
    }

    fn explain_key(&self, key: &str, now: Timestamp, obstacles: &mut Vec<Obstacle>) {
        let Limit { concurrency, rate } = self.limits().key(key);
        if let Some(limit) = concurrency.filter(|limit| self.running.count_of_key(key) >= *limit) {
            obstacles.push(Obstacle::KeyLimit {
                concurrency_key: key.to_owned(),
                limit,
                running: self.some_running(None, Some(key)),
            });
        }
        let frees_at = self.key_rate_frees_at(key, now);
        if let (Some(rate), Some(frees_at)) = (rate, frees_at) {
            obstacles.push(Obstacle::KeyRate {
                concurrency_key: key.to_owned(),
                rate: rate.to_string(),
                frees_at,
            });
        }
    }

    /// Returns up to [`MAX_RUNNING`] running tasks, of one processor or one key if these are given.
    fn some_running(&self, processor: Option<&str>, key: Option<&str>) -> Vec<TaskId> {
        let running = self.running.tasks(processor, key);
        running.take(MAX_RUNNING).collect()
    }

    /// Returns the status of every processor that has limits, tasks, or a pause.
    pub(crate) fn processors(&self, now: Timestamp) -> HashMap<String, ProcessorStatus> {
        let lanes = self.lanes.processors().map(|(name, _)| name);
        let names = self.limits().processors.keys().map(String::as_str);
        let names = names.chain(self.paused_processors.keys().map(String::as_str));
        let names = names.chain(self.running.processors()).chain(lanes);
        let status = |name: &str| {
            let Limit { concurrency, rate } = self.limits().processor(name);
            ProcessorStatus {
                running: self.running_of_processor(name),
                pending: self.lanes.count_of_processor(name),
                concurrency,
                rate: rate.map(|rate| rate.to_string()),
                rate_frees_at: self.processor_rate_frees_at(name, now),
                paused: self.processor_pause(name, now).cloned(),
            }
        };
        let mut processors = HashMap::new();
        for name in names {
            if !processors.contains_key(name) {
                processors.insert(name.to_owned(), status(name));
            }
        }
        processors
    }
}
