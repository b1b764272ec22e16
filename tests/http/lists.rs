//! Lists by filter: each filter, pages without repeats or gaps, what is refused.

use serde_json::json;

use support::{Answer, Service, Setup};

/// The contents of the tasks of a list, in its order.
async fn contents(service: &Service, query: &str) -> Vec<String> {
    let tasks = service
        .get(&format!("/api/v1/tasks?{query}"))
        .await
        .expect(200);
    let tasks = tasks.as_array().expect("a list").iter();
    tasks
        .map(|task| task["content"].as_str().expect("a text").to_owned())
        .collect()
}

/// Where the next page is, if there is one.
fn next(page: &Answer) -> Option<String> {
    let link = page.headers.get("link")?.to_str().expect("ASCII");
    let (path, rel) = link
        .strip_prefix('<')
        .expect("a link")
        .split_once('>')
        .expect("its end");
    assert_eq!(rel, "; rel=\"next\"");
    Some(path.to_owned())
}

/// The contents on a page, and where the next one is.
async fn page(service: &Service, path: &str) -> (Vec<String>, Option<String>) {
    let page = service.get(path).await;
    let tasks = page.expect(200);
    let tasks = tasks.as_array().expect("a list").iter();
    let contents = tasks.map(|task| task["content"].as_str().expect("a text").to_owned());
    (contents.collect(), next(&page))
}

/// A service with tasks of every kind: `done`, `failed` and `aborted` are final, `running` runs, and
/// `waiting` waits for its time.
async fn with_all_kinds() -> Service {
    let service = Service::with_gates().await;
    let done = json!({"content": "done", "tags": ["a", "b"], "session_id": "s1"});
    let done = service.submit_json(&done).await;
    service.finished(&done).await;
    let failed =
        json!({"content": "failed", "processor": "gate", "session_id": "s1", "tags": ["b"]});
    let failed = service.submit_json(&failed).await;
    service.say(&failed, "fail for a reason").await;
    service.finished(&failed).await;
    let aborted = service.submit_to_gate("aborted").await;
    service.abort(&aborted).await.expect(200);
    service.submit_to_gate("running").await;
    let waiting = json!({"content": "waiting", "delay": 3600, "session_id": "s2", "tags": ["c"]});
    service.submit_json(&waiting).await;
    service
}

