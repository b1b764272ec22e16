//! The status of the queue: its pause, its counts and its link to the Hive. Plain data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// A pause of the queue or of a processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Pause {
    pub(crate) since: Timestamp,
    /// Time at which it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
    /// The reason given by the operator, or by the service for an emergency stop.
    #[schema(required)]
    pub(crate) reason: Option<String>,
    /// Name of the token that paused it; absent without authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// Whether an emergency stop caused it. Only a resume ends it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) emergency_stop: bool,
    /// The original `since` and `until`, while the clock is before that `since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub(crate) asked: Option<(Timestamp, Option<Timestamp>)>,
}

impl Pause {
    /// Returns the pause that results from `next` during `earlier`: that of `next`, since the beginning of `earlier`. An
    /// emergency stop is not replaced.
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

    /// Returns the pause after the clock was set to `now`. A pause that began while the clock was ahead keeps its
    /// length. When the clock reaches the original `since` again, the pause gets its original end.
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

    /// Returns whether it has not ended at `now`.
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
    /// Number of PENDING tasks.
    pub(crate) pending: u64,
    /// Number of running tasks (the original's name for `processing`).
    pub(crate) active: u64,
    /// Number of running tasks.
    pub(crate) processing: u64,
    /// Number of slots; `null` when limits are off.
    #[schema(required)]
    pub(crate) limit: Option<u64>,
    /// The link to the Hive; absent while the Hive is off.
    #[serde(default, skip_serializing_if = "HiveLink::is_off")]
    pub(crate) hive: HiveLink,
    /// Why the service accepts no tasks; absent while it accepts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// The link to the Hive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum HiveLink {
    /// The Hive is not configured.
    #[default]
    Off,
    /// Redis responds.
    Connected,
    /// Redis is unreachable.
    Away {
        /// Why, as a sentence without a full stop.
        reason: String,
        since: Timestamp,
    },
    /// Redis responds but refuses what the Hive needs: it accepts no writes, or its user lacks a permission.
    Refusing {
        /// Why, as a sentence without a full stop.
        reason: String,
        since: Timestamp,
    },
}

impl HiveLink {
    /// Returns the link at startup.
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
    fn a_pause_keeps_its_length_while_the_clock_is_behind_and_its_end_once_it_is_right() {
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
