//! What Python wrote is read as what it means.

use super::golden::{self, bytes};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Value;
use crate::hive::wire::value::{Made, Opaque};

fn pickle(message: &[u8]) -> Result<Value, Error> {
    Codec::Pickle.decode(message)
}

fn ints(numbers: &[i64]) -> Vec<Value> {
    numbers.iter().copied().map(Value::Int).collect()
}

fn plain() -> Vec<Value> {
    let mut all = vec![Value::None, Value::Bool(true), Value::Bool(false)];
    all.extend(ints(&[0, 1, 255, 256, 65535, 65536, -1]));
    all.extend(ints(&[1 << 31, -(1 << 31) - 1, i64::MAX, i64::MIN]));
    let big = ["9223372036854775808", "18446744073709551621"];
    all.extend(big.map(|digits| Value::BigInt(digits.into())));
    all.push(Value::BigInt("-1267650600228229401496703205376".into()));
    all.extend([1.5, -0.0].map(Value::Float));
    all.extend(["", "a", "żółć\n\\u20", "\u{1f600}"].map(Value::from));
    all.extend([&b""[..], b"\x00\xffab"].map(|b| Value::Bytes(b.to_vec())));
    all.push(Value::List(vec![]));
    all.push(Value::List(vec![Value::Int(1), Value::List(ints(&[2]))]));
    for length in 0..=4 {
        all.push(Value::Tuple(ints(&[1, 2, 3, 4][..length])));
    }
    all.push(Value::Dict(vec![]));
    all.push(Value::Dict(vec![
        ("a".into(), Value::Int(1)),
        (Value::Int(2), "b".into()),
    ]));
    all.extend([vec![], ints(&[1]), ints(&[2])].map(Value::Set));
    all
}

#[test]
fn plain_values_of_all_protocols() {
    for message in golden::PLAIN {
        assert_eq!(pickle(&bytes(message)), Ok(Value::List(plain())));
    }
}

#[test]
fn objects_of_all_protocols() {
    let mut error = Opaque::new("builtins", "ValueError", Made::Called, vec!["bad".into()]);
    error.state = Some(Value::Dict(vec![("code".into(), Value::Int(7))]));
    let mut uuid = Opaque::new("uuid", "UUID", Made::New, vec![]);
    uuid.state = Some(Value::Dict(vec![("int".into(), Value::Int(5))]));
    let date = Value::Bytes(vec![0x07, 0xea, 1, 2, 3, 4, 5, 0, 0, 0]);
    let complex = [Value::Float(1.0), Value::Float(2.0)];
    let odd = vec![
        error.into(),
        Value::called("datetime", "datetime", [date]),
        Value::Dict(vec![("a".into(), Value::Int(1))]),
        Value::Dict(vec![("b".into(), Value::Int(2))]),
        Value::List(ints(&[1, 2])),
        uuid.into(),
        Value::called("decimal", "Decimal", ["1.5".into()]),
        Value::Bytes(b"xy".to_vec()),
        Opaque::new("builtins", "ValueError", Made::Named, vec![]).into(),
        Value::called("builtins", "complex", complex),
        Value::called("http", "HTTPStatus", [Value::Int(200)]),
    ];
    for message in golden::ODD {
        assert_eq!(pickle(&bytes(message)), Ok(Value::List(odd.clone())));
    }
}

#[test]
fn an_exception_as_arq_writes_it() {
    let expected = Value::called("builtins", "ValueError", ["bad".into()]);
    assert_eq!(pickle(&bytes(golden::VALUE_ERROR)), Ok(expected));
}

#[test]
fn the_exceptions_of_the_protocol_2_form() {
    let failed: &[u8] = b"\x80\x02carq.worker\nJobExecutionFailed\nX\x03\0\0\0bad\x85R.";
    let expected = Value::called("arq.worker", "JobExecutionFailed", ["bad".into()]);
    assert_eq!(pickle(failed), Ok(expected));
    let timeout = pickle(b"\x80\x02cbuiltins\nTimeoutError\n)R.");
    assert_eq!(timeout, Ok(Value::called("builtins", "TimeoutError", [])));
}

#[test]
fn old_strings_and_instances() {
    let string = pickle(b"S'a\\x41\\n\\'\"'\n.");
    assert_eq!(string, Ok("aA\n'\"".into()));
    assert_eq!(pickle(b"U\x02\xff\xfe."), Ok(Value::Bytes(vec![255, 254])));
    let expected = Value::called("m", "C", [Value::Int(1)]);
    assert_eq!(pickle(b"(K\x01im\nC\n."), Ok(expected.clone()));
    assert_eq!(pickle(b"(cm\nC\nK\x01o."), Ok(expected));
}

