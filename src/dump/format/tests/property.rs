//! Whatever a task holds, writing and reading it gives the same task.

use proptest::collection::{btree_map, hash_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Number, Value};

use super::{read_all, write_all};
use crate::dump::format::fields::KNOWN_FIELDS;
use crate::models::{Failure, Task, TaskStatus, Timestamp};

/// Text with what breaks naive writers in it.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\0".to_owned()),
        Just("\"\\/\u{7f}\u{2028}\u{feff}\r\n\t".to_owned()),
        Just("🐢👩‍🚀".to_owned()),
        Just("NaN, -Infinity".to_owned()),
        any::<String>(),
    ];
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..253_402_300_800_i64, 0..1_000_000).prop_map(|(seconds, micros)| {
        let whole = Timestamp::from_unix_seconds(seconds).unwrap().to_string();
        let (date_and_time, _) = whole.split_once('.').unwrap();
        format!("{date_and_time}.{micros:06}Z").parse().unwrap()
    })
}

fn number() -> impl Strategy<Value = Number> {
    let written = prop_oneof![
        "-?[1-9][0-9]{18,40}",
        "-?[0-9]\\.[0-9]{1,30}[eE][+-]?([0-9]{1,2}|[12][0-9]{2})"
    ];
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        written
            .prop_map(|text| serde_json::from_str::<Number>(&text).unwrap())
            .prop_filter("fits a double", |number| number
                .as_f64()
                .is_some_and(f64::is_finite)),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::Number),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(text(), json(), 0..4).prop_map(|map| map.into_iter().collect())
}

prop_compose! {
    /// What the submitter and the processor said.
    fn told()(
        id in any::<u128>(),
        content in text(),
        result in option::of(text()),
        logs in vec(text(), 0..4),
        context_history in object(),
        context_used in option::of(object()),
        processor in text(),
        error in option::of(text()),
        tags in vec(text(), 0..3),
        session_id in option::of(text()),
        timeout in option::of(0.001..=1e9_f64),
        concurrency_key in option::of(text()),
        unique_key in option::of(text()),
        after in hash_set(any::<u128>(), 0..3),
        extra in object(),
        created_at in time(),
    ) -> Task {
        Task {
            id: uuid::Uuid::from_u128(id),
            content,
            created_at,
            status: TaskStatus::Pending,
            result,
            logs,
            context_history: context_history.into(),
            context_used: context_used.map(Into::into),
            processor,
            priority: 0,
            attempt: 0,
            max_attempts: 1,
            run_at: created_at,
            started_at: None,
            finished_at: None,
            failure: None,
            error,
            progress: None,
            tags,
            session_id,
            timeout,
            concurrency_key,
            unique_key,
            after: after.into_iter().map(uuid::Uuid::from_u128).collect(),
            extra: extra
                .into_iter()
                .filter(|(name, _)| !KNOWN_FIELDS.contains(&name.as_str()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

prop_compose! {
    /// A task in any state that a dump can hold.
    fn task()(
        told in told(),
        failure in option::of(0..7_usize),
        status in 0..3,
        priority in -100..=100_i64,
        attempt in 0..i64::MAX,
        max_attempts in 1..=1000_i64,
        run_at in time(),
        started_at in option::of(time()),
        finished_at in time(),
        progress in option::of(0.0..=1.0_f64),
    ) -> Task {
        let failures = [
            Failure::Error, Failure::Timeout, Failure::Aborted,
            Failure::Purged, Failure::EmergencyStop, Failure::Lost, Failure::Upstream,
        ];
        let failure = failure.map(|index| failures[index]);
        let status = match (failure, status) {
            (Some(_), _) => TaskStatus::Failed,
            (None, 0) => TaskStatus::Completed,
            _ => TaskStatus::Pending,
        };
        let finished_at = status.is_final().then_some(finished_at);
        Task { status, failure, priority, attempt, max_attempts, run_at, started_at, finished_at, progress, ..told }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn writing_and_reading_is_the_identity(
        tasks in vec(task(), 0..4),
        mut fields in object(),
        paid_mode_enabled in json(),
        autonomy_level in json(),
    ) {
        fields.remove("tasks");
        fields.insert("paid_mode_enabled".to_owned(), paid_mode_enabled);
        fields.insert("autonomy_level".to_owned(), autonomy_level);
        let written = write_all(&tasks, &fields);
        let (tasks_read, fields_read) = read_all(written.as_bytes()).unwrap();
        prop_assert_eq!(&tasks_read, &tasks);
        prop_assert_eq!(&fields_read, &fields);
        prop_assert_eq!(write_all(&tasks_read, &fields_read), written);
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", shape in "[\\[\\]{}\":,taskNI0-9 -]{0,80}") {
        let _ = read_all(text.as_bytes());
        let _ = read_all(format!("{{\"tasks\": [{shape}").as_bytes());
    }
}
