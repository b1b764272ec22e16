//! `?since=`: the past, then the present, with nothing left out and nothing twice.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;

use support::{Listener, Service};

async fn ids_until(listener: &mut Listener, last: i64) -> Vec<i64> {
    let mut ids = Vec::new();
    while ids.last() != Some(&last) {
        ids.push(listener.next_event().await["id"].as_i64().unwrap());
    }
    ids
}

#[tokio::test]
async fn a_replayed_frame_is_the_live_frame_to_the_byte() {
    let service = Service::with_gates().await;
    let mut live = service.listen("").await;
    let id = service
        .submit_to_gate("\u{0}\"ż\" </script> \u{2028}")
        .await;
    service.say(&id, "a line \"with\" \\ things").await;
    service.say(&id, "::progress 0.25").await;
    service.say(&id, "fail on purpose").await;
    service.finished(&id).await;
    let aborted = service.submit_to_gate("aborted").await;
    service.abort(&aborted).await.expect(200);
    service.pause().await;
    service.submit("purged").await;
    service.purge().await;
    service.emergency_stop().await;
    service.resume().await;

    let mut frames = Vec::new();
    while !frames
        .last()
        .is_some_and(|frame: &String| frame.contains("QUEUE_RESUMED"))
    {
        frames.push(live.next_frame().await.unwrap());
    }
    let mut replayed = service.listen("?since=0").await;
    for frame in &frames {
        assert_eq!(replayed.next_frame().await.unwrap(), *frame);
    }
    // After a restart the journal is all there is.
    let service = service.ends_well().await.start().await;
    let mut replayed = service.listen("?since=0").await;
    for frame in &frames {
        assert_eq!(replayed.next_frame().await.unwrap(), *frame);
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_replay_among_submissions_has_no_gap_and_no_repeat() {
    const TASKS: usize = 400;
    let service = Arc::new(Service::start().await);
    let submitters = (0..4).map(|_| {
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            for n in 0..TASKS / 4 {
                service.submit(&n.to_string()).await;
            }
        })
    });
    let submitters: Vec<_> = submitters.collect();
    // Listeners come as the journal grows, each at another place of it.
    let last = 3 * TASKS as i64;
    let listeners = (0..12).map(|n| {
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            support::eventually("the journal grows", || async {
                let head = service.database().await;
                let mut head = head;
                let head = head.number("SELECT coalesce(max(id), 0) FROM logs").await;
                (head >= n * last / 16).then_some(())
            })
            .await;
            let since = n % 3 * 100;
            let (mut listener, welcome) = service.connect(&format!("?since={since}")).await;
            let since = since.min(welcome["id"].as_i64().unwrap());
            (since, ids_until(&mut listener, last).await)
        })
    });
    let listeners: Vec<_> = listeners.collect();
    for submitter in submitters {
        submitter.await.unwrap();
    }
    for listened in join_all(listeners).await {
        let (since, ids) = listened.unwrap();
        assert!(
            ids.iter().copied().eq(since + 1..=last),
            "since {since}: {ids:?}"
        );
    }
    let service = Arc::into_inner(service).expect("nobody else has it");
    service.ends_well().await;
}

#[tokio::test]
async fn a_since_outside_of_the_journal_is_its_nearest_end() {
    let service = Service::start().await;
    let first = service.submit("first").await;
    service.finished(&first).await;
    let (mut future, welcome) = service.connect("?since=999999999").await;
    assert_eq!(welcome["id"], 3);
    let mut past = service.listen("?since=-5").await;
    assert_eq!(past.next_event().await["id"], 1);
    let second = service.submit("second").await;
    let events = future.until("TASK_COMPLETED", &second).await;
    assert_eq!(events[0]["id"], 4);
    service.ends_well().await;
}

#[tokio::test]
async fn a_filtered_replay_is_the_filtered_journal() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    // More than is read from the journal at a time.
    for n in 0..150 {
        ids.push(service.submit(&n.to_string()).await);
    }
    service.drained().await;
    let all = service.replay().await;
    let of = |kind: &str| -> Vec<Value> {
        all.iter()
            .filter(|event| event["type"] == kind)
            .cloned()
            .collect()
    };
    let mut listener = service.listen("?since=0&types=TASK_COMPLETED").await;
    for expected in of("TASK_COMPLETED") {
        assert_eq!(listener.next_event().await, expected);
    }
    let task = &ids[140];
    let mut listener = service.listen(&format!("?since=0&task_id={task}")).await;
    for expected in all
        .iter()
        .filter(|event| event["data"]["task_id"] == **task)
    {
        assert_eq!(listener.next_event().await, *expected);
    }
    service.ends_well().await;
}
