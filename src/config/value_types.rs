//! Which values each setting takes: the sentence that an error message shows, and the function that reads them.
//!
//! A value is typed in `venom.toml` (`port = 9000`) and text in a variable or a flag (`VENOM_PORT=9000`). Every
//! function takes both.

mod clients;
mod hive;
mod processors;
mod schedules;
mod traces;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use figment::value::{Dict, Tag, Value};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::choices::{Auth, Durability, LogFormat};
use super::values::{duration, text, truth, whole, word};
pub(crate) use clients::*;
pub(crate) use hive::*;
pub(crate) use processors::*;
pub(crate) use schedules::*;
pub(crate) use traces::*;

/// The resolution of timers.
const LEAST_PERIOD: f64 = 0.001;

/// The values that a setting takes.
pub(crate) struct ValueType<T> {
    /// Completes "expected …".
    pub(crate) expected: &'static str,
    /// Whether a value may be a secret, so that no message shows it.
    pub(crate) private: bool,
    /// Returns `None` if the value is not what is expected.
    pub(crate) read: fn(&Value) -> Option<T>,
}

impl<T> Clone for ValueType<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ValueType<T> {}

impl<T> ValueType<T> {
    const fn new(expected: &'static str, read: fn(&Value) -> Option<T>) -> Self {
        Self {
            expected,
            private: false,
            read,
        }
    }

    const fn private(expected: &'static str, read: fn(&Value) -> Option<T>) -> Self {
        Self {
            expected,
            private: true,
            read,
        }
    }
}

/// Which names a user may choose in a table.
#[derive(Clone, Copy)]
pub(crate) struct NamePattern {
    /// Completes "expected …".
    pub(crate) expected: &'static str,
    pub(crate) fit: fn(&str) -> bool,
}

pub(crate) const HOST: ValueType<IpAddr> = ValueType::new(
    "an IP address such as 127.0.0.1, 0.0.0.0 or ::1",
    |value| match word(value)?.as_str() {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        address => address.parse().ok(),
    },
);

pub(crate) const PORT: ValueType<u16> = ValueType::new("a whole number from 0 to 65535", |value| {
    whole(value, 0..=65_535)
});

pub(crate) const PATH: ValueType<PathBuf> =
    ValueType::new("a path", |value| Some(text(value)?.into()));

pub(crate) const SWITCH: ValueType<bool> = ValueType::new(
    "true or false (also on or off, yes or no, 1 or 0)",
    |value| match value {
        Value::Bool(_, switch) => Some(*switch),
        Value::Num(_, number) => truth(&number.to_i128()?.to_string()),
        _ => truth(value.as_str()?),
    },
);

pub(crate) const SECONDS: ValueType<Duration> = ValueType::new(
    "a number of seconds, 0 or more, or a text such as \"90s\", \"5m\" or \"2h\"",
    |value| duration(value, 0.0),
);

pub(crate) const PERIOD: ValueType<Duration> = ValueType::new(
    "a number of seconds, at least 0.001, or a text such as \"90s\", \"5m\" or \"2h\"",
    |value| duration(value, LEAST_PERIOD),
);

/// A period of retention; `None` is forever.
pub(crate) const RETENTION: ValueType<Option<Duration>> = ValueType::new(
    "\"forever\", or at least 1 second: a number of seconds, or a text such as \"12h\" or \"30d\" \
     (units s, m, h, d)",
    |value| match word(value).as_deref() {
        Some("forever") => Some(None),
        _ => duration(value, 1.0).map(Some),
    },
);

pub(crate) const AUTH: ValueType<Auth> =
    ValueType::new("\"auto\", \"required\" or \"off\"", |value| {
        Auth::named(&word(value)?)
    });

pub(crate) const DURABILITY: ValueType<Durability> =
    ValueType::new("\"full\" or \"normal\"", |value| {
        Durability::named(&word(value)?)
    });

pub(crate) const CONCURRENCY: ValueType<u64> =
    ValueType::new("a whole number from 1 to 1000000", |value| {
        whole(value, 1..=1_000_000)
    });

pub(crate) const CONNECTIONS: ValueType<usize> =
    ValueType::new("a whole number from 1 to 1000000", |value| {
        whole(value, 1..=1_000_000)
    });

pub(crate) const LOG_LINES: ValueType<u64> =
    ValueType::new("a whole number from 1 to 1000000000", |value| {
        whole(value, 1..=1_000_000_000)
    });

pub(crate) const BODY_BYTES: ValueType<usize> = ValueType::new(
    "a number of bytes from 1024 (1 KiB) to 268435456 (256 MiB)",
    |value| whole(value, 1 << 10..=256 << 20),
);

pub(crate) const MEMORY_BYTES: ValueType<usize> = ValueType::new(
    "a number of bytes from 1024 (1 KiB) to 1099511627776 (1 TiB)",
    |value| whole(value, 1 << 10..=1 << 40),
);

pub(crate) const LOG_FORMAT: ValueType<LogFormat> =
    ValueType::new("\"text\" or \"json\"", |value| {
        LogFormat::named(&word(value)?)
    });

pub(crate) const LOG_FILTER: ValueType<String> = ValueType::new(
    "a level (error, warn, info, debug, trace, off) or a filter such as \"info,venom_core=debug\"",
    |value| {
        let filter = text(value)?;
        EnvFilter::builder().parse(&filter).ok()?;
        // A lone word that is no level would name a target and silence all others; Python's
        // "warning" is such a word.
        let has_directives = filter.contains(['=', ',', '[']);
        let is_level = filter.trim().parse::<LevelFilter>().is_ok();
        (has_directives || is_level).then_some(filter)
    },
);

/// The name of a processor. Whether it exists is checked later.
pub(crate) const NAME: ValueType<String> = ValueType::new("the name of a processor", text);

/// Any table, with the tag of the layer that it comes from.
pub(crate) const TABLE: ValueType<(Tag, Dict)> = ValueType::private("a table", |value| {
    Some((value.tag(), value.as_dict()?.clone()))
});

/// NamePattern that need no quotes in a terminal.
pub(crate) const PLAIN_NAMES: NamePattern = NamePattern {
    expected: "a name of 1 to 64 letters, digits, \"_\", \".\" and \"-\"",
    fit: |name| {
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"_.-".contains(&c);
        (1..=64).contains(&name.len()) && name.bytes().all(fits)
    },
};
