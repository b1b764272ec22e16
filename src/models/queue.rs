//! The queue's condition.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// Why and since when nothing is started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Pause {
    pub(crate) since: Timestamp,
    /// It ends by itself at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
    /// What the one who paused it said, or what the service says of an emergency stop.
    #[schema(required)]
    pub(crate) reason: Option<String>,
    /// The name of the token of who paused it; absent where no token is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// It came with an emergency stop: only a resume ends it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) emergency_stop: bool,
    /// Its first `since` and `until`, while the clock stands before that `since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub(crate) asked: Option<(Timestamp, Option<Timestamp>)>,
}

impl Pause {
    /// What holds when `next` is asked for on top of `earlier`: what was said last, since the first time.
    /// An emergency stop stays as it is.
    pub(crate) fn on_top_of(earlier: Option<&Self>, next: Self) -> Self {
        match earlier.filter(|earlier| earlier.is_active_at(next.since)) {
            None => next,
            Some(stop) if stop.emergency_stop => stop.clone(),
            Some(earlier) => Self {
                since: earlier.since,
                ..next
            },
        }
    }

    /// The pause as it stands after the clock was set to `now`. One that has begun by a clock that was ahead
    /// lasts no longer than it was to last when it began. Once the clock has come as far again, the pause ends
    /// when it was to end at first.
    pub(crate) fn begun_by(self, now: Timestamp) -> Self {
        let (since, until) = self.asked.unwrap_or((self.since, self.until));
        if since <= now {
            return Self {
                since,
                until,
                asked: None,
                ..self
            };
        }
        if self.since <= now {
            return self;
        }
        let length = |until: Timestamp| until.seconds_since(since);
        Self {
            since: now,
            until: until.map(|until| now.shifted(length(until))),
            asked: Some((since, until)),
            ..self
        }
    }

    /// Whether it still stands at `now`.
    pub(crate) fn is_active_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// The answer of `GET /api/v1/queue/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(json!({
    "paused": false, "pending": 12, "active": 4, "processing": 4, "limit": 4
})))]
pub(crate) struct QueueStatus {
    pub(crate) paused: bool,
    /// Tasks that wait.
    pub(crate) pending: u64,
    /// Tasks that run (the original's name for it).
    pub(crate) active: u64,
    /// Tasks that run.
    pub(crate) processing: u64,
    /// The most tasks that may run at once; `null` when limits are off.
    #[schema(required)]
    pub(crate) limit: Option<u64>,
    /// Left out while the Hive is off.
    #[serde(default, skip_serializing_if = "HiveLink::is_off")]
    pub(crate) hive: HiveLink,
    /// Why no task is accepted at this moment; left out while tasks are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// Whether the Hive can take tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum HiveLink {
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
    pub(crate) fn at_start(is_enabled: bool) -> Self {
        match is_enabled {
            false => Self::Off,
            true => Self::Away {
                reason: "not connected yet".to_owned(),
                since: Timestamp::now(),
            },
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_keeps_its_length_on_a_clock_that_is_behind_and_its_end_on_one_that_is_right() {
        let at = |seconds: i64| Timestamp::from_unix_seconds(1_000_000 + seconds).unwrap();
        let pause = Pause {
            since: at(0),
            until: Some(at(60)),
            reason: None,
            by: None,
            emergency_stop: false,
            asked: None,
        };
        assert_eq!(pause.clone().begun_by(at(30)), pause);
        let behind = pause.clone().begun_by(at(-500));
        assert_eq!((behind.since, behind.until), (at(-500), Some(at(-440))));
        let stored = serde_json::to_string(&behind).unwrap();
        let behind: Pause = serde_json::from_str(&stored).unwrap();
        // Still behind: it has begun.
        assert_eq!(behind.clone().begun_by(at(-480)), behind);
        let further = behind.clone().begun_by(at(-900));
        assert_eq!((further.since, further.until), (at(-900), Some(at(-840))));
        assert_eq!(further.begun_by(at(10)), pause);
        assert_eq!(behind.begun_by(at(10)), pause);
    }
}
