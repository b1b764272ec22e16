//! One outcome for each attempt, whatever its processor does; what a stop, an abort and an emergency stop leave.
//!
//! A real state on a fresh database, and a processor whose conduct is the task's content. Tests wait for what they have
//! caused, by channels, and never for time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Durability;
use crate::events::{Listening, Since};
use crate::models::{EventType, Failure, HiveLink, NewTask, Task, TaskStatus};
use crate::processors::{Context, Next, Processor, RunError};
use crate::queue::QueueManager;
use crate::state::{ExecutionSite, Limits, Start};

const NAME: &str = "fake";
/// Only a test that fails waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

/// Does what the content says.
struct Fake {
    begun: mpsc::UnboundedSender<TaskId>,
    /// Lets one attempt of `gate` or `deaf` return for each permit.
    gate: Arc<Semaphore>,
}

impl Processor for Fake {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        async move {
            let _ = self.begun.send(context.task_id());
            match context.content() {
                "answer" => Ok("done".to_owned()),
                "fail" => Err(RunError::with("no", Next::GiveUp)),
                "retry" => Err(RunError::new("not yet")),
                "panic" => panic!("on purpose"),
                // Returns when it is stopped, with an answer that comes too late.
                "late" => {
                    context.stopped().await;
                    Ok("late".to_owned())
                }
                // Takes no notice of a stop.
                "deaf" => {
                    self.gate.acquire().await.expect("open").forget();
                    Ok("done".to_owned())
                }
                _ => tokio::select! {
                    () = context.stopped() => Err(RunError::new("stopped")),
                    permit = self.gate.acquire() => {
                        permit.expect("open").forget();
                        Ok("done".to_owned())
                    }
                },
            }
        }
        .boxed()
    }
}

/// A running orchestrator, and everything that a test does to it.
struct Bench {
    state: StateManager,
    queue: QueueManager,
    begun: mpsc::UnboundedReceiver<TaskId>,
    gate: Arc<Semaphore>,
    stop: CancellationToken,
    draining: CancellationToken,
    run: JoinHandle<Result<(), Error>>,
    /// The journal before the first event of the test.
    start: i64,
    _listening: Listening,
    _folder: TempDir,
}

impl Bench {
    async fn start(grace: Duration) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("venom.db");
        let opened = crate::state::open(&path, Durability::Normal)
            .await
            .expect("a database");
        let start = Start {
            limits: Limits {
                running_bytes: 1 << 20,
                sites: [(NAME.to_owned(), ExecutionSite::Local)].into(),
                ..Limits::default()
            },
            metrics: crate::metrics::Metrics::default(),
            poll_interval: Duration::from_secs(3600),
            inbox_limit_bytes: 1 << 20,
            default_processor: NAME,
            max_attempts: BTreeMap::new(),
            hive: HiveLink::Off,
        };
        let (state, _, _) = opened.start(start).await.expect("a state");
        let (sender, begun) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let fake = Fake {
            begun: sender,
            gate: Arc::clone(&gate),
        };
        let registry = Arc::new(Registry::of_one(NAME, Arc::new(fake)));
        let (queue, commands) = QueueManager::new(state.clone());
        let (stop, draining) = (CancellationToken::new(), CancellationToken::new());
        let listening = state.bus().join();
        let start = state.bus().head();
        let orchestrator = Orchestrator::new(state.clone(), registry, commands, Traces::default());
        let run = orchestrator.run(stop.clone(), draining.clone(), grace);
        Self {
            state,
            queue,
            begun,
            gate,
            stop,
            draining,
            run: tokio::spawn(run),
            start,
            _listening: listening,
            _folder: folder,
        }
    }

    async fn submit(&self, task: NewTask) {
        let room = self.state.reserve(1).expect("room");
        self.state.submit(task, None, room).await.expect("accepted");
    }

    /// Submits a task of this content and returns it once its attempt has begun.
    async fn begin(&mut self, content: &str) -> TaskId {
        self.submit(NewTask::new(content, NAME)).await;
        self.begun().await
    }

    async fn begun(&mut self) -> TaskId {
        let begun = tokio::time::timeout(DEADLINE, self.begun.recv()).await;
        begun.expect("an attempt begins").expect("a processor")
    }

    /// Waits until the journal holds an outcome of this task.
    async fn until_ended(&self, id: TaskId) {
        let mut head = self.state.bus().watch();
        let ended = async {
            while self.outcomes(id).is_empty() {
                head.changed().await.expect("a bus");
            }
        };
        tokio::time::timeout(DEADLINE, ended)
            .await
            .expect("an outcome");
    }

    /// The outcomes of this task that were committed, in their order.
    fn outcomes(&self, id: TaskId) -> Vec<EventType> {
        let mut position = self.start;
        let mut outcomes = Vec::new();
        while position < self.state.bus().head() {
            let Since::Batches(batches) = self.state.bus().since(position) else {
                panic!("the ring holds the events of a short test");
            };
            for event in batches.iter().flat_map(|batch| batch.iter()) {
                position = event.id;
                let is_outcome = matches!(
                    event.kind,
                    EventType::TaskCompleted
                        | EventType::TaskFailed
                        | EventType::TaskAborted
                        | EventType::TaskRetrying
                );
                if is_outcome && event.task_id == Some(id) {
                    outcomes.push(event.kind);
                }
            }
        }
        outcomes
    }

    async fn task(&self, id: TaskId) -> Task {
        self.state.task(id).await.expect("readable").expect("there")
    }

    /// Stops the service and waits for its end.
    async fn end(&mut self) {
        self.stop.cancel();
        let run = tokio::time::timeout(DEADLINE, &mut self.run).await;
        run.expect("an end").expect("no panic").expect("a Writer");
    }
}

