//! Random sequences of operations against a small model: what examples miss.
//!
//! The model knows what each task must be after each operation; gates keep running what runs, so that
//! there is one right answer at every moment. The seed is in the name of what fails; another one can
//! be tried with `VENOM_TEST_SEED`.

mod expected;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::expected::{Model, PLACES};
use support::ledger::check_attempts;
use support::{DEADLINE, Service, Setup};

const STEPS: usize = 40;
/// Between two looks at what is not yet as it must be.
const INTERVAL: Duration = Duration::from_millis(10);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Submit,
    Insert,
    Open,
    Fail,
    Abort,
    Pause,
    Resume,
    Purge,
    EmergencyStop,
    Crash,
    Stop,
}

/// Each as often as it stands here.
const DECK: [Step; 22] = {
    use Step::{
        Abort, Crash, EmergencyStop, Fail, Insert, Open, Pause, Purge, Resume, Stop, Submit,
    };
    [
        Submit,
        Submit,
        Submit,
        Submit,
        Submit,
        Insert,
        Insert,
        Open,
        Open,
        Open,
        Fail,
        Abort,
        Pause,
        Resume,
        Resume,
        Resume,
        Purge,
        EmergencyStop,
        Crash,
        Crash,
        Crash,
        Stop,
    ]
};

struct Run {
    random: Random,
    model: Model,
}

impl Run {
    async fn step(&mut self, service: Service) -> Service {
        let step = DECK[self.random.below(DECK.len())];
        eprintln!("{step:?}");
        let running: Vec<_> = self
            .model
            .with("PROCESSING")
            .map(|task| (task.id.clone(), task.attempt))
            .collect();
        let chosen =
            (!running.is_empty()).then(|| running[self.random.below(running.len())].clone());
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
            (Step::Open, Some((id, attempt))) => {
                service.say_again(&id, attempt, "open").await;
                self.model.end(&id, "COMPLETED", None);
            }
            (Step::Fail, Some((id, attempt))) => {
                service.say_again(&id, attempt, "fail on purpose").await;
                self.model.end(&id, "FAILED", Some("error"));
            }
            (Step::Abort, Some((id, _))) => {
                service.abort(&id).await.expect(200);
                self.model.end(&id, "FAILED", Some("aborted"));
            }
            (Step::Open | Step::Fail, None) => {}
            (Step::Abort, None) => {
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
            "processing": count("PROCESSING"), "limit": PLACES,
        });
        let start = Instant::now();
        loop {
            let found = (shown(service).await, service.queue_status().await);
            if (&found.0, &found.1) == (&expected, &status) {
                break;
            }
            let late = start.elapsed() > DEADLINE;
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

async fn run(seed: u64) {
    eprintln!("seed {seed}");
    let setup = Setup::new().gates().setting("max_concurrent_tasks", PLACES);
    let mut service = setup.start().await;
    let mut run = Run {
        random: Random(seed),
        model: Model::default(),
    };
    for _ in 0..STEPS {
        service = run.step(service).await;
        run.check(&service).await;
    }
    let mut database = service.database().await;
    database.check().await;
    check_attempts(&mut database).await;
    service.ends_well().await;
}

#[tokio::test]
async fn random_operations_1() {
    run(1).await;
}

#[tokio::test]
async fn random_operations_2() {
    run(2).await;
}

#[tokio::test]
async fn random_operations_3() {
    run(3).await;
}

#[tokio::test]
async fn random_operations_of_the_seed_in_the_environment() {
    let seed = std::env::var("VENOM_TEST_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    run(seed.unwrap_or(4)).await;
}
