//! What is written, and what texts become of values.

use serde_json::json;

use super::golden::{self, bytes};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::exception::Exception;
use crate::hive::wire::value::Opaque;
use crate::hive::wire::value::Value;

#[test]
fn what_was_read_is_written_again_as_the_same() {
    for message in golden::all() {
        let value = Codec::Pickle.decode(&message).unwrap();
        let again = Codec::Pickle.encode(&value).unwrap();
        assert_eq!(Codec::Pickle.decode(&again), Ok(value));
    }
}

#[test]
fn an_exception_is_a_name_a_tuple_and_a_call() {
    let written = Codec::Pickle.encode(&Exception::cancelled().to_value());
    let expected = b"\x80\x04\x8c\x12asyncio.exceptions\x8c\x0eCancelledError\x93)R.";
    assert_eq!(written, Ok(expected.to_vec()));
    let written = Codec::Pickle.encode(&Exception::job_execution_failed("bad").to_value());
    let expected = b"\x80\x04\x8c\x0aarq.worker\x8c\x12JobExecutionFailed\x93\x8c\x03bad\x85R.";
    assert_eq!(written, Ok(expected.to_vec()));
}

#[test]
fn a_big_integer_must_be_digits() {
    for digits in [
        "1\n.",
        "",
        "12",
        "-",
        "00000000000000000000009",
        &"9".repeat(4301),
    ] {
        let refused = Codec::Pickle.encode(&Value::BigInt(digits.into()));
        assert!(
            matches!(refused, Err(Error::Unencodable { .. })),
            "{digits}"
        );
    }
}

#[test]
fn integers_beyond_64_bits_do_not_fit_into_msgpack() {
    let refused = Codec::Msgpack.encode(&Value::BigInt("18446744073709551616".into()));
    assert!(matches!(refused, Err(Error::Unencodable { .. })));
}

#[test]
fn nothing_is_written_that_is_too_deep_to_read() {
    let nested = |depth| (1..depth).fold(Value::None, |inside, _| Value::List(vec![inside]));
    for codec in Codec::ALL {
        let readable = codec
            .encode(&nested(100))
            .and_then(|bytes| codec.decode(&bytes));
        assert_eq!(readable, Ok(nested(100)));
        let refused = codec.encode(&nested(101));
        assert!(matches!(refused, Err(Error::Limit { .. })), "{codec}");
    }
}

#[test]
fn a_value_as_json() {
    let mut object = Opaque::new(
        "m",
        "C",
        crate::hive::wire::value::Made::New,
        vec![Value::Int(1)],
    );
    object.state = Some(Value::Dict(vec![("x".into(), Value::None)]));
    let value = Value::Dict(vec![
        (Value::Int(1), Value::Tuple(vec![Value::Float(f64::NAN)])),
        (Value::Bool(true), Value::Bytes(b"\xff".to_vec())),
        (Value::None, Value::Set(vec![Value::BigInt("9".repeat(20))])),
        (Value::Tuple(vec!["a".into()]), object.into()),
    ]);
    let expected = json!({
        "1": [null],
        "true": "/w==",
        "null": [99_999_999_999_999_999_999_u128],
        "[\"a\"]": {"class": "m.C", "args": [1], "state": {"x": null}},
    });
    assert_eq!(value.to_json(), expected);
}

#[test]
fn a_value_as_the_result_of_a_task() {
    assert_eq!(Value::from("a \"b\"").to_text(), "a \"b\"");
    assert_eq!(Value::None.to_text(), "null");
    let list = Value::List(vec![Value::Int(1), "a".into()]);
    assert_eq!(list.to_text(), "[1,\"a\"]");
}

#[test]
fn exceptions_in_words() {
    let error = Codec::Pickle.decode(&bytes(golden::VALUE_ERROR)).unwrap();
    assert_eq!(Exception::of(&error).to_string(), "ValueError: bad");
    assert_eq!(Exception::of(&"as it is".into()).to_string(), "as it is");
    let several = Value::called("builtins", "OSError", [Value::Int(2), "gone".into()]);
    assert_eq!(Exception::of(&several).to_string(), "OSError: 2, \"gone\"");
    let failed = Exception::job_execution_failed("bad").to_string();
    assert_eq!(failed, "arq.worker.JobExecutionFailed: bad");
    let timeout = Exception::timeout().to_string();
    assert_eq!(timeout, "asyncio.exceptions.TimeoutError");
}

#[test]
fn an_exception_survives_every_codec() {
    let all = [
        Exception::cancelled(),
        Exception::timeout(),
        Exception::deserialization("a b"),
        Exception::job_execution_failed("x"),
    ];
    for (exception, codec) in all.iter().flat_map(|e| Codec::ALL.map(|codec| (e, codec))) {
        let bytes = codec.encode(&exception.to_value()).unwrap();
        assert_eq!(&Exception::of(&codec.decode(&bytes).unwrap()), exception);
    }
}

#[test]
fn cancelled_and_timed_out_by_all_their_names() {
    let of = |module: &str, name: &str| Exception::of(&Value::called(module, name, []));
    assert!(of("asyncio.exceptions", "CancelledError").is_cancelled());
    assert!(of("concurrent.futures._base", "CancelledError").is_cancelled());
    assert!(of("asyncio.exceptions", "TimeoutError").is_timeout());
    assert!(of("builtins", "TimeoutError").is_timeout());
    assert!(!of("builtins", "TimeoutError").is_cancelled());
    assert!(!of("builtins", "ValueError").is_timeout());
    assert!(!Exception::of(&"builtins.TimeoutError".into()).is_timeout());
}

#[test]
fn codecs_have_the_words_of_the_settings() {
    for codec in Codec::ALL {
        assert_eq!(codec.to_string().parse(), Ok(codec));
    }
    let unknown = "Pickle".parse::<Codec>().unwrap_err();
    let expected = "unknown codec `Pickle`, expected pickle, json or msgpack";
    assert_eq!(unknown.to_string(), expected);
}
