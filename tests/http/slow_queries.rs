//! Searches and lists that cost much: nobody else waits for them, and they end with whoever asked.

use std::fs;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use support::{JOURNAL, Service, Setup, Stopped};

/// Tags of a task that takes long to be looked through.
const TAGS: usize = 2_000_000;
/// Tasks with long logs, of five lines each.
const LONG_LOGS: usize = 40;
const LINE_BYTES: usize = 1_000_000;
/// What the service may take more than before while somebody reads all of them.
const LIST_GROWTH_KIB: u64 = 96 * 1024;

/// A service's folder with finished tasks: `rows` of them, with `tags` (SQL).
async fn seeded(rows: usize, tags: &str) -> Stopped {
    let setup = Setup::new().setting("state_dump", false);
    let stopped = setup.start().await.stop().await;
    let seed = format!(
        "PRAGMA synchronous = OFF;
         BEGIN;
         INSERT INTO tasks (content, status, processor, attempt, max_attempts, started_at, finished_at,
                            result, tags, source)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         SELECT 'task ' || i, 'COMPLETED', 'echo', 1, 1, '2026-01-01T00:00:00.000000Z',
                '2026-01-01T00:00:01.000000Z', 'Processed: task ' || i, {tags}, 'api' FROM n;
         {JOURNAL};
         COMMIT"
    );
    stopped.database().await.run(&seed).await.expect("rows");
    stopped
}

#[tokio::test]
async fn heavy_searches_keep_nobody_waiting_and_end_with_those_who_asked() {
    let tags = format!("'[' || replace(hex(zeroblob({TAGS})), '00', '\"\",') || '\"\"]'");
    let service = seeded(30, &tags).await.start().await;
    let id = service.submit("beside searches").await;
    service.finished(&id).await;
    let mut searches: FuturesUnordered<_> = (0..8)
        .map(|_| service.get("/api/v1/tasks?tag=nowhere"))
        .collect();
    let found = async {
        while let Some(answer) = searches.next().await {
            if answer.status == 200 {
                return;
            }
            assert_eq!(answer.headers["retry-after"], "1");
            answer.sentence(503);
        }
        std::future::pending::<()>().await;
    };
    let reads = async {
        for _ in 0..30 {
            service.task(&id).await;
        }
    };
    tokio::select! {
        () = reads => {}
        () = found => panic!("reads waited for a search"),
    }
    // Those who asked go away.
    drop(searches);
    let quick = service.get("/api/v1/tasks?session_id=nowhere").await;
    assert_eq!(quick.expect(200), json!([]));
    service.ends_well().await;
}

#[tokio::test]
async fn a_search_has_so_many_words_at_most() {
    let service = Service::start().await;
    let id = service.submit("word").await;
    for (words, typed) in [(32, "word* "), (32, "word.")] {
        let query = serde_urlencoded::to_string([("q", typed.repeat(words))]).expect("a query");
        let found = service.get(&format!("/api/v1/tasks?{query}")).await;
        let found = found.expect(200);
        if typed.contains('*') {
            assert_eq!(found[0]["id"], *id);
        }
        let query = serde_urlencoded::to_string([("q", typed.repeat(words + 1))]).expect("a query");
        let refused = service.get(&format!("/api/v1/tasks?{query}")).await;
        assert_eq!(refused.problem()["loc"], json!(["query", "q"]), "{typed}");
    }
    service.drained().await;
    service.ends_well().await;
}

/// The most memory that the service ever had, in KiB.
fn peak_kib(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.expect("a peak").split_whitespace().nth(1);
    words.expect("a number").parse().expect("a number")
}

#[tokio::test]
async fn long_logs_are_listed_in_bounded_memory() {
    let stopped = seeded(LONG_LOGS, "'[]'").await;
    let lines = format!(
        "DELETE FROM logs WHERE type = 'TASK_COMPLETED';
         INSERT INTO logs (task_id, type, message)
         SELECT id, 'TASK_LOG', hex(zeroblob({LINE_BYTES} / 2))
           FROM tasks, (VALUES (1), (2), (3), (4), (5));
         INSERT INTO logs (task_id, type, message)
         SELECT id, 'TASK_COMPLETED', 'Processing completed' FROM tasks"
    );
    stopped.database().await.run(&lines).await.expect("lines");
    let service = stopped.start().await;
    let before = peak_kib(&service);

    let answer = service.get("/api/v1/tasks?limit=1000&order=asc").await;
    let next = answer.headers.contains_key("link");
    let page = answer.expect(200);
    let page = page.as_array().map(Vec::len);
    assert_eq!((page, next), (Some(1), true));

    let request = reqwest::Client::new().get(service.url("/api/v1/tasks"));
    let answer = request.send().await.expect("an answer");
    let mut chunks = answer.bytes_stream();
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await {
        bytes += chunk.expect("the whole answer").len();
    }
    assert!(bytes > LONG_LOGS * 5 * LINE_BYTES, "{bytes}");
    let grown = peak_kib(&service) - before;
    assert!(grown < LIST_GROWTH_KIB, "the service grew by {grown} KiB");
    service.ends_well().await;
}

#[tokio::test]
async fn a_bulk_call_reaches_the_last_of_very_many_rows() {
    let stopped = seeded(5, "iif(i IN (2, 4), '[\"rare\"]', '[]')").await;
    // Row numbers as if there were very many.
    let apart = "UPDATE tasks SET seq = seq * 1000000";
    stopped.database().await.run(apart).await.expect("rows");
    let service = stopped.start().await;
    let path = "/api/v1/tasks?tag=rare";
    let count = |answer: Value| (answer["matched"].clone(), answer["changed"].clone());
    let request = service.request(reqwest::Method::DELETE, &format!("{path}&dry_run=true"));
    let counted = support::Answer::of(request).await.expect(200);
    assert_eq!(count(counted), (json!(2), json!(0)));
    let request = service.request(reqwest::Method::DELETE, path);
    let deleted = support::Answer::of(request).await.expect(200);
    assert_eq!(count(deleted), (json!(2), json!(2)));
    service.ends_well().await;
}
