//! The values of the settings about clients: hosts, origins, proxies, rate limit.

use std::net::IpAddr;

use figment::value::Value;
use ipnet::IpNet;
use reqwest::Url;

use super::super::rate::Rate;
use super::super::values::word;
use super::ValueType;

pub(crate) const REQUEST_RATE: ValueType<Option<Rate>> = ValueType::new(
    "\"off\", or a rate such as \"100/s\": a number of requests from 1 to 100000, a slash, and s, m, h \
     or d",
    |value| match word(value)?.as_str() {
        "off" => Some(None),
        rate => rate.parse().ok().map(Some),
    },
);

pub(crate) const NETWORKS: ValueType<Vec<IpNet>> = ValueType::new(
    "a list of addresses and networks such as [\"127.0.0.1\", \"10.0.0.0/8\"]; in a variable, commas \
     between them",
    |value| list(value)?.iter().map(|text| network(text)).collect(),
);

/// A network of one address, or of those that a prefix spans.
fn network(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.into()),
        Err(_) => text.parse().ok(),
    }
}

pub(crate) const HOST_NAMES: ValueType<Vec<String>> = ValueType::new(
    "a list of host names in small letters such as [\"build.lan\"], without port or wildcard; in a \
     variable, commas between them",
    |value| list(value)?.into_iter().map(host_name).collect(),
);

/// The text, if it is just a name, as a browser writes it.
fn host_name(text: String) -> Option<String> {
    let url = Url::parse(&format!("http://{text}")).ok()?;
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    (is_plain && url.domain() == Some(text.as_str())).then_some(text)
}

pub(crate) const ORIGINS: ValueType<Vec<String>> = ValueType::new(
    "a list of exact origins such as [\"https://app.example.org\"]: http or https, a host in small \
     letters, a port unless it is the usual one, and nothing else; in a variable, commas between them",
    |value| list(value)?.into_iter().map(origin).collect(),
);

/// The text, if it is just what a browser sends as `Origin`. So no wildcard is one.
fn origin(text: String) -> Option<String> {
    let url = Url::parse(&text).ok()?;
    let is_web = ["http", "https"].contains(&url.scheme());
    (is_web && url.origin().ascii_serialization() == text).then_some(text)
}

/// A list of texts, or one text with commas.
fn list(value: &Value) -> Option<Vec<String>> {
    let trimmed = |text: &str| text.trim().to_owned();
    match value {
        Value::Array(_, items) => (items.iter())
            .map(|item| item.as_str().map(trimmed))
            .collect(),
        _ => {
            let items = value.as_str()?.split(',').map(trimmed);
            Some(items.filter(|item| !item.is_empty()).collect())
        }
    }
}
