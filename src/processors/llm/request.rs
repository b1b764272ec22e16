//! Builds the request body of the API.

use serde_json::{Value, json};

use crate::config::LlmSettings;
use crate::state::Upstream;

/// Returns the body of a request.
pub(crate) fn body(settings: &LlmSettings, upstream: &[Upstream], content: &str) -> Value {
    let mut messages = Vec::new();
    if let Some(system) = &settings.system {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.push(json!({ "role": "user", "content": question(upstream, content) }));
    let mut body = json!({
        "model": settings.model,
        "messages": messages,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    if let Some(temperature) = settings.temperature {
        body["temperature"] = json!(temperature);
    }
    if let Some(max_tokens) = settings.max_tokens {
        body["max_tokens"] = json!(max_tokens);
    }
    body
}

/// Joins the results of the dependencies and the content to one message, because many models expect user and
/// assistant to alternate.
fn question(upstream: &[Upstream], content: &str) -> String {
    let mut question = String::new();
    for (number, task) in (1..).zip(upstream) {
        let result = task.result.as_deref().unwrap_or_default();
        question.push_str(&format!("Result of task {number}:\n{result}\n\n"));
    }
    question + content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{TaskId, TaskStatus};

    fn settings() -> LlmSettings {
        LlmSettings {
            base_url: "http://localhost".to_owned(),
            model: "m".to_owned(),
            system: None,
            api_key: None,
            temperature: None,
            max_tokens: None,
            tokens_per_minute: None,
            ca_file: None,
        }
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let expected = json!({
            "model": "m",
            "messages": [{ "role": "user", "content": "why?" }],
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        assert_eq!(body(&settings(), &[], "why?"), expected);
    }

    #[test]
    fn results_that_it_waited_for_come_before_the_content() {
        let upstream = ["one", "two"].map(|result| Upstream {
            id: TaskId::nil(),
            status: TaskStatus::Completed,
            result: Some(result.to_owned()),
        });
        let settings = LlmSettings {
            system: Some("Be short.".to_owned()),
            max_tokens: Some(5),
            ..settings()
        };
        let body = body(&settings, &upstream, "Which?");
        let question = "Result of task 1:\none\n\nResult of task 2:\ntwo\n\nWhich?";
        let messages = json!([
            { "role": "system", "content": "Be short." },
            { "role": "user", "content": question },
        ]);
        assert_eq!(body["messages"], messages);
        assert_eq!(body["max_tokens"], 5);
    }
}