#[tokio::test]
async fn each_filter_and_their_combinations() {
    let service = with_all_kinds().await;
    for (query, expected) in [
        (
            "order=desc",
            vec!["waiting", "running", "aborted", "failed", "done"],
        ),
        (
            "order=asc",
            vec!["done", "failed", "aborted", "running", "waiting"],
        ),
        ("limit=2", vec!["waiting", "running"]),
        ("limit=2&order=asc", vec!["done", "failed"]),
        ("status=PENDING", vec!["waiting"]),
        ("status=PROCESSING", vec!["running"]),
        ("status=COMPLETED", vec!["done"]),
        ("status=FAILED", vec!["aborted", "failed"]),
        ("status=FAILED&order=asc", vec!["failed", "aborted"]),
        ("failure=error", vec!["failed"]),
        ("failure=aborted", vec!["aborted"]),
        ("failure=timeout", vec![]),
        ("failure=error&status=COMPLETED", vec![]),
        ("processor=gate", vec!["running", "aborted", "failed"]),
        ("processor=echo", vec!["waiting", "done"]),
        ("processor=none", vec![]),
        (
            "processor=gate&status=PROCESSING&order=asc",
            vec!["running"],
        ),
        ("tag=b", vec!["failed", "done"]),
        ("tag=b&status=FAILED", vec!["failed"]),
        ("tag=b&status=PENDING&order=asc", vec![]),
        ("tag=a&processor=echo", vec!["done"]),
        ("session_id=s1", vec!["failed", "done"]),
        ("session_id=s1&order=asc", vec!["done", "failed"]),
        ("session_id=s2&status=PENDING", vec!["waiting"]),
        ("session_id=s1&status=FAILED", vec!["failed"]),
        ("q=done", vec!["done"]),
        ("q=reason", vec!["failed"]),
        ("q=reason&session_id=s2", vec![]),
        (
            "q=done&session_id=s1&status=COMPLETED&order=asc&tag=a",
            vec!["done"],
        ),
    ] {
        assert_eq!(contents(&service, query).await, expected, "{query}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_span_of_time_begins_with_since_and_ends_before_until() {
    let service = Service::start().await;
    let mut database = service.database().await;
    for day in 1..=4 {
        let time = format!("2026-01-0{day}T12:00:00.000000Z");
        let insert =
            format!("INSERT INTO tasks (content, created_at) VALUES ('day {day}', '{time}')");
        database.run(&insert).await.expect("a row");
    }
    service.drained().await;
    for (query, expected) in [
        ("since=2026-01-03T12:00:00Z", vec!["day 4", "day 3"]),
        (
            "until=2026-01-03T12:00:00Z&order=asc",
            vec!["day 1", "day 2"],
        ),
        (
            "since=2026-01-02T12:00:00Z&until=2026-01-03T12:00:00.000001Z",
            vec!["day 3", "day 2"],
        ),
        ("since=2026-01-04T13:00:00%2B01:00", vec!["day 4"]),
        ("since=2026-01-04T13:00:00+01:00", vec!["day 4"]),
        ("since=2026-01-04T13:00:00", vec![]),
        (
            "since=2026-01-03T00:00:00Z&until=2026-01-02T00:00:00Z",
            vec![],
        ),
    ] {
        assert_eq!(contents(&service, query).await, expected, "{query}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn pages_follow_each_other_without_repeats_or_gaps_while_tasks_arrive() {
    let service = Service::start().await;
    service.pause().await;
    for number in 0..45 {
        let status = json!({"content": format!("task {number}"), "session_id": "s", "tags": ["t"]});
        service.submit_json(&status).await;
    }
    for filter in ["", "&status=PENDING", "&session_id=s", "&tag=t", "&q=task"] {
        for (order, is_newest_first) in [("desc", true), ("asc", false)] {
            let mut path = Some(format!("/api/v1/tasks?limit=10&order={order}{filter}"));
            let mut seen = Vec::new();
            while let Some(here) = path {
                let (found, next) = page(&service, &here).await;
                assert!(found.len() <= 10, "{here}");
                seen.extend(found);
                path = next;
                if seen.len() <= 30 {
                    let late = json!({"content": "late task", "session_id": "s", "tags": ["t"]});
                    service.submit_json(&late).await;
                }
            }
            let of_the_45: Vec<_> = seen
                .iter()
                .filter(|text| !text.starts_with("late"))
                .collect();
            let mut expected: Vec<_> = (0..45).map(|number| format!("task {number}")).collect();
            if is_newest_first {
                expected.reverse();
            }
            assert_eq!(
                of_the_45,
                expected.iter().collect::<Vec<_>>(),
                "{order}{filter}"
            );
        }
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_link_keeps_the_filters_and_the_last_page_has_none() {
    let service = Service::start().await;
    for number in 0..4 {
        let body = json!({"content": number.to_string(), "session_id": "ä & <b>; \"c\""});
        service.submit_json(&body).await;
    }
    service.submit("of no session").await;
    let session = "session_id=%C3%A4+%26+%3Cb%3E%3B+%22c%22";
    let (found, next) = page(&service, &format!("/api/v1/tasks?limit=2&{session}")).await;
    assert_eq!(found, ["3", "2"]);
    let next = next.expect("more");
    assert!(next.contains(session) && next.contains("limit=2"), "{next}");
    // Exactly as many as fit: no further page is promised.
    let (found, next) = page(&service, &next).await;
    assert_eq!((found.len(), next), (2, None));
    service.ends_well().await;
}

#[tokio::test]
async fn a_page_without_a_limit_has_a_hundred_and_a_large_one_is_cut() {
    let service = Setup::new()
        .setting("body_limit_bytes", 64 << 20)
        .start()
        .await;
    service.pause().await;
    let tasks: Vec<_> = (0..101)
        .map(|n| json!({"content": format!("{n}")}))
        .collect();
    service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": tasks}))
        .await
        .expect(201);
    let (found, next) = page(&service, "/api/v1/tasks?status=PENDING").await;
    assert_eq!((found.len(), next.is_some()), (100, true));
    assert_eq!(contents(&service, "limit=1000").await.len(), 101);

    let large: Vec<_> = (0..8)
        .map(|_| json!({"content": "x".repeat(1 << 20)}))
        .collect();
    service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": large}))
        .await
        .expect(201);
    let mut path = Some("/api/v1/tasks?limit=1000".to_owned());
    let (mut pages, mut tasks) = (0, 0);
    while let Some(here) = path {
        let (found, next) = page(&service, &here).await;
        let bytes: usize = found.iter().map(String::len).sum();
        assert!(bytes <= 4 << 20, "{bytes}");
        (pages, tasks, path) = (pages + 1, tasks + found.len(), next);
    }
    assert!(pages >= 2, "{pages}");
    assert_eq!(tasks, 109);
    service.ends_well().await;
}

#[tokio::test]
async fn the_total_is_told_where_it_is_cheap() {
    let service = with_all_kinds().await;
    for (query, total) in [
        ("", Some("5")),
        ("limit=1", Some("5")),
        ("order=asc", Some("5")),
        ("status=PENDING", Some("1")),
        ("status=PROCESSING", Some("1")),
        ("status=COMPLETED", Some("1")),
        ("status=FAILED&limit=1", Some("2")),
        ("processor=echo", None),
        ("status=FAILED&failure=error", None),
        ("q=done", None),
    ] {
        let answer = service.get(&format!("/api/v1/tasks?{query}")).await;
        answer.expect(200);
        let found = answer
            .headers
            .get("x-total-count")
            .map(|text| text.to_str().expect("ASCII"));
        assert_eq!(found, total, "{query}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn without_a_parameter_it_is_every_task() {
    let service = Service::start().await;
    service.pause().await;
    let tasks: Vec<_> = (0..150)
        .map(|n| json!({"content": format!("{n}")}))
        .collect();
    service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": tasks}))
        .await
        .expect(201);
    let all = service.get("/api/v1/tasks").await;
    assert_eq!(all.expect(200).as_array().map(Vec::len), Some(150));
    assert!(all.headers.get("link").is_none());
    service.ends_well().await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let service = Service::start().await;
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("cursor=abc", "cursor"),
        ("cursor=0", "cursor"),
        ("cursor=-5", "cursor"),
        ("cursor=99999999999999999999", "cursor"),
        ("status=DONE", "status"),
        ("status=pending", "status"),
        ("failure=bad", "failure"),
        ("order=up", "order"),
        ("since=yesterday", "since"),
        ("until=2026-13-01T00:00:00Z", "until"),
        ("q=", "q"),
        ("q=%20", "q"),
        ("colour=red", "colour"),
        ("status=FAILED&status=FAILED", "status"),
        ("dry_run=true", "dry_run"),
    ] {
        let problem = service
            .get(&format!("/api/v1/tasks?{query}"))
            .await
            .problem();
        assert_eq!(problem["loc"], json!(["query", name]), "{query}: {problem}");
    }
    let both = service.get("/api/v1/tasks?a=1&b=2").await.expect(422);
    assert_eq!(both["detail"].as_array().map(Vec::len), Some(2));
    service.ends_well().await;
}

#[tokio::test]
async fn logs_are_left_out_where_they_are_not_wanted() {
    let service = with_all_kinds().await;
    let whole = service.get("/api/v1/tasks?limit=3").await;
    let page = service.get("/api/v1/tasks?limit=3&logs=false").await;
    let (whole, brief) = (whole.expect(200), page.expect(200));
    for (whole, brief) in whole
        .as_array()
        .unwrap()
        .iter()
        .zip(brief.as_array().unwrap())
    {
        assert!(!whole["logs"].as_array().unwrap().is_empty());
        let mut expected = whole.clone();
        expected["logs"] = json!([]);
        assert_eq!(brief, &expected);
        let path = format!("/api/v1/tasks/{}", whole["id"].as_str().unwrap());
        let one = service.get(&format!("{path}?logs=false")).await.expect(200);
        assert_eq!(one, expected);
        let one = service.get(&format!("{path}?logs=true")).await.expect(200);
        assert_eq!(&one, whole);
    }
    let next = next(&page).expect("a next page");
    assert!(next.contains("logs=false"), "{next}");
    service.get("/api/v1/tasks?logs=no").await.problem();
    service.ends_well().await;
}
