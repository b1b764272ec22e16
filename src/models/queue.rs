//! The queue's condition.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// Why and since when nothing is started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pause {
    pub since: Timestamp,
    /// It ends by itself at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What the one who paused it said, or what the service says of an emergency stop.
    #[schema(required)]
    pub reason: Option<String>,
    /// The name of the token of who paused it; absent where no token is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// It came with an emergency stop: only a resume ends it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emergency_stop: bool,
}

impl Pause {
    /// What holds when `next` is asked for on top of `earlier`: what was said last, since the first time.
    /// An emergency stop stays as it is.
    pub fn on_top_of(earlier: Option<&Self>, next: Self) -> Self {
        match earlier.filter(|earlier| earlier.holds_at(next.since)) {
            None => next,
            Some(stop) if stop.emergency_stop => stop.clone(),
            Some(earlier) => Self {
                since: earlier.since,
                ..next
            },
        }
    }

    /// The pause as it stands after the clock was set back to `now`. One that has begun under the earlier
    /// clock lasts no longer than it was to last when it began.
    pub fn begun_by(self, now: Timestamp) -> Self {
        if self.since <= now {
            return self;
        }
        let until = self
            .until
            .map(|until| now.shifted(until.seconds_since(self.since)));
        Self {
            since: now,
            until,
            ..self
        }
    }

    /// Whether it still stands at `now`.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// The answer of `GET /api/v1/queue/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(json!({
    "paused": false, "pending": 12, "active": 4, "processing": 4, "limit": 4
})))]
pub struct QueueStatus {
    pub paused: bool,
    /// Tasks that wait.
    pub pending: u64,
    /// Tasks that run (the original's name for it).
    pub active: u64,
    /// Tasks that run.
    pub processing: u64,
    /// The most tasks that may run at once; `null` when limits are off.
    #[schema(required)]
    pub limit: Option<u64>,
    /// Left out while the Hive is off.
    #[serde(default, skip_serializing_if = "HiveLink::is_off")]
    pub hive: HiveLink,
    /// Why no task is accepted at this moment; left out while tasks are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Whether the Hive can take tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum HiveLink {
    /// The settings do not ask for it.
    #[default]
    Off,
    /// Redis answers.
    Connected,
    /// Redis does not answer.
    Away {
        /// Why, as a sentence without a full stop.
        reason: String,
        since: Timestamp,
    },
    /// Redis answers, and does not do what the Hive needs: it takes no writes, or its user lacks a right.
    Refusing {
        /// Why, as a sentence without a full stop.
        reason: String,
        since: Timestamp,
    },
}

impl HiveLink {
    /// As it is at a start.
    pub fn at_start(is_enabled: bool) -> Self {
        match is_enabled {
            false => Self::Off,
            true => Self::Away {
                reason: "not connected yet".to_owned(),
                since: Timestamp::now(),
            },
        }
    }

    pub fn is_off(&self) -> bool {
        *self == Self::Off
    }
}
