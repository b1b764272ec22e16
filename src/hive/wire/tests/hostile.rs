//! Bytes meant to hurt: each is refused, in little time and memory.

use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Value;

fn refused(codec: Codec, message: &[u8]) -> String {
    let read = codec.decode(message);
    read.expect_err("refused").to_string()
}

fn limited(codec: Codec, message: &[u8]) {
    let read = codec.decode(message);
    assert!(matches!(read, Err(Error::Limit { .. })), "{read:?}");
}

#[test]
fn a_pickle_that_would_run_a_command_is_data() {
    let read = Codec::Pickle.decode(b"cos\nsystem\nS'exit 1'\n\x85R.");
    assert_eq!(read, Ok(Value::called("os", "system", ["exit 1".into()])));
}

#[test]
fn lists_that_double_thirty_times() {
    let mut message = b"\x80\x04K\x01".to_vec();
    for _ in 0..30 {
        message.extend_from_slice(b"2\x86");
    }
    message.push(b'.');
    limited(Codec::Pickle, &message);
}

#[test]
fn a_long_text_named_many_times() {
    let mut message = b"\x80\x04](X\0\0\x10\0".to_vec();
    message.resize(message.len() + 0x10_0000, b'a');
    message.push(0x94);
    message.extend(b"h\0".repeat(100));
    message.extend_from_slice(b"e.");
    limited(Codec::Pickle, &message);
}

#[test]
fn a_long_tuple_of_arguments_used_many_times() {
    let mut message = b"\x80\x04(".to_vec();
    message.extend(b"N".repeat(100_000));
    message.extend_from_slice(b"t\x940cm\nf\nq\x01](");
    message.extend(b"h\x01h\0R".repeat(1_000));
    message.extend_from_slice(b"e.");
    limited(Codec::Pickle, &message);
}

#[test]
fn values_that_contain_themselves() {
    let list = b"\x80\x04]\x94h\0a.";
    let dict = b"\x80\x04}\x94K\x01h\0s.";
    let state = b"\x80\x04cm\nC\n)\x81\x94h\0b.";
    let callee = b"cm\nC\n)\x81\x94K\x01h\0s.";
    for message in [&list[..], dict, state, callee] {
        let said = refused(Codec::Pickle, message);
        assert!(said.contains("contains itself"), "{said}");
    }
}

#[test]
fn too_deep_by_every_codec() {
    let deep = 10_000_000;
    let mut pickle = b"]".repeat(500_000);
    pickle.extend(b"a".repeat(499_999));
    pickle.push(b'.');
    limited(Codec::Pickle, &pickle);
    limited(Codec::Json, &b"[".repeat(deep));
    limited(Codec::Msgpack, &b"\x91".repeat(deep));
}

#[test]
fn depth_stays_bounded_whatever_is_set() {
    let limits = ReadLimits {
        depth: usize::MAX,
        ..ReadLimits::default()
    };
    let message = b"\x91".repeat(900_000);
    let read = Codec::Msgpack.decode_within(&message, &limits);
    assert!(matches!(read, Err(Error::Limit { limit: 200, .. })));
}

#[test]
fn too_many_by_every_codec() {
    let many = 2_000_000;
    limited(Codec::Pickle, &b"N".repeat(many));
    limited(Codec::Pickle, &b"(".repeat(many));
    limited(Codec::Pickle, &b"cm\nn\n0".repeat(many));
    limited(Codec::Json, &[b"[0".to_vec(), b",0".repeat(many)].concat());
    let list = [b"\xdd\xff\xff\xff\xff".to_vec(), b"\xc0".repeat(many)].concat();
    limited(Codec::Msgpack, &list);
}

#[test]
fn too_much_in_the_memo() {
    let limits = ReadLimits {
        memo: 10,
        ..ReadLimits::default()
    };
    let message = [b"N".to_vec(), b"\x94".repeat(11), b".".to_vec()].concat();
    let read = Codec::Pickle.decode_within(&message, &limits);
    assert!(matches!(read, Err(Error::Limit { limit: 10, .. })));
    assert_eq!(Codec::Pickle.decode(&message), Ok(Value::None));
}

#[test]
fn a_message_that_is_too_long() {
    let limits = ReadLimits {
        bytes: 3,
        ..ReadLimits::default()
    };
    let read = Codec::Json.decode_within(b"1234", &limits);
    assert!(matches!(read, Err(Error::Limit { limit: 3, .. })));
    assert_eq!(
        Codec::Json.decode_within(b"123", &limits),
        Ok(Value::Int(123))
    );
}

#[test]
fn lengths_that_are_not_there() {
    for message in [
        &b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff."[..],
        b"X\xff\xff\xff\xffab.",
        b"\x8b\xff\xff\xff\xff.",
    ] {
        let said = refused(Codec::Pickle, message);
        assert!(said.contains("ends too early"), "{said}");
    }
    for message in [
        &b"\xc6\xff\xff\xff\xff"[..],
        b"\xdb\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
    ] {
        let said = refused(Codec::Msgpack, message);
        assert!(said.contains("ends too early"), "{said}");
    }
}

#[test]
fn more_behind_the_value() {
    assert!(refused(Codec::Msgpack, b"\x01\x02").contains("more after"));
    assert!(refused(Codec::Json, b"1 2").contains("trailing"));
    // Python stops at the end of a pickle, too.
    assert_eq!(Codec::Pickle.decode(b"N.N"), Ok(Value::None));
}

#[test]
fn an_integer_that_takes_long_to_write_out() {
    let mut message = b"\x8b\0\0\x10\0".to_vec();
    message.resize(message.len() + 0x10_0000, 0x7f);
    message.push(b'.');
    assert!(refused(Codec::Pickle, &message).contains("too large"));
    let text = [b"L".to_vec(), b"9".repeat(5_000), b"L\n.".to_vec()].concat();
    assert!(refused(Codec::Pickle, &text).contains("too large"));
}

#[test]
fn programs_that_make_no_sense() {
    for message in [
        &b""[..],
        b".",
        b"K\x01(a.",
        b"K\x01K\x02a.",
        b"](K\x01u.",
        b"}(K\x01u.",
        b"h\0.",
        b"\x94.",
        b"1.",
        b"K\x01)R.",
        b"K\x01K\x02\x93.",
        b"cm\nC\nNR.",
        b"\x80\x06N.",
        b"Pid\n.",
        b"\x82\x01.",
        b"\x97.",
        b"Iabc\n.",
        b"S'a\n.",
        b"]Nb.",
        b"(o.",
        b"](N2a.",
    ] {
        let read = Codec::Pickle.decode(message);
        assert!(
            matches!(read, Err(Error::Malformed { .. })),
            "{message:?}: {read:?}"
        );
    }
}

#[test]
fn the_place_of_a_mistake_is_named() {
    let said = refused(Codec::Pickle, b"\x80\x04NQ.");
    assert_eq!(said, "not readable as pickle: the opcode 0x51, at byte 4");
}
