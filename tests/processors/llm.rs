//! The llm processor from outside: what it asks, how the answer grows, and what goes wrong.

use serde_json::{Value, json};

use support::{Backend, Call, Listener, Service, Setup, SseStream};

/// A service whose processor `model` asks the backend.
async fn service(backend: &Backend, settings: &str) -> Service {
    setup(backend, settings).start().await
}

fn setup(backend: &Backend, settings: &str) -> Setup {
    let url = backend.url();
    Setup::new().table(&format!(
        "[processors.model]\nkind = \"llm\"\nbase_url = \"{url}v1/\"\nmodel = \"m-1\"\n{settings}\n"
    ))
}

/// The event by which an answer grows.
fn delta(text: &str) -> String {
    let choice = json!({ "index": 0, "delta": { "content": text }, "finish_reason": null });
    format!("data: {}\n\n", json!({ "choices": [choice] }))
}

/// The events that end an answer, with what it took.
fn ending(prompt_tokens: u64, completion_tokens: u64) -> String {
    let stop = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    let usage = json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    });
    let usage = json!({ "model": "m-1-real", "choices": [], "usage": usage });
    format!("data: {stop}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}

/// What the answer has grown by since, on the event socket, up to and with `last`.
async fn outputs_until(listener: &mut Listener, id: &str, last: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(last) {
        let events = listener.until("TASK_OUTPUT", id).await;
        let event = events.last().expect("one event");
        assert_eq!(event["agent"], "model");
        text.push_str(event["data"]["text"].as_str().expect("a text"));
    }
    text
}

/// The same in the task's own stream.
async fn stream_until(stream: &mut SseStream, last: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(last) {
        let event = stream.next().await.expect("more events");
        if event.event == "task_output" {
            assert!(event.id.is_some());
            text.push_str(event.data["text"].as_str().expect("a text"));
        }
    }
    text
}

#[tokio::test]
async fn an_answer_grows_before_the_eyes_of_those_who_watch() {
    let backend = Backend::start().await;
    let settings = "system = \"Be kind.\"\ntemperature = 0.5\nmax_tokens = 9\n";
    let service = service(&backend, settings).await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("model", "Who is there?").await;
    let mut call = backend.next().await;
    assert!(call.head.starts_with("POST /v1/chat/completions HTTP/1.1"));
    assert_eq!(call.header("authorization"), None);
    let expected = json!({
        "model": "m-1",
        "messages": [
            { "role": "system", "content": "Be kind." },
            { "role": "user", "content": "Who is there?" },
        ],
        "stream": true,
        "stream_options": { "include_usage": true },
        "temperature": 0.5,
        "max_tokens": 9,
    });
    assert_eq!(call.json(), expected);

    let mut stream = service.follow(&id, None).await;
    call.begin_stream().await;
    call.say(&(": a comment\r\n\r\n".to_owned() + &delta("Knö")))
        .await;
    // The answer is not over, and what there is of it has arrived.
    assert_eq!(outputs_until(&mut listener, &id, "Knö").await, "Knö");
    assert_eq!(stream_until(&mut stream, "Knö").await, "Knö");
    assert_eq!(service.task(&id).await["result"], Value::Null);
    let event = delta("ck");
    let (half, rest) = event.split_at(20);
    call.say(half).await;
    call.say(rest).await;
    call.say(&(delta(", ") + &delta("knock"))).await;
    assert_eq!(
        outputs_until(&mut listener, &id, "knock").await,
        "ck, knock"
    );
    assert_eq!(stream_until(&mut stream, "knock").await, "ck, knock");
    call.say(&ending(11, 7)).await;

    let task = service.finished(&id).await;
    assert_eq!(task["result"], "Knöck, knock", "{task}");
    let took = json!({
        "model": "m-1-real",
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "finish_reason": "stop",
        "attempt": 1,
    });
    assert_eq!(task["context_history"]["llm"], took);
    let rest = stream.rest().await;
    let finished = rest.last().expect("an end");
    assert_eq!(finished.event, "task_finished");
    assert_eq!(finished.data["result"], "Knöck, knock");
    // Whoever comes late gets it all, in the order of the journal.
    let mut late = service.follow(&id, None).await;
    assert_eq!(stream_until(&mut late, "knock").await, "Knöck, knock");
    service.ends_well().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_result() {
    let backend = Backend::start().await;
    let attempts = "max_attempts = 4\nbackoff = { first = 0, jitter = 0 }\n";
    let service = service(&backend, attempts).await;
    let id = service.submit_to("model", "").await;
    let mut call = backend.next().await;
    call.begin_stream().await;
    call.say(&delta("half an ans")).await;
    drop(call);
    let mut call = backend.next().await;
    call.begin_stream().await;
    call.say("data: {\"error\": {\"message\": \"out of memory\"}}\n\n")
        .await;
    drop(call);
    backend.next().await.answer("502 Bad Gateway", "", "").await;
    let mut call = backend.next().await;
    call.begin_stream().await;
    call.say(&(delta("whole") + &ending(1, 1))).await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "whole", "{task}");
    assert_eq!(task["attempt"], 4);
    assert_eq!(task["context_history"]["llm"]["attempt"], 4);
    let logs = task["logs"].to_string();
    for reason in ["response ended", "out of memory", "502"] {
        assert!(logs.contains(reason), "{reason}: {logs}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn the_key_comes_from_a_file_and_is_shown_nowhere() {
    const KEY: &str = "sk-hush-hush";
    let backend = Backend::start().await;
    let setup = setup(&backend, "api_key_file = \"key.txt\"\n");
    let path = setup.folder().join("key.txt");
    let service = setup.start().await;

    let id = service.submit_to("model", "").await;
    let error = service.finished(&id).await["error"].to_string();
    assert!(error.contains("`key.txt`"), "{error}");

    std::fs::write(&path, format!("{KEY}\n")).expect("a file");
    let id = service.submit_to("model", "").await;
    let call = backend.next().await;
    assert_eq!(call.header("authorization"), Some("Bearer sk-hush-hush"));
    let body = json!({ "error": { "message": format!("wrong key {KEY}") } });
    call.answer("401 Unauthorized", "", &format!("{body:#}"))
        .await;
    let task = service.finished(&id).await;
    assert_eq!(
        task["error"],
        "the server answered 401 Unauthorized: wrong key [hidden]"
    );
    assert!(!service.setup().log().contains(KEY));
    service.ends_well().await;
}

#[tokio::test]
async fn a_server_that_is_asked_too_often_is_left_alone_for_a_while() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("model", "").await;
    let call = backend.next().await;
    call.answer("429 Too Many Requests", "Retry-After: 1\r\n", "")
        .await;
    listener.until("TASK_RETRYING", &id).await;
    let call = backend.next().await;
    whole(call, "now").await;
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["result"], &task["attempt"]),
        (&json!("now"), &json!(2))
    );
    service.ends_well().await;
}

