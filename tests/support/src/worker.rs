//! The part of a worker: claims tasks and speaks of them.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::http::Answer;
use crate::service::{Service, Setup};
use crate::wait::eventually;

impl Setup {
    /// Adds the worker processor `outside`; `settings` are more lines of its table.
    pub fn worker_processor(self, settings: &str) -> Self {
        self.table(&format!(
            "[processors.outside]\nkind = \"worker\"\n{settings}\n"
        ))
    }
}

impl Service {
    /// A service with the worker processor `outside`.
    pub async fn with_worker(settings: &str) -> Self {
        Setup::new().worker_processor(settings).start().await
    }

    /// The tasks of `outside` that a claim with these fields gets.
    pub async fn claim(&self, fields: Value) -> Vec<Value> {
        let mut body = json!({ "processors": ["outside"] });
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        let claimed = self.post_json("/api/v1/worker/claim", &body).await;
        tasks_of(&claimed)
    }

    /// The one task that a claim gets, once there is one.
    pub async fn claim_one(&self) -> Value {
        let mut tasks = self.claim(json!({ "wait": 60 })).await;
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        tasks.remove(0)
    }

    /// A claim that waits in the background; aborted, it closes its connection.
    pub fn poll(&self) -> JoinHandle<Answer> {
        let body = json!({ "processors": ["outside"], "wait": 60 });
        let request = self.request(Method::POST, "/api/v1/worker/claim");
        tokio::spawn(Answer::of(request.json(&body)))
    }

    /// Waits until somebody asks for tasks like this one, which waits, or until nobody does.
    pub async fn is_asked_for(&self, id: &str, wanted: bool) {
        eventually("a claim waits, or none", || async {
            let explained = self.get(&format!("/api/v1/tasks/{id}/explain")).await;
            let explained = explained.expect(200);
            let reasons = explained["reasons"].as_array().expect("a list");
            let nobody = reasons.iter().any(|reason| reason["type"] == "no_worker");
            (nobody != wanted).then_some(())
        })
        .await;
    }

    /// Says something of a claimed task, as `…/heartbeat` and the others take it.
    pub async fn tell(&self, task: &Value, verb: &str, fields: Value) -> Answer {
        let id = task["id"].as_str().expect("an id");
        let mut body = json!({ "attempt": task["attempt"] });
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        self.post_json(&format!("/api/v1/worker/{id}/{verb}"), &body)
            .await
    }

    pub async fn complete(&self, task: &Value, result: &str) -> Value {
        let told = self
            .tell(task, "complete", json!({ "result": result }))
            .await;
        told.expect(200)
    }
}

/// The tasks in the answer to a claim.
pub fn tasks_of(claimed: &Answer) -> Vec<Value> {
    let claimed = claimed.expect(200);
    claimed["tasks"].as_array().expect("a list").clone()
}
