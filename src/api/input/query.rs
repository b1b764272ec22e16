//! Query strings. Each parameter must be known, given once and of its type; anything else is a 422.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Value, json};

use crate::api::error::{ApiError, Problem};

/// The parameters of a request, checked against the names that the call knows.
pub(crate) struct Query(Vec<(String, String)>);

/// Extractor of calls without parameters: refuses any.
pub(crate) struct NoParameters;

impl<S: Send + Sync> FromRequestParts<S> for NoParameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::parse(parts.uri.query(), &[]).map(|_| Self)
    }
}

impl Query {
    /// Parses a query string; `known` are the names of the call's parameters.
    pub(crate) fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query.unwrap_or_default())
            .map_err(|error| {
                let msg = format!("Input should be a valid query string, {error}");
                Problem::new("query_parsing", &["query"], msg, json!(query))
            })?;
        let mut problems = Vec::new();
        for (index, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let msg = match known {
                    [] => "Unknown parameter; this call takes none".to_owned(),
                    known => format!("Unknown parameter; expected one of {}", known.join(", ")),
                };
                problems.push(Problem::new(
                    "extra_forbidden",
                    &["query", name],
                    msg,
                    json!(value),
                ));
            } else if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                let msg = "Given more than once; expected once";
                problems.push(Problem::new(
                    "value_error",
                    &["query", name],
                    msg,
                    json!(value),
                ));
            }
        }
        if problems.is_empty() {
            Ok(Self(pairs))
        } else {
            Err(ApiError::Invalid(problems))
        }
    }

    /// Returns the parameter's text, if it was given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns whether no parameter was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the same query string, with `value` for the parameter `name`.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let others = self.0.iter().filter(|(given, _)| given != name);
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Vec<_> = others.chain([(name, value)]).collect();
        serde_urlencoded::to_string(pairs).expect("texts always encode")
    }

    /// Reads the parameter as a number from 1 to `most`.
    pub(crate) fn count(&self, name: &str, most: u32) -> Result<Option<u32>, ApiError> {
        let expected = format!("a whole number from 1 to {most}");
        let count = self.get(name, "int_parsing", &expected)?;
        match count {
            Some(count) if !(1..=most).contains(&count) => {
                let msg = format!("Input should be {expected}");
                Err(Problem::new("int_range", &["query", name], msg, json!(count)).into())
            }
            count => Ok(count),
        }
    }

    /// Reads the parameter as `true` or `false`; `default` if it was not given.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        let flag = self.get(name, "bool_parsing", "true or false")?;
        Ok(flag.unwrap_or(default))
    }

    /// Reads the parameter as a `T`; `expected` describes that in the error.
    pub(crate) fn get<T: std::str::FromStr>(
        &self,
        name: &str,
        kind: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ApiError> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    let msg = format!("Input should be {expected}");
                    Problem::new(kind, &["query", name], msg, Value::from(text)).into()
                })
            })
            .transpose()
    }
}
