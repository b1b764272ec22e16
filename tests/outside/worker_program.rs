//! `examples/worker.py`, the worker that people start from, run as they would run it.

use std::net::TcpListener;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use support::{Backend, Call, Service, Setup, in_time};

const SHORT: &str = "lease = 1\nmax_attempts = 2\nbackoff = { first = 0 }";
/// Twenty lines of two words each, a tenth of a second for each.
const LINES: usize = 20;
const PAUSE: &str = "0.1";

/// A worker for `outside`.
struct Program(Child);

impl Program {
    fn start(service: &Service) -> Self {
        Self::at(&service.url(""))
    }

    fn at(url: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let child = Command::new(root.join("target/test-venv/bin/python"))
            .arg(root.join("examples/worker.py"))
            .args([url, "outside", PAUSE])
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
    // It goes on with what it has: no attempt is lost.
    assert_counted(&service.finished(&id).await, 1);
    // Told to stop, it finishes what it has.
    let id = submit_and_hear(&service).await;
    program.terminate();
    assert!(program.ended().await.success());
    assert_counted(&service.task(&id).await, 1);
    service.ends_well().await;
}

/// Plays the service until the worker that has got a task says this of it.
async fn told(backend: &Backend, verb: &str) -> Call {
    loop {
        let call = backend.next().await;
        if call.head.contains(&format!("/{verb} ")) {
            return call;
        }
        call.answer("200 OK", "", "{}").await;
    }
}

/// Gives the worker a task with one line.
async fn give_task(backend: &Backend) {
    let task = json!({ "id": "a", "attempt": 1, "content": "two words", "lease_seconds": 60 });
    let tasks = json!({ "tasks": [task] }).to_string();
    let claim = backend.next().await;
    assert!(claim.head.contains("/claim "), "{}", claim.head);
    claim.answer("200 OK", "", &tasks).await;
}

#[tokio::test]
#[ignore = "needs Python with requests: scripts/test installs it"]
async fn worker_in_python_that_is_told_to_stop_hands_in_what_it_has() {
    let backend = Backend::start().await;
    let mut program = Program::at(backend.url().trim_end_matches('/'));
    give_task(&backend).await;
    let call = told(&backend, "complete").await;
    program.terminate();
    call.answer("503 Service Unavailable", "", "{}").await;
    drop(told(&backend, "complete").await);
    let call = told(&backend, "complete").await;
    assert_eq!(call.json(), json!({ "attempt": 1, "result": "2" }));
    call.answer("200 OK", "", "{}").await;
    assert!(program.ended().await.success());
}

#[tokio::test]
#[ignore = "needs Python with requests: scripts/test installs it"]
async fn worker_in_python_whose_result_is_refused_fails_the_task_and_goes_on() {
    let backend = Backend::start().await;
    let mut program = Program::at(backend.url().trim_end_matches('/'));
    for status in ["413 Content Too Large", "422 Unprocessable Entity"] {
        give_task(&backend).await;
        let call = told(&backend, "complete").await;
        call.answer(status, "", r#"{"detail":"no"}"#).await;
        let call = told(&backend, "fail").await;
        let error = format!("the service refused the result: {} ", &status[..3]);
        let found = call.json();
        assert!(
            found["error"]
                .as_str()
                .is_some_and(|found| found.starts_with(&error)),
            "{found}"
        );
        assert_eq!(found["retry"], false);
        call.answer("200 OK", "", "{}").await;
    }
    let call = backend.next().await;
    program.terminate();
    call.answer("503 Service Unavailable", "", "{}").await;
    assert!(program.ended().await.success());
}
