//! Which jobs may begin: the `concurrency` and `rate` of their processors, and the lines of jobs that wait for a
//! place or a token, first come, first served.
//!
//! A job that waits keeps its claim and its place among the worker's `--max-jobs`, and its time has not begun.
//! ARQ's queue does not say whose jobs are in it, so who looks for the jobs of other processors has to take those
//! of a busy one out of the way: only half of the worker's places are for jobs that wait, and what comes beyond
//! that goes back to the queue for a moment. The moment grows with the time for which the processor has started
//! nothing: a fast one sees its jobs again at once, a slow one costs little. The price is that jobs that went back
//! may be overtaken by later ones of the same processor.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::models::{Clock, Reading, Timestamp};
use crate::state::{Limit, SlidingWindow};

/// A clock that moves less by itself makes no job wait for long.
const STEP_SECONDS: f64 = 0.5;
/// The shortest and the longest time for which a job goes back to the queue.
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(5);

/// The places of all processors of one worker.
pub(crate) struct Places {
    /// Jobs that may wait at a time.
    most_waiting: usize,
    closed: CancellationToken,
    gates: Mutex<Gates>,
}

/// The gates of all processors, and the clock by which they go.
struct Gates {
    by_processor: HashMap<String, Gate>,
    clock: Clock,
}

/// What becomes of a job that asks for a place.
pub(crate) enum Entrance<'a> {
    /// It begins now, and has its place as long as it holds this.
    Open(Place<'a>),
    /// It is to be looked at again then.
    Full(Timestamp),
    /// It was told to stop while it waited.
    Stopped,
    /// Nothing begins any more.
    Closed,
}

/// A place of a processor; free again when this is dropped.
pub(crate) struct Place<'a> {
    places: &'a Places,
    processor: &'a str,
}

/// The limits of one processor, and who is under them.
#[derive(Default)]
struct Gate {
    rule: Limit,
    running: u64,
    starts: SlidingWindow,
    last_start: Option<Timestamp>,
    /// Nothing starts until then: the service behind the processor wants that.
    held_until: Option<Timestamp>,
    line: VecDeque<Bell>,
}

/// Wakes one job that waits, and tells it from the others.
type Bell = Arc<Notify>;

/// What a gate says to a job.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Begin,
    /// Wait in line; the first also until this time.
    Wait(Option<Timestamp>),
    /// There is no room to wait: come back then.
    GoBack(Timestamp),
}

/// Why a gate is shut.
enum Obstacle {
    Held(Timestamp),
    NoPlace,
    NoToken(Timestamp),
}

impl Places {
    /// Places for the processors of these settings, in a worker that runs so many jobs at a time.
    pub(crate) fn new(settings: &Settings, max_jobs: usize) -> Self {
        let gates = settings.processors.iter().map(|(name, processor)| {
            let rule = Limit {
                concurrency: processor.concurrency,
                rate: processor.rate,
            };
            (name.clone(), Gate::new(rule))
        });
        Self {
            most_waiting: max_jobs / 2,
            closed: CancellationToken::new(),
            gates: Mutex::new(Gates {
                by_processor: gates.collect(),
                clock: Clock::trusted(Reading::now()),
            }),
        }
    }

