//! The values of the settings of processors and of concurrency keys.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use figment::value::{Dict, Value};
use reqwest::Url;

use super::super::choices::KindName;
use super::super::rate::{self, Rate};
use super::super::values::{argument, duration, number, text, whole, word};
use super::{NamePattern, ValueType};

/// The longest pause between two attempts: 30 days.
const LONGEST_PAUSE: f64 = 30.0 * 86_400.0;

pub(crate) const PROCESSORS: ValueType<Dict> =
    ValueType::private("tables [processors.NAME] in venom.toml", dict);

pub(crate) const KIND: ValueType<KindName> = ValueType::new(
    "\"echo\", \"command\", \"webhook\", \"llm\", \"worker\" or \"hive\"",
    |value| KindName::named(&word(value)?),
);

pub(crate) const RATE: ValueType<Rate> =
    ValueType::new(rate::EXPECTED, |value| value.as_str()?.parse().ok());

pub(crate) const ATTEMPTS: ValueType<i64> =
    ValueType::new("a whole number from 1 to 1000", |value| {
        whole(value, 1..=1000)
    });

pub(crate) const BACKOFF: ValueType<Dict> = ValueType::new(
    "a table such as { first = 1, factor = 2, max = 300, jitter = 0.1 }",
    dict,
);

pub(crate) const FIRST_PAUSE: ValueType<Duration> = ValueType::new(
    "a number of seconds from 0 to 86400 (a day), or a text such as \"90s\" or \"5m\"",
    |value| duration(value, 0.0).filter(|first| first.as_secs_f64() <= 86_400.0),
);

pub(crate) const FACTOR: ValueType<f64> =
    ValueType::new("a number from 1 to 100", |value| number(value, 1.0..=100.0));

pub(crate) const PAUSE: ValueType<Duration> = ValueType::new(
    "a number of seconds from 0 to 2592000 (30 days), or a text such as \"5m\" or \"2h\"",
    |value| duration(value, 0.0).filter(|pause| pause.as_secs_f64() <= LONGEST_PAUSE),
);

pub(crate) const JITTER: ValueType<f64> =
    ValueType::new("a number from 0 to 1", |value| number(value, 0.0..=1.0));

pub(crate) const PROGRAM: ValueType<String> =
    ValueType::private("the program to start, as text", text);

pub(crate) const ARGUMENTS: ValueType<Vec<String>> =
    ValueType::private("a list of texts", |value| {
        value.as_array()?.iter().map(argument).collect()
    });

pub(crate) const VARIABLE: ValueType<String> = ValueType::private("a text", argument);

pub(crate) const VARIABLES: ValueType<Dict> = ValueType::private("a table of texts by name", dict);

pub(crate) const VARIABLE_NAMES: NamePattern = NamePattern {
    expected: "a name without \"=\"",
    fit: |name| !name.is_empty() && !name.contains(['=', '\0']),
};

/// Private, because many an address holds a token, and one with a password is refused here.
pub(crate) const URL: ValueType<String> = ValueType::private(
    "an address that begins with http:// or https:// and has no user or password in it",
    |value| {
        let address = text(value)?.trim().to_owned();
        let url = Url::parse(&address).ok()?;
        let is_web = ["http", "https"].contains(&url.scheme()) && url.has_host();
        let is_bare = url.username().is_empty() && url.password().is_none();
        (is_web && is_bare).then_some(address)
    },
);

pub(crate) const HEADERS: ValueType<Dict> = ValueType::private("a table of texts by name", dict);

pub(crate) const HEADER: ValueType<String> =
    ValueType::private("a text of visible ASCII characters", |value| {
        let header = value.as_str()?;
        HeaderValue::from_str(header).ok()?;
        Some(header.to_owned())
    });

/// Headers that say where a request ends or belong to its connection, and those of the message itself:
/// a second one would make two requests of one, or a signature that does not fit.
const OWN_HEADERS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "venom-attempt",
];

pub(crate) const HEADER_NAMES: NamePattern = NamePattern {
    expected: "the name of an HTTP header that is not the service's own to set, as Content-Length, \
               Connection and webhook-… are",
    fit: |name| {
        HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| {
            let name = name.as_str();
            !OWN_HEADERS.contains(&name) && !name.starts_with("webhook-")
        })
    },
};

/// Private, because a secret itself is easily written here by mistake. Our own prefix is for
/// settings: a variable that has it and is none stops the start.
pub(crate) const SECRET_VARIABLE: ValueType<String> = ValueType::private(
    "the name of an environment variable, which must not begin with VENOM_",
    |value| {
        let name = text(value)?;
        let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        let is_name = name.bytes().all(fits) && !name.as_bytes()[0].is_ascii_digit();
        let is_ours = name.to_ascii_uppercase().starts_with("VENOM_");
        (is_name && !is_ours).then_some(name)
    },
);

pub(crate) const MODEL: ValueType<String> = ValueType::new("the name of a model, as text", text);

pub(crate) const PROMPT: ValueType<String> = ValueType::private("a text", text);

pub(crate) const TEMPERATURE: ValueType<f64> =
    ValueType::new("a number from 0 to 2", |value| number(value, 0.0..=2.0));

pub(crate) const TOKENS: ValueType<u64> =
    ValueType::new("a whole number from 1 to 1000000000", |value| {
        whole(value, 1..=1_000_000_000)
    });

pub(crate) const LEASE: ValueType<Duration> = ValueType::new(
    "a number of seconds from 1 to 86400 (a day), or a text such as \"90s\" or \"5m\"",
    |value| duration(value, 1.0).filter(|lease| lease.as_secs_f64() <= 86_400.0),
);

pub(crate) const KEYS: ValueType<Dict> =
    ValueType::private("tables [concurrency_keys.NAME] in venom.toml", dict);

pub(crate) const KEY_NAMES: NamePattern = NamePattern {
    expected: "a concurrency key of 1 to 200 characters",
    fit: is_key,
};

pub(crate) const KEY: ValueType<String> =
    ValueType::new("a concurrency key of 1 to 200 characters", |value| {
        Some(value.as_str()?.to_owned()).filter(|key| is_key(key))
    });

fn is_key(key: &str) -> bool {
    (1..=200).contains(&key.chars().count())
}

fn dict(value: &Value) -> Option<Dict> {
    value.as_dict().cloned()
}