async fn whole(mut call: Call, text: &str) {
    call.begin_stream().await;
    call.say(&(delta(text) + &ending(15, 5))).await;
}

#[tokio::test]
async fn when_the_tokens_of_a_minute_are_used_up_tasks_wait() {
    let backend = Backend::start().await;
    let service = service(&backend, "tokens_per_minute = 20\n").await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("model", "").await;
    whole(backend.next().await, "costly").await;
    let events = listener.until("TASK_COMPLETED", &id).await;
    let completed = events.last().expect("one event")["timestamp"].clone();
    let id = service.submit_to("model", "").await;
    let events = listener.until("TASK_RETRYING", &id).await;
    let until = events.last().expect("one event")["data"]["run_at"].clone();
    let minute_later = |time: &str| seconds(time) + 60.0;
    let due = seconds(until.as_str().expect("a time"));
    let spent = minute_later(completed.as_str().expect("a time"));
    assert!(
        (spent - 30.0..=spent + 0.001).contains(&due),
        "{completed} {until}"
    );
    assert_eq!(service.task(&id).await["status"], "PENDING");
    service.purge().await;
    service.ends_well().await;
}

fn seconds(time: &str) -> f64 {
    let time = chrono::DateTime::parse_from_rfc3339(time).expect("a time");
    time.timestamp_micros() as f64 / 1e6
}

