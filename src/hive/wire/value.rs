//! A Python value as plain data; what Python would import, call or fill is kept as its description.

use crate::hive::wire::lenient::Replaced;

/// An argument, a keyword argument or a result of a job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An `int` of 64 bits.
    Int(i64),
    /// A larger `int`: decimal digits, after a minus sign if negative; at most 4,300 digits.
    BigInt(String),
    /// A `float`
    Float(f64),
    /// A `str`
    Str(String),
    /// `bytes` or `bytearray`
    Bytes(Vec<u8>),
    /// A `list` or `deque`
    List(Vec<Value>),
    /// A `tuple`
    Tuple(Vec<Value>),
    /// A `dict`, `OrderedDict` or `defaultdict`, in its order.
    Dict(Vec<(Value, Value)>),
    /// A `set` or `frozenset`
    Set(Vec<Value>),
    /// Anything else: an exception, a date, an instance of a class. Only a pickle can hold one.
    Opaque(Box<Opaque>),
}

impl Value {
    /// Returns `module.name(*args)`, the form of an exception.
    pub(crate) fn called(
        module: impl Into<String>,
        name: impl Into<String>,
        args: impl Into<Vec<Value>>,
    ) -> Self {
        Opaque::new(module, name, Made::Called, args.into()).into()
    }

    /// Returns the `result` of a task for this value: a text as it is, everything else as compact JSON (`None` is
    /// `null`).
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Str(text) => text.clone(),
            other => other.to_json().to_string(),
        }
    }

    /// Returns whether it holds numbers that JSON cannot express, or texts with U+FFFD.
    pub(crate) fn replaced(&self) -> Replaced {
        let mut found = Replaced::default();
        self.note_replaced(&mut found);
        found
    }

    fn note_replaced(&self, found: &mut Replaced) {
        match self {
            Self::Float(number) => found.numbers |= !number.is_finite(),
            Self::Str(text) => found.halves |= text.contains(char::REPLACEMENT_CHARACTER),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => {
                items.iter().for_each(|item| item.note_replaced(found));
            }
            Self::Dict(pairs) => pairs.iter().for_each(|(key, value)| {
                key.note_replaced(found);
                value.note_replaced(found);
            }),
            _ => {}
        }
    }

    /// Returns Python's name of the type, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) | Self::BigInt(_) => "an int",
            Self::Float(_) => "a float",
            Self::Str(_) => "a str",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Dict(_) => "a dict",
            Self::Set(_) => "a set",
            Self::Opaque(_) => "an object",
        }
    }
}

impl From<Opaque> for Value {
    fn from(opaque: Opaque) -> Self {
        Self::Opaque(Box::new(opaque))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

/// A Python object that is not plain data: a name, and what the pickle does with it. It is encoded again as it came,
/// so that a job's arguments survive into its result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opaque {
    /// `builtins`, `datetime`, `my_app.errors`
    pub(crate) module: String,
    /// `ValueError`; dotted for a nested class.
    pub(crate) name: String,
    /// What is done with the name.
    pub(crate) made: Made,
    /// The arguments of the call.
    pub(crate) args: Vec<Value>,
    /// The items appended afterwards, for a subclass of `list` or `set`.
    pub(crate) items: Vec<Value>,
    /// The items set by key afterwards, for a subclass of `dict`.
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
    /// In a way that can be read but not written again.
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

    /// Returns the full name, as `builtins.ValueError`.
    pub(crate) fn class(&self) -> String {
        format!("{}.{}", self.module, self.name)
    }
}