    /// A place for a job of this processor, as soon as there is one. `stop` ends the waiting.
    pub(crate) async fn enter<'a>(
        &'a self,
        processor: &'a str,
        stop: &CancellationToken,
    ) -> Entrance<'a> {
        let seat = Seat {
            places: self,
            processor,
            bell: Bell::default(),
        };
        loop {
            if self.closed.is_cancelled() {
                return Entrance::Closed;
            }
            let until = match self.ask(processor, &seat.bell) {
                Answer::Begin => {
                    return Entrance::Open(Place {
                        places: self,
                        processor,
                    });
                }
                Answer::GoBack(until) => return Entrance::Full(until),
                Answer::Wait(until) => until,
            };
            let pause = until.map(Timestamp::from_now);
            tokio::select! {
                biased;
                () = self.closed.cancelled() => return Entrance::Closed,
                () = stop.cancelled() => return Entrance::Stopped,
                () = seat.bell.notified() => {}
                () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// Nothing of this processor begins until then; its jobs that wait go back.
    pub(crate) fn hold(&self, processor: &str, until: Timestamp) {
        if let Some(gate) = self.gates().by_processor.get_mut(processor) {
            gate.held_until = Some(until);
            for bell in &gate.line {
                bell.notify_one();
            }
        }
    }

    /// Nothing begins any more, and nothing waits.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    fn ask(&self, processor: &str, bell: &Bell) -> Answer {
        let mut gates = self.gates();
        let Reading { time, instant } = Reading::now();
        let moved = gates.clock.moved(time, instant);
        let gates = &mut gates.by_processor;
        if moved.abs() >= STEP_SECONDS {
            gates.values_mut().for_each(|gate| gate.shift(moved));
        }
        let waiting: usize = gates.values().map(|gate| gate.line.len()).sum();
        let gate = gates.entry(processor.to_owned()).or_default();
        gate.ask(bell, waiting < self.most_waiting, time)
    }

    fn gates(&self) -> MutexGuard<'_, Gates> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    fn new(rule: Limit) -> Self {
        Self {
            rule,
            ..Self::default()
        }
    }

    /// Answers a job that has come, or asks again from its place in line; `has_room` is whether one more may wait.
    fn ask(&mut self, bell: &Bell, has_room: bool, now: Timestamp) -> Answer {
        let place = self.line.iter().position(|other| Arc::ptr_eq(other, bell));
        let is_next = place.map_or(self.line.is_empty(), |place| place == 0);
        let obstacle = self.obstacle(now);
        match (&obstacle, place) {
            (Some(Obstacle::Held(until)), _) => {
                self.leave_line(bell);
                return Answer::GoBack(*until);
            }
            (None, _) if is_next => {
                self.start(now);
                self.leave_line(bell);
                return Answer::Begin;
            }
            (_, Some(_)) => {}
            (_, None) if has_room => self.line.push_back(Arc::clone(bell)),
            (_, None) => return Answer::GoBack(self.worth_another_look(obstacle, now)),
        }
        match obstacle {
            Some(Obstacle::NoToken(until)) if is_next => Answer::Wait(Some(until)),
            _ => Answer::Wait(None),
        }
    }

    fn obstacle(&self, now: Timestamp) -> Option<Obstacle> {
        let held = self.held_until.filter(|until| *until > now);
        let is_full = || {
            let limit = self.rule.concurrency;
            limit.is_some_and(|limit| self.running >= limit)
        };
        let token_at = || self.starts.frees_at(now, self.rule.rate?);
        held.map(Obstacle::Held)
            .or_else(|| is_full().then_some(Obstacle::NoPlace))
            .or_else(|| token_at().map(Obstacle::NoToken))
    }

    /// The clock was set: what has started is as long ago as it was, and a hold as long as it was.
    fn shift(&mut self, seconds: f64) {
        self.starts.shift(seconds);
        for time in [&mut self.last_start, &mut self.held_until]
            .into_iter()
            .flatten()
        {
            *time = time.shifted(seconds);
        }
    }

    fn start(&mut self, now: Timestamp) {
        self.running += 1;
        self.last_start = Some(now);
        if let Some(rate) = self.rule.rate {
            self.starts.record(now, rate);
        }
    }

    /// When a job that cannot wait here may come again.
    fn worth_another_look(&self, obstacle: Option<Obstacle>, now: Timestamp) -> Timestamp {
        let seconds = match (obstacle, self.last_start) {
            (Some(Obstacle::NoToken(until)), _) => until.seconds_since(now),
            (_, Some(start)) => now.seconds_since(start),
            (_, None) => 0.0,
        };
        let pause = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        now.after(pause.clamp(SHORT, LONG))
    }

    fn leave_line(&mut self, bell: &Bell) {
        self.line.retain(|other| !Arc::ptr_eq(other, bell));
        self.wake_next();
    }

    fn wake_next(&self) {
        if let Some(bell) = self.line.front() {
            bell.notify_one();
        }
    }
}

