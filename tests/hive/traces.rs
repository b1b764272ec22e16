//! Traces: who is the parent of what, what is carried along, and what a collector must not disturb.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::{Value, json};

use support::hive::calls;
use support::{Answer, Arq, Backend, Collector, Redis, Service, Setup, Yard, attribute, tasks_of};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

const OUTSIDE: &str = "[processors.outside]\nkind = \"worker\"";
const TELLS: &str = "[processors.tells]\nkind = \"command\"\nprogram = \"sh\"\n\
                     args = [\"-c\", 'printf %s \"$TRACEPARENT $TRACESTATE\"']";

/// Spans are sent at once and not every few seconds.
fn traced(collector: &Collector) -> Setup {
    Setup::new()
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
        .variable("OTEL_BSP_SCHEDULE_DELAY", "50")
}

/// Submits a task in the caller's trace; its id.
async fn submit(service: &Service, body: &Value) -> String {
    let request = service.request(Method::POST, "/api/v1/tasks").json(body);
    let request = request
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .header("tracestate", "vendor=x");
    let created = Answer::of(request).await.expect(201);
    created["task_id"].as_str().unwrap().to_owned()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `traceparent` of those below this span.
fn carried(span: &Span) -> String {
    format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))
}

#[track_caller]
fn assert_below(span: &Span, parent: &Span) {
    assert_eq!(hex(&span.trace_id), hex(&parent.trace_id), "{span:?}");
    assert_eq!(hex(&span.parent_span_id), hex(&parent.span_id), "{span:?}");
}

#[tokio::test]
async fn a_trace_goes_from_the_request_to_the_webhook_over_a_crash_and_a_retry() {
    let (collector, backend) = (Collector::start().await, Backend::start().await);
    let hook = format!(
        "[processors.hook]\nkind = \"webhook\"\nurl = \"{}hook?key=private\"\nmax_attempts = 2\n\
         backoff = {{ first = 0, jitter = 0 }}",
        backend.url()
    );
    let service = traced(&collector)
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc%20def")
        .variable("OTEL_SERVICE_NAME", "night shift")
        .table(&hook)
        .start()
        .await;
    service.pause().await;
    let task = json!({"content": "something secret", "processor": "hook", "extra": 1});
    let id = submit(&service, &task).await;
    let commit = collector.until("commit").await;
    let request = collector.until("POST /api/v1/tasks").await;
    assert_eq!(
        (hex(&request.trace_id), hex(&request.parent_span_id)),
        (TRACE.into(), CALLER.into())
    );
    assert_eq!(request.kind(), SpanKind::Server);
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/v1/tasks"),
        ("url.path", "/api/v1/tasks"),
        ("http.response.status_code", "201"),
    ] {
        assert_eq!(attribute(&request, name).as_deref(), Some(value), "{name}");
    }
    assert_below(&commit, &request);
    assert_eq!(attribute(&commit, "venom.task.id"), Some(id.clone()));
    let history = service.task(&id).await["context_history"].clone();
    let trace = json!({"traceparent": carried(&commit), "tracestate": "vendor=x"});
    assert_eq!(history, json!({"request": {"extra": 1}, "trace": trace}));

    let service = service.kill9().await.start().await;
    service.resume().await;
    let mut told = Vec::new();
    for status in ["500 Internal Server Error", "200 OK"] {
        let call = backend.next().await;
        told.push(call.header("traceparent").unwrap().to_owned());
        assert_eq!(call.header("tracestate"), Some("vendor=x"));
        call.answer(status, "", "done").await;
    }
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    // What was not sent yet is sent at the stop.
    service.stop().await;

    let (attempts, calls) = (collector.named("attempt"), collector.named("POST"));
    let calls: Vec<_> = calls
        .into_iter()
        .filter(|call| call.kind() == SpanKind::Client)
        .collect();
    assert_eq!((attempts.len(), calls.len()), (2, 2));
    for (index, (attempt, call)) in attempts.iter().zip(&calls).enumerate() {
        assert_below(attempt, &commit);
        assert_below(call, attempt);
        assert_eq!(told[index], carried(call));
        let number = attribute(attempt, "venom.task.attempt");
        assert_eq!(number, Some((index + 1).to_string()));
        assert_eq!(
            attribute(attempt, "venom.processor").as_deref(),
            Some("hook")
        );
        assert_eq!(
            attribute(call, "server.address").as_deref(),
            Some("127.0.0.1")
        );
    }
    let outcome = |span: &Span| attribute(span, "venom.outcome").unwrap();
    assert_eq!(
        (outcome(&attempts[0]), outcome(&attempts[1])),
        ("to be retried".into(), "completed".into())
    );
    let status = |span: &Span| attribute(span, "http.response.status_code").unwrap();
    assert_eq!(
        (status(&calls[0]), status(&calls[1])),
        ("500".into(), "200".into())
    );
    collector.look(|taken| {
        assert!(
            taken
                .headers
                .iter()
                .all(|headers| headers["api-key"] == "abc def")
        );
        assert!(taken.services.iter().all(|name| name == "night shift"));
        for body in &taken.bodies {
            let text = String::from_utf8_lossy(body);
            assert!(
                !text.contains("secret") && !text.contains("private"),
                "{text}"
            );
        }
    });
}

