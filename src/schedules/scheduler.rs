//! The loop that submits a task whenever a schedule is due.
//!
//! How far each schedule has come is read anew for every step, so that the database alone decides. A
//! step that could not be stored is taken again, and the due times behind it wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::timetable::{Step, Timetable};
use crate::config::{CurrentSettings, Missed, ScheduleSettings, Settings};
use crate::models::{Clock, NewTask, Reading, Timestamp};
use crate::state::{Due, Error, Progress, StateManager};

/// The longest sleep, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_secs(30);
/// How long to wait when the storage refuses.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// A clock that leaps further than this has been set, or its machine was asleep.
const LEAP_SECONDS: f64 = 60.0;

/// Submits the tasks of all schedules.
pub(crate) struct Scheduler {
    state: StateManager,
    current: CurrentSettings,
    /// The settings that `served` was made of.
    settings: Arc<Settings>,
    served: BTreeMap<String, Served>,
    clock: Clock,
    /// Whether the last step could not be stored.
    failing: bool,
}

/// A schedule that is being served.
struct Served {
    settings: ScheduleSettings,
    timetable: Timetable,
    /// Due times before it were missed, or belong to an earlier schedule.
    since: Timestamp,
    /// Whether the times before `since` are passed over, whatever the settings say of missed ones.
    passes_over: bool,
    /// While the mark lies in the future, because the clock was set back: since when it is known to. Due times
    /// count from then.
    from: Option<Timestamp>,
}

impl Scheduler {
    /// A scheduler that goes by the current settings, whatever they become.
    pub(crate) fn new(state: StateManager, current: CurrentSettings) -> Self {
        let settings = current.get();
        let mut scheduler = Self {
            state,
            current,
            settings: Arc::clone(&settings),
            served: BTreeMap::new(),
            clock: Clock::trusted(Reading::now()),
            failing: false,
        };
        scheduler.take(settings);
        scheduler
    }

    /// Submits until `stop`. A step that is cut off by it is taken again at the next start.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.serve()).await;
    }

    async fn serve(&mut self) {
        loop {
            let pause = self.tick().await;
            tokio::select! {
                () = sleep(pause) => {}
                () = self.current.changed() => {
                    let settings = self.current.get();
                    self.take(settings);
                }
            }
        }
    }

    /// Serves the schedules of these settings from now on.
    fn take(&mut self, settings: Arc<Settings>) {
        let now = Timestamp::now();
        let mut before = std::mem::take(&mut self.served);
        for (name, schedule) in &settings.schedules {
            let served = Served::new(schedule, before.remove(name), now);
            self.served.insert(name.clone(), served);
        }
        self.settings = settings;
    }

    /// One step of each schedule; how long nothing is due then.
    async fn tick(&mut self) -> Duration {
        let Reading { time: now, instant } = Reading::now();
        if self.clock.moved(now, instant).abs() > LEAP_SECONDS {
            for served in self.served.values_mut() {
                served.since = now;
                served.passes_over = false;
            }
        }
        match self.step_all(now).await {
            Ok(pause) => {
                self.failing = false;
                pause
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "the task of a schedule could not be stored; trying again");
                }
                RETRY_PAUSE
            }
        }
    }

    async fn step_all(&mut self, now: Timestamp) -> Result<Duration, Error> {
        let progress = self.state.schedule_progress().await?;
        for (name, served) in &mut self.served {
            if let Some(progress) = progress.get(name) {
                served.look_at_mark(progress.last_due, now);
            }
        }
        let mut pause = Ok(NAP);
        for (name, served) in &self.served {
            let stepped = self.step(name, served, progress.get(name), now).await;
            // One that cannot go on does not hold up the others.
            pause = pause.and_then(|pause: Duration| stepped.map(|next| pause.min(next)));
        }
        pause
    }

    /// One step of one schedule; how long nothing is due then.
    async fn step(
        &self,
        name: &str,
        served: &Served,
        progress: Option<&Progress>,
        now: Timestamp,
    ) -> Result<Duration, Error> {
        let step = match progress {
            // First seen.
            None => Step::Skip(now.whole_seconds()),
            Some(progress) => served.step(progress.last_due, now),
        };
        let (time, task) = match step {
            Step::Wait(_) if !served.settings.enabled => return Ok(NAP),
            Step::Wait(due) => return Ok(due.map_or(NAP, Timestamp::from_now)),
            Step::Submit(time) => (time, Some(self.task(name, &served.settings, time))),
            Step::Skip(time) => (time, None),
        };
        let due = Due {
            schedule: name.to_owned(),
            time,
            task,
            turns_back: served.from.is_some(),
        };
        if let Some(task_id) = self.state.submit_scheduled(due).await? {
            tracing::debug!(schedule = name, due = %time, %task_id, "a schedule was due");
        }
        Ok(Duration::ZERO)
    }

    fn task(&self, name: &str, schedule: &ScheduleSettings, due: Timestamp) -> NewTask {
        let processor = schedule.processor.as_ref();
        let processor = processor.unwrap_or(&self.settings.default_processor);
        let attempts = || Some(self.settings.processors.get(processor)?.max_attempts);
        let request = [("schedule", json!(name)), ("due", json!(due))];
        let request = request.map(|(key, value)| (key.to_owned(), value));
        NewTask {
            priority: schedule.priority,
            tags: schedule.tags.clone(),
            session_id: schedule.session_id.clone(),
            max_attempts: schedule.max_attempts.or_else(attempts).unwrap_or(1),
            timeout: schedule.timeout,
            concurrency_key: schedule.concurrency_key.clone(),
            request: Map::from_iter(request).into(),
            ..NewTask::new(schedule.content.clone(), processor.clone())
        }
    }
}

