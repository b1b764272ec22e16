//! Jobs and results, and the errors of invalid ones.

use super::golden::{self, bytes};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::exception::Exception;
use crate::hive::wire::job::Job;
use crate::hive::wire::result::JobResult;
use crate::hive::wire::value::Value;
use crate::models::TraceContext;

fn job() -> Job {
    Job {
        job_try: None,
        function: "ok".into(),
        args: vec![Value::Int(1)],
        kwargs: vec![("b".into(), Value::Int(3))],
        enqueue_time_ms: 1_795_405_814_693,
        trace: None,
    }
}

fn result() -> JobResult {
    JobResult {
        job_try: 2,
        function: "again".into(),
        args: vec![],
        kwargs: vec![],
        enqueue_time_ms: 1_795_405_814_694,
        success: true,
        value: "done".into(),
        start_ms: 1_795_405_815_101,
        finish_ms: 1_795_405_815_101,
        queue: "arq:queue".into(),
        id: "J3".into(),
    }
}

#[test]
fn a_job_of_arq() {
    let read = Job::from_bytes(&bytes(golden::JOB), Codec::Pickle);
    assert_eq!(read, Ok(job()));
}

#[test]
fn a_result_of_arq() {
    let read = JobResult::from_bytes(&bytes(golden::SUCCESS), Codec::Pickle);
    assert_eq!(read.as_ref(), Ok(&result()));
}

#[test]
fn jobs_and_results_by_every_codec() {
    let job = Job {
        job_try: Some(3),
        ..job()
    };
    for codec in Codec::ALL {
        let written = job.to_bytes(codec).unwrap();
        assert_eq!(Job::from_bytes(&written, codec).as_ref(), Ok(&job));
        let written = result().to_bytes(codec).unwrap();
        assert_eq!(JobResult::from_bytes(&written, codec), Ok(result()));
    }
}

#[test]
fn a_job_keeps_its_trace_and_is_not_refused_for_a_bad_one() {
    let trace = |state: Option<&str>| TraceContext {
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
        tracestate: state.map(str::to_owned),
    };
    for codec in Codec::ALL {
        for trace in [None, Some(trace(None)), Some(trace(Some("vendor=x")))] {
            let job = Job { trace, ..job() };
            let written = job.to_bytes(codec).unwrap();
            assert_eq!(Job::from_bytes(&written, codec), Ok(job));
        }
    }
    let odd = br#"{"t": null, "f": "ok", "a": [1], "k": {"b": 3}, "et": 1795405814693, "traceparent": 7}"#;
    assert_eq!(Job::from_bytes(odd, Codec::Json), Ok(job()));
}

#[test]
fn a_failure_says_what_was_raised() {
    let failed = JobResult {
        success: false,
        value: Value::called("builtins", "ValueError", ["bad".into()]),
        ..result()
    };
    let raised = Exception::of(&failed.value).to_string();
    assert_eq!(raised, "ValueError: bad");
}

#[test]
fn a_job_in_json_may_say_more() {
    let message =
        br#"{"more": 1, "t": null, "f": "ok", "a": [1], "k": {"b": 3}, "et": 1795405814693}"#;
    assert_eq!(Job::from_bytes(message, Codec::Json), Ok(job()));
}

#[test]
fn a_result_without_queue_and_id() {
    let message = br#"{"t":1,"f":"f","a":[],"k":{},"et":0,"s":true,"r":null,"st":1,"ft":2}"#;
    let read = JobResult::from_bytes(message, Codec::Json).unwrap();
    assert_eq!((&*read.queue, &*read.id), ("<unknown>", "<unknown>"));
}

#[test]
fn a_bad_field_is_named() {
    let said = |message: &str| {
        let refused = Job::from_bytes(message.as_bytes(), Codec::Json);
        refused.unwrap_err().to_string()
    };
    assert_eq!(
        said(r#"{"t": null, "f": 1}"#),
        "field `f` of the job: found an int, expected a str"
    );
    assert_eq!(
        said(r#"{"f": "f"}"#),
        "field `t` of the job: found nothing, expected an int or None"
    );
    assert_eq!(
        said("[]"),
        "field `*` of the job: found a list, expected a dict of all fields"
    );
    let keys = Value::Dict(vec![
        ("t".into(), Value::None),
        ("f".into(), "f".into()),
        ("a".into(), Value::List(vec![])),
        ("k".into(), Value::Dict(vec![(Value::Int(1), Value::None)])),
    ]);
    let message = Codec::Pickle.encode(&keys).unwrap();
    assert_eq!(
        Job::from_bytes(&message, Codec::Pickle)
            .unwrap_err()
            .to_string(),
        "field `k` of the job: found an int, expected a dict with str keys"
    );
}
