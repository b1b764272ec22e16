//! Random sequences of operations against a small model: what examples miss.
//!
//! The model knows what each task must be after each operation; gates keep running what runs, so that
//! there is one right answer at every moment. A sequence that fails is made shorter as long as it fails, each time
//! with a fresh database, and the shortest is printed. Another seed can be tried with `VENOM_TEST_SEED`.

mod expected;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::expected::{Model, SLOTS};
use support::ledger::check_attempts;
use support::{DEADLINE, Service, Setup};

/// Operations of a sequence that is drawn; shrinking makes it shorter.
const LENGTH: std::ops::RangeInclusive<usize> = 35..=45;
/// Between two looks at what is not yet as it must be.
const INTERVAL: Duration = Duration::from_millis(10);
/// How long a sequence that is known to fail may take to become what it must be.
const SHORT_DEADLINE: Duration = Duration::from_secs(3);
/// How long to look for a shorter sequence, in milliseconds.
const SHRINK_TIME: u32 = 300_000;

#[derive(Clone, Debug)]
enum Step {
    Submit,
    Insert,
    /// Of those that run, this one.
    Open(Index),
    Fail(Index),
    Abort(Index),
    Pause,
    Resume,
    Purge,
    EmergencyStop,
    Crash,
    Stop,
}

/// Any step; those that are drawn more often come first, and a sequence is simpler with those that come earlier.
fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Submit),
        2 => Just(Step::Insert),
        3 => any::<Index>().prop_map(Step::Open),
        1 => any::<Index>().prop_map(Step::Fail),
        1 => any::<Index>().prop_map(Step::Abort),
        1 => Just(Step::Pause),
        3 => Just(Step::Resume),
        1 => Just(Step::Purge),
        1 => Just(Step::EmergencyStop),
        3 => Just(Step::Crash),
        1 => Just(Step::Stop),
    ]
}

struct Run {
    model: Model,
    /// How long the service may take to become what the model is.
    deadline: Duration,
}

impl Run {
    async fn step(&mut self, step: &Step, service: Service) -> Service {
        let running: Vec<_> = self
            .model
            .with("PROCESSING")
            .map(|task| (task.id.clone(), task.attempt))
            .collect();
        let chosen = match step {
            Step::Open(index) | Step::Fail(index) | Step::Abort(index) if !running.is_empty() => {
                Some(index.get(&running).clone())
            }
            _ => None,
        };
        match (step, chosen) {
            (Step::Submit, _) => self
                .model
                .submitted(service.submit_to("gate", "by HTTP").await),
            (Step::Insert, _) => {
                let mut database = service.database().await;
                let sql =
                    "INSERT INTO tasks(content, processor) VALUES ('by SQL', 'gate') RETURNING id";
                let id = database.text(sql).await;
                self.model.submitted(id);
            }
            (Step::Open(_), Some((id, attempt))) => {
                service.say_again(&id, attempt, "open").await;
                self.model.end(&id, "COMPLETED", None);
            }
            (Step::Fail(_), Some((id, attempt))) => {
                service.say_again(&id, attempt, "fail on purpose").await;
                self.model.end(&id, "FAILED", Some("error"));
            }
            (Step::Abort(_), Some((id, _))) => {
                service.abort(&id).await.expect(200);
                self.model.end(&id, "FAILED", Some("aborted"));
            }
            (Step::Open(_) | Step::Fail(_), None) => {}
            (Step::Abort(_), None) => {
                for task in &self.model.tasks {
                    service.abort(&task.id).await.expect(404);
                }
            }
            (Step::Pause, _) => {
                assert_eq!(service.pause().await["active_tasks"], running.len());
                self.model.paused = true;
            }
            (Step::Resume, _) => {
                service.resume().await;
                self.model.paused = false;
                self.model.claim();
            }
            (Step::Purge, _) => {
                let waiting = self.model.with("PENDING").count();
                assert_eq!(service.purge().await["removed"], waiting);
                self.model.end_all("PENDING", "purged");
            }
            (Step::EmergencyStop, _) => {
                let waiting = self.model.with("PENDING").count();
                let stopped = service.emergency_stop().await;
                assert_eq!(
                    (&stopped["cancelled"], &stopped["purged"]),
                    (&json!(running.len()), &json!(waiting))
                );
                self.model.paused = true;
                self.model.end_all("PENDING", "purged");
                self.model.end_all("PROCESSING", "emergency_stop");
            }
            (Step::Crash, _) => {
                let killed = service.kill9().await;
                self.model.interrupt(true);
                return killed.start().await;
            }
            (Step::Stop, _) => {
                let stopped = service.stop().await;
                self.model.interrupt(false);
                return stopped.start().await;
            }
        }
        service
    }

