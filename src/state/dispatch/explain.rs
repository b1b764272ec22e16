//! Why a waiting task does not start, as far as the Writer's ledger knows. Pure.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::models::{HiveLink, Pause, TaskId, Timestamp};
use crate::state::dispatch::limits::{Home, Limit};
use crate::state::dispatch::queue_state::QueueState;

/// Running tasks named in an explanation.
const HOLDERS: usize = 20;

/// A waiting task, as far as its explanation needs it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) processor: String,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) run_at: Timestamp,
}

/// What stands in the way; nothing, if the task is only behind others.
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
        /// The token's name of who paused it.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Its processor is paused or held.
    ProcessorPaused {
        processor: String,
        since: Timestamp,
        #[schema(required)]
        until: Option<Timestamp>,
        #[schema(required)]
        reason: Option<String>,
        /// The token's name of who paused it.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// It is not due before this time.
    NotDue { run_at: Timestamp },
    /// Every place of the queue is taken.
    NoFreeSlot {
        limit: u64,
        #[schema(value_type = Vec<Uuid>)]
        running: Vec<TaskId>,
    },
    /// The contents of running tasks take all the memory that they may.
    NoMemory { limit_bytes: usize },
    /// Every place of its processor is taken.
    ProcessorLimit {
        processor: String,
        limit: u64,
        #[schema(value_type = Vec<Uuid>)]
        running: Vec<TaskId>,
    },
    /// Its processor has started as many as its rate allows.
    ProcessorRate {
        processor: String,
        rate: String,
        frees_at: Timestamp,
    },
    /// Every place of its concurrency key is taken.
    KeyLimit {
        concurrency_key: String,
        limit: u64,
        #[schema(value_type = Vec<Uuid>)]
        running: Vec<TaskId>,
    },
    /// Its concurrency key has started as many as its rate allows.
    KeyRate {
        concurrency_key: String,
        rate: String,
        frees_at: Timestamp,
    },
    /// No outside worker asks for tasks of its processor: none is there, or all run something.
    NoWorker {
        processor: String,
        #[schema(value_type = Vec<Uuid>)]
        running: Vec<TaskId>,
    },
    /// The Hive takes no tasks: it is off, or Redis is away.
    HiveAway {
        #[serde(flatten)]
        hive: HiveLink,
    },
    /// The service is stopping.
    Stopping,
}

/// The condition of one processor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct ProcessorStatus {
    pub(crate) running: u64,
    /// Tasks that wait, except for upstream tasks.
    pub(crate) pending: u64,
    #[schema(required)]
    pub(crate) concurrency: Option<u64>,
    #[schema(required)]
    pub(crate) rate: Option<String>,
    /// When its rate allows the next start, if it allows none now.
    #[schema(required)]
    pub(crate) rate_frees_at: Option<Timestamp>,
    /// While it starts nothing.
    #[schema(required)]
    pub(crate) paused: Option<Pause>,
}

impl QueueState {
    pub(crate) fn explain(&self, task: &Asked, now: Timestamp) -> Explanation {
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
        if let Some(pause) = self.closed.get(name).filter(|pause| pause.holds_at(now)) {
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
                running: self.running_tasks(Some(name), None).take(HOLDERS).collect(),
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
        self.explain_place(name, now, obstacles);
    }

    fn explain_place(&self, processor: &str, now: Timestamp, obstacles: &mut Vec<Obstacle>) {
        match self.limits().home(processor) {
            Some(Home::Elsewhere { .. }) => self.explain_offers(processor, obstacles),
            Some(Home::Hive) => {
                if self.hive != HiveLink::Connected {
                    let hive = self.hive.clone();
                    obstacles.push(Obstacle::HiveAway { hive });
                }
                let room = self.room(std::iter::empty(), now);
                if room.bytes.hive == 0 {
                    let limit_bytes = self.limits().running_bytes;
                    obstacles.push(Obstacle::NoMemory { limit_bytes });
                }
            }
            None | Some(Home::Here) => self.explain_slots(now, obstacles),
        }
    }

    fn explain_offers(&self, processor: &str, obstacles: &mut Vec<Obstacle>) {
        let mut offers = self.offers.iter();
        let is_wanted = offers.any(|offer| offer.processors.iter().any(|it| it == processor));
        if !is_wanted {
            let running = self.running_tasks(Some(processor), None);
            obstacles.push(Obstacle::NoWorker {
                processor: processor.to_owned(),
                running: running.take(HOLDERS).collect(),
            });
        }
    }

    fn explain_slots(&self, now: Timestamp, obstacles: &mut Vec<Obstacle>) {
        let room = self.room(std::iter::empty(), now);
        if let (0, Some(limit)) = (room.tasks, self.limits().running) {
            let running = self.running_tasks(None, None).take(HOLDERS).collect();
            obstacles.push(Obstacle::NoFreeSlot { limit, running });
        }
        if room.bytes.here == 0 {
            let limit_bytes = self.limits().running_bytes;
            obstacles.push(Obstacle::NoMemory { limit_bytes });
        }
    }

    fn explain_key(&self, key: &str, now: Timestamp, obstacles: &mut Vec<Obstacle>) {
        let Limit { concurrency, rate } = self.limits().key(key);
        if let Some(limit) = concurrency.filter(|limit| self.running_of_key(key) >= *limit) {
            obstacles.push(Obstacle::KeyLimit {
                concurrency_key: key.to_owned(),
                limit,
                running: self.running_tasks(None, Some(key)).take(HOLDERS).collect(),
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

    /// The condition of every processor that has limits, tasks, or a pause.
    pub(crate) fn processors(&self, now: Timestamp) -> HashMap<String, ProcessorStatus> {
        let lanes = self.lanes.processors().map(|(name, _)| name);
        let names = self.limits().processors.keys().map(String::as_str);
        let names = names.chain(self.closed.keys().map(String::as_str));
        let names = names.chain(self.running_processors()).chain(lanes);
        let status = |name: &str| {
            let Limit { concurrency, rate } = self.limits().processor(name);
            ProcessorStatus {
                running: self.running_of_processor(name),
                pending: self.lanes.count_of_processor(name),
                concurrency,
                rate: rate.map(|rate| rate.to_string()),
                rate_frees_at: self.processor_rate_frees_at(name, now),
                paused: (self.closed.get(name))
                    .filter(|pause| pause.holds_at(now))
                    .cloned(),
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
