//! The charts: a window of time as a list of points. Pure.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

use super::tally::Step;
use crate::models::{Timestamp, UnknownName};
use crate::state::stats::histogram::Summary;

/// The window of time that a chart covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) enum Window {
    #[serde(rename = "5m")]
    FiveMinutes,
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "1d")]
    Day,
}

impl Window {
    pub(crate) const ALL: [Self; 3] = [Self::FiveMinutes, Self::Hour, Self::Day];

    /// Returns the length of a step.
    pub(crate) fn step_seconds(self) -> i64 {
        match self {
            Self::FiveMinutes => 5,
            Self::Hour => 60,
            Self::Day => 900,
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::FiveMinutes => 300,
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }

    /// Returns when the step of this time begins, in seconds since the Unix epoch.
    pub(crate) fn step_at(self, time: Timestamp) -> i64 {
        let seconds = time.utc().timestamp();
        seconds - seconds.rem_euclid(self.step_seconds())
    }

    /// Returns when the first step of the window begins, if the step of `now` is the last.
    pub(crate) fn first_step(self, now: Timestamp) -> i64 {
        self.step_at(now) - self.seconds() + self.step_seconds()
    }
}

impl FromStr for Window {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "5m" => Ok(Self::FiveMinutes),
            "1h" => Ok(Self::Hour),
            "1d" => Ok(Self::Day),
            _ => Err(UnknownName {
                expected: "5m, 1h, 1d",
                found: name.to_owned(),
            }),
        }
    }
}

/// What happened in a window.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Chart {
    pub(crate) window: Window,
    pub(crate) step_seconds: i64,
    /// When the first step begins.
    pub(crate) from: Timestamp,
    /// When this was asked: the last step goes on.
    pub(crate) to: Timestamp,
    /// Every step of the window, oldest first, those in which nothing happened too.
    pub(crate) points: Vec<Point>,
}

/// What happened in one step.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Point {
    /// When the step begins.
    pub(crate) at: Timestamp,
    pub(crate) created: u64,
    pub(crate) started: u64,
    pub(crate) completed: u64,
    /// Aborted ones too.
    pub(crate) failed: u64,
    pub(crate) retried: u64,
    /// How long the tasks that started in it had been due; `None` if none started.
    #[schema(required)]
    pub(crate) wait_seconds: Option<Summary>,
    /// How long the attempts that ended in it had run; `None` if none ended.
    #[schema(required)]
    pub(crate) run_seconds: Option<Summary>,
}

impl Chart {
    pub(crate) fn of(window: Window, now: Timestamp, steps: &BTreeMap<i64, Step>) -> Self {
        let nothing = Step::default();
        let length = window.step_seconds();
        let places = (window.first_step(now)..=window.step_at(now)).step_by(length as usize);
        let points = places.map(|at| Point::of(at, steps.get(&at).unwrap_or(&nothing)));
        Self {
            window,
            step_seconds: length,
            from: time(window.first_step(now)),
            to: now,
            points: points.collect(),
        }
    }
}

impl Point {
    fn of(at: i64, step: &Step) -> Self {
        Self {
            at: time(at),
            created: step.created,
            started: step.started,
            completed: step.completed,
            failed: step.failed,
            retried: step.retried,
            wait_seconds: step.wait.summary(),
            run_seconds: step.run.summary(),
        }
    }
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap_or_else(Timestamp::now)
}
