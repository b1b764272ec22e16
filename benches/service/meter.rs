//! Processor time during a measurement: the server's own, and what everybody else took.
//!
//! The first says where the time goes. The second says whether the figure can be believed: a
//! compiler that runs beside a measurement halves it. From `/proc`, absent without it.

use std::time::Duration;

use crate::process::{Process, TICK, processor_time_of};
use crate::rounds::Sample;

/// Runs from `start` to `sample`.
pub struct Meter<'a> {
    server: &'a Process,
    /// Other processes that belong to the measurement.
    beside: Vec<&'a Process>,
    start: Option<Reading>,
}

/// Processor time since they began.
struct Reading {
    server: Duration,
    /// The load generator: this process.
    load: Duration,
    /// The others that belong to the measurement.
    beside: Duration,
    /// All processes, and what a hypervisor gave to other machines.
    busy: Duration,
    /// All processors, busy or not.
    capacity: Duration,
}

impl<'a> Meter<'a> {
    pub fn start(server: &'a Process, beside: Vec<&'a Process>) -> Self {
        Self {
            server,
            start: Reading::take(server, &beside),
            beside,
        }
    }

    /// The measurement of `tasks` tasks at `rate`.
    pub fn sample(&self, rate: f64, tasks: u64) -> Sample {
        let end = Reading::take(self.server, &self.beside);
        let spent = self
            .start
            .as_ref()
            .zip(end)
            .map(|(start, end)| end.since(start));
        let micros_each = |time: Duration| time.as_secs_f64() * 1e6 / tasks as f64;
        Sample {
            rate,
            latency: None,
            micros: spent.as_ref().map(|it| micros_each(it.server)),
            load_micros: spent.as_ref().map(|it| micros_each(it.load)),
            others: spent.as_ref().map(Reading::others),
        }
    }
}

impl Reading {
    fn take(server: &Process, beside: &[&Process]) -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let first = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u32> = first
            .split_whitespace()
            .filter_map(|it| it.parse().ok())
            .collect();
        // Interrupts are left out: those of the loopback are nobody's in particular.
        let [user, nice, system, idle, wait, irq, soft_irq, steal, ..] = ticks[..] else {
            return None;
        };
        let busy = user + nice + system + steal;
        Some(Self {
            server: server.processor_time()?,
            load: processor_time_of("self")?,
            beside: beside
                .iter()
                .filter_map(|process| process.processor_time())
                .sum(),
            busy: TICK * busy,
            capacity: TICK * (busy + idle + wait + irq + soft_irq),
        })
    }

    fn since(&self, start: &Self) -> Self {
        Self {
            server: self.server.saturating_sub(start.server),
            load: self.load.saturating_sub(start.load),
            beside: self.beside.saturating_sub(start.beside),
            busy: self.busy.saturating_sub(start.busy),
            capacity: self.capacity.saturating_sub(start.capacity),
        }
    }

    /// The share of the machine that went to nobody who belongs to the measurement.
    fn others(&self) -> f64 {
        let others = self
            .busy
            .saturating_sub(self.server + self.load + self.beside);
        others.as_secs_f64() / self.capacity.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}
