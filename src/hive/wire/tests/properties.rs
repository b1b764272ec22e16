//! No reader panics on any bytes, and a plain value survives encoding and decoding.

use proptest::collection::vec;
use proptest::prelude::*;

use super::golden;
use crate::hive::wire::codec::Codec;
use crate::hive::wire::exception::Exception;
use crate::hive::wire::job::Job;
use crate::hive::wire::result::JobResult;
use crate::hive::wire::value::Value;

/// Reads it in all ways, and does with the value what the service does.
fn read(message: &[u8]) {
    for codec in Codec::ALL {
        drop(Job::from_bytes(message, codec));
        drop(JobResult::from_bytes(message, codec));
        let Ok(value) = codec.decode(message) else {
            continue;
        };
        drop(Exception::of(&value).to_string());
        drop(Value::from_json(&value.to_json()));
        for other in Codec::ALL {
            drop(other.encode(&value));
        }
    }
}

fn plain() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        "-?[1-9][0-9]{19,60}".prop_map(Value::BigInt),
        any::<f64>().prop_map(Value::Float),
        ".*".prop_map(Value::Str),
        vec(any::<u8>(), 0..400).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(5, 40, 6, |inside| {
        prop_oneof![
            vec(inside.clone(), 0..6).prop_map(Value::List),
            vec(inside.clone(), 0..6).prop_map(Value::Tuple),
            vec(inside.clone(), 0..6).prop_map(Value::Set),
            vec((inside.clone(), inside), 0..4).prop_map(Value::Dict),
        ]
    })
}

fn jsonable() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (i64::MAX as u64 + 1..).prop_map(|n: u64| Value::BigInt(n.to_string())),
        proptest::num::f64::NORMAL.prop_map(Value::Float),
        ".*".prop_map(Value::Str),
    ];
    leaf.prop_recursive(5, 40, 6, |inside| {
        let dict = proptest::collection::btree_map(".*", inside.clone(), 0..4);
        prop_oneof![
            vec(inside, 0..6).prop_map(Value::List),
            dict.prop_map(|pairs| {
                let pairs = pairs.into_iter();
                Value::Dict(pairs.map(|(key, value)| (key.into(), value)).collect())
            }),
        ]
    })
}

/// One of the fixtures with some of its bytes changed, or cut off, or with a piece of another in it.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let all = golden::all();
    let one = proptest::sample::select(all.clone());
    let other = proptest::sample::select(all);
    let at = any::<proptest::sample::Index>;
    (
        one,
        other,
        vec((at(), any::<u8>()), 0..6),
        at(),
        at(),
        any::<bool>(),
    )
        .prop_map(|(mut bytes, other, changes, from, to, spliced)| {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if spliced {
                bytes.truncate(from.index(bytes.len()));
                bytes.extend_from_slice(&other[to.index(other.len())..]);
            }
            bytes
        })
}

/// Pickles made of opcodes alone, so that many get far.
fn program() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"(",
        b"0",
        b"1",
        b"2",
        b"N",
        b"R",
        b"a",
        b"b",
        b"d",
        b"}",
        b"e",
        b"l",
        b"]",
        b"o",
        b"s",
        b"t",
        b")",
        b"u",
        b"\x81",
        b"\x85",
        b"\x86",
        b"\x87",
        b"\x8f",
        b"\x90",
        b"\x91",
        b"\x92",
        b"\x93",
        b"\x94",
        b"h\0",
        b"h\x01",
        b"q\0",
        b"K\x01",
        b"\x8c\x01m",
        b"cm\nC\n",
        b"im\nC\n",
        b"ccollections\ndeque\n",
        b"ccollections\nOrderedDict\n",
        b"cbuiltins\nset\n",
        b"ccopyreg\n_reconstructor\n",
        b"cbuiltins\nobject\n",
    ];
    let piece = proptest::sample::select(pieces);
    vec(piece, 0..60).prop_map(|pieces| [pieces.concat(), b".".to_vec()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn changed_fixtures_never_panic(message in mutated()) {
        read(&message);
    }

    #[test]
    fn programs_never_panic(message in program()) {
        read(&message);
    }

    #[test]
    fn any_bytes_never_panic(message in vec(any::<u8>(), 0..200)) {
        read(&message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn plain_values_come_back_from_pickle(value in plain()) {
        let back = Codec::Pickle.encode(&value).and_then(|bytes| Codec::Pickle.decode(&bytes));
        // As text, since NaN is not equal to itself.
        prop_assert_eq!(format!("{:?}", back), format!("{:?}", Ok::<_, ()>(value)));
    }

    #[test]
    fn values_of_json_come_back_from_all(value in jsonable()) {
        for codec in Codec::ALL {
            let back = codec.encode(&value).and_then(|bytes| codec.decode(&bytes));
            prop_assert_eq!(back.as_ref(), Ok(&value), "{}", codec);
        }
    }
}

#[test]
fn every_beginning_of_a_fixture_is_refused() {
    for message in golden::all() {
        for end in 0..message.len() {
            assert!(Codec::Pickle.decode(&message[..end]).is_err());
        }
    }
}
