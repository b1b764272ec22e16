//! Power cuts, simulated: writes that the service had not synced are lost or torn after each `kill -9`.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// Runs the crash test with power cuts; returns whether it passed, and its verdict.
fn cut_power(rounds: &str, more: &[&str]) -> (bool, Value) {
    let folder = TempDir::new().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_venom"));
    command.args(["crash-test", "--power", "--json", "--clients", "4"]);
    command.args(["--rounds", rounds]).args(more);
    let done = command.arg("--dir").arg(folder.path()).output();
    let done = done.expect("the program runs");
    let verdict = serde_json::from_slice(&done.stdout);
    (done.status.success(), verdict.expect("a verdict"))
}

#[test]
fn power_cuts_lose_nothing_that_was_acknowledged() {
    let (passed, verdict) = cut_power("12", &[]);
    assert!(passed, "{verdict}");
    assert_eq!(
        (&verdict["kept"], &verdict["lost"]),
        (&true.into(), &0.into())
    );
}

/// The same test finds the loss when the service answers before it syncs.
#[test]
fn without_the_sync_power_cuts_lose_acknowledged_tasks() {
    let (passed, verdict) = cut_power("4", &["--control"]);
    assert!(!passed, "{verdict}");
    assert_ne!(verdict["lost"], 0, "{verdict}");
}