impl Served {
    fn new(settings: &ScheduleSettings, before: Option<Self>, now: Timestamp) -> Self {
        let (since, passes_over, from) = match before {
            None => (now, false, None),
            Some(before) if before.is_same(settings) => {
                (before.since, before.passes_over, before.from)
            }
            Some(_) => (now, true, None),
        };
        Self {
            timetable: Timetable::new(&settings.when),
            settings: settings.clone(),
            since,
            passes_over,
            from,
        }
    }

    /// Whether these settings have the same times, and had them until now.
    fn is_same(&self, settings: &ScheduleSettings) -> bool {
        self.settings.enabled && self.settings.when == settings.when
    }

    /// Notices that the mark lies in the future, or does no longer. A mark that is the next due time itself is
    /// left alone: the clock was set back by less than an interval, and that time has had its task.
    fn look_at_mark(&mut self, mark: Timestamp, now: Timestamp) {
        self.from = match self.from.filter(|from| *from <= now) {
            _ if mark <= now => None,
            // The mark becomes the next due time once those before it are there: they are not passed over.
            Some(from) => Some(from),
            None if self.timetable.next(now, now) == Some(mark) => None,
            None => Some(now),
        };
    }

    fn step(&self, mark: Timestamp, now: Timestamp) -> Step {
        // Nothing was missed before a time from which on due times count.
        let (mark, since) = self.from.map_or((mark, self.since), |from| (from, from));
        let passes_over = self.passes_over || !self.settings.enabled;
        let missed = if passes_over {
            Missed::Skip
        } else {
            self.settings.missed
        };
        if self.settings.enabled {
            return self.timetable.step(mark, since, now, missed);
        }
        match self.timetable.step(mark, now, now, missed) {
            // Due at this very moment: it will have been passed over at the next look.
            Step::Submit(_) => Step::Wait(None),
            step => step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::When;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + seconds).unwrap()
    }

    fn every(seconds: u64) -> ScheduleSettings {
        ScheduleSettings {
            when: When::Every(Duration::from_secs(seconds)),
            missed: Missed::RunOnce,
            content: "x".to_owned(),
            processor: None,
            priority: 0,
            max_attempts: None,
            timeout: None,
            tags: Vec::new(),
            session_id: None,
            concurrency_key: None,
            enabled: true,
        }
    }

    fn disabled() -> ScheduleSettings {
        ScheduleSettings {
            enabled: false,
            ..every(10)
        }
    }

