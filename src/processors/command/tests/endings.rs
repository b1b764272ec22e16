//! How an attempt ends, and what it says then.

use std::time::{Duration, Instant};

use super::{Attempt, HANGS};

#[tokio::test]
async fn a_failure_is_the_last_line_of_stderr() {
    let attempt = Attempt::script("echo why >&2; echo because >&2; echo '  ' >&2; exit 3");
    assert_eq!(attempt.run().await.unwrap_err(), "because");
}

#[tokio::test]
async fn a_silent_failure_is_its_status() {
    let attempt = Attempt::script("echo something; exit 3");
    assert_eq!(attempt.run().await.unwrap_err(), "exit status 3");
    let attempt = Attempt::script("kill -KILL $$");
    let error = attempt.run().await.unwrap_err();
    assert_eq!(error, "killed by signal 9 (SIGKILL)");
}

#[tokio::test]
async fn a_death_by_signal_is_logged_where_stderr_is_the_error() {
    let attempt = Attempt::script("echo loading >&2; kill -KILL $$");
    assert_eq!(attempt.run().await.unwrap_err(), "loading");
    let logs = attempt.host.logs();
    assert_eq!(logs, ["loading", "killed by signal 9 (SIGKILL)"]);
}

#[tokio::test]
async fn a_program_that_cannot_start_is_named() {
    let mut attempt = Attempt::script("");
    attempt.settings.program = "no-such-program".into();
    let error = attempt.run().await.unwrap_err();
    let reason = "No such file or directory (os error 2)";
    assert_eq!(error, format!("cannot start `no-such-program`: {reason}"));

    let mut attempt = Attempt::script("");
    attempt.settings.working_directory = Some("no/such/folder".into());
    let error = attempt.run().await.unwrap_err();
    assert_eq!(
        error,
        "cannot start `sh`: its working directory `no/such/folder` does not exist"
    );
}

#[tokio::test]
async fn a_relative_program_starts_at_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/sh", folder.path().join("shell")).unwrap();
    let mut attempt = Attempt::script("echo hi");
    attempt.settings.program = "./shell".into();
    attempt.settings.working_directory = Some(folder.path().into());
    assert_eq!(attempt.run().await.unwrap(), "hi");
}

#[tokio::test]
async fn a_stopped_program_may_say_goodbye() {
    let attempt =
        Attempt::script("trap 'echo bye; exit' TERM; echo ready; while :; do sleep 1; done");
    let stop = async {
        attempt.host.line("ready").await;
        attempt.host.stop.cancel();
    };
    attempt.run_beside(stop).await.unwrap_err();
    attempt.host.line("bye").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_that_is_stopped_hears_of_its_end() {
    let attempt =
        Attempt::script("trap 'echo bye; exit' TERM; echo ready $$; kill -STOP $$; sleep 1000");
    let stop = async {
        let program = attempt.host.process_id("ready").await;
        let status = format!("/proc/{program}/status");
        while !std::fs::read_to_string(&status)
            .unwrap()
            .contains("\nState:\tT")
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        attempt.host.stop.cancel();
    };
    attempt.run_beside(stop).await.unwrap_err();
    attempt.host.line("bye").await;
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_the_grace() {
    let attempt = Attempt {
        kill_grace: Duration::from_millis(200),
        ..Attempt::script("trap '' TERM; echo ready; while :; do sleep 1; done")
    };
    let stop = async {
        attempt.host.line("ready").await;
        attempt.host.stop.cancel();
    };
    let started = Instant::now();
    attempt.run_beside(stop).await.unwrap_err();
    assert!(started.elapsed() >= attempt.kill_grace);
}

#[tokio::test]
async fn the_rest_of_the_group_has_the_grace_too() {
    let attempt = Attempt::script(
        "(trap 'sleep 0.7; echo cleaned up; exit' TERM; echo ready; while :; do sleep 0.1; done) &
        wait",
    );
    let stop = async {
        attempt.host.line("ready").await;
        attempt.host.stop.cancel();
    };
    attempt.run_beside(stop).await.unwrap_err();
    attempt.host.line("cleaned up").await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_host_that_takes_no_lines() {
    for script in ["yes", "trap '' TERM; yes", "echo y"] {
        let attempt = Attempt {
            kill_grace: Duration::from_millis(100),
            ..Attempt::script(script)
        };
        attempt.host.open.send_replace(false);
        let stop = async {
            attempt.host.line("y").await;
            attempt.host.stop.cancel();
        };
        let started = Instant::now();
        attempt.run_beside(stop).await.unwrap_err();
        assert!(started.elapsed() < HANGS / 3, "{script}");
    }
}

#[tokio::test]
async fn a_stop_before_the_start_is_a_stop() {
    let attempt = Attempt::script("sleep 1000");
    attempt.host.stop.cancel();
    attempt.run().await.unwrap_err();
}
