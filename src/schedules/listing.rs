//! The list of schedules, as the API returns it.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::timetable::Timetable;
use crate::config::{Missed, ScheduleSettings, Settings, When};
use crate::models::{TaskId, Timestamp};
use crate::state::Progress;

/// Characters of a schedule's content that are shown.
const CONTENT_CHARS: usize = 100;

/// One schedule and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    /// Null where it has `every`.
    #[schema(required)]
    pub(crate) cron: Option<String>,
    /// Seconds; null where it has `cron`.
    #[schema(required, value_type = Option<f64>)]
    pub(crate) every: Option<Value>,
    /// That of `cron`.
    #[schema(required)]
    pub(crate) timezone: Option<String>,
    pub(crate) processor: String,
    /// The first 100 characters.
    pub(crate) content: String,
    pub(crate) missed: &'static str,
    /// Null for one that is disabled.
    #[schema(required)]
    pub(crate) next_run: Option<Timestamp>,
    /// How far it has come: the last due time that was dealt with, or when it was first seen.
    #[schema(required)]
    pub(crate) last_due: Option<Timestamp>,
    #[schema(required, value_type = Option<Uuid>)]
    pub(crate) last_task_id: Option<TaskId>,
    /// When that task was made.
    #[schema(required)]
    pub(crate) last_run: Option<Timestamp>,
}

/// Every schedule of the settings, by name.
pub(crate) fn list(
    settings: &Settings,
    progress: &HashMap<String, Progress>,
    now: Timestamp,
) -> Vec<Listed> {
    let schedules = settings.schedules.iter();
    schedules
        .map(|(name, schedule)| {
            let processor = schedule.processor.as_ref();
            let processor = processor.unwrap_or(&settings.default_processor);
            describe(name, schedule, processor, progress.get(name), now)
        })
        .collect()
}

fn describe(
    name: &str,
    schedule: &ScheduleSettings,
    processor: &str,
    progress: Option<&Progress>,
    now: Timestamp,
) -> Listed {
    let (cron, timezone, every) = match &schedule.when {
        When::Cron {
            expression,
            timezone,
        } => (Some(expression.clone()), Some(timezone.clone()), None),
        When::Every(period) => (None, None, Some(seconds(period.as_secs_f64()))),
    };
    let last_due = progress.map(|progress| progress.last_due);
    // One in the future is of a clock that was ahead; it counts from now.
    let mark = last_due.unwrap_or(now).min(now);
    let next = || {
        let times = Timetable::new(&schedule.when);
        let due = times.next(mark, now)?;
        match Some(due) == last_due {
            // The clock was set back over a time that has had its task.
            true => times.next(due, due),
            false => Some(due),
        }
    };
    let task = progress.and_then(|progress| progress.last_task);
    Listed {
        name: name.to_owned(),
        enabled: schedule.enabled,
        cron,
        every,
        timezone,
        processor: processor.to_owned(),
        content: schedule.content.chars().take(CONTENT_CHARS).collect(),
        missed: match schedule.missed {
            Missed::RunOnce => "run once",
            Missed::Skip => "skip",
        },
        next_run: schedule.enabled.then(next).flatten(),
        last_due,
        last_task_id: task.map(|(id, _)| id),
        last_run: task.map(|(_, time)| time),
    }
}

/// Whole seconds without a fraction.
fn seconds(seconds: f64) -> Value {
    if seconds.fract() == 0.0 {
        json!(seconds as u64)
    } else {
        json!(seconds)
    }
}