#[test]
fn a_value_named_twice_is_there_twice() {
    let twice = pickle(b"\x80\x04]\x94(h\0h\0e.");
    assert!(twice.is_err(), "this list contains itself");
    let twice = pickle(b"\x80\x04](K\x01\x85\x94h\0e.");
    let one = Value::Tuple(ints(&[1]));
    assert_eq!(twice, Ok(Value::List(vec![one.clone(), one])));
}

#[test]
fn a_call_of_what_a_call_made_keeps_both() {
    let message = b"cfunctools\npartial\ncm\nf\n\x85RK\x01\x85R.";
    let function: Value = Opaque::new("m", "f", Made::Named, vec![]).into();
    let inner = Value::called("functools", "partial", [function]);
    let args = vec![inner, Value::Int(1)];
    let expected: Value = Opaque::new("functools", "partial", Made::Indirect, args).into();
    assert_eq!(pickle(message), Ok(expected.clone()));
    let refused = Codec::Pickle.encode(&expected);
    assert!(matches!(refused, Err(Error::Unencodable { .. })));
}

#[test]
fn halves_of_surrogate_pairs_are_replaced() {
    let half = pickle(b"\x80\x04\x8c\x03\xed\xa0\x80.").map(|value| value.to_text());
    assert!(half.is_ok_and(|text| text.contains('\u{fffd}')));
    assert_eq!(pickle(b"V\\ud800\n."), Ok("\u{fffd}".into()));
}

#[test]
fn msgpack_of_python() {
    // msgpack.packb({"a": (1, -1, 1.5, b"\0"), "b": 2**64 - 1, "c": [None, True], "d": -200})
    let message = b"\x84\xa1a\x94\x01\xff\xcb\x3f\xf8\0\0\0\0\0\0\xc4\x01\0\
        \xa1b\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1c\x92\xc0\xc3\xa1d\xd1\xff\x38";
    let list = vec![
        Value::Int(1),
        Value::Int(-1),
        Value::Float(1.5),
        Value::Bytes(vec![0]),
    ];
    let expected = Value::Dict(vec![
        ("a".into(), Value::List(list)),
        ("b".into(), Value::BigInt(u64::MAX.to_string())),
        ("c".into(), Value::List(vec![Value::None, true.into()])),
        ("d".into(), Value::Int(-200)),
    ]);
    assert_eq!(Codec::Msgpack.decode(message).as_ref(), Ok(&expected));
    assert_eq!(Codec::Msgpack.encode(&Value::Dict(vec![])), Ok(vec![0x80]));
    let again = Codec::Msgpack
        .encode(&expected)
        .and_then(|b| Codec::Msgpack.decode(&b));
    assert_eq!(again, Ok(expected));
}

#[test]
fn a_timestamp_of_msgpack_is_an_extension() {
    let message = b"\xd6\xff\0\0\0\x01";
    let content = Value::Bytes(vec![0, 0, 0, 1]);
    let expected = Value::called("msgpack", "ExtType", [Value::Int(-1), content]);
    assert_eq!(Codec::Msgpack.decode(message), Ok(expected));
}

#[test]
fn json_keeps_integers_and_floats_apart() {
    let read = Codec::Json.decode(b" {\"a\": [1, 1.0, -0, 99999999999999999999, 1e999]} ");
    let items = vec![
        Value::Int(1),
        Value::Float(1.0),
        Value::Int(0),
        Value::BigInt("99999999999999999999".into()),
        Value::Float(f64::INFINITY),
    ];
    assert_eq!(
        read,
        Ok(Value::Dict(vec![("a".into(), Value::List(items))]))
    );
}

#[test]
fn signs_in_a_text_of_json_count_for_nothing() {
    let text = format!("\\\"{}", "[,".repeat(200));
    let message = serde_json::to_vec(&text).unwrap();
    let limits = ReadLimits {
        items: 1,
        ..ReadLimits::default()
    };
    let read = Codec::Json.decode_within(&message, &limits);
    assert_eq!(read, Ok(text.into()));
}

#[test]
fn json_that_looks_like_a_class_stays_a_dict() {
    for codec in [Codec::Json, Codec::Msgpack] {
        let exception = Value::called("os", "system", ["true".into()]);
        let read = codec
            .encode(&exception)
            .and_then(|bytes| codec.decode(&bytes));
        assert!(matches!(read, Ok(Value::Dict(_))), "{codec}: {read:?}");
    }
}
