//! serve: its first lines, its last ones, and why it may not start.

use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Folder, wait};

#[test]
fn the_first_lines_say_where_it_is_and_what_to_try() {
    let folder = Folder::new();
    let service = folder.start(&["--port", "0"]);
    let mut lines = service.err.until("curl ");
    let url = folder.url();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(lines[0], format!("venom {version} listens on {url}"));
    let database = folder.path("data/venom.db").canonicalize().unwrap();
    assert_eq!(
        lines[1],
        format!("and stores its tasks in {}", database.display())
    );

    // They are there to be pasted.
    let curl = lines.pop().unwrap();
    assert!(curl.contains(&format!("{url}/api/v1/tasks")), "{curl}");
    let submit = lines.pop().unwrap();
    let submit = submit.split_whitespace().skip(1).collect::<Vec<_>>();
    assert_eq!(submit, ["submit", "hello"]);
    folder.succeed(&submit);
    assert_eq!(service.stop(), 0);
}

#[test]
fn with_json_every_line_is_a_record() {
    let folder = Folder::new();
    // It asks for the Hive without a processor for it, which is warned of.
    folder.write(".env", "ENABLE_HIVE=true\n");
    let service = folder.start(&["serve", "--port", "0", "--log-format", "json"]);
    let mut lines = service.err.until("\"listening\"");
    let second = folder.run(&["serve", "--port", "0", "--log-format", "json"]);
    assert_eq!(second.code, 1);
    lines.extend(second.err.lines().map(str::to_owned));
    service.signal(Signal::TERM);
    lines.extend(service.err.rest());
    assert_eq!(service.code(), 0);

    let records = lines.iter().map(|line| serde_json::from_str::<Value>(line));
    let records: Vec<_> = records.collect::<Result<_, _>>().expect("JSON only");
    let said = |level: &str, words: &str| {
        records.iter().any(|record| {
            record["level"] == level && record["message"].as_str().unwrap().contains(words)
        })
    };
    assert!(said("WARN", "Hive"), "{lines:#?}");
    assert!(said("INFO", "listening"), "{lines:#?}");
    assert!(
        said("ERROR", "in use by another venom process"),
        "{lines:#?}"
    );
}

#[test]
fn a_taken_port_and_a_taken_database_are_one_sentence_each() {
    let folder = Folder::new();
    let _service = folder.serve();
    let url = folder.url();
    let (_, port) = url.rsplit_once(':').unwrap();

    let done = folder.run(&["serve", "--port", port, "--database", "other.db"]);
    assert_eq!((done.code, done.err.lines().count()), (1, 1), "{done:?}");
    let sentence = format!("error: cannot listen on 127.0.0.1:{port}: Address already in use");
    assert!(done.err.starts_with(&sentence), "{done:?}");

    let done = folder.run(&["serve", "--port", "0"]);
    assert_eq!((done.code, done.err.lines().count()), (1, 1), "{done:?}");
    assert!(
        done.err.contains("in use by another venom process"),
        "{done:?}"
    );
}

#[test]
fn a_clean_stop_takes_the_address_back() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = Folder::new();
        let service = folder.serve();
        service.signal(signal);
        assert!(
            service
                .err
                .rest()
                .iter()
                .any(|line| line.contains("Shutting down"))
        );
        assert_eq!(service.code(), 0);
        assert_eq!(folder.url(), "");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = Folder::new();
    let service = folder.serve();
    let id = folder.succeed(&["submit", "--wait", "--json", "hello"]);
    // A request that never ends holds up the stop for seconds.
    let address = folder.url().replace("http://", "");
    let mut slow = TcpStream::connect(address).unwrap();
    slow.write_all(b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        .unwrap();
    folder.succeed(&["status"]);

    service.signal(Signal::TERM);
    service.err.until("exit immediately");
    let asked = Instant::now();
    service.signal(Signal::TERM);
    service
        .err
        .until("interrupted tasks run again after the next start");
    assert_eq!(service.code(), 1);
    assert!(asked.elapsed() < Duration::from_secs(3));

    let _service = folder.serve();
    let id: Value = serde_json::from_str(&id).unwrap();
    assert!(
        folder
            .succeed(&["export"])
            .contains(id["id"].as_str().unwrap())
    );
}

#[test]
fn a_service_whose_stderr_is_closed_goes_on() {
    let folder = Folder::new();
    let mut command = folder.command(&["serve", "--port", "0"]);
    let mut service = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(service.stderr.take());
    let deadline = Instant::now() + Duration::from_secs(30);
    while folder.run(&["status"]).code != 0 {
        assert!(Instant::now() < deadline, "it does not start");
    }
    assert_eq!(
        folder.succeed(&["submit", "--wait", "hello"]),
        "Processed: hello"
    );
    let pid = rustix::process::Pid::from_child(&service);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(wait(&mut service), 0);
}

#[test]
fn a_command_that_asks_too_often_waits_until_it_may_again() {
    let folder = Folder::new();
    folder.write("venom.toml", "rate_limit = \"1/d\"\n");
    let service = folder.serve();
    // The submission is the one request of the day.
    let submit = folder.start(&["submit", "--wait", "hello"]);
    submit.err.until("More than 1/d requests.");
    let refused = folder.run(&["status"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("Try again in 86"), "{refused:?}");
    folder.write("venom.toml", "rate_limit = \"off\"\n");
    service.signal(Signal::HUP);
    submit.out.until("Processed: hello");
    assert_eq!(submit.code(), 0);
}
