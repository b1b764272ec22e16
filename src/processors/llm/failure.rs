//! Recognises failures that servers report in the body of a 200 response. Pure.
//!
//! There is no standard: OpenAI, vLLM, llama.cpp, TGI, LiteLLM, OpenRouter, Azure and the gateways before them each
//! have a shape of their own, and some have several.

use serde_json::Value;

/// A failure in the server's words, which may hold secrets.
#[derive(Debug, PartialEq)]
pub(crate) struct ServerFailure {
    pub(crate) words: String,
    /// True if the server rejects the request itself: another attempt would fail too.
    pub(crate) is_final: bool,
}

/// Where the message may be, the most specific field first.
const SENTENCES: [&str; 20] = [
    "/error/message",
    "/error/msg",
    "/error/detail",
    "/error/error",
    "/error",
    "/message",
    "/msg",
    "/error_msg",
    "/error_message",
    "/errorMessage",
    "/errors/0/message",
    "/errors/0",
    "/detail/0/msg",
    "/detail/message",
    "/detail",
    "/details",
    "/error_description",
    "/response/error/message",
    "/reason",
    "/title",
];

/// Where the status may be that the server would have answered.
const STATUSES: [&str; 9] = [
    "/error/code",
    "/error/status",
    "/error/status_code",
    "/error/http_status",
    "/error/http_code",
    "/status_code",
    "/code",
    "/status",
    "/error_code",
];

/// Where the name of the failure may be.
const KINDS: [&str; 6] = [
    "/error/type",
    "/error/code",
    "/error/status",
    "/error_type",
    "/code",
    "/type",
];

/// Parts of failure names, in lower case and without separators, that another attempt meets too.
const FINAL_KINDS: [&str; 11] = [
    "authentication",
    "badrequest",
    "contentpolicy",
    "contextlength",
    "insufficientquota",
    "invalidapikey",
    "invalidrequest",
    "notfound",
    "permission",
    "unauthorized",
    "unprocessable",
];

/// Values of `finish_reason` that report a failure.
const FAILED_REASONS: [&str; 11] = [
    "abort",
    "aborted",
    "canceled",
    "cancelled",
    "error",
    "failed",
    "insufficient_system_resource",
    "internal_error",
    "network_error",
    "server_error",
    "timeout",
];

/// Returns the failure that an object reports; `is_named` if its event is named an error.
pub(crate) fn told_by(object: &Value, is_named: bool) -> Option<ServerFailure> {
    let groq = &object["x_groq"];
    if says_something(&groq["error"]) {
        return Some(of(groq));
    }
    (is_named || is_failure(object)).then(|| of(object))
}

/// Returns the failure that an object reports if no answer follows it. Some servers report a queue position in such a
/// field: `{"object":"status","message":"queued, position 3"}`.
pub(crate) fn hinted_by(object: &Value) -> Option<ServerFailure> {
    let has_words = !is_part_of_answer(object) && has_text(object, &["message", "msg", "title"]);
    has_words.then(|| of(object))
}

/// Returns the failure of one choice.
pub(crate) fn of_choice(choice: &Value) -> Option<ServerFailure> {
    let reason = choice["finish_reason"].as_str().unwrap_or_default();
    let is_failed = FAILED_REASONS
        .iter()
        .any(|failed| failed.eq_ignore_ascii_case(reason));
    if says_something(&choice["error"]) {
        return Some(of(choice));
    }
    is_failed.then(|| ServerFailure {
        words: format!("finish_reason {reason}"),
        is_final: false,
    })
}

fn is_failure(object: &Value) -> bool {
    let is = |field: &str, words: &[&str]| {
        let value = object[field].as_str().unwrap_or_default();
        words.iter().any(|word| value.eq_ignore_ascii_case(word))
    };
    if says_something(&object["error"])
        || is("object", &["error"])
        || is("type", &["error", "exception", "response.failed"])
    {
        return true;
    }
    if is_part_of_answer(object) {
        return false;
    }
    let has_words = has_text(object, &["message", "msg", "title"]);
    has_words && is_called_failure(object)
        || has_text(object, &["error_msg", "error_message", "errorMessage"])
        || says_something(&object["detail"])
        || says_something(&object["errors"])
        || says_something(&object["error_code"])
        || object["success"] == false
        || is("status", &["error", "fail", "failed", "failure"])
}

