//! What Python would import, call or fill, kept as its description.

use crate::hive::wire::value::Value;

/// An object of Python that is not plain data: a name, and what the pickle does with it. It is written
/// again as it came, so that a job's arguments survive the way into its result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opaque {
    /// `builtins`, `datetime`, `my_app.errors`
    pub(crate) module: String,
    /// `ValueError`; with dots for a class inside a class.
    pub(crate) name: String,
    /// What happens to the name.
    pub(crate) made: Made,
    /// What it is called with.
    pub(crate) args: Vec<Value>,
    /// What is appended to it afterwards, for a subclass of `list` or `set`.
    pub(crate) items: Vec<Value>,
    /// What is set in it by key afterwards, for a subclass of `dict`.
    pub(crate) pairs: Vec<(Value, Value)>,
    /// Its attributes, usually a dict.
    pub(crate) state: Option<Value>,
}

/// How Python gets from the name to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// The class or function itself.
    Named,
    /// `name(*args)`
    Called,
    /// `name.__new__(name, *args)`
    New,
    /// By a way that is only read and cannot be written again.
    Indirect,
}

impl Opaque {
    pub(crate) fn new(
        module: impl Into<String>,
        name: impl Into<String>,
        made: Made,
        args: Vec<Value>,
    ) -> Self {
        Self {
            module: module.into(),
            name: name.into(),
            made,
            args,
            items: Vec::new(),
            pairs: Vec::new(),
            state: None,
        }
    }

    /// The full name, as `builtins.ValueError`.
    pub(crate) fn class(&self) -> String {
        format!("{}.{}", self.module, self.name)
    }
}