#[tokio::test]
async fn a_server_that_neither_streams_nor_counts_will_do() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    let id = service.submit_to("model", "").await;
    let message = json!({ "role": "assistant", "content": "all at once" });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "length" });
    let body = format!("{:#}", json!({ "choices": [choice] }));
    let headers = "Content-Type: application/json\r\n";
    backend.next().await.answer("200 OK", headers, &body).await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "all at once", "{task}");
    let took = &task["context_history"]["llm"];
    assert_eq!(took["total_tokens"], Value::Null);
    assert_eq!(took["finish_reason"], "length");
    assert!(task["logs"].to_string().contains("token usage"));
    service.ends_well().await;
}

#[tokio::test]
async fn an_error_in_a_stream_is_one_plain_line_without_the_key() {
    const KEY: &str = "sk-hush-hush";
    let backend = Backend::start().await;
    let setup = setup(&backend, "api_key_file = \"key.txt\"\n");
    std::fs::write(setup.folder().join("key.txt"), KEY).expect("a file");
    let service = setup.start().await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("model", "").await;
    let mut call = backend.next().await;
    call.begin_stream().await;
    let said = format!(
        "\n wrong \u{1b}[31mkey Bearer {KEY}{}\nmore\n",
        "!".repeat(500)
    );
    let error = json!({ "error": { "message": said } });
    call.say(&format!("data: {error}\n\n")).await;
    let events = listener.until("TASK_FAILED", &id).await;
    let told = Value::from(events).to_string();
    assert!(!told.contains(KEY), "{told}");
    let task = service.finished(&id).await;
    let found = task["error"].as_str().expect("an error");
    let begin = "the model's server failed: wrong  [31mkey Bearer [hidden]!!!";
    assert!(found.starts_with(begin) && found.ends_with('…'), "{found}");
    assert!(found.chars().count() < 250, "{found}");
    assert!(!task.to_string().contains(KEY), "{task}");
    assert!(!service.setup().log().contains(KEY));
    service.ends_well().await;
}

/// What becomes of a task whose answer is these bytes, after which the server hangs up.
async fn answered(backend: &Backend, service: &Service, said: &str) -> Value {
    let id = service.submit_to("model", "").await;
    let mut call = backend.next().await;
    call.begin_stream().await;
    call.say(said).await;
    drop(call);
    service.finished(&id).await
}

fn stop_event() -> String {
    let stop = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    format!("data: {stop}\n\n")
}

#[tokio::test]
async fn an_answer_that_is_cut_in_an_event_counts_if_it_had_said_that_it_is_whole() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    let cut = "data: {\"choices\":[],\"usage\":{\"prompt_tok";
    let whole = delta("whole") + &stop_event() + cut;
    let task = answered(&backend, &service, &whole).await;
    assert_eq!(task["result"], "whole", "{task}");
    let half = delta("half") + "data: {\"choices\":[{\"delta\":{\"content\":\" an ans";
    let task = answered(&backend, &service, &half).await;
    let expected = "the response ended before it was complete; received so far: half";
    assert_eq!(task["error"], expected);
    service.ends_well().await;
}

#[tokio::test]
async fn a_server_that_falls_silent_after_the_end_is_not_waited_for() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    let id = service.submit_to("model", "").await;
    let mut call = backend.next().await;
    call.begin_stream().await;
    call.say(&(delta("whole") + &stop_event())).await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "whole", "{task}");
    call.dropped().await;
    service.ends_well().await;
}