fn is_part_of_answer(object: &Value) -> bool {
    object["choices"].is_array() || object["usage"].is_object()
}

fn has_text(object: &Value, fields: &[&str]) -> bool {
    let mut values = fields.iter().map(|field| &object[*field]);
    values.any(|value| says_something(value) && !value.is_object())
}

/// Returns true if a status or a failure name marks the message as a failure.
fn is_called_failure(object: &Value) -> bool {
    let mut statuses = STATUSES
        .iter()
        .filter_map(|place| status(object.pointer(place)?));
    let names = ["object", "type", "code", "status"];
    let mut names = names.iter().filter_map(|name| object[*name].as_str());
    statuses.any(|status| (400..600).contains(&status))
        || names.any(|name| {
            let name = plain(name);
            let parts = ["error", "exception", "fail"];
            let mut parts = parts.iter().chain(&FINAL_KINDS);
            parts.any(|part| name.contains(part))
        })
}

/// Returns true if a field has a value: servers send `"error": null`, `false`, `""`, `0` and `{}`.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_set) => *is_set,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn of(object: &Value) -> ServerFailure {
    let mut texts = SENTENCES
        .iter()
        .filter_map(|place| object.pointer(place)?.as_str());
    let sentence = texts.find(|text| !text.trim().is_empty());
    let words = sentence.map_or_else(|| object.to_string(), |text| text.trim().to_owned());
    ServerFailure {
        words,
        is_final: is_final(object),
    }
}

fn is_final(object: &Value) -> bool {
    let mut statuses = STATUSES
        .iter()
        .filter_map(|place| status(object.pointer(place)?));
    if let Some(status) = statuses.find(|status| (400..600).contains(status)) {
        return status < 500 && ![408, 409, 425, 429, 499].contains(&status);
    }
    // FastAPI's list of what is wrong with the request.
    if object["detail"].is_array() {
        return true;
    }
    let kinds = KINDS
        .iter()
        .filter_map(|place| object.pointer(place)?.as_str());
    let mut kinds = kinds.map(plain);
    kinds.any(|kind| FINAL_KINDS.iter().any(|part| kind.contains(part)))
}

