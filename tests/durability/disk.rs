//! A storage that takes no more: a clear 503, reads go on, and what was acknowledged or was running
//! is kept until there is room again, without a restart.
//!
//! Two ways to get there. A small tmpfs that really is full is what users meet. It needs the right to
//! mount, so that root alone has this test; it is mounted in a namespace of the test's own thread, so
//! that nothing is left behind however the test ends. A limit on the size of the service's files
//! needs no right, and makes each write fail at once with an I/O error.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde_json::{Value, json};
use tempfile::TempDir;

use support::{Answer, Service, Setup, eventually};

/// A file system of 16 MiB that only this thread and what it starts can see.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None` where nobody lets us mount.
    fn mount() -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        // SAFETY: descriptors stay shared; only this thread, the test's own, sees other mounts.
        #[expect(unsafe_code, reason = "a namespace of its own cannot be had otherwise")]
        let alone = unsafe { unshare_unsafe(UnshareFlags::NEWNS) };
        let done = alone.is_ok()
            && mount(&["--make-rprivate"], Path::new("/"))
            && mount(&["-t", "tmpfs", "-o", "size=16m", "tmpfs"], folder.path());
        if !done {
            eprintln!("skipped: no right to mount a small file system");
        }
        done.then_some(Self { folder })
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.folder().join("filler")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file");
        for size in [64 * 1024, 1] {
            let block = vec![0; size];
            let full = std::iter::repeat_with(|| filler.write_all(&block)).find_map(Result::err);
            let full = full.expect("it repeats until then");
            assert_eq!(full.kind(), ErrorKind::StorageFull);
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("the filler is there");
    }
}

/// `mount` from this thread, in its namespace.
fn mount(words: &[&str], place: &Path) -> bool {
    let mounted = Command::new("mount").args(words).arg(place).status();
    mounted.is_ok_and(|status| status.success())
}

async fn submit_large(service: &Service) -> Answer {
    let body = json!({ "content": "x".repeat(100_000) });
    service.post_json("/api/v1/tasks", &body).await
}

/// Fills what room there is in the files themselves, until a task is refused; the refusal, and what
/// was acknowledged before.
async fn submit_until_refused(service: &Service) -> (Answer, Vec<String>) {
    let mut acknowledged = Vec::new();
    for _ in 0..500 {
        let answer = submit_large(service).await;
        if answer.status != 201 {
            return (answer, acknowledged);
        }
        let id = answer.json()["task_id"].as_str().expect("an id").to_owned();
        acknowledged.push(id);
    }
    panic!("a full storage still takes tasks");
}

fn check_refusal(answer: &Answer) -> String {
    let sentence = answer.sentence(503);
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    sentence
}

/// Every call that says how the service is names what is wrong with the storage.
async fn check_problem(service: &Service) -> String {
    let status = service.queue_status().await;
    let problem = status["problem"].as_str().expect("a problem").to_owned();
    let overview = service.get("/api/v1/overview").await.expect(200);
    assert!(overview["queue"]["problem"].is_string(), "{overview}");
    let processors = service.get("/api/v1/processors").await.expect(200);
    assert!(processors[0]["problem"].is_string(), "{processors}");
    let ready = service.get("/readyz").await;
    assert!(ready.headers.contains_key("retry-after"), "{ready:?}");
    ready.sentence(503);
    problem
}

/// While nothing can be written, everything can be read.
async fn check_reads(service: &Service, running: &str, done: &str) {
    assert_eq!(service.get("/healthz").await.status, 200);
    check_problem(service).await;
    assert_eq!(service.queue_status().await["active"], 1);
    assert_eq!(service.task(running).await["status"], "PROCESSING");
    assert_eq!(service.task(done).await["status"], "COMPLETED");
    let list = service.get("/api/v1/tasks").await.expect(200);
    let ids: Vec<_> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|task| &task["id"])
        .collect();
    assert!(ids.contains(&&json!(running)) && ids.contains(&&json!(done)));
}

