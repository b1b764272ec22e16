//! The message that an attempt posts.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::signature::WebhookKey;
use crate::models::{Task, TaskId, Timestamp};
use crate::processors::context::Context;
use crate::processors::run_error::RunError;
use crate::state::Upstream;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const ATTEMPT: HeaderName = HeaderName::from_static("venom-attempt");

pub(crate) struct WebhookMessage {
    task_id: TaskId,
    attempt: i64,
    /// The Unix time, in seconds.
    sent_at: u64,
    pub(crate) body: String,
}

impl WebhookMessage {
    /// Builds the message of this attempt, sent now.
    pub(crate) async fn of(context: &Context) -> Result<Self, RunError> {
        let (task, upstream) = (context.task().await?, context.upstream().await?);
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Self {
            task_id: context.task_id(),
            attempt: context.attempt(),
            sent_at: since_1970.unwrap_or_default().as_secs(),
            body: body(&task, context.attempt(), &upstream)?.to_string(),
        })
    }

    /// Returns its headers, signed if there is a key.
    pub(crate) fn headers(&self, key: Option<&WebhookKey>) -> HeaderMap {
        let id = self.task_id.to_string();
        let signature = key.map(|key| key.sign(&id, self.sent_at, &self.body));
        let mut headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (TIMESTAMP, HeaderValue::from(self.sent_at)),
            (ATTEMPT, HeaderValue::from(self.attempt)),
        ]);
        let texts = [(ID, Some(id)), (SIGNATURE, signature)];
        for (name, text) in texts {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }
}

fn body(task: &Task, attempt: i64, upstream: &[Upstream]) -> Result<Value, RunError> {
    let mut task = serde_json::to_value(task)
        .map_err(|error| RunError::new(format!("the task cannot be encoded: {error}")))?;
    if let Some(fields) = task.as_object_mut() {
        fields.shift_remove("logs");
    }
    let upstream: Vec<_> = upstream
        .iter()
        .map(|task| json!({ "id": task.id, "status": task.status, "result": task.result }))
        .collect();
    Ok(json!({
        "type": "task.run",
        "timestamp": Timestamp::now(),
        "data": { "task": task, "attempt": attempt, "upstream": upstream },
    }))
}