#[tokio::test]
async fn commands_and_workers_are_told_of_their_trace() {
    let collector = Collector::start().await;
    let service = traced(&collector).table(TELLS).table(OUTSIDE).start().await;
    let id = submit(&service, &json!({"content": "x", "processor": "tells"})).await;
    let result = service.finished(&id).await["result"].clone();
    let attempt = collector.until("attempt").await;
    assert_eq!(result, format!("{} vendor=x", carried(&attempt)));

    let id = submit(&service, &json!({"content": "y", "processor": "outside"})).await;
    let claim = json!({"processors": ["outside"], "wait": 30});
    let claimed = service.post_json("/api/v1/worker/claim", &claim).await;
    let claimed = tasks_of(&claimed);
    assert_eq!(claimed[0]["id"], id);
    let complete = format!("/api/v1/worker/{id}/complete");
    let done = json!({"attempt": 1, "result": "done"});
    service.post_json(&complete, &done).await.expect(200);
    let route = "POST /api/v1/worker/{task_id}/complete";
    collector.until(route).await;
    let attempts = collector.named("attempt");
    assert_eq!(claimed[0]["traceparent"], carried(&attempts[1]));
    assert_eq!(claimed[0]["tracestate"], "vendor=x");

    // A batch is one commit, and a task without a trace begins its own.
    let batch = json!({"tasks": [{"content": "a"}, {"content": "b"}]});
    service
        .post_json("/api/v1/tasks/batch", &batch)
        .await
        .expect(201);
    let request = collector.until("POST /api/v1/tasks/batch").await;
    assert!(request.parent_span_id.is_empty());
    let commit = collector.named("commit").pop().unwrap();
    assert_below(&commit, &request);
    assert_eq!(attribute(&commit, "venom.tasks").as_deref(), Some("2"));
    service.drained().await;
    service.stop().await;
    let below = |span: &&Span| span.parent_span_id == commit.span_id;
    assert_eq!(collector.named("attempt").iter().filter(below).count(), 2);
    // A probe is no span.
    assert!(collector.named("GET").is_empty());
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_of_the_hive_carries_its_trace_and_pythons_workers_take_it() {
    let (collector, redis, yard) = (Collector::start().await, Redis::start().await, Yard::new());
    let trace = yard.table("trace", "printf %s \"$TRACEPARENT $TRACESTATE\"");
    let worker = yard.worker_with(&redis, "a", &[], &trace).await;
    let service = traced(&collector)
        .setting("enable_hive", true)
        .setting("redis_host", "\"127.0.0.1\"")
        .setting("redis_port", redis.port())
        .table(&calls("trace", ""))
        .table(&calls("ok", ""))
        .start()
        .await;
    let id = submit(&service, &json!({"content": "x", "processor": "trace"})).await;
    let result = service.finished(&id).await["result"].clone();
    let attempt = collector.until("attempt").await;
    assert_eq!(result, format!("{} vendor=x", carried(&attempt)));
    assert!(worker.stop().await.success());

    for arq in Arq::both("venom:tasks:background") {
        let _worker = arq.worker(&redis).await;
        let id = submit(&service, &json!({"content": "text", "processor": "ok"})).await;
        assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn without_a_collector_nothing_is_kept_or_told() {
    let service = Setup::new().table(TELLS).start().await;
    let id = submit(&service, &json!({"content": "x", "processor": "tells"})).await;
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["result"], &task["context_history"]),
        (&json!(" "), &json!({}))
    );
}

#[tokio::test]
async fn a_collector_that_is_away_disturbs_nobody() {
    let away = Backend::start().await;
    let url = away.url();
    drop(away);
    let service = Setup::new()
        .setting("otlp_endpoint", format!("\"{url}\""))
        .setting("otlp_headers", "\"api-key=hidden\"")
        .variable("OTEL_BSP_SCHEDULE_DELAY", "50")
        .start()
        .await;
    for n in 0..3 {
        let id = service.submit(&n.to_string()).await;
        assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    }
    let stopped = service.stop().await;
    let log = stopped.setup().log();
    assert_eq!(
        log.matches("traces do not reach the collector").count(),
        1,
        "{log}"
    );
    assert!(!log.contains("hidden"), "{log}");
}

#[tokio::test]
async fn settings_that_no_collector_could_take_stop_the_start() {
    for (key, value) in [
        ("otlp_endpoint", "\"ftp://hush\""),
        ("otlp_endpoint", "\"http://localhost:4318/?key=hush\""),
        ("otlp_headers", "\"hush\""),
    ] {
        let (status, log) = Setup::new().setting(key, value).start_and_fail().await;
        assert!(!status.success());
        assert!(
            log.contains(&format!("`{key}`")) && !log.contains("hush"),
            "{log}"
        );
    }
}
