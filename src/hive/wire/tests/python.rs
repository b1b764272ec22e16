//! What we write, read by Python itself.

use std::process::Command;

use super::golden::{self, bytes};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::exception::Exception;
use crate::hive::wire::value::Value;

/// What Python prints of a pickle of ours.
fn printed(value: &Value) -> String {
    let hex: Vec<_> = Codec::Pickle
        .encode(value)
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let program = format!(
        "import pickle; print(ascii(pickle.loads(bytes.fromhex('{}'))))",
        hex.concat()
    );
    python(&program)
}

fn python(program: &str) -> String {
    let output = Command::new("python3")
        .args(["-c", program])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
#[ignore = "needs Python: scripts/test installs it"]
fn python_reads_what_it_wrote() {
    for hex in [golden::PLAIN[4], golden::JOB, golden::SUCCESS] {
        let value = Codec::Pickle.decode(&bytes(hex)).unwrap();
        let program = format!("import pickle; print(ascii(pickle.loads(bytes.fromhex('{hex}'))))");
        // Frozen sets come back as plain ones.
        let expected = python(&program).replace("frozenset({2})", "{2}");
        assert_eq!(printed(&value), expected);
    }
}

#[test]
#[ignore = "needs Python: scripts/test installs it"]
fn sets_in_keys_and_sets_are_frozen() {
    let set = Value::Set(vec![Value::Int(1)]);
    let key = Value::Tuple(vec![set.clone()]);
    let value = Value::Dict(vec![
        (key, set.clone()),
        (Value::Set(vec![set]), Value::None),
    ]);
    let expected = "{(frozenset({1}),): {1}, frozenset({frozenset({1})}): None}";
    assert_eq!(printed(&value), expected);
}

#[test]
#[ignore = "needs Python: scripts/test installs it"]
fn python_makes_our_exceptions() {
    assert_eq!(printed(&Exception::timeout().to_value()), "TimeoutError()");
    assert_eq!(
        printed(&Exception::cancelled().to_value()),
        "CancelledError()"
    );
    let plain = Value::called("builtins", "Exception", ["it's bad".into()]);
    assert_eq!(printed(&plain), "Exception(\"it's bad\")");
}

#[test]
#[ignore = "needs Python: scripts/test installs it"]
fn python_makes_objects_that_passed_through() {
    let odd = Codec::Pickle.decode(&bytes(golden::ODD[4])).unwrap();
    let expected = "[ValueError('bad'), datetime.datetime(2026, 1, 2, 3, 4, 5), {'a': 1}, {'b': 2}, \
        [1, 2], UUID('00000000-0000-0000-0000-000000000005'), Decimal('1.5'), b'xy', \
        <class 'ValueError'>, (1+2j), <HTTPStatus.OK: 200>]";
    assert_eq!(printed(&odd), expected);
}