    #[test]
    fn a_reload_that_leaves_the_times_alone_changes_nothing() {
        let before = Served::new(&every(10), None, at(0));
        let settings = ScheduleSettings {
            content: "y".to_owned(),
            ..every(10)
        };
        let served = Served::new(&settings, Some(before), at(35));
        assert_eq!(served.step(at(0), at(35)), Step::Submit(at(10)));
    }

    #[test]
    fn a_schedule_that_comes_back_has_missed_what_was_between() {
        let served = Served::new(&every(10), None, at(35));
        assert_eq!(served.step(at(0), at(35)), Step::Submit(at(30)));
    }

    #[test]
    fn other_times_count_from_then() {
        let before = Served::new(&every(100), None, at(0));
        let served = Served::new(&every(10), Some(before), at(35));
        assert_eq!(served.step(at(0), at(35)), Step::Skip(at(30)));
        assert_eq!(served.step(at(30), at(50)), Step::Submit(at(40)));
    }

    #[test]
    fn times_at_which_it_was_disabled_are_passed_over() {
        let before = Served::new(&disabled(), None, at(0));
        assert_eq!(before.step(at(0), at(35)), Step::Skip(at(30)));
        let served = Served::new(&every(10), Some(before), at(35));
        assert_eq!(served.step(at(0), at(35)), Step::Skip(at(30)));
        assert_eq!(served.step(at(30), at(40)), Step::Submit(at(40)));
    }

    #[test]
    fn a_mark_in_the_future_counts_from_now() {
        let mut served = Served::new(&every(10), None, at(0));
        let mark = at(400 * 86_400);
        served.look_at_mark(mark, at(3));
        assert_eq!(served.step(mark, at(3)), Step::Wait(Some(at(13))));
        served.look_at_mark(mark, at(12));
        assert_eq!(served.step(mark, at(12)), Step::Wait(Some(at(13))));
        // A reload that leaves the times alone changes nothing.
        let mut served = Served::new(&every(10), Some(served), at(12));
        served.look_at_mark(mark, at(13));
        assert_eq!(served.step(mark, at(13)), Step::Submit(at(13)));
        served.look_at_mark(at(13), at(13));
        assert_eq!(served.step(at(13), at(14)), Step::Wait(Some(at(23))));
        // Set back once more.
        served.look_at_mark(at(13), at(-100));
        assert_eq!(served.step(at(13), at(-100)), Step::Wait(Some(at(-90))));
        // The clock is right again before anything was due.
        served.look_at_mark(at(13), at(14));
        assert_eq!(served.step(at(13), at(14)), Step::Wait(Some(at(23))));
    }

    #[test]
    fn a_cron_time_that_the_clock_shows_again_has_its_task() {
        let daily = ScheduleSettings {
            when: When::Cron {
                expression: "0 12 * * *".to_owned(),
                timezone: "UTC".to_owned(),
            },
            ..every(1)
        };
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let noon = time("2026-05-01T12:00:00Z");
        let mut served = Served::new(&daily, None, noon);
        let before = time("2026-05-01T11:59:58Z");
        served.look_at_mark(noon, before);
        let tomorrow = Step::Wait(Some(time("2026-05-02T12:00:00Z")));
        assert_eq!(served.step(noon, before), tomorrow);
        // After a longer step each time that the clock shows has its task, up to the one before the mark.
        let hourly = ScheduleSettings {
            when: When::Cron {
                expression: "0 * * * *".to_owned(),
                timezone: "UTC".to_owned(),
            },
            ..every(1)
        };
        let mut again = Served::new(&hourly, None, noon);
        again.look_at_mark(noon, time("2026-05-01T10:30:00Z"));
        let eleven = time("2026-05-01T11:00:00Z");
        again.look_at_mark(noon, eleven);
        assert_eq!(again.step(noon, eleven), Step::Submit(eleven));
        again.look_at_mark(eleven, eleven);
        assert_eq!(again.step(eleven, eleven), Step::Wait(Some(noon)));
        // Of a mark that is further ahead nothing is known.
        served.look_at_mark(time("2028-01-01T12:00:00Z"), before);
        let step = served.step(time("2028-01-01T12:00:00Z"), before);
        assert_eq!(step, Step::Wait(Some(noon)));
    }
}
