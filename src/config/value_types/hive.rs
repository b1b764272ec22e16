//! The values of the settings of the Hive.

use std::net::IpAddr;
use std::path::PathBuf;

use super::super::choices::{HiveCodec, HiveQueue};
use super::super::hive::Password;
use super::super::values::{argument, text, whole, word};
use super::ValueType;

/// Characters of a function's name.
const FUNCTION_CHARACTERS: usize = 200;
/// The longest name that DNS knows.
const HOST_CHARACTERS: usize = 253;

pub(crate) const REDIS_HOST: ValueType<String> =
    ValueType::new("a host name or an IP address, without a port", |value| {
        let host = text(value)?.trim().to_owned();
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        let is_name = host.len() <= HOST_CHARACTERS && host.bytes().all(fits);
        (is_name || host.parse::<IpAddr>().is_ok()).then_some(host)
    });

pub(crate) const REDIS_PORT: ValueType<u16> =
    ValueType::new("a whole number from 1 to 65535", |value| {
        whole(value, 1..=65_535)
    });

pub(crate) const REDIS_DB: ValueType<u32> =
    ValueType::new("a whole number from 0 to 1000000", |value| {
        whole(value, 0..=1_000_000)
    });

pub(crate) const PASSWORD: ValueType<Option<Password>> =
    ValueType::private("a text; an empty one is none", |value| {
        let password = argument(value)?;
        let is_any = !password.trim().is_empty();
        Some(is_any.then(|| Password::new(password)))
    });

pub(crate) const USERNAME: ValueType<Option<String>> =
    ValueType::new("a name; an empty one is none", |value| {
        let name = argument(value)?;
        Some((!name.trim().is_empty()).then_some(name))
    });

/// A file that need not be there; an empty path is none.
pub(crate) const OPTIONAL_PATH: ValueType<Option<PathBuf>> =
    ValueType::new("a path; an empty one is none", |value| {
        let path = argument(value)?;
        Some((!path.trim().is_empty()).then(|| path.into()))
    });

/// A key or a channel of Redis, which may be any text; blanks and control characters are mistakes.
pub(crate) const REDIS_NAME: ValueType<String> =
    ValueType::new("a name of 1 to 200 characters without blanks", |value| {
        let name = text(value)?.trim().to_owned();
        let fits = |c: char| !c.is_whitespace() && !c.is_control();
        (name.chars().count() <= 200 && name.chars().all(fits)).then_some(name)
    });

pub(crate) const FUNCTION: ValueType<String> = ValueType::new(
    "the name of a Python function, with dots if need be, of 1 to 200 characters",
    |value| {
        let name = text(value)?;
        let is_short = name.chars().count() <= FUNCTION_CHARACTERS;
        (is_short && name.split('.').all(is_identifier)).then_some(name)
    },
);

pub(crate) const HIVE_QUEUE: ValueType<HiveQueue> =
    ValueType::new("\"high\", \"background\" or \"by priority\"", |value| {
        HiveQueue::named(&word(value)?)
    });

pub(crate) const HIVE_CODEC: ValueType<HiveCodec> =
    ValueType::new("\"pickle\", \"json\" or \"msgpack\"", |value| {
        HiveCodec::named(&word(value)?)
    });

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    let begins = |c: char| c.is_alphabetic() || c == '_';
    let goes_on = |c: char| c.is_alphanumeric() || c == '_';
    characters.next().is_some_and(begins) && characters.all(goes_on)
}
