//! Pickle and msgpack messages, for `crate::fuzzing`.

use crate::hive::wire::codec::Codec;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Value;

/// Far above the size of a message of a few kilobytes, and reached soon by a message that multiplies itself.
const LIMITS: ReadLimits = ReadLimits {
    bytes: 1 << 20,
    depth: 100,
    items: 20_000,
    memo: 20_000,
};

/// Decodes a pickle and checks that its encoding decodes to the same value.
pub fn pickle(bytes: &[u8]) {
    if let Some((value, again)) = written(Codec::Pickle, bytes) {
        // Compared as text, since NaN is not equal to itself.
        assert_eq!(format!("{again:?}"), format!("{value:?}"));
    }
}

/// Decodes a msgpack message and checks that its encoding decodes to the same value.
pub fn msgpack(bytes: &[u8]) {
    if let Some((value, again)) = written(Codec::Msgpack, bytes) {
        // Values without a form in JSON are written as their nearest form.
        assert_eq!(again.to_json(), value.to_json());
        let [first, second] = [&value, &again].map(|value| Codec::Msgpack.encode(value));
        assert_eq!(first, second);
    }
}

/// Returns a message's value, and the value that its encoding decodes to. `None` if the message is refused or its
/// value cannot be encoded, such as one at the depth limit.
fn written(codec: Codec, bytes: &[u8]) -> Option<(Value, Value)> {
    let value = codec.decode_within(bytes, &LIMITS).ok()?;
    let written = codec.encode(&value).ok()?;
    let again = codec.decode(&written).expect("what was written is read");
    Some((value, again))
}