fn status(value: &Value) -> Option<u64> {
    let text = || value.as_str()?.trim().parse().ok();
    value.as_u64().or_else(text)
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_ascii_alphanumeric());
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Option<(String, bool)> {
        let failure = told_by(&serde_json::from_str(json).unwrap(), false)?;
        Some((failure.words, failure.is_final))
    }

    #[test]
    fn every_known_shape_is_a_failure_with_its_words() {
        for (json, words, is_final) in [
            // OpenAI, LiteLLM, llama.cpp, OpenRouter, Ollama, TGI.
            (
                r#"{"error":{"message":"busy","type":"server_error","code":null}}"#,
                "busy",
                false,
            ),
            (
                r#"{"error":{"message":"bad key","code":"invalid_api_key"}}"#,
                "bad key",
                true,
            ),
            (
                r#"{"error":{"message":"gone","type":"None","code":"500"}}"#,
                "gone",
                false,
            ),
            (
                r#"{"error":{"code":400,"message":"too long","type":"invalid_request_error"}}"#,
                "too long",
                true,
            ),
            (
                r#"{"id":"x","choices":[],"error":{"code":502,"message":"no provider"}}"#,
                "no provider",
                false,
            ),
            (r#"{"error":"no such model"}"#, "no such model", false),
            (
                r#"{"error":"overloaded","error_type":"overloaded"}"#,
                "overloaded",
                false,
            ),
            (r#"{"error":true,"message":"it broke"}"#, "it broke", false),
            (r#"{"error":["a","b"]}"#, r#"{"error":["a","b"]}"#, false),
            // vLLM and Mistral.
            (
                r#"{"object":"error","message":"engine died","type":"InternalServerError","code":500}"#,
                "engine died",
                false,
            ),
            (
                r#"{"object":"error","message":"what?","type":"BadRequestError","code":400}"#,
                "what?",
                true,
            ),
            (
                r#"{"object":"error","message":"what?","type":"NotFoundError"}"#,
                "what?",
                true,
            ),
            // FastAPI, gateways, Anthropic, Cloudflare, problem+json.
            (
                r#"{"detail":"Not authenticated"}"#,
                "Not authenticated",
                false,
            ),
            (
                r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
                "field required",
                true,
            ),
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                "Overloaded",
                false,
            ),
            (
                r#"{"success":false,"errors":[{"code":10000,"message":"no"}]}"#,
                "no",
                false,
            ),
            (
                r#"{"error_code":110,"error_msg":"token expired"}"#,
                "token expired",
                false,
            ),
            (r#"{"code":"429","msg":"slowly"}"#, "slowly", false),
            (r#"{"title":"Forbidden","status":403}"#, "Forbidden", true),
            (
                r#"{"x_groq":{"error":"over capacity"},"choices":[]}"#,
                "over capacity",
                false,
            ),
        ] {
            assert_eq!(told(json), Some((words.to_owned(), is_final)), "{json}");
        }
    }

    #[test]
    fn words_alone_are_a_failure_only_if_nothing_follows() {
        for (json, words) in [
            (r#"{"message":"no Route matched"}"#, "no Route matched"),
            (
                r#"{"object":"status","message":"queued, position 3"}"#,
                "queued, position 3",
            ),
            (r#"{"status":"queued","code":0,"msg":"wait"}"#, "wait"),
            (r#"{"title":"Loading","status":200}"#, "Loading"),
        ] {
            assert_eq!(told(json), None, "{json}");
            let hinted = hinted_by(&serde_json::from_str(json).unwrap());
            assert_eq!(hinted.unwrap().words, words, "{json}");
        }
    }

    #[test]
    fn what_belongs_to_an_answer_is_no_failure() {
        for json in [
            r#"{"choices":[{"delta":{"content":"x"}}],"error":null}"#,
            r#"{"choices":[],"error":{}}"#,
            r#"{"choices":[],"error":""}"#,
            r#"{"choices":[],"error":false,"message":"hm","detail":"more"}"#,
            r#"{"usage":{"total_tokens":1},"message":"hm"}"#,
            r#"{"object":"chat.completion.chunk","message":{"role":"assistant"}}"#,
            r#"{"type":"ping"}"#,
            "{}",
        ] {
            assert_eq!(told(json), None, "{json}");
            let hinted = hinted_by(&serde_json::from_str(json).unwrap());
            assert_eq!(hinted, None, "{json}");
        }
        assert!(told_by(&Value::Object(Default::default()), true).is_some());
    }

    #[test]
    fn a_choice_fails_by_its_reason_or_by_its_error() {
        let failed = |json: &str| of_choice(&serde_json::from_str(json).unwrap());
        assert_eq!(
            failed(r#"{"finish_reason":"error"}"#).unwrap().words,
            "finish_reason error"
        );
        assert_eq!(
            failed(r#"{"finish_reason":"Abort"}"#).unwrap().words,
            "finish_reason Abort"
        );
        let error = r#"{"finish_reason":"error","error":{"code":400,"message":"no"}}"#;
        let expected = ServerFailure {
            words: "no".to_owned(),
            is_final: true,
        };
        assert_eq!(failed(error), Some(expected));
        for reason in ["stop", "length", "content_filter", "tool_calls", "null", ""] {
            assert_eq!(
                failed(&format!(r#"{{"finish_reason":"{reason}"}}"#)),
                None,
                "{reason}"
            );
        }
    }
}
