//! What systemd hears of a service, at the socket that it hands out.

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Folder, wait};

fn word(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 256];
    let length = socket.recv(&mut bytes).expect("there is one more");
    String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
}

/// It is ready when tasks are taken: one that is submitted at that moment is.
#[test]
fn it_is_ready_when_it_takes_tasks_then_lives_then_stops() {
    let folder = Folder::new();
    let socket = UnixDatagram::bind(folder.path("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut command = folder.command(&["serve", "--port", "0"]);
    command.env("NOTIFY_SOCKET", folder.path("notify"));
    command.env("WATCHDOG_USEC", "50000");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut service = command.spawn().unwrap();
    assert_eq!(word(&socket), "READY=1");
    assert_eq!(
        folder.succeed(&["submit", "--wait", "one"]),
        "Processed: one"
    );
    for _ in 0..3 {
        assert_eq!(word(&socket), "WATCHDOG=1");
    }
    kill_process(Pid::from_child(&service), Signal::TERM).unwrap();
    while word(&socket) != "STOPPING=1" {}
    assert_eq!(wait(&mut service), 0);
}

/// A start that fails is never ready.
#[test]
fn a_service_that_does_not_start_is_not_ready() {
    let folder = Folder::new();
    let socket = UnixDatagram::bind(folder.path("notify")).unwrap();
    folder.write("data", "a file where the folder should be");
    let done = folder.run_with(
        "NOTIFY_SOCKET",
        folder.path("notify"),
        &["serve", "--port", "0"],
    );
    assert_eq!(done.code, 1, "{done:?}");
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 256]).is_err());
}
