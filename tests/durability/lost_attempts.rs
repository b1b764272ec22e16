//! A task that takes the service with it is not tried forever.

use support::{Setup, in_time};

const KILLER: &str = r#"
[processors.killer]
kind = "command"
program = "sh"
args = ["-c", "kill -9 $PPID; exec cat"]
"#;

#[tokio::test]
async fn a_task_under_which_the_service_died_three_times_is_lost() {
    let setup = Setup::new()
        .table(KILLER)
        .setting("max_concurrent_tasks", 1);
    let service = setup.start().await;
    service.pause().await;
    let killer = service.submit_to("killer", "deadly").await;
    let behind = service.submit("behind it").await;
    // The answer may go down with the service.
    let resume = service.request(reqwest::Method::POST, "/api/v1/queue/resume");
    let _ = resume.send().await;
    let (status, stopped) = service.exited().await;
    assert!(!status.success(), "{status}");

    for crash in 2..=3 {
        let mut database = stopped.database().await;
        let attempt = format!("SELECT attempt FROM tasks WHERE id = '{killer}'");
        assert_eq!(database.number(&attempt).await, crash - 1);
        drop(database);
        let mut child = stopped.setup().spawn();
        let status = in_time("the service dies", child.wait()).await;
        assert!(!status.expect("an exit status").success());
    }

    let service = stopped.start().await;
    let task = service.finished(&killer).await;
    assert_eq!(task["status"], "FAILED");
    assert_eq!(task["failure"], "lost");
    assert_eq!(task["attempt"], 3);
    assert!(
        task["error"].as_str().unwrap().contains("3 times"),
        "{task}"
    );
    // Who waited behind it gets its turn.
    let task = service.finished(&behind).await;
    assert_eq!(task["status"], "COMPLETED");
    assert_eq!(task["attempt"], 1);
    service.ends_well().await;
}
