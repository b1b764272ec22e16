//! One function for each reader of bytes from outside, for fuzzers to call: it panics if the reader breaks a promise.
//!
//! The promises: no bytes make a reader panic, take long or take much memory; and what it accepts is written so that
//! it reads as the same value. The module exists in tests and under `cargo fuzz` alone (`fuzz/`), which finds new
//! inputs by coverage. The tests here run the kept inputs of `fuzz/corpus` and random changes of them on any
//! toolchain.

use serde_json::{Map, Value as Json};

use crate::dump::format;
use crate::hive::wire::{Codec, Limits, Value};
use crate::models::Task;

#[cfg(test)]
mod mutate;
#[cfg(test)]
mod tests;

pub use crate::api::fuzz::bodies;
pub use crate::config::fuzz::dotenv;

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

/// Reads a `state_dump.json`.
pub fn dump(bytes: &[u8]) {
    let Ok((tasks, fields)) = read_dump(bytes) else {
        return;
    };
    let written = write_dump(&tasks, &fields);
    let (tasks_again, fields_again) = read_dump(&written).expect("what was written is read");
    assert_eq!(tasks_again, tasks);
    // The writer adds fields that the original needs.
    for (name, value) in &fields {
        assert_eq!(fields_again.get(name), Some(value), "{name}");
    }
    assert_eq!(write_dump(&tasks_again, &fields_again), written);
}

fn write_dump(tasks: &[Task], fields: &Map<String, Json>) -> Vec<u8> {
    let mut writer = format::Writer::new(Vec::new());
    for task in tasks {
        writer.task(task).expect("memory takes everything");
    }
    writer.finish(fields).expect("memory takes everything");
    std::mem::take(writer.get_mut())
}

fn read_dump(bytes: &[u8]) -> Result<(Vec<Task>, Map<String, Json>), format::Error> {
    let mut tasks = Vec::new();
    let rest = format::read(bytes, "echo", |task, _| {
        tasks.push(task);
        Ok(())
    })?;
    Ok((tasks, rest.fields))
}
