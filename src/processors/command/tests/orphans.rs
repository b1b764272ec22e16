//! No process outlives its attempt: groups, orphans, the guard and the reaper.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use tempfile::TempDir;

use super::super::group::{Group, command};
use super::super::guard::ProcessGuard;
use super::super::orphans::{RunMark, kill_orphans};
use super::{Attempt, ended, runs};
use crate::models::TaskId;
use crate::processors::command::orphan_reaper::OrphanProcessReaper;

#[tokio::test]
async fn background_children_end_with_the_program() {
    // One holds the output open, the other does not.
    let attempt = Attempt::script(
        "sleep 1000 & echo holder $!
        sleep 1000 > /dev/null 2>&1 & echo quiet $!
        echo done",
    );
    let result = attempt.run().await.unwrap();
    assert!(result.ends_with("done"));
    ended(attempt.host.process_id("holder").await).await;
    ended(attempt.host.process_id("quiet").await).await;
}

#[tokio::test]
async fn what_a_background_child_prints_at_the_end_is_not_lost() {
    let attempt = Attempt::script("(sleep 0.1; echo late) & echo early");
    assert_eq!(attempt.run().await.unwrap(), "early\nlate");
}

#[tokio::test]
async fn a_slow_host_loses_nothing_of_a_program_that_has_ended() {
    let attempt = Attempt::script("echo leader $$; seq 1 5000");
    attempt.host.open.send_replace(false);
    let open_late = async {
        let leader = attempt.host.process_id("leader").await;
        // Reaped, it is beyond the time that it and its group are given.
        while std::fs::exists(format!("/proc/{leader}")).unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        attempt.host.open.send_replace(true);
    };
    let result = attempt.run_beside(open_late).await.unwrap();
    assert!(result.ends_with("4999\n5000"));
    assert_eq!(attempt.host.logs().len(), 5001);
}

/// A script that starts a process outside its group, says which, and goes on with `then`.
fn escape(escaped: &str, then: &str) -> (Attempt, TempDir) {
    let mut attempt = Attempt::script(&format!(
        "mkfifo $GATE
        setsid sh -c \"echo escaped \\$\\$ > $GATE; {escaped}\" &
        read line < $GATE; echo $line; {then}"
    ));
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate").display().to_string();
    attempt.settings.env.insert("GATE".into(), gate);
    (attempt, folder)
}

#[tokio::test]
async fn a_process_that_left_the_group_cannot_hold_up_the_end() {
    // It holds the output open, and may even go on writing to it.
    for escaped in ["exec sleep 1000", "trap '' PIPE; while :; do echo y; done"] {
        let (attempt, _folder) = escape(escaped, "echo done");
        attempt.run().await.unwrap();
        let escaped = attempt.host.process_id("escaped").await;
        assert!(runs(escaped));
        assert_eq!(kill_orphans(&HashSet::from([attempt.task_id])).unwrap(), 1);
        ended(escaped).await;
    }
}

#[tokio::test]
async fn a_stop_ends_what_left_the_group() {
    let (mut attempt, _folder) = escape("exec sleep 1000", "wait");
    attempt.kill_grace = Duration::from_millis(100);
    let stop = async {
        attempt.host.process_id("escaped").await;
        attempt.host.stop.cancel();
    };
    attempt.run_beside(stop).await.unwrap_err();
    ended(attempt.host.process_id("escaped").await).await;
}

/// An attempt that was given back runs again under its number, perhaps in another service on this machine.
#[tokio::test]
async fn a_stop_ends_nothing_of_another_run_of_the_same_attempt() {
    for number in [1, 2] {
        let mut first = Attempt::script("echo process $$; exec sleep 1000");
        first.number = number;
        let stop = async {
            first.host.process_id("process").await;
            let mark = RunMark::new(first.task_id, number);
            let other = Stray::marked(&mark, "exec sleep 1000");
            first.host.stop.cancel();
            other
        };
        let (ended, mut other) = tokio::join!(first.run(), stop);
        ended.unwrap_err();
        assert!(other.runs(), "attempt {number}");
    }
}

#[tokio::test]
async fn the_sweeper_ends_what_one_run_has_left_and_nothing_of_another() {
    let task = TaskId::new_v4();
    let (ended, going_on) = (RunMark::new(task, 1), RunMark::new(task, 1));
    let mut left = Stray::marked(&ended, "exec sleep 1000");
    let mut other = Stray::marked(&going_on, "exec sleep 1000");
    let kept = "exec env -u VENOM_TASK_ID sh -c 'echo $$; exec sleep 1000'";
    let mut kept = Stray::marked(&ended, kept);
    kept.reported();
    let process_reaper = Arc::new(OrphanProcessReaper::default());
    process_reaper.ended(ended.run);
    process_reaper.reap().await;
    assert!(left.was_killed());
    assert!(other.runs() && kept.runs());
}

#[tokio::test]
async fn the_next_attempt_ends_what_the_last_one_left() {
    let (mut attempt, _folder) = escape("exec sleep 1000", "exit 1");
    attempt.run().await.unwrap_err();
    let escaped = attempt.host.process_id("escaped").await;
    assert!(runs(escaped));

    attempt.number = 2;
    attempt.settings.args[1] = "echo again".into();
    attempt.run().await.unwrap();
    assert!(!runs(escaped));
}

