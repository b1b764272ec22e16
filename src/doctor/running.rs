//! Runs the checks inside a running service: one full check at a time, within bounds of time and WAL growth.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::database::{AuditDepth, database};
use super::disk::DiskProbe;
use super::finding::Finding;
use super::{DoctorReport, access, machine, redis, settings, state_file};
use crate::config::{CurrentSettings, Settings, Sources};
use crate::models::{Pause, Timestamp};
use crate::state::{Bounds, StateManager};

/// The bounds of a full integrity check.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_mins(5),
    wal_growth_bytes: 256 << 20,
};
/// A Writer that takes longer to answer delays its clients.
const PATIENCE: Duration = Duration::from_secs(5);

/// A full integrity check is running already.
#[derive(Debug)]
pub(crate) struct CheckRunning;

/// Checks the service that it is part of; clones share one state.
#[derive(Clone)]
pub(crate) struct Doctor {
    state: StateManager,
    current: CurrentSettings,
    sources: Arc<Sources>,
    /// The newest quick report; locked while a report is made.
    newest: Arc<Mutex<Option<DoctorReport>>>,
    /// Locked during a full integrity check.
    reading: Arc<Mutex<()>>,
}

impl Doctor {
    /// Returns the doctor of a service that reads its settings from `sources`.
    pub(crate) fn new(state: StateManager, current: CurrentSettings, sources: Sources) -> Self {
        Self {
            state,
            current,
            sources: Arc::new(sources),
            newest: Arc::default(),
            reading: Arc::default(),
        }
    }

    /// Runs the quick checks. Concurrent callers share one report, so many requests cost no more than one.
    pub(crate) async fn quick_report(&self) -> DoctorReport {
        let asked = Timestamp::now();
        let mut newest = self.newest.lock().await;
        if let Some(report) = newest.as_ref().filter(|report| report.checked_at >= asked) {
            return report.clone();
        }
        let report = self.report(AuditDepth::Quick).await;
        *newest = Some(report.clone());
        report
    }

    /// Runs all checks, with the full integrity check within bounds.
    ///
    /// # Errors
    /// [`CheckRunning`] while another full check runs.
    pub(crate) async fn full_report(&self) -> Result<DoctorReport, CheckRunning> {
        let _reading = self.reading.try_lock().map_err(|_| CheckRunning)?;
        Ok(self.report(AuditDepth::FullWithin(BOUNDS)).await)
    }

    async fn report(&self, depth: AuditDepth) -> DoctorReport {
        let held = self.current.get();
        let mut checks = self.settings(&held).await;
        checks.push(self.service().await);
        // A missing answer is a finding of its own.
        if let Ok(Ok(status)) = timeout(PATIENCE, self.state.queue_status()).await {
            checks.extend(redis(&status.hive));
        }
        checks.extend(self.pause().await);
        // A missing answer is a finding of its own.
        if let Ok((tokens, _)) = self.state.valid_tokens().await {
            checks.push(access(&held, tokens.len() as u64, true));
        }
        let path = held.database_path.clone();
        let full = matches!(depth, AuditDepth::FullWithin(_));
        let looking = tokio::task::spawn_blocking(move || {
            let mut findings = machine(&held, DiskProbe::Gentle);
            findings.push(state_file(&held, full));
            findings
        });
        // The blocking task fails only when the process exits.
        checks.extend(looking.await.unwrap_or_default());
        checks.extend(match self.state.health().lost_file() {
            // The file at the path is not the one that the service has open.
            Some(lost) => vec![Finding::fail("database", lost.what()).advise(lost.advice())],
            None => database(&path, depth).await,
        });
        DoctorReport::new(checks, self.current.explained())
    }

    /// Checks whether the service could restart with the settings as they are written at present.
    async fn settings(&self, held: &Settings) -> Vec<Finding> {
        let sources = Arc::clone(&self.sources);
        let reading = tokio::task::spawn_blocking(move || Settings::load(&sources));
        let Ok(read) = reading.await else {
            return Vec::new();
        };
        let loaded = match read {
            Ok(loaded) => loaded,
            Err(error) => return settings(Err(&error)),
        };
        let mut findings = settings(Ok(&loaded.warnings));
        let (_, changes) = held.reloaded(loaded.settings);
        findings.extend(not_applied(&changes.needs_restart, "restart the service"));
        findings.extend(not_applied(&changes.applied, "run `venom reload`"));
        findings
    }

    /// Checks that the Writer answers.
    async fn service(&self) -> Finding {
        const NAME: &str = "service";
        let why = match timeout(PATIENCE, self.state.queue_status()).await {
            Ok(Ok(status)) if status.problem.is_some() => status.problem.unwrap_or_default(),
            Ok(Ok(status)) => {
                let (pending, running) = (status.pending, status.active);
                let message = format!("accepts tasks; {pending} PENDING, {running} running");
                return Finding::ok(NAME, message);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        Finding::fail(NAME, format!("accepts no tasks: {why}")).advise("see its log")
    }

    async fn pause(&self) -> Option<Finding> {
        let pause = self.state.queue_pause().await.ok().flatten()?;
        Some(
            Finding::warn("queue", paused(&pause))
                .advise("run `venom resume` to start tasks again"),
        )
    }
}

fn not_applied(keys: &[String], advice: &'static str) -> Option<Finding> {
    (!keys.is_empty()).then(|| {
        let message = format!("changed since the service read them: {}", keys.join(", "));
        Finding::warn("settings", message).advise(advice)
    })
}

fn paused(pause: &Pause) -> String {
    let what = match pause.emergency_stop {
        true => "stopped by an emergency stop",
        false => "paused",
    };
    let until = pause.until.map(|until| format!(" until {until}"));
    let reason = pause.reason.as_ref().map(|reason| format!(": {reason}"));
    let (until, reason) = (until.unwrap_or_default(), reason.unwrap_or_default());
    format!("{what} since {}{until}{reason}", pause.since)
}
