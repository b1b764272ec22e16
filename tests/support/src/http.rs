//! HTTP: requests as a program would send them, answers as a test looks at them.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::service::Service;
use crate::wait::eventually;

/// An answer that has arrived whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("a whole answer").to_vec();
        Self {
            status,
            headers,
            body,
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The body, which has to be declared as JSON.
    pub fn json(&self) -> Value {
        let found = self.headers.get(CONTENT_TYPE).map(|name| name.as_bytes());
        assert_eq!(found, Some(&b"application/json"[..]), "{self:?}");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The body of an answer with this status.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// The sentence of an error with this status.
    pub fn sentence(&self, status: u16) -> String {
        let body = self.expect(status);
        let sentence = body["detail"].as_str().expect("a sentence");
        assert_eq!(body, json!({ "detail": sentence }));
        sentence.to_owned()
    }

    /// The one problem of a 422, with all its fields.
    pub fn problem(&self) -> Value {
        let body = self.expect(422);
        let problems = body["detail"].as_array().expect("a list of problems");
        assert_eq!(problems.len(), 1, "{body}");
        let keys: Vec<_> = problems[0].as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["type", "loc", "msg", "input"]);
        problems[0].clone()
    }
}

impl Service {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// A POST without a body.
    pub async fn post(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::POST, path)).await
    }

    pub async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, body.to_string()).await
    }

    /// A POST of bytes that say they are JSON.
    pub async fn post_text(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, path).body(body);
        Answer::of(request.header(CONTENT_TYPE, "application/json")).await
    }

    /// Submits a task; its id.
    pub async fn submit(&self, content: &str) -> String {
        self.submit_json(&json!({ "content": content })).await
    }

    /// Submits a task to `processor`; its id.
    pub async fn submit_to(&self, processor: &str, content: &str) -> String {
        self.submit_json(&json!({ "content": content, "processor": processor }))
            .await
    }

    pub async fn submit_json(&self, body: &Value) -> String {
        let created = self.post_json("/api/v1/tasks", body).await.expect(201);
        created["task_id"].as_str().expect("an id").to_owned()
    }

    /// The task as it is.
    pub async fn task(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/tasks/{id}")).await.expect(200)
    }

    /// The task, once it is COMPLETED or FAILED.
    pub async fn finished(&self, id: &str) -> Value {
        eventually("the task finishes", || async {
            let task = self.task(id).await;
            matches!(task["status"].as_str(), Some("COMPLETED" | "FAILED")).then_some(task)
        })
        .await
    }

    /// Submits this many tasks in one request and waits until all have finished.
    pub async fn submit_many(&self, count: usize) {
        let tasks = vec![json!({"content": "one of many"}); count];
        let batch = json!({ "tasks": tasks });
        let answer = self.post_json("/api/v1/tasks/batch", &batch).await;
        answer.expect(201);
        self.drained().await;
    }

    /// The statistics of a window, such as `1h`.
    pub async fn stats(&self, window: &str) -> Value {
        let answer = self.get(&format!("/api/v1/stats?window={window}")).await;
        answer.expect(200)
    }

    /// Deletes a task that may be deleted.
    pub async fn delete(&self, id: &str) {
        let request = self.request(Method::DELETE, &format!("/api/v1/tasks/{id}"));
        assert_eq!(Answer::of(request).await.status, 204);
    }

    pub async fn queue_status(&self) -> Value {
        self.get("/api/v1/queue/status").await.expect(200)
    }

    pub async fn pause(&self) -> Value {
        self.post("/api/v1/queue/pause").await.expect(200)
    }

    pub async fn resume(&self) -> Value {
        self.post("/api/v1/queue/resume").await.expect(200)
    }

    pub async fn purge(&self) -> Value {
        self.post("/api/v1/queue/purge").await.expect(200)
    }

    pub async fn emergency_stop(&self) -> Value {
        self.post("/api/v1/queue/emergency-stop").await.expect(200)
    }

    pub async fn abort(&self, id: &str) -> Answer {
        self.post(&format!("/api/v1/queue/task/{id}/abort")).await
    }

    /// Waits until nothing waits and nothing runs.
    pub async fn drained(&self) {
        eventually("the queue is empty", || async {
            let status = self.queue_status().await;
            (status["pending"] == 0 && status["active"] == 0).then_some(())
        })
        .await;
    }
}