    /// The service comes to be what the model is, and the database is sound.
    async fn check(&self, service: &Service) {
        let expected: Vec<Value> = self
            .model
            .tasks
            .iter()
            .rev()
            .map(|task| json!([task.id, task.status, task.failure, task.attempt]))
            .collect();
        let count = |status| self.model.with(status).count();
        let status = json!({
            "paused": self.model.paused, "pending": count("PENDING"), "active": count("PROCESSING"),
            "processing": count("PROCESSING"), "limit": SLOTS,
        });
        let start = Instant::now();
        loop {
            let found = (shown(service).await, service.queue_status().await);
            if (&found.0, &found.1) == (&expected, &status) {
                break;
            }
            let late = start.elapsed() > self.deadline;
            assert!(!late, "found {found:#?}\nexpected {expected:#?}, {status}");
            sleep(INTERVAL).await;
        }
        // Every running attempt has reached its gate: now it can be told what to do.
        for task in self.model.with("PROCESSING") {
            service.at_gate_again(&task.id, task.attempt).await;
        }
    }
}

async fn shown(service: &Service) -> Vec<Value> {
    let list = service.get("/api/v1/tasks").await.expect(200);
    let tasks = list.as_array().expect("a list").iter();
    let fields =
        |task: &Value| json!([task["id"], task["status"], task["failure"], task["attempt"]]);
    tasks.map(fields).collect()
}

async fn run(steps: &[Step], deadline: Duration) {
    let setup = Setup::new().gates().setting("max_concurrent_tasks", SLOTS);
    let mut service = setup.start().await;
    let model = Model::default();
    let mut run = Run { model, deadline };
    for step in steps {
        service = run.step(step, service).await;
        run.check(&service).await;
    }
    let mut database = service.database().await;
    database.check().await;
    check_attempts(&mut database).await;
    service.ends_well().await;
}

/// Runs one random sequence. If it fails, panics with the shortest one found that fails too.
fn try_random(seed: u64) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = ProptestConfig {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: 10_000,
        max_shrink_time: SHRINK_TIME,
        ..ProptestConfig::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    let has_failed = AtomicBool::new(false);
    let sequences = vec(step(), 1..=*LENGTH.end());
    let mut drawn = sequences.new_tree(&mut runner).expect("no filter");
    while !LENGTH.contains(&drawn.current().len()) {
        drawn = sequences.new_tree(&mut runner).expect("no filter");
    }
    let ended = runner.run_one(drawn, |steps| {
        eprintln!("{} steps: {steps:?}", steps.len());
        // It stays set if the sequence fails.
        let deadline = match has_failed.swap(true, Ordering::Relaxed) {
            true => SHORT_DEADLINE,
            false => DEADLINE,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(run(&steps, deadline));
        Ok(())
    });
    if let Err(error) = ended {
        panic!("seed {seed}: {error}");
    }
}

#[test]
fn random_operations_1() {
    try_random(1);
}

#[test]
fn random_operations_2() {
    try_random(2);
}

#[test]
fn random_operations_3() {
    try_random(3);
}

#[test]
fn random_operations_of_the_seed_in_the_environment() {
    let seed = std::env::var("VENOM_TEST_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    try_random(seed.unwrap_or(4));
}
