//! Converts objects of Python's own library to plain data: pickle's older protocols have no opcodes for bytes and
//! sets, and a few containers are equivalent to plain ones.

use crate::hive::wire::value::Value;
use crate::hive::wire::value::{Made, Opaque};

/// Returns a module's name in Python 3; protocols 0 to 2 use the names of Python 2.
pub(crate) fn module(module: String) -> String {
    match module.as_str() {
        "__builtin__" | "exceptions" => "builtins".to_owned(),
        "copy_reg" => "copyreg".to_owned(),
        _ => module,
    }
}

/// Returns a name in Python 3.
pub(crate) fn name(module: &str, name: String) -> String {
    match (module, name.as_str()) {
        ("builtins", "long") => "int".to_owned(),
        ("builtins", "unicode") => "str".to_owned(),
        _ => name,
    }
}

/// Returns the plain value of an object, or the object itself.
pub(crate) fn simplified(mut opaque: Opaque) -> Value {
    if opaque.made != Made::Called || opaque.state.is_some() && !is_reconstructed(&opaque) {
        return opaque.into();
    }
    match (
        opaque.module.as_str(),
        opaque.name.as_str(),
        opaque.args.as_mut_slice(),
    ) {
        ("copyreg", "_reconstructor", _) => reconstructed(opaque),
        ("builtins", "set" | "frozenset", [Value::List(items) | Value::Tuple(items)])
            if opaque.items.is_empty() =>
        {
            Value::Set(std::mem::take(items))
        }
        ("builtins", "bytes" | "bytearray", []) => Value::Bytes(Vec::new()),
        ("builtins", "bytearray", [Value::Bytes(bytes)]) => Value::Bytes(std::mem::take(bytes)),
        ("_codecs", "encode", [Value::Str(text), Value::Str(encoding)])
        | ("builtins", "bytearray", [Value::Str(text), Value::Str(encoding)])
            if matches!(encoding.as_str(), "latin1" | "latin-1") =>
        {
            match latin1(text) {
                Some(bytes) => Value::Bytes(bytes),
                None => opaque.into(),
            }
        }
        ("collections", "OrderedDict", []) | ("collections", "defaultdict", _)
            if opaque.items.is_empty() =>
        {
            Value::Dict(opaque.pairs)
        }
        ("collections", "deque", [] | [Value::List(_) | Value::Tuple(_), ..])
            if opaque.pairs.is_empty() =>
        {
            deque(opaque)
        }
        _ => opaque.into(),
    }
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}

/// Joins a deque's initial and appended items.
fn deque(opaque: Opaque) -> Value {
    let mut items = match opaque.args.into_iter().next() {
        Some(Value::List(items) | Value::Tuple(items)) => items,
        _ => Vec::new(),
    };
    items.extend(opaque.items);
    Value::List(items)
}

fn is_reconstructed(opaque: &Opaque) -> bool {
    opaque.module == "copyreg" && opaque.name == "_reconstructor"
}

/// Converts the call by which protocols 0 and 1 make a plain instance: `_reconstructor(class, object, None)`.
fn reconstructed(opaque: Opaque) -> Value {
    let [Value::Opaque(class), Value::Opaque(base), Value::None] = opaque.args.as_slice() else {
        return opaque.into();
    };
    if class.made != Made::Named || base.class() != "builtins.object" {
        return opaque.into();
    }
    let (module, name) = (class.module.clone(), class.name.clone());
    let args = Vec::new();
    let made = Made::New;
    Opaque {
        module,
        name,
        made,
        args,
        ..opaque
    }
    .into()
}
