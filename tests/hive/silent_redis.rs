//! A Redis that answers nobody for a while, and one that does not tell of its keys.

use serde_json::json;

use support::hive::{BACKGROUND, calls, hive};
use support::{Arq, Redis, Service, Yard, eventually, in_time};

const HIGH: &str = "venom:tasks:high";

async fn until_hive_is(service: &Service, state: &str) {
    eventually("the Hive is so", || async {
        let ready = service.get("/readyz").await.expect(200);
        assert_eq!(ready["status"], "ready");
        (ready["hive"]["state"] == state).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_redis_that_hangs_stops_nobody_else_and_nothing_happens_twice() {
    let redis = Redis::start().await;
    let (arq, yard) = (Arq::newest(BACKGROUND), Yard::new());
    let _python = arq.worker(&redis).await;
    let worker = yard.worker_with(&redis, "a", &["--queue", HIGH], "").await;
    let urgent = "queue = \"high\"";
    let setup = hive(&redis)
        .table(&calls("ok", ""))
        .table(&calls("gate", urgent));
    let service = setup.start().await;
    let runs = service.submit_to("gate", "runs").await;
    yard.until_noted("run runs 1").await;

    redis.hang();
    let mut ids = vec![runs];
    for number in 0..10 {
        ids.push(service.submit_to("ok", &format!("a{number}")).await);
        ids.push(service.submit_to("gate", &format!("b{number}")).await);
    }
    // Nobody waits for it: what runs here goes on, and so does what runs on the worker.
    let echoes = (0..200).map(|number| json!({ "content": format!("echo {number}") }));
    let echoes = json!({ "tasks": Vec::from_iter(echoes) });
    let created = service.post_json("/api/v1/tasks/batch", &echoes).await;
    for id in created.expect(201)["task_ids"].as_array().expect("ids") {
        let task = service.finished(id.as_str().expect("an id")).await;
        assert_eq!(task["status"], "COMPLETED", "{task}");
    }
    yard.open_gate("runs");
    yard.until_noted("done runs 1").await;
    until_hive_is(&service, "away").await;
    let status = service.queue_status().await;
    assert_eq!(status["hive"]["state"], "away");
    worker.until_said("Redis is unreachable").await;
    let late = service.submit_to("ok", "late").await;
    let explained = service.get(&format!("/api/v1/tasks/{late}/explain")).await;
    let explained = explained.expect(200);
    assert_eq!(explained["reasons"][0]["type"], "hive_away", "{explained}");
    ids.push(late);

    redis.go_on();
    until_hive_is(&service, "connected").await;
    (0..10).for_each(|number| yard.open_gate(&format!("b{number}")));
    for id in &ids {
        let task = service.finished(id).await;
        let found = (&task["status"], &task["attempt"]);
        assert_eq!(found, (&json!("COMPLETED"), &json!(1)), "{task}");
    }
    let mut ran = yard.ledger();
    ran.retain(|line| line.starts_with("run "));
    ran.sort();
    let mut expected: Vec<_> = (0..10).map(|number| format!("run b{number} 1")).collect();
    expected.push("run runs 1".to_owned());
    assert_eq!(ran, expected);
    assert_eq!(arq.noted("run"), 11, "{:?}", arq.ledger());
    service.ends_well().await;
}

/// As many tasks, one after the other, as would not be done in time if a job were looked at every 10 seconds.
const ONE_BY_ONE: usize = 8;

/// Tasks and their aborts with a Redis that does not let its keyspace events be turned on.
async fn blind(redis: Redis) {
    let (arq, yard) = (Arq::newest(BACKGROUND), Yard::new());
    let _python = arq.worker(&redis).await;
    let worker = yard.worker_with(&redis, "a", &["--queue", HIGH], "").await;
    worker.until_said("twice a second").await;
    let urgent = "queue = \"high\"";
    let setup = ["upper", "gate"].iter().fold(hive(&redis), |setup, name| {
        setup.table(&calls(name, urgent))
    });
    let service = setup.table(&calls("ok", "")).start().await;
    let results = async {
        for number in 0..ONE_BY_ONE / 2 {
            for function in ["ok", "upper"] {
                let id = service.submit_to(function, &format!("t{number}")).await;
                let task = service.finished(&id).await;
                assert_eq!(task["result"], format!("T{number}"), "{task}");
            }
        }
    };
    in_time("results come twice a second", results).await;
    let id = service.submit_to("gate", "never").await;
    yard.until_noted("run never 1").await;
    service.abort(&id).await.expect(200);
    assert_eq!(service.task(&id).await["failure"], "aborted");
    eventually("the worker has ended it", || async {
        let left = redis.command(&["ZCARD", HIGH]).await;
        (left.number() == 0).then_some(())
    })
    .await;
    service.ends_well().await;
    assert_eq!(worker.stop().await.code(), Some(0));
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn where_there_is_no_config_command_results_are_looked_for() {
    blind(Redis::with_arguments(&["--rename-command", "CONFIG", ""]).await).await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn without_the_right_to_use_config_results_are_looked_for() {
    let user = ["--user", "default", "on", "nopass", "~*", "&*", "+@all"];
    blind(Redis::with_arguments(&[&user[..], &["-@admin"]].concat()).await).await;
}
