//! The emergency stop: nothing runs, nothing waits, nothing starts.

use serde_json::json;

use support::Service;

#[tokio::test]
async fn an_emergency_stop_ends_what_runs_purges_what_waits_and_pauses() {
    let service = Service::with_gates().await;
    let done = service.submit("done").await;
    service.finished(&done).await;
    let mut running = Vec::new();
    for n in 0..5 {
        running.push(service.submit_to_gate(&format!("runs {n}")).await);
    }
    let mut waiting = Vec::new();
    for n in 0..7 {
        waiting.push(service.submit(&format!("waits {n}")).await);
    }
    let mut stopped = service.emergency_stop().await;
    stopped
        .as_object_mut()
        .unwrap()
        .shift_remove("message")
        .expect("a message");
    let expected = json!({"success": true, "cancelled": 5, "purged": 7, "paused": true});
    assert_eq!(stopped, expected);

    for (ids, failure) in [(&running, "emergency_stop"), (&waiting, "purged")] {
        for id in ids {
            let task = service.task(id).await;
            assert_eq!(task["status"], "FAILED");
            assert_eq!(task["failure"], failure);
        }
    }
    assert_eq!(service.task(&done).await["status"], "COMPLETED");
    let status = service.queue_status().await;
    let expected = json!({"paused": true, "pending": 0, "active": 0, "processing": 0, "limit": 5});
    assert_eq!(status, expected);
    service.ends_well().await;
}

#[tokio::test]
async fn after_an_emergency_stop_nothing_starts_until_it_is_resumed() {
    let service = Service::start().await;
    let stopped = service.emergency_stop().await;
    assert_eq!(
        (&stopped["cancelled"], &stopped["purged"]),
        (&json!(0), &json!(0))
    );
    let waiting = service.submit("waits").await;
    let service = service.ends_well().await.start().await;
    assert_eq!(service.queue_status().await["paused"], true);
    assert_eq!(service.task(&waiting).await["status"], "PENDING");
    service.resume().await;
    assert_eq!(service.finished(&waiting).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn an_emergency_stop_among_submissions_misses_nothing_that_was_there() {
    let service = Service::with_gates().await;
    for round in 0..5 {
        let mut before = Vec::new();
        for n in 0..8 {
            before.push(
                service
                    .submit_to("gate", &format!("before {round}.{n}"))
                    .await,
            );
        }
        let submissions = async {
            let mut during = Vec::new();
            for n in 0..20 {
                during.push(
                    service
                        .submit_to("gate", &format!("during {round}.{n}"))
                        .await,
                );
            }
            during
        };
        let (during, stopped) = tokio::join!(submissions, service.emergency_stop());

        let mut failed = (0, 0);
        let mut count = |failure: &str| match failure {
            "emergency_stop" => failed.0 += 1,
            "purged" => failed.1 += 1,
            other => panic!("failed as {other}"),
        };
        for id in &before {
            let task = service.task(id).await;
            assert_eq!(task["status"], "FAILED");
            count(task["failure"].as_str().unwrap());
        }
        let mut pending = 0;
        for id in &during {
            let task = service.task(id).await;
            match task["status"].as_str().unwrap() {
                "PENDING" => pending += 1,
                "FAILED" => count(task["failure"].as_str().unwrap()),
                other => panic!("{other} after an emergency stop"),
            }
        }
        assert_eq!(
            json!([failed.0, failed.1]),
            json!([stopped["cancelled"], stopped["purged"]])
        );
        let status = service.queue_status().await;
        assert_eq!(status["pending"], pending);
        assert_eq!(
            (&status["active"], &status["paused"]),
            (&json!(0), &json!(true))
        );
        service.purge().await;
        service.resume().await;
    }
    service.ends_well().await;
}

#[tokio::test]
async fn two_emergency_stops_at_once_count_each_task_once() {
    let service = Service::with_gates().await;
    for n in 0..5 {
        service.submit_to_gate(&format!("runs {n}")).await;
    }
    for n in 0..30 {
        service.submit(&format!("waits {n}")).await;
    }
    let (one, two) = tokio::join!(service.emergency_stop(), service.emergency_stop());
    let sum = |name: &str| one[name].as_u64().unwrap() + two[name].as_u64().unwrap();
    assert_eq!(sum("purged"), 30);
    assert!((5..=10).contains(&sum("cancelled")), "{one} {two}");
    service.ends_well().await;
}
