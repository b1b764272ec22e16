//! Two hundred thousand finished tasks: listed in bounded memory and in no one's way; a large dump out
//! and in again.

use std::collections::HashSet;
use std::fs;
use std::time::Instant;

use futures_util::StreamExt;

use support::{JOURNAL, Service, Setup, Stopped};

const TASKS: usize = 200_000;
/// Fewer, but larger: what a debug build takes in and out again in a few seconds.
const DUMPED_TASKS: usize = 6_000;
const DUMPED_BYTES: usize = 8_000;
/// What the service may take more than before while somebody reads all of it.
const LIST_GROWTH_KIB: u64 = 96 * 1024;
const EXPORT_GROWTH_KIB: u64 = 40 * 1024;

/// A service's folder with many finished tasks and some that wait in vain, of a processor that is
/// not due.
async fn seeded(tasks: usize, content_bytes: usize) -> Stopped {
    // A debug build would need long for the dump at each stop.
    let setup = Setup::new().setting("state_dump", false);
    let stopped = setup.start().await.stop().await;
    let mut database = stopped.database().await;
    let seed = format!(
        "PRAGMA synchronous = OFF;
         BEGIN;
         INSERT INTO tasks (id, content, status, processor, attempt, started_at, finished_at, result, source)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {tasks})
         SELECT printf('00000000-0000-4000-8000-%012d', i), 'task ' || i || ' ' || hex(zeroblob({content_bytes} / 2)),
                'COMPLETED', 'echo', 1, '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:01.000000Z',
                'Processed: task ' || i, 'api' FROM n;
         {JOURNAL};
         COMMIT"
    );
    database.run(&seed).await.expect("rows");
    stopped
}

/// The most memory that the service ever had, in KiB.
fn peak_kib(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.expect("a peak").split_whitespace().nth(1);
    words.expect("a number").parse().expect("a number")
}

/// Reads an answer slowly at first, so that the service has to wait for the client, then to its end.
async fn read_slowly(service: &Service, path: &str) -> Vec<u8> {
    // A connection of its own: idle ones are closed, perhaps just when they are to be used again.
    let request = reqwest::Client::new().get(service.url(path));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let mut chunks = answer.bytes_stream();
    let mut body = chunks
        .next()
        .await
        .expect("a start")
        .expect("bytes")
        .to_vec();
    // Meanwhile others are served: the reader holds nothing that they need.
    for _ in 0..20 {
        let id = service.submit("beside a slow reader").await;
        service.finished(&id).await;
        body.extend(chunks.next().await.expect("more").expect("bytes"));
    }
    while let Some(chunk) = chunks.next().await {
        body.extend(chunk.expect("the whole answer"));
    }
    body
}

/// The ids in a list of tasks, of which each begins with its own. Reading all of it as JSON would
/// take most of the test's time.
fn ids(tasks: &[u8]) -> HashSet<&str> {
    let text = std::str::from_utf8(tasks).expect("UTF-8");
    let found: Vec<_> = text
        .split("{\"id\":\"")
        .skip(1)
        .map(|task| &task[..36])
        .collect();
    let ids: HashSet<_> = found.iter().copied().collect();
    assert_eq!(ids.len(), found.len(), "an id comes twice");
    ids
}

#[tokio::test]
async fn many_tasks_are_listed_in_bounded_memory_and_are_in_no_ones_way() {
    let stopped = seeded(TASKS, 100).await;
    let start = Instant::now();
    let service = stopped.start().await;
    let lap = |what| eprintln!("{what} after {:?}", start.elapsed());
    lap("first answer");

    let before = peak_kib(&service);
    let list = read_slowly(&service, "/api/v1/tasks").await;
    let listed = ids(&list);
    assert!(listed.len() >= TASKS);
    assert!(list.starts_with(b"[{") && list.ends_with(b"}]"));
    assert_growth(&service, before, LIST_GROWTH_KIB);
    lap("listed");
    service.ends_well().await;
}

#[tokio::test]
async fn a_large_dump_goes_out_and_in_again_in_bounded_memory() {
    let service = seeded(DUMPED_TASKS, DUMPED_BYTES).await.start().await;
    let before = peak_kib(&service);
    let dump = read_slowly(&service, "/api/v1/export").await;
    assert_growth(&service, before, EXPORT_GROWTH_KIB);
    let exported = ids(&dump);
    // What arrived meanwhile is not in it.
    assert_eq!(exported.len(), DUMPED_TASKS);
    service.ends_well().await;

    let fresh = Setup::new().setting("state_dump", false).start().await;
    let before = peak_kib(&fresh);
    let report = fresh
        .post_text("/api/v1/import", dump.clone())
        .await
        .expect(200);
    // Reported, not asserted: a dump that is larger than what an import takes at once would keep a
    // debug build busy for minutes.
    eprintln!(
        "an import of {} KiB took {} KiB",
        dump.len() / 1024,
        peak_kib(&fresh) - before
    );
    let rows = fresh.database().await.texts("SELECT id FROM tasks").await;
    assert_eq!(rows.len(), exported.len(), "{report}");
    assert!(rows.iter().all(|id| exported.contains(id.as_str())));
    fresh.ends_well().await;
}

#[track_caller]
fn assert_growth(service: &Service, before: u64, limit: u64) {
    let grown = peak_kib(service) - before;
    assert!(grown < limit, "the service grew by {grown} KiB");
}
