//! `kill -9` of the service under load: nothing acknowledged is lost, nothing is told that is not
//! kept, and what was interrupted runs again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::ledger::{Ledger, check_attempts, check_events};
use support::{Service, eventually};

const ROUNDS: usize = 5;
/// Acknowledgements before each crash.
const TASKS_A_ROUND: usize = 120;
const CLIENTS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_it_loses_nothing() {
    let ledger = Ledger::default();
    let mut service = Service::with_gates().await;
    let mut interrupted: Option<String> = None;
    for round in 1..=ROUNDS {
        if let Some(id) = interrupted.take() {
            service.say_again(&id, 2, "open").await;
            assert_eq!(service.finished(&id).await["attempt"], 2);
        }
        let listener = service.listen("").await;
        let count = Arc::<AtomicUsize>::default();
        let listening = tokio::spawn(listener.counted_until_closed(Arc::clone(&count)));
        let gate = service.submit_to_gate("interrupted").await;
        let mut load = ledger.load(&service, CLIENTS);
        load.reaches(round * TASKS_A_ROUND).await;
        eventually("the listener hears the load", || async {
            (count.load(Ordering::Relaxed) > TASKS_A_ROUND).then_some(())
        })
        .await;
        // Paused, the state right after the restart stays as it is; else everything is in motion.
        let paused = round % 2 == 0;
        if paused {
            service.pause().await;
        }
        let killed = service.kill9().await;
        load.ends().await;
        let heard = listening.await.expect("no panic");

        service = killed.start().await;
        let mut database = service.database().await;
        if paused {
            assert_eq!(service.queue_status().await["paused"], true);
            let running = "SELECT count(*) FROM tasks WHERE status = 'PROCESSING'";
            assert_eq!(
                database.number(running).await,
                0,
                "running after the restart"
            );
            let task = service.task(&gate).await;
            assert_eq!(
                (&task["status"], &task["attempt"]),
                (&"PENDING".into(), &1.into())
            );
            service.resume().await;
        }
        ledger.check(&mut database).await;
        check_events(&mut database, &heard).await;
        interrupted = Some(gate);
    }
    let id = interrupted.expect("the last round's");
    service.say_again(&id, 2, "open").await;
    service.drained().await;
    let mut database = service.database().await;
    // Tasks whose 201 did not arrive are kept too.
    let others = "SELECT id FROM tasks WHERE status <> 'COMPLETED'";
    assert_eq!(database.texts(others).await, [""; 0]);
    ledger.check(&mut database).await;
    check_attempts(&mut database).await;
    service.ends_well().await;
}

/// The journal goes on behind what listeners know: `since` leaves no gap over a crash.
#[tokio::test]
async fn a_listener_goes_on_after_a_crash_where_it_was() {
    let service = Service::with_gates().await;
    let mut listener = service.listen("").await;
    let gate = service.submit_to_gate("interrupted").await;
    let heard = listener.until("TASK_STARTED", &gate).await;
    let last = heard.last().expect("one event")["id"]
        .as_i64()
        .expect("an id");
    let service = service.kill9().await.start().await;
    let mut listener = service.listen(&format!("?since={last}")).await;
    service.say_again(&gate, 2, "open").await;
    let events = listener.until("TASK_COMPLETED", &gate).await;
    let ids: Vec<_> = events
        .iter()
        .map(|event| event["id"].as_i64().expect("an id"))
        .collect();
    let expected: Vec<_> = (last + 1..).take(ids.len()).collect();
    assert_eq!(ids, expected);
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(kinds[..2], ["TASK_RETRYING", "TASK_STARTED"]);
    service.ends_well().await;
}

/// What other programs insert while the service is down is there when it comes back.
#[tokio::test]
async fn rows_inserted_while_it_was_dead_run_after_the_restart() {
    let service = Service::start().await;
    let killed = service.kill9().await;
    let mut database = killed.database().await;
    let inserted = database
        .run("INSERT INTO tasks(content) VALUES ('while it was dead')")
        .await;
    inserted.expect("the database takes rows without the service");
    let id = database.text("SELECT id FROM tasks").await;
    let service = killed.start().await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "Processed: while it was dead");
    eventually("the queue is empty", || async {
        (service.queue_status().await["active"] == 0).then_some(())
    })
    .await;
    service.ends_well().await;
}