#[tokio::test]
async fn an_answer_a_failure_and_a_panic_are_one_outcome_each() {
    let mut bench = Bench::start(DEADLINE).await;
    for (content, outcome, error) in [
        ("answer", EventType::TaskCompleted, None),
        ("fail", EventType::TaskFailed, Some("no")),
        ("panic", EventType::TaskFailed, Some("on purpose")),
    ] {
        let id = bench.begin(content).await;
        bench.until_ended(id).await;
        assert_eq!(bench.outcomes(id), [outcome], "{content}");
        let task = bench.task(id).await;
        assert_eq!(task.result.is_some(), error.is_none(), "{content}");
        let found = task.error.unwrap_or_default();
        assert!(found.contains(error.unwrap_or_default()), "{found}");
    }
    bench.end().await;
}

#[tokio::test]
async fn a_failure_with_attempts_left_is_a_retry() {
    let mut bench = Bench::start(DEADLINE).await;
    let mut task = NewTask::new("retry", NAME);
    task.max_attempts = 2;
    bench.submit(task).await;
    let id = bench.begun().await;
    bench.until_ended(id).await;
    assert_eq!(bench.outcomes(id), [EventType::TaskRetrying]);
    assert_eq!(bench.task(id).await.status, TaskStatus::Pending);
    bench.end().await;
}

#[tokio::test]
async fn a_timeout_decides_whatever_the_processor_answers_afterwards() {
    let mut bench = Bench::start(DEADLINE).await;
    let mut task = NewTask::new("late", NAME);
    task.timeout = Some(Duration::from_millis(1));
    bench.submit(task).await;
    let id = bench.begun().await;
    bench.until_ended(id).await;
    bench.end().await;
    assert_eq!(bench.outcomes(id), [EventType::TaskFailed]);
    let task = bench.task(id).await;
    assert_eq!(task.failure, Some(Failure::Timeout));
    assert_eq!(task.result, None);
}

#[tokio::test]
async fn an_abort_returns_after_its_outcome_is_stored() {
    let mut bench = Bench::start(DEADLINE).await;
    let id = bench.begin("late").await;
    assert!(bench.queue.abort(id).await.expect("an answer"));
    assert_eq!(bench.outcomes(id), [EventType::TaskAborted]);
    let task = bench.task(id).await;
    assert_eq!(task.failure, Some(Failure::Aborted));
    assert_eq!(task.result, None);
    // There is nothing left to abort.
    assert!(!bench.queue.abort(id).await.expect("an answer"));
    bench.end().await;
    assert_eq!(bench.outcomes(id), [EventType::TaskAborted]);
}

#[tokio::test]
async fn an_emergency_stop_ends_what_runs_and_starts_nothing() {
    let mut bench = Bench::start(DEADLINE).await;
    let (one, other) = (bench.begin("gate").await, bench.begin("late").await);
    let stopped = bench.queue.emergency_stop().await.expect("an answer");
    assert_eq!((stopped.cancelled, stopped.purged), (2, 0));
    for id in [one, other] {
        assert_eq!(bench.outcomes(id).len(), 1);
        assert_eq!(bench.task(id).await.failure, Some(Failure::EmergencyStop));
    }
    bench.submit(NewTask::new("answer", NAME)).await;
    bench.end().await;
    assert!(bench.begun.try_recv().is_err(), "the queue is paused");
}

#[tokio::test]
async fn a_stop_of_the_service_lets_running_attempts_end_and_starts_nothing() {
    let mut bench = Bench::start(DEADLINE).await;
    let id = bench.begin("gate").await;
    bench.stop.cancel();
    bench.draining.cancelled().await;
    bench.submit(NewTask::new("answer", NAME)).await;
    bench.gate.add_permits(1);
    bench.end().await;
    assert_eq!(bench.outcomes(id), [EventType::TaskCompleted]);
    assert!(
        bench.begun.try_recv().is_err(),
        "nothing starts after a stop"
    );
}

#[tokio::test]
async fn after_its_grace_a_stop_gives_running_attempts_back_without_counting_them() {
    let mut bench = Bench::start(Duration::ZERO).await;
    let id = bench.begin("late").await;
    bench.end().await;
    let task = bench.task(id).await;
    assert_eq!(task.status, TaskStatus::Pending);
    assert_eq!((task.result, task.failure), (None, None));
    assert!(!bench.outcomes(id).contains(&EventType::TaskCompleted));
}

#[tokio::test]
async fn an_abort_after_the_answer_leaves_the_outcome_as_it_is() {
    let mut bench = Bench::start(DEADLINE).await;
    let id = bench.begin("deaf").await;
    // One thread runs all tasks in turn: the processor answers before the orchestrator reads the command.
    bench.gate.add_permits(1);
    assert!(!bench.queue.abort(id).await.expect("an answer"));
    bench.end().await;
    assert_eq!(bench.outcomes(id), [EventType::TaskCompleted]);
}
