//! Pickle and msgpack messages, for `crate::fuzzing`.

use crate::hive::wire::codec::Codec;
use crate::hive::wire::limits::Limits;
use crate::hive::wire::value::Value;

/// Far above what a message of a few kilobytes needs, and quick to reach for one that multiplies itself.
const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    depth: 100,
    items: 20_000,
    memo: 20_000,
};

/// Reads a pickle from Redis.
pub fn pickle(bytes: &[u8]) {
    if let Some((value, again)) = written(Codec::Pickle, bytes) {
        // As text, since NaN is not equal to itself.
        assert_eq!(format!("{again:?}"), format!("{value:?}"));
    }
}

/// Reads a msgpack message from Redis.
pub fn msgpack(bytes: &[u8]) {
    if let Some((value, again)) = written(Codec::Msgpack, bytes) {
        // It is written as what JSON has a form for.
        assert_eq!(again.to_json(), value.to_json());
        let [first, second] = [&value, &again].map(|value| Codec::Msgpack.encode(value));
        assert_eq!(first, second);
    }
}

/// The value of a message, and what becomes of it when it is written and read. `None` if it is refused, or has no
/// written form, such as one at the limit of depth.
fn written(codec: Codec, bytes: &[u8]) -> Option<(Value, Value)> {
    let value = codec.decode_within(bytes, &LIMITS).ok()?;
    let written = codec.encode(&value).ok()?;
    let again = codec.decode(&written).expect("what was written is read");
    Some((value, again))
}