#[tokio::test]
async fn what_servers_write_a_little_differently_is_understood() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    let choice = |choice: &str| format!("data: {{\"choices\":[{choice}]}}\n\n");
    let parts = r#"{"type":"text","text":"one, "},{"type":"image"},{"type":"text","text":"two"}"#;
    let said = [
        format!("\u{feff}{}", delta("zero, ")),
        choice(&format!(
            r#"{{"index":null,"delta":{{"content":[{parts}]}},"finish_reason":""}}"#
        )),
        choice(r#"{"index":1,"delta":{"content":"another answer"}}"#),
        choice(r#"{"index":0,"delta":{"content":" and \ud83d"}}"#),
        choice(r#"{"index":0,"delta":{"content":"\ude00 \\ud83d \ud83d\ude00"}}"#),
        stop_event(),
        "data: {\"usage\":{\"prompt_tokens\":3.0,\"completion_tokens\":2,\"total_tokens\":-1}}\n\n"
            .to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ];
    let task = answered(&backend, &service, &said.concat()).await;
    let expected = "zero, one, two and \u{fffd}\u{fffd} \\ud83d \u{1f600}";
    assert_eq!(task["result"], expected, "{task}");
    let took = &task["context_history"]["llm"];
    assert_eq!(took["prompt_tokens"], 3, "{took}");
    assert_eq!(took["total_tokens"], 5, "{took}");
    service.ends_well().await;
}

#[tokio::test]
async fn an_address_with_a_query_keeps_it() {
    let backend = Backend::start().await;
    let url = backend.url();
    let table = format!(
        "[processors.model]\nkind = \"llm\"\nbase_url = \"{url}v1?api-version=x\"\nmodel = \"m\"\n"
    );
    let service = Setup::new().table(&table).start().await;
    let id = service.submit_to("model", "").await;
    let call = backend.next().await;
    let expected = "POST /v1/chat/completions?api-version=x HTTP/1.1\r\n";
    assert!(call.head.starts_with(expected), "{}", call.head);
    whole(call, "here").await;
    assert_eq!(service.finished(&id).await["result"], "here");
    service.ends_well().await;
}

/// What becomes of a task that is answered by this body, under this type of content.
async fn answered_as(backend: &Backend, service: &Service, kind: &str, body: &str) -> Value {
    let id = service.submit_to("model", "").await;
    let headers = match kind {
        "" => String::new(),
        kind => format!("Content-Type: {kind}\r\n"),
    };
    let call = backend.next().await;
    call.answer("200 OK", &headers, body).await;
    service.finished(&id).await
}

#[tokio::test]
async fn a_failure_that_is_told_after_a_200_is_none_the_less_a_failure() {
    let backend = Backend::start().await;
    let service = service(&backend, "max_attempts = 1\n").await;
    for (body, error) in [
        (
            "data: {\"object\":\"error\",\"message\":\"engine died\",\"code\":500}\n\ndata: [DONE]\n\n",
            "the model's server failed: engine died",
        ),
        (
            "event: error\ndata: {\"message\":\"out of memory\"}\n\ndata: [DONE]\n\n",
            "the model's server failed: out of memory",
        ),
        (
            "event: error\ndata: slot unavailable\n\n",
            "the model's server failed: slot unavailable",
        ),
        (
            "error: {\"code\":500,\"message\":\"context shift\"}\n\n",
            "the model's server failed: context shift",
        ),
        (
            "data: {\"detail\":\"Not authenticated\"}\n\n",
            "the model's server failed: Not authenticated",
        ),
        (
            "{\"detail\":\"Not authenticated\"}",
            "the model's server failed: Not authenticated",
        ),
        (
            "{\"message\":\"no Route matched\"}",
            "the model's server failed: no Route matched",
        ),
        (
            "data: {\"message\":\"no Route matched\"}\n\ndata: [DONE]\n\n",
            "the model's server failed: no Route matched",
        ),
        (
            "[{\"error\":{\"code\":400,\"message\":\"API key not valid\"}}]",
            "the model's server failed: API key not valid",
        ),
        (
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n",
            "the model's server failed: finish_reason error",
        ),
        (
            "data: [DONE]\n\n",
            "the response has no text, no finish_reason and no usage: data: [DONE]",
        ),
        (
            "<html><body>Sign in</body></html>",
            "the response has no text, no finish_reason and no usage: <html><body>Sign in</body></html>",
        ),
        (
            "{\"choices\":[]}",
            "the response has no text, no finish_reason and no usage: {\"choices\":[]}",
        ),
        ("", "the response is empty"),
        (
            "data: upstream gone\n\n",
            "the response contains an invalid event (expected value at line 1 column 1): \
             upstream gone",
        ),
    ] {
        let task = answered_as(&backend, &service, "text/event-stream", body).await;
        assert_eq!(task["status"], "FAILED", "{body}: {task}");
        assert_eq!(task["error"], error, "{body}");
        assert_eq!(task["result"], Value::Null);
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_message_beside_the_first_delta_does_not_make_half_an_answer_a_whole_one() {
    let backend = Backend::start().await;
    let service = service(&backend, "max_attempts = 1\n").await;
    let half = "data: {\"choices\":[{\"delta\":{\"content\":\"half\"},\"message\":{\"content\":\"half\"}}]}\n\n";
    let task = answered(&backend, &service, half).await;
    assert_eq!(task["status"], "FAILED", "{task}");
    let expected = "the response ended before it was complete; received so far: half";
    assert_eq!(task["error"], expected, "{task}");

    let whole = format!("{half}{}data: [DONE]\n\n", delta(" and half"));
    let task = answered(&backend, &service, &whole).await;
    assert_eq!(task["result"], "half and half", "{task}");
    service.ends_well().await;
}

#[tokio::test]
async fn words_of_a_queue_before_an_answer_are_no_failure() {
    let backend = Backend::start().await;
    let service = service(&backend, "max_attempts = 1\n").await;
    let queued = "data: {\"object\":\"status\",\"message\":\"queued, position 3\"}\n\n";
    let body = format!("{queued}{}data: [DONE]\n\n", delta("answer"));
    let task = answered(&backend, &service, &body).await;
    assert_eq!(task["result"], "answer", "{task}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_failure_after_some_text_shows_what_came() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    let body = delta("half an answer")
        + "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n";
    let task = answered(&backend, &service, &body).await;
    let expected =
        "the model's server failed: finish_reason error; received so far: half an answer";
    assert_eq!(task["error"], expected, "{task}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_refused_question_is_not_asked_again_and_a_busy_server_is() {
    let backend = Backend::start().await;
    let attempts = "max_attempts = 2\nbackoff = { first = 0, jitter = 0 }\n";
    let service = service(&backend, attempts).await;
    let refused = "data: {\"error\":{\"code\":400,\"message\":\"too long\"}}\n\n";
    let task = answered(&backend, &service, refused).await;
    assert_eq!(
        (&task["status"], &task["attempt"]),
        (&json!("FAILED"), &json!(1)),
        "{task}"
    );
    let id = service.submit_to("model", "").await;
    let call = backend.next().await;
    call.answer("200 OK", "", "data: [DONE]\n\n").await;
    whole(backend.next().await, "the second time").await;
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["result"], &task["attempt"]),
        (&json!("the second time"), &json!(2))
    );
    service.ends_well().await;
}

#[tokio::test]
async fn the_body_decides_what_it_is_and_not_its_type_of_content() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    let document = "\n {\"choices\":[{\"message\":{\"content\":\"text\"}}]}";
    let stream = delta("text") + "data: [DONE]\n\n";
    let kinds = [
        "text/event-stream",
        "application/json",
        "Application/JSON; charset=utf-8",
        "text/plain",
        "",
    ];
    for kind in kinds {
        for body in [document, &stream] {
            let task = answered_as(&backend, &service, kind, body).await;
            assert_eq!(task["result"], "text", "{kind}: {body}: {task}");
        }
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_finish_reason_of_null_ends_no_answer() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    let none =
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"null\"}]}\n\n";
    let task = answered(&backend, &service, none).await;
    let expected = "the response ended before it was complete; received so far: x";
    assert_eq!(task["error"], expected, "{task}");
    service.ends_well().await;
}

#[tokio::test]
async fn the_log_says_what_a_result_does_not_show() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    for (message, reason, result, line) in [
        (
            json!({ "content": "cut sh" }),
            "length",
            "cut sh",
            "(finish_reason `length`)",
        ),
        (
            json!({ "content": "cut" }),
            "content_filter",
            "cut",
            "content filter stopped it",
        ),
        (
            json!({ "content": null, "refusal": "I cannot." }),
            "stop",
            "I cannot.",
            "The model refused",
        ),
        (
            json!({ "content": null, "reasoning_content": "hmm" }),
            "stop",
            "",
            "(3 characters)",
        ),
        (
            json!({ "content": null, "tool_calls": [{ "function": { "name": "get_weather" } }] }),
            "tool_calls",
            "",
            ": `get_weather`",
        ),
        (json!({ "content": "" }), "stop", "", "no text"),
    ] {
        for part in ["message", "delta"] {
            let mut choice = json!({ "index": 0, "finish_reason": reason });
            choice[part] = message.clone();
            let chunk = json!({ "choices": [choice] });
            let body = format!("data: {chunk}\n\ndata: [DONE]\n\n");
            let task = answered_as(&backend, &service, "text/event-stream", &body).await;
            assert_eq!(
                (&task["status"], &task["result"]),
                (&json!("COMPLETED"), &json!(result)),
                "{task}"
            );
            let logs = task["logs"].to_string();
            assert!(logs.contains(line), "{line}: {logs}");
        }
    }
    service.ends_well().await;
}

/// The next update that shows this result.
async fn update_with(stream: &mut SseStream, result: &str) -> Value {
    loop {
        let event = stream.next().await.expect("more events");
        if event.event == "task_update" && event.data["result"] == result {
            return event.data;
        }
    }
}

#[tokio::test]
async fn updates_show_the_answer_as_it_grows_and_each_attempt_begins_anew() {
    let backend = Backend::start().await;
    let attempts = "max_attempts = 2\nbackoff = { first = 0, jitter = 0 }\n";
    let service = service(&backend, attempts).await;
    let id = service.submit_to("model", "").await;
    let mut call = backend.next().await;
    let mut stream = service.follow(&id, None).await;
    call.begin_stream().await;
    call.say(&delta("a false")).await;
    let update = update_with(&mut stream, "a false").await;
    assert_eq!(
        (&update["status"], &update["logs"]),
        (&json!("PROCESSING"), &json!([]))
    );
    drop(call);
    let mut call = backend.next().await;
    call.begin_stream().await;
    call.say(&delta("The ")).await;
    update_with(&mut stream, "The ").await;
    let mut newest = None;
    for (more, text) in [("whole", "The whole"), (" answer", "The whole answer")] {
        call.say(&delta(more)).await;
        update_with(&mut stream, text).await;
        // Whoever comes back in the middle is shown all of it.
        let mut late = service.follow(&id, newest.as_deref()).await;
        newest = late.next().await.expect("an event").id;
        update_with(&mut late, text).await;
    }
    call.say(&ending(1, 1)).await;
    let rest = stream.rest().await;
    let finished = rest.last().expect("an end");
    assert_eq!(finished.data["result"], "The whole answer");
    for event in rest.iter().filter(|event| event.event == "task_update") {
        assert_eq!(event.data["result"], "The whole answer", "{event:?}");
    }
    service.ends_well().await;
}
