//! The attempt as its processor sees it: the task, its log and progress, and the request to stop.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::log_book::{LogBook, LogDecision, LogLimits};
use crate::models::json::RawJson;
use crate::models::{
    Attempt, ClaimedTask, Lease, LeaseOrigin, Task, TaskId, TaskStatus, Timestamp, TraceContext,
};
use crate::processors::run_error::RunError;
use crate::state::{Error, StateManager, Upstream};
use crate::terminal::{self, OutputLine};
use crate::traces::Span;

/// The pause before a failed read is retried.
const READ_PAUSE: Duration = Duration::from_millis(200);

/// One attempt, passed to its processor.
pub(crate) struct Context {
    task: ClaimedTask,
    stop: CancellationToken,
    source: TaskSource,
    remote: Option<Remote>,
    span: Option<Span>,
    log_limits: LogLimits,
    /// Opened by the first line. Locked only briefly, never across an await.
    log_book: Mutex<Option<Box<LogBook>>>,
}

/// Where the task is stored, which decides where the attempt's output goes.
enum TaskSource {
    /// This service's database.
    State(StateManager),
    /// Another machine, which sent the task here as a job and receives only the outcome.
    Remote(Sent),
}

/// What came with a task that another machine stores.
pub(crate) struct Sent {
    /// When the task was sent.
    pub(crate) at: Timestamp,
    /// Its dependencies.
    pub(crate) upstream: Vec<Upstream>,
    /// The trace that the attempt belongs to.
    pub(crate) trace: Option<TraceContext>,
}

/// What a processor needs to know whose tasks run elsewhere.
pub(crate) struct Remote {
    /// How long an attempt may take once it has started there.
    pub(crate) limit: Option<Duration>,
    /// Returns true if the attempt ends here because the service stops.
    pub(crate) is_left: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Context {
    pub(crate) fn new(task: ClaimedTask, stop: CancellationToken, state: StateManager) -> Self {
        Self {
            task,
            stop,
            source: TaskSource::State(state),
            remote: None,
            span: None,
            log_limits: LogLimits::NONE,
            log_book: Mutex::new(None),
        }
    }

    /// Creates an attempt of a task that another machine stores; it needs no database. Its output before the end goes
    /// to the program's log at debug, as it may hold contents.
    pub(crate) fn of_sent(task: ClaimedTask, stop: CancellationToken, sent: Sent) -> Self {
        Self {
            task,
            stop,
            source: TaskSource::Remote(sent),
            remote: None,
            span: None,
            log_limits: LogLimits::NONE,
            log_book: Mutex::new(None),
        }
    }

    /// Sets what a processor needs whose tasks run elsewhere.
    pub(crate) fn with_remote(self, remote: Remote) -> Self {
        Self {
            remote: Some(remote),
            ..self
        }
    }

    /// Sets the limits of the task's log.
    pub(crate) fn with_log_limits(self, log_limits: LogLimits) -> Self {
        Self { log_limits, ..self }
    }

    /// Sets the attempt's span.
    pub(crate) fn with_span(self, span: Option<Span>) -> Self {
        Self { span, ..self }
    }

    /// Returns the attempt's span while traces are on.
    pub(crate) fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }

