//! The doctor of a running service: it looks at one thing at a time, and at nothing for long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::database::{Depth, database};
use super::disk::Probe;
use super::finding::Finding;
use super::{Report, access, machine, redis, settings, state_file};
use crate::config::{Current, Settings, Sources};
use crate::models::{Pause, Timestamp};
use crate::state::{Bounds, StateManager};

/// What reading the whole database may cost.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_mins(5),
    wal_growth_bytes: 256 << 20,
};
/// A Writer that takes longer to answer keeps its clients waiting.
const PATIENCE: Duration = Duration::from_secs(5);

/// The database is read to its end already, for somebody else.
#[derive(Debug)]
pub(crate) struct Busy;

/// Looks at the service that it is part of; clone it freely.
#[derive(Clone)]
pub(crate) struct Doctor {
    state: StateManager,
    current: Current,
    sources: Arc<Sources>,
    /// The newest quick report; locked while one is made.
    newest: Arc<Mutex<Option<Report>>>,
    /// Locked while the whole database is read.
    reading: Arc<Mutex<()>>,
}

impl Doctor {
    /// The doctor of a service whose settings are read from `sources`.
    pub(crate) fn new(state: StateManager, current: Current, sources: Sources) -> Self {
        Self {
            state,
            current,
            sources: Arc::new(sources),
            newest: Arc::default(),
            reading: Arc::default(),
        }
    }

    /// What is quickly found. Who asks while another's report is made gets that one, so that many who ask
    /// cost no more than one.
    pub(crate) async fn glance(&self) -> Report {
        let asked = Timestamp::now();
        let mut newest = self.newest.lock().await;
        if let Some(report) = newest.as_ref().filter(|report| report.checked_at >= asked) {
            return report.clone();
        }
        let report = self.look(Depth::Quick).await;
        *newest = Some(report.clone());
        report
    }

    /// The same, with the whole database read within bounds.
    ///
    /// # Errors
    /// [`Busy`] while it is read for somebody else.
    pub(crate) async fn read_through(&self) -> Result<Report, Busy> {
        let _reading = self.reading.try_lock().map_err(|_| Busy)?;
        Ok(self.look(Depth::FullWithin(BOUNDS)).await)
    }

    async fn look(&self, depth: Depth) -> Report {
        let held = self.current.get();
        let mut checks = self.settings(&held).await;
        checks.push(self.service().await);
        // Without an answer there is a problem enough.
        if let Ok(Ok(status)) = timeout(PATIENCE, self.state.queue_status()).await {
            checks.extend(redis(&status.hive));
        }
        checks.extend(self.pause().await);
        // Without an answer there is a problem enough.
        if let Ok((tokens, _)) = self.state.valid_tokens().await {
            checks.push(access(&held, tokens.len() as u64, true));
        }
        let path = held.database_path.clone();
        let full = matches!(depth, Depth::FullWithin(_));
        let looking = tokio::task::spawn_blocking(move || {
            let mut found = machine(&held, Probe::Gentle);
            found.push(state_file(&held, full));
            found
        });
        // It only fails when the process ends.
        checks.extend(looking.await.unwrap_or_default());
        checks.extend(match self.state.health().lost_file() {
            // What is at the path is not what the service works with.
            Some(lost) => vec![Finding::fail("database", lost.what()).advise(lost.advice())],
            None => database(&path, depth).await,
        });
        Report::new(checks, self.current.explained())
    }

    /// Whether the service could start again with the settings as they are written at this moment.
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
        let mut found = settings(Ok(&loaded.warnings));
        let (_, changes) = held.reloaded(loaded.settings);
        found.extend(not_taken_over(
            &changes.needs_restart,
            "start the service again",
        ));
        found.extend(not_taken_over(&changes.applied, "run `venom reload`"));
        found
    }

    /// Whether the Writer, by whom all tasks go, answers.
    async fn service(&self) -> Finding {
        const NAME: &str = "service";
        let why = match timeout(PATIENCE, self.state.queue_status()).await {
            Ok(Ok(status)) if status.problem.is_some() => status.problem.unwrap_or_default(),
            Ok(Ok(status)) => {
                let (waiting, running) = (status.pending, status.active);
                let message = format!("takes tasks; {waiting} wait and {running} run");
                return Finding::ok(NAME, message);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it has not answered for {} s", PATIENCE.as_secs()),
        };
        Finding::fail(NAME, format!("takes no tasks: {why}")).advise("its log says more")
    }

    async fn pause(&self) -> Option<Finding> {
        let pause = self.state.queue_pause().await.ok().flatten()?;
        Some(
            Finding::warn("queue", paused(&pause)).advise("`venom resume` has tasks started again"),
        )
    }
}

fn not_taken_over(keys: &[String], advice: &'static str) -> Option<Finding> {
    (!keys.is_empty()).then(|| {
        let message = format!(
            "written differently than the service has it: {}",
            keys.join(", ")
        );
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