#[tokio::test]
async fn a_dropped_run_kills_its_group() {
    let attempt = Attempt::script("sleep 1000 & echo child $!; echo leader $$; wait");
    let (child, leader) = tokio::select! {
        _ = attempt.run() => panic!("it ended by itself"),
        ids = async {
            let host = &attempt.host;
            (host.process_id("child").await, host.process_id("leader").await)
        } => ids,
    };
    ended(child).await;
    ended(leader).await;
}

/// A process that is started here, not by a run; dropped, it is killed.
struct Stray(Child);

impl Stray {
    fn start(task: TaskId, script: &str) -> Self {
        Self::marked(&RunMark::new(task, 1), script)
    }

    fn marked(mark: &RunMark, script: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0);
        command.envs(mark.variables());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn id(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed()).unwrap()
    }

    /// The next line it prints, a process id.
    fn reported(&mut self) -> i32 {
        let mut line = String::new();
        let mut output = BufReader::new(self.0.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    fn was_killed(&mut self) -> bool {
        self.0.wait().unwrap().signal() == Some(9)
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn orphans_are_found_by_their_task_and_nobody_else_is() {
    let (ours, other) = (TaskId::new_v4(), TaskId::new_v4());
    let mut alone = Stray::start(ours, "exec sleep 1000");
    let mut leader = Stray::start(ours, "env -i sleep 1000 & echo $!; wait");
    let nameless = leader.reported();
    let mut stranger = Stray::start(other, "exec sleep 1000");

    assert_eq!(kill_orphans(&HashSet::new()).unwrap(), 0);
    assert_eq!(kill_orphans(&HashSet::from([ours])).unwrap(), 3);
    assert!(alone.was_killed());
    assert!(!runs(leader.id().as_raw_nonzero().get()));
    ended(nameless).await;
    assert!(stranger.runs());
}

#[tokio::test]
async fn orphans_whose_leader_is_gone_are_found_with_their_group() {
    let task = TaskId::new_v4();
    let script = "env -i sleep 1000 & echo $!; sleep 1000 & exit";
    let mut leader = Stray::start(task, script);
    let nameless = leader.reported();
    leader.0.wait().unwrap();
    assert!(runs(nameless));
    assert_eq!(kill_orphans(&HashSet::from([task])).unwrap(), 2);
    ended(nameless).await;
}

#[tokio::test]
async fn the_guard_kills_the_groups_of_a_service_that_is_gone() {
    let guard = ProcessGuard::default();
    let script = "sleep 1000 & echo $!; wait";
    let mut watched = Stray::start(TaskId::new_v4(), script);
    let mut released = Stray::start(TaskId::new_v4(), "exec sleep 1000");
    let child = watched.reported();
    guard.watch(released.id());
    guard.watch(watched.id());
    guard.release(released.id());
    // All that the guard ever learns of the service's end is that the pipe has closed.
    drop(guard);
    assert!(watched.was_killed());
    ended(child).await;
    assert!(released.runs());
}

/// Set where [`a_service`] runs in a process of its own.
const STANDS_IN: &str = "VENOM_TEST_STANDS_IN";

/// Stands in for the service in the test below, which runs it in a process that it kills. By itself it does nothing.
#[tokio::test]
async fn a_service() {
    if std::env::var_os(STANDS_IN).is_none() {
        return;
    }
    let attempt = Attempt::script("echo leader $$; sleep 1000 & echo child $!; wait");
    let print = async {
        let leader = attempt.host.process_id("leader").await;
        let child = attempt.host.process_id("child").await;
        println!("\nprocesses {leader} {child}");
    };
    attempt.run_beside(print).await.unwrap();
}

#[tokio::test]
async fn a_killed_service_takes_its_groups_along() {
    let mut service = Command::new(std::env::current_exe().unwrap());
    service.args(["--exact", "--nocapture"]).env(STANDS_IN, "1");
    service.arg(
        concat!(module_path!(), "::a_service")
            .split_once("::")
            .unwrap()
            .1,
    );
    let mut service = service.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let processes: Vec<i32> = lines
        .find_map(|line| {
            let line = line.unwrap();
            let ids = line.strip_prefix("processes ")?.split(' ');
            Some(ids.map(|id| id.parse().unwrap()).collect())
        })
        .expect("it starts");
    assert!(processes.iter().all(|&process| runs(process)));

    service.kill().unwrap();
    service.wait().unwrap();
    for process in processes {
        ended(process).await;
    }
}

#[tokio::test]
async fn a_child_dies_with_the_thread_that_spawned_it() {
    // As it does with the whole service, guard or no guard.
    let spawning = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let attempt = Attempt::script("sleep 1000; true");
        let spawned = runtime.unwrap().block_on(async {
            let mark = RunMark::new(attempt.task_id, 1);
            let command = command(&attempt.settings, &attempt.scrubbed_env, &mark);
            Group::spawn(command, &attempt.guard).unwrap()
        });
        let id = spawned.0.id;
        std::mem::forget(spawned);
        id
    });
    ended(spawning.join().unwrap().as_raw_nonzero().get()).await;
}