/// There is room again: the service finds it by itself.
async fn check_recovery(service: Service, running: &str, acknowledged: &[String]) {
    // Nobody but a probe has written meanwhile.
    eventually("it is ready again", || async {
        (service.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    assert!(service.queue_status().await.get("problem").is_none());
    let task = service.finished(running).await;
    assert_eq!(
        (&task["status"], &task["attempt"]),
        (&json!("COMPLETED"), &json!(1))
    );
    let answer = eventually("tasks are taken again", || async {
        let answer = submit_large(&service).await;
        (answer.status == 201).then_some(answer)
    })
    .await;
    let id = answer.json()["task_id"].as_str().expect("an id").to_owned();
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    for id in acknowledged {
        assert_eq!(service.finished(id).await["status"], "COMPLETED", "{id}");
    }
    service.ends_well().await;
}

/// A running gate task with a large result, and a finished one.
async fn begin(service: &Service) -> (String, String) {
    let done = service.submit("done before").await;
    service.finished(&done).await;
    let running = service.submit_to_gate(&"result ".repeat(30_000)).await;
    (running, done)
}

/// How often the service has said that a write failed.
fn failures(service: &Service) -> usize {
    service.setup().log().matches("write failed").count()
}

#[tokio::test]
async fn on_a_full_disk_it_goes_on_reading_and_writes_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let service = Setup::new().gates().data_in(disk.folder()).start().await;
    let (running, done) = begin(&service).await;
    disk.fill();
    let (refusal, acknowledged) = submit_until_refused(&service).await;
    assert!(check_refusal(&refusal).contains("full"), "{refusal:?}");
    check_reads(&service, &running, &done).await;

    // It ends now, and its outcome has no room either: it is tried again and again.
    let before = failures(&service);
    service.say(&running, "open").await;
    eventually("the outcome was tried", || async {
        (failures(&service) >= before + 3).then_some(())
    })
    .await;
    check_reads(&service, &running, &done).await;

    disk.make_room();
    check_recovery(service, &running, &acknowledged).await;
}

#[tokio::test]
async fn killed_on_a_full_disk_it_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let service = Setup::new().gates().data_in(disk.folder()).start().await;
    let (running, done) = begin(&service).await;
    disk.fill();
    let (_, acknowledged) = submit_until_refused(&service).await;
    let killed = service.kill9().await;
    disk.make_room();
    let service = killed.start().await;
    assert_eq!(service.task(&done).await["status"], "COMPLETED");
    service.say_again(&running, 2, "open").await;
    assert_eq!(service.finished(&running).await["attempt"], 2);
    for id in &acknowledged {
        assert_eq!(service.finished(id).await["status"], "COMPLETED", "{id}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn when_writes_fail_it_goes_on_reading_and_writes_when_they_work() {
    let service = with_limits().await;
    let (running, done) = begin(&service).await;
    limit_files(&service, Some(1));
    let refusal = submit_large(&service).await;
    check_refusal(&refusal);
    let pause: Answer = service.post("/api/v1/queue/pause").await;
    check_refusal(&pause);
    check_reads(&service, &running, &done).await;
    service.say(&running, "open").await;
    service.left_gate(&running).await;
    for _ in 0..5 {
        check_refusal(&submit_large(&service).await);
    }
    check_reads(&service, &running, &done).await;
    limit_files(&service, None);
    // The refused pause was not half done.
    let status: Value = service.queue_status().await;
    assert_eq!(status["paused"], false);
    service.pause().await;
    service.resume().await;
    check_recovery(service, &running, &[]).await;
}

#[tokio::test]
async fn when_writes_fail_a_stop_ends_all_the_same_and_loses_nothing() {
    let service = with_limits().await;
    let (running, done) = begin(&service).await;
    limit_files(&service, Some(1));
    service.terminate();
    let (status, stopped) = service.exited().await;
    assert_eq!(
        status.code(),
        Some(1),
        "what could not be stored is no clean stop"
    );
    let service = stopped.start().await;
    assert_eq!(service.task(&done).await["status"], "COMPLETED");
    service.say_again(&running, 2, "open").await;
    assert_eq!(service.finished(&running).await["attempt"], 2);
    service.ends_well().await;
}

#[tokio::test]
async fn a_full_disk_without_traffic_is_found_empty_again() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let service = Setup::new().data_in(disk.folder()).start().await;
    disk.fill();
    let (_, acknowledged) = submit_until_refused(&service).await;
    let problem = check_problem(&service).await;
    assert!(problem.contains("full"), "{problem}");
    disk.make_room();
    eventually("it is ready again", || async {
        (service.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    for id in &acknowledged {
        service.finished(id).await;
    }
    let probes = "SELECT count(*) FROM meta WHERE key = 'storage_probe'";
    assert_eq!(service.database().await.number(probes).await, 0);
    service.ends_well().await;
}

#[tokio::test]
async fn while_another_program_writes_the_service_says_so_and_answers_from_memory() {
    let service = Service::start().await;
    let mut other = service.database().await;
    other.run("BEGIN IMMEDIATE").await.expect("the lock");
    let mut submitting = Box::pin(submit_large(&service));
    let looking = async {
        // The submission waits for the lock; nobody else does.
        let problem = eventually("the lock is noticed", || async {
            let status = service.queue_status().await;
            status["problem"].as_str().map(str::to_owned)
        })
        .await;
        assert!(problem.contains("another program"), "{problem}");
        check_problem(&service).await
    };
    tokio::select! {
        biased;
        answer = &mut submitting => panic!("it did not wait: {answer:?}"),
        _ = looking => {}
    }
    other.run("ROLLBACK").await.expect("the lock is given back");
    drop(other);
    let answer = submitting.as_mut().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(service.queue_status().await.get("problem").is_none());
    drop(submitting);
    service.drained().await;
    service.ends_well().await;
}

/// A service that lives with [`limit_files`]: the signal that comes with the limit is ignored, so that
/// writes fail instead.
async fn with_limits() -> Service {
    let launcher = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    let launcher = launcher.map(str::to_owned).to_vec();
    Setup::new().gates().launched_by(launcher).start().await
}

/// Limits the size of each file of the service, in bytes.
fn limit_files(service: &Service, bytes: Option<u64>) {
    let pid = Pid::from_raw(service.pid().cast_signed());
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).expect("the limit can be set");
}