    /// Returns the trace for the program that runs the attempt.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        match (&self.span, &self.source) {
            (Some(span), _) => Some(span.carried()),
            (None, TaskSource::Remote(sent)) => sent.trace.clone(),
            (None, TaskSource::State(_)) => None,
        }
    }

    /// Returns how long the attempt may take once it has started elsewhere.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.remote.as_ref().and_then(|remote| remote.limit)
    }

    /// Returns true, once [`Context::stopped`] has resolved, if only the service stops: work that runs elsewhere
    /// continues, and the next attempt takes it up.
    pub(crate) fn is_left_running(&self) -> bool {
        let remote = self.remote.as_ref();
        remote.is_some_and(|remote| (remote.is_left)())
    }

    pub(crate) fn task_id(&self) -> TaskId {
        self.task.attempt.task_id
    }

    /// Returns the attempt's number; the first is 1. With [`Context::task_id`] it names this run forever.
    pub(crate) fn attempt(&self) -> i64 {
        self.task.attempt.number
    }

    pub(crate) fn content(&self) -> &str {
        &self.task.content
    }

    /// Returns the attempt as the state knows it.
    pub(crate) fn attempt_id(&self) -> Attempt {
        self.task.attempt
    }

    /// Returns the lease of an outside worker on the attempt.
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.task.terms.lease
    }

    /// Returns the task as clients see it, for processors that pass all of it on.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) async fn task(&self) -> Result<Task, RunError> {
        let state = match &self.source {
            TaskSource::State(state) => state,
            TaskSource::Remote(sent) => return Ok(self.sent_task(sent)),
        };
        let read = || state.task(self.task_id());
        let task = self.read("the task", read).await?;
        task.ok_or_else(|| RunError::new("the task cannot be read: it does not exist"))
    }

    /// Returns the task's dependencies in the order of `after`.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) async fn upstream(&self) -> Result<Vec<Upstream>, RunError> {
        if !self.task.terms.has_upstream {
            return Ok(Vec::new());
        }
        let state = match &self.source {
            TaskSource::State(state) => state,
            TaskSource::Remote(sent) => return Ok(sent.upstream.clone()),
        };
        let read = || state.upstream(self.task_id());
        self.read("its upstream", read).await
    }

    /// Checks that each dependency has a result.
    ///
    /// # Errors
    /// If one was deleted since or is not COMPLETED: then the attempt must not start.
    pub(crate) async fn check_upstream(&self) -> Result<(), RunError> {
        let TaskSource::State(state) = &self.source else {
            return Ok(());
        };
        if !self.task.terms.has_upstream {
            return Ok(());
        }
        let read = || state.upstream_problem(self.task_id());
        match self.read("its upstream", read).await? {
            None => Ok(()),
            Some(problem) => Err(RunError::no_input(problem)),
        }
    }

    /// Returns a task that another machine stores, as far as it is known here.
    fn sent_task(&self, sent: &Sent) -> Task {
        Task {
            id: self.task_id(),
            content: self.content().to_owned(),
            created_at: sent.at,
            status: TaskStatus::Processing,
            result: None,
            logs: Vec::new(),
            context_history: RawJson::default(),
            context_used: None,
            processor: self.task.processor.clone(),
            priority: 0,
            attempt: self.attempt(),
            max_attempts: self.task.terms.max_attempts,
            run_at: sent.at,
            started_at: Some(Timestamp::now()),
            finished_at: None,
            failure: None,
            error: None,
            progress: None,
            tags: Vec::new(),
            session_id: None,
            timeout: None,
            concurrency_key: None,
            unique_key: None,
            after: sent.upstream.iter().map(|task| task.id).collect(),
            extra: RawJson::default(),
        }
    }

    /// Reads until the storage answers or the attempt has to end. A busy or broken storage is not the task's fault
    /// and costs it no attempt.
    async fn read<T, F>(&self, what: &str, read: impl Fn() -> F) -> Result<T, RunError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut is_first = true;
        loop {
            match read().await {
                Err(error @ Error::Unavailable(_)) => {
                    if std::mem::take(&mut is_first) {
                        let task_id = self.task_id();
                        tracing::warn!(%task_id, %error, "{what} cannot be read; retrying");
                    }
                    tokio::select! {
                        () = self.stopped() => return Err(RunError::new("stopped while its input was read")),
                        () = tokio::time::sleep(READ_PAUSE) => {}
                    }
                }
                Err(error @ Error::NoInput { .. }) => {
                    return Err(RunError::no_input(error.to_string()));
                }
                read => {
                    let error = |error| RunError::new(format!("{what} cannot be read: {error}"));
                    return read.map_err(error);
                }
            }
        }
    }

    /// Appends to the answer. Waits while the Writer is behind.
    pub(crate) async fn output(&self, text: String) {
        match &self.source {
            TaskSource::State(state) => {
                let (attempt, agent) = (self.task.attempt, &self.task.processor);
                state.output(attempt, agent, text).await;
            }
            TaskSource::Remote(_) => self.mention("output", &text),
        }
    }

    /// Sets `context_history.<name>` of the task. Waits while the Writer is behind.
    pub(crate) async fn note(&self, name: &str, value: &Value) {
        match &self.source {
            TaskSource::State(state) => state.note(self.task.attempt, name, value).await,
            TaskSource::Remote(_) => self.mention(name, &value.to_string()),
        }
    }

    #[cfg(test)]
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Resolves when the attempt has to end: abort, timeout, emergency stop or shutdown.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Adds a line to the task's log. Waits while the Writer is behind, so that a chatty processor slows only itself.
    pub(crate) async fn log(&self, line: String) {
        if let Some(line) = terminal::line(line) {
            self.log_line(line).await;
        }
    }

    /// Adds a line with its styles. A line beyond the limits is held until [`Context::end_log`].
    pub(crate) async fn log_line(&self, line: OutputLine) {
        let TaskSource::State(state) = &self.source else {
            return self.mention("log", &line.text);
        };
        self.open_log_book(state).await;
        let entry = self.with_log_book(|book| book.add(line, Instant::now()));
        let (attempt, agent) = (self.task.attempt, &self.task.processor);
        match entry {
            None => {}
            Some(LogDecision::Store(line)) => state.log(attempt, agent, line).await,
            Some(LogDecision::Hold { words, show }) => {
                if let Some(words) = words {
                    let words = OutputLine::plain(words);
                    state.log(attempt, agent, words).await;
                }
                if let Some(line) = show {
                    state.show_live_line(attempt, agent, line).await;
                }
            }
        }
    }

    /// Shows an unfinished line to live viewers; it is not stored.
    pub(crate) async fn live_line(&self, line: OutputLine) {
        if let TaskSource::State(state) = &self.source {
            let (attempt, agent) = (self.task.attempt, &self.task.processor);
            state.show_live_line(attempt, agent, line).await;
        }
    }

    /// Stores the lines that are still held. Called once, when the processor has ended.
    pub(crate) async fn end_log(&self) {
        let TaskSource::State(state) = &self.source else {
            return;
        };
        let held = self.with_log_book(LogBook::end).unwrap_or_default();
        for line in held {
            let (attempt, agent) = (self.task.attempt, &self.task.processor);
            state.log(attempt, agent, line).await;
        }
    }

    /// Opens the book with what earlier attempts have stored: the limits apply to the task.
    async fn open_log_book(&self, state: &StateManager) {
        if self.with_log_book(|_| ()).is_some() {
            return;
        }
        let is_resumed = self
            .lease()
            .is_some_and(|lease| matches!(lease.origin, LeaseOrigin::Restart(_)));
        let (lines, bytes) = match self.attempt() {
            1 if !is_resumed => (0, 0),
            // If the stored log cannot be measured, new lines are still kept.
            _ => state.log_size(self.task_id()).await.unwrap_or_default(),
        };
        let mut book = self.log_book.lock().unwrap_or_else(PoisonError::into_inner);
        book.get_or_insert_with(|| Box::new(LogBook::new(self.log_limits, lines, bytes)));
    }

    fn with_log_book<T>(&self, work: impl FnOnce(&mut LogBook) -> T) -> Option<T> {
        let mut book = self.log_book.lock().unwrap_or_else(PoisonError::into_inner);
        book.as_deref_mut().map(work)
    }

    /// Sets the task's progress, 0 to 1. Waits while the Writer is behind.
    pub(crate) async fn progress(&self, progress: f64) {
        if let TaskSource::State(state) = &self.source {
            let progress = progress.clamp(0.0, 1.0);
            self.open_log_book(state).await;
            let is_new = |book: &mut LogBook| book.is_progress_new(progress, Instant::now());
            if self.with_log_book(is_new).unwrap_or(true) {
                state.set_progress(self.task.attempt, progress).await;
            }
        }
    }

    fn mention(&self, what: &str, text: &str) {
        let (task_id, processor) = (self.task_id(), &self.task.processor);
        tracing::debug!(%task_id, %processor, what, text, "processor message");
    }
}
