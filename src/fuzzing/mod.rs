//! One function for each reader of bytes from outside, for fuzzers to call: it panics if the reader breaks a promise.
//!
//! The promises: no bytes make a reader panic, take long or take much memory; and what it accepts is written so that
//! it reads as the same value. The module exists in tests and under `cargo fuzz` alone (`fuzz/`), which finds new
//! inputs by coverage. The tests here run the kept inputs of `fuzz/corpus` and random changes of them on any
//! toolchain.

#[cfg(test)]
mod mutate;
#[cfg(test)]
mod tests;

pub use crate::api::fuzz::bodies;
pub use crate::config::fuzz::dotenv;
pub use crate::dump::fuzz::dump;
pub use crate::hive::fuzz::{msgpack, pickle};
