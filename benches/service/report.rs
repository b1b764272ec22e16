//! What the run prints, what it writes as JSON, and the aims beside the figures.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::Result;
use crate::process::Memory;
use crate::rounds::{Latency, Rounds};

#[derive(Default)]
pub struct Report {
    figures: Map<String, Value>,
    aims: Vec<Aim>,
    /// Keys of the lines that were measured while others used the machine.
    disturbed: Vec<String>,
}

/// A figure that the service is meant to reach.
pub struct Aim {
    what: String,
    bound: Bound,
    /// `None` where the system cannot tell.
    measured: Option<f64>,
}

enum Bound {
    AtLeast(f64),
    Below(f64),
    /// A figure to look at, with no aim.
    None,
}

impl Aim {
    pub fn at_least(what: impl Into<String>, bound: f64, measured: f64) -> Self {
        Self {
            what: what.into(),
            bound: Bound::AtLeast(bound),
            measured: Some(measured),
        }
    }

    pub fn below(what: impl Into<String>, bound: f64, measured: Option<f64>) -> Self {
        Self {
            what: what.into(),
            bound: Bound::Below(bound),
            measured,
        }
    }

    pub fn none(what: impl Into<String>, measured: f64) -> Self {
        Self {
            what: what.into(),
            bound: Bound::None,
            measured: Some(measured),
        }
    }

    fn verdict(&self) -> &'static str {
        match (&self.bound, self.measured) {
            (Bound::None, _) => "",
            (_, None) => "n/a",
            (Bound::AtLeast(bound), Some(measured)) if measured >= *bound => "met",
            (Bound::Below(bound), Some(measured)) if measured < *bound => "met",
            _ => "missed",
        }
    }

    fn wanted(&self) -> String {
        match self.bound {
            Bound::AtLeast(bound) => format!("≥ {bound:.2}"),
            Bound::Below(bound) => format!("< {bound}"),
            Bound::None => String::new(),
        }
    }
}

impl Report {
    pub fn section(&self, title: &str) {
        println!("\n{title}");
    }

    /// The heading over `rounds` lines; `reference` names what the ratio is to. "cpu µs" is the
    /// server's processor time for each task; "others" the most of the machine that anything else
    /// took meanwhile, which makes a line with more than a few percent a line to measure again.
    pub fn columns(&self, reference: &str) {
        println!(
            "  {:<25}{:>9}{:>11}{:>8}   {:<13}{:>8}{:>10}{:>9}",
            "",
            "tasks/s",
            format!("{reference}/s"),
            "ratio",
            "low - high",
            "cpu µs",
            format!("{reference} µs"),
            "others"
        );
    }

    /// Says at the end that the figures of `key` were measured while others used the machine.
    pub fn doubt(&mut self, key: &str) {
        self.disturbed.push(key.to_owned());
    }

    /// One line of a table, recorded under `key`.
    pub fn rounds(&mut self, key: &str, label: &str, rounds: &Rounds) {
        if rounds.disturbed() {
            self.doubt(key);
        }
        println!(
            "  {label:<25}{:>9}{:>11}{:>8.2}   {:<13}{:>8.1}{:>10.1}{:>7.0} %",
            thousands(rounds.rate()),
            thousands(rounds.reference_rate()),
            rounds.ratio(),
            format!(
                "{:.2} - {:.2}",
                rounds.lowest_ratio(),
                rounds.highest_ratio()
            ),
            rounds.micros(),
            rounds.reference_micros(),
            rounds.others() * 100.0,
        );
        if let Some(latency) = rounds.latency() {
            println!("    answered after {}", latencies(latency, rounds));
        }
        self.record(
            key,
            json!({ "rate": rounds.rate(), "reference": rounds.reference_rate(),
                    "ratio": rounds.ratio(), "lowest": rounds.lowest_ratio(),
                    "highest": rounds.highest_ratio(), "cpu_us": rounds.micros(), "others": rounds.others(),
                    "p50_ms": rounds.latency().map(|it| it.p50_ms), "p99_ms": rounds.latency().map(|it| it.p99_ms),
                    "reference_p50_ms": rounds.reference_latency().map(|it| it.p50_ms),
                    "reference_p99_ms": rounds.reference_latency().map(|it| it.p99_ms) }),
        );
    }

    pub fn memory(&mut self, key: &str, memory: Option<Memory>) {
        let Some(memory) = memory else {
            println!("  memory n/a");
            return;
        };
        println!(
            "  memory {:.1} MiB, peak {:.1} MiB",
            memory.resident_mib, memory.peak_mib
        );
        self.record(
            &format!("{key}.memory"),
            json!({ "resident_mib": memory.resident_mib, "peak_mib": memory.peak_mib }),
        );
    }

    pub fn record(&mut self, key: &str, value: Value) {
        self.figures.insert(key.to_owned(), value);
    }

    pub fn aim(&mut self, aim: Aim) {
        self.aims.push(aim);
    }

    pub fn print_aims(&self) {
        println!("\n{:<58}{:>8}{:>11}", "aim", "wanted", "measured");
        for aim in &self.aims {
            let measured = aim
                .measured
                .map_or("n/a".to_owned(), |it| format!("{it:.2}"));
            println!(
                "{:<58}{:>8}{measured:>11}   {}",
                aim.what,
                aim.wanted(),
                aim.verdict()
            );
        }
    }

    /// A warning where the machine was never quiet.
    pub fn print_doubts(&self) {
        if !self.disturbed.is_empty() {
            let lines = self.disturbed.join(", ");
            println!("\nOthers used the machine during {lines}: measure those again.");
        }
    }

    pub fn write_json(&self, path: &Path) -> Result<()> {
        let aims: Vec<Value> = self.aims.iter().map(aim_json).collect();
        let document =
            json!({ "figures": self.figures, "aims": aims, "disturbed": self.disturbed });
        Ok(std::fs::write(
            path,
            serde_json::to_string_pretty(&document)? + "\n",
        )?)
    }
}

fn aim_json(aim: &Aim) -> Value {
    json!({ "what": aim.what, "wanted": aim.wanted(),
            "measured": aim.measured, "verdict": aim.verdict() })
}

/// The service's, and behind it the reference's.
fn latencies(measured: Latency, rounds: &Rounds) -> String {
    let text = |it: Latency| format!("p50 {:.2} ms, p99 {:.2} ms", it.p50_ms, it.p99_ms);
    match rounds.reference_latency() {
        Some(reference) => format!("{}; reference {}", text(measured), text(reference)),
        None => text(measured),
    }
}

/// `12,345`
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