/// Where a job waits, for as long as it does.
struct Seat<'a> {
    places: &'a Places,
    processor: &'a str,
    bell: Bell,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(gate) = self.places.gates().by_processor.get_mut(self.processor) {
            gate.leave_line(&self.bell);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(gate) = self.places.gates().by_processor.get_mut(self.processor) {
            gate.running -= 1;
            gate.wake_next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rate;

    fn at(millis: i64) -> Timestamp {
        let start = Timestamp::from_unix_seconds(1_000_000).unwrap();
        start.after(Duration::from_millis(millis as u64))
    }

    fn gate(concurrency: Option<u64>, rate: Option<&str>) -> Gate {
        Gate::new(Limit {
            concurrency,
            rate: rate.map(|rate| rate.parse::<Rate>().unwrap()),
        })
    }

    fn bells<const N: usize>() -> [Bell; N] {
        std::array::from_fn(|_| Bell::default())
    }

    #[test]
    fn who_came_first_begins_first() {
        let mut gate = gate(Some(1), None);
        let [a, b, c] = bells();
        assert_eq!(gate.ask(&a, true, at(0)), Answer::Begin);
        assert_eq!(gate.ask(&b, true, at(0)), Answer::Wait(None));
        assert_eq!(gate.ask(&c, true, at(0)), Answer::Wait(None));
        gate.running -= 1;
        // The one behind asks first, and someone comes just now.
        assert_eq!(gate.ask(&c, true, at(1)), Answer::Wait(None));
        assert!(matches!(
            gate.ask(&Bell::default(), false, at(1)),
            Answer::GoBack(_)
        ));
        assert_eq!(gate.ask(&b, true, at(1)), Answer::Begin);
        gate.running -= 1;
        assert_eq!(gate.ask(&c, true, at(1)), Answer::Begin);
    }

    #[test]
    fn the_first_in_line_waits_for_the_token() {
        let mut gate = gate(None, Some("1/s"));
        let [a, b, c] = bells();
        assert_eq!(gate.ask(&a, true, at(0)), Answer::Begin);
        assert_eq!(gate.ask(&b, true, at(10)), Answer::Wait(Some(at(1000))));
        assert_eq!(gate.ask(&c, true, at(20)), Answer::Wait(None));
        assert_eq!(gate.ask(&b, true, at(999)), Answer::Wait(Some(at(1000))));
        assert_eq!(gate.ask(&b, true, at(1000)), Answer::Begin);
        assert_eq!(gate.ask(&c, true, at(1000)), Answer::Wait(Some(at(2000))));
    }

    #[test]
    fn a_start_takes_no_token_before_there_is_a_place() {
        let mut gate = gate(Some(1), Some("2/m"));
        let [a, b] = bells();
        assert_eq!(gate.ask(&a, true, at(0)), Answer::Begin);
        assert_eq!(gate.ask(&b, true, at(0)), Answer::Wait(None));
        gate.running -= 1;
        assert_eq!(gate.ask(&b, true, at(5)), Answer::Begin);
        gate.running -= 1;
        let third = gate.ask(&Bell::default(), true, at(10));
        assert_eq!(third, Answer::Wait(Some(at(60_000))));
    }

    #[test]
    fn a_job_without_room_to_wait_goes_back_for_longer_the_slower_its_processor_is() {
        let mut busy = gate(Some(1), None);
        let [a, b] = bells();
        assert_eq!(busy.ask(&a, false, at(0)), Answer::Begin);
        for (now, back) in [(1, 51), (400, 800), (60_000, 65_000)] {
            assert_eq!(busy.ask(&b, false, at(now)), Answer::GoBack(at(back)));
        }
        let mut rated = gate(None, Some("1/s"));
        assert_eq!(rated.ask(&a, false, at(0)), Answer::Begin);
        assert_eq!(rated.ask(&b, false, at(300)), Answer::GoBack(at(1000)));
        let mut rare = gate(None, Some("1/h"));
        assert_eq!(rare.ask(&a, false, at(0)), Answer::Begin);
        assert_eq!(rare.ask(&b, false, at(300)), Answer::GoBack(at(5300)));
    }

    #[test]
    fn jobs_of_a_held_processor_go_back_until_then_and_take_no_token() {
        let mut gate = gate(Some(1), Some("1/m"));
        let [a, b] = bells();
        assert_eq!(gate.ask(&a, true, at(0)), Answer::Begin);
        assert_eq!(gate.ask(&b, true, at(0)), Answer::Wait(None));
        gate.held_until = Some(at(90_000));
        gate.running -= 1;
        assert_eq!(gate.ask(&b, true, at(70_000)), Answer::GoBack(at(90_000)));
        assert!(gate.line.is_empty());
        assert_eq!(gate.ask(&b, true, at(90_000)), Answer::Begin);
    }

    #[tokio::test]
    async fn whoever_leaves_the_line_or_a_place_lets_the_next_one_in() {
        let places = Places {
            most_waiting: 2,
            closed: CancellationToken::new(),
            gates: Mutex::new(Gates {
                by_processor: HashMap::from([("a".to_owned(), gate(Some(1), None))]),
                clock: Clock::trusted(Reading::now()),
            }),
        };
        let stop = CancellationToken::new();
        let Entrance::Open(place) = places.enter("a", &stop).await else {
            panic!("no place for the first");
        };
        let impatient = CancellationToken::new();
        let first = places.enter("a", &impatient);
        let second = places.enter("a", &stop);
        let third = async {
            tokio::task::yield_now().await;
            let third = places.enter("a", &stop).await;
            assert!(matches!(third, Entrance::Full(_)));
            impatient.cancel();
            drop(place);
        };
        let (first, second, ()) = tokio::join!(first, second, third);
        assert!(matches!(first, Entrance::Stopped));
        assert!(matches!(second, Entrance::Open(_)));
        let waits = places.enter("a", &stop);
        let (waits, ()) = tokio::join!(waits, async { places.close() });
        assert!(matches!(waits, Entrance::Closed));
        drop(second);
        assert!(places.gates().by_processor["a"].line.is_empty());
        assert_eq!(places.gates().by_processor["a"].running, 0);
    }
}
