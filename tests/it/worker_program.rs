//! `examples/worker.py`, the worker that people start from, run as they would run it.

use std::net::TcpListener;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::support::{Service, Setup, in_time};

const SHORT: &str = "lease = 1\nmax_attempts = 2\nbackoff = { first = 0 }";
/// Twenty lines of two words each, a tenth of a second for each.
const LINES: usize = 20;
const PAUSE: &str = "0.1";

/// A worker for `outside`.
struct Program(Child);

impl Program {
    fn start(service: &Service) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let child = Command::new(root.join("target/test-venv/bin/python"))
            .arg(root.join("examples/worker.py"))
            .args([&service.url(""), "outside", PAUSE])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        Self(child.expect("scripts/test has made target/test-venv"))
    }

    async fn kill9(&mut self) {
        self.0.kill().await.expect("a running child");
    }

    fn terminate(&self) {
        let pid = self.0.id().expect("a running child").cast_signed();
        let pid = Pid::from_raw(pid).expect("a process id");
        kill_process(pid, Signal::TERM).expect("a running child");
    }

    async fn ended(&mut self) -> ExitStatus {
        let ended = in_time("the worker ends", self.0.wait()).await;
        ended.expect("an exit status")
    }
}

/// Submits a text and waits until a worker has said something of it.
async fn submit_and_hear(service: &Service) -> String {
    let mut listener = service.listen("").await;
    let text = "two words\n".repeat(LINES);
    let id = service.submit_to("outside", &text).await;
    listener.until("TASK_PROGRESS", &id).await;
    id
}

fn assert_counted(task: &Value, attempt: i64) {
    assert_eq!(task["status"], "COMPLETED", "{task}");
    assert_eq!(task["result"], (2 * LINES).to_string());
    assert_eq!(task["progress"], 1.0);
    assert_eq!(task["attempt"], attempt);
    let logs = task["logs"].to_string();
    assert!(logs.contains("line 20: 40 words so far"), "{logs}");
}

#[tokio::test]
#[ignore = "needs Python with requests: scripts/test installs it"]
async fn worker_in_python_that_is_killed_loses_nothing() {
    let service = Service::with_worker(SHORT).await;
    let mut killed = Program::start(&service);
    let id = submit_and_hear(&service).await;
    killed.kill9().await;
    let mut next = Program::start(&service);
    // Its lease of a second is shorter than the work: it is the heartbeats that keep it.
    assert_counted(&service.finished(&id).await, 2);
    let id = service.submit_to("outside", "").await;
    let task = service.finished(&id).await;
    assert_eq!(task["error"], "there is no text to count");
    assert_eq!(task["attempt"], 1);
    next.terminate();
    assert!(next.ended().await.success());
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs Python with requests: scripts/test installs it"]
async fn worker_in_python_outlives_the_service() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let setup = Setup::new().port(free.expect("a free port").port());
    let service = setup.worker_processor(SHORT).start().await;
    let mut program = Program::start(&service);
    let id = submit_and_hear(&service).await;
    let service = service.kill9().await.start().await;
    assert_counted(&service.finished(&id).await, 2);
    // Told to stop, it finishes what it has.
    let id = submit_and_hear(&service).await;
    program.terminate();
    assert!(program.ended().await.success());
    assert_counted(&service.task(&id).await, 1);
    service.ends_well().await;
}
