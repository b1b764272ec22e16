//! Reads and writes the dict of a job or a result, field by field.

use crate::hive::wire::error::Error;
use crate::hive::wire::value::Value;

/// The unread fields of a record.
pub(crate) struct RecordFields {
    record: &'static str,
    pairs: Vec<(Value, Value)>,
}

impl RecordFields {
    /// Returns the fields of a `job` or `result`, which must be a dict.
    pub(crate) fn of(record: &'static str, value: Value) -> Result<Self, Error> {
        match value {
            Value::Dict(pairs) => Ok(Self { record, pairs }),
            other => Err(Error::Field {
                record,
                field: "*",
                found: other.type_name(),
                expected: "a dict of all fields",
            }),
        }
    }

    /// Removes a field; of duplicate keys the last value counts, as in Python.
    fn take(&mut self, field: &str) -> Option<Value> {
        let named = |(key, _): &(Value, Value)| matches!(key, Value::Str(key) if key == field);
        let at = self.pairs.iter().rposition(named)?;
        Some(self.pairs.swap_remove(at).1)
    }

    fn wrong(&self, field: &'static str, found: &Option<Value>, expected: &'static str) -> Error {
        Error::Field {
            record: self.record,
            field,
            found: found.as_ref().map_or("nothing", Value::type_name),
            expected,
        }
    }

    pub(crate) fn any(&mut self, field: &'static str) -> Result<Value, Error> {
        let found = self.take(field);
        found.ok_or_else(|| self.wrong(field, &None, "any value"))
    }

    pub(crate) fn integer(&mut self, field: &'static str) -> Result<i64, Error> {
        match self.take(field) {
            Some(Value::Int(number)) => Ok(number),
            found => Err(self.wrong(field, &found, "an int")),
        }
    }

    /// Reads a number or `None`; the field must exist.
    pub(crate) fn optional_integer(&mut self, field: &'static str) -> Result<Option<i64>, Error> {
        match self.take(field) {
            Some(Value::Int(number)) => Ok(Some(number)),
            Some(Value::None) => Ok(None),
            found => Err(self.wrong(field, &found, "an int or None")),
        }
    }

    pub(crate) fn truth(&mut self, field: &'static str) -> Result<bool, Error> {
        match self.take(field) {
            Some(Value::Bool(truth)) => Ok(truth),
            found => Err(self.wrong(field, &found, "a bool")),
        }
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<String, Error> {
        match self.take(field) {
            Some(Value::Str(text)) => Ok(text),
            found => Err(self.wrong(field, &found, "a str")),
        }
    }

    /// Reads a text that older versions of ARQ leave out.
    pub(crate) fn text_if_known(&mut self, field: &'static str) -> Result<String, Error> {
        match self.take(field) {
            Some(Value::Str(text)) => Ok(text),
            None => Ok("<unknown>".to_owned()),
            found => Err(self.wrong(field, &found, "a str")),
        }
    }

    pub(crate) fn args(&mut self, field: &'static str) -> Result<Vec<Value>, Error> {
        match self.take(field) {
            Some(Value::List(items) | Value::Tuple(items)) => Ok(items),
            found => Err(self.wrong(field, &found, "a tuple or a list")),
        }
    }

    pub(crate) fn kwargs(&mut self, field: &'static str) -> Result<Vec<(String, Value)>, Error> {
        const EXPECTED: &str = "a dict with str keys";
        let pairs = match self.take(field) {
            Some(Value::Dict(pairs)) => pairs,
            found => return Err(self.wrong(field, &found, EXPECTED)),
        };
        let named = pairs.into_iter().map(|(key, value)| match key {
            Value::Str(key) => Ok((key, value)),
            other => Err(self.wrong(field, &Some(other), EXPECTED)),
        });
        named.collect()
    }
}

/// Returns a dict with the fields as keys, in this order.
pub(crate) fn dict<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let pairs = fields
        .into_iter()
        .map(|(field, value)| (field.into(), value));
    Value::Dict(pairs.collect())
}

/// Returns the keyword arguments as a dict.
pub(crate) fn keywords(kwargs: &[(String, Value)]) -> Value {
    let pairs = kwargs.iter().cloned();
    Value::Dict(pairs.map(|(key, value)| (key.into(), value)).collect())
}
