//! Checks a JSON body against limits before it is parsed, so that a refused body costs one pass over its bytes.

use serde_json::{Value, json};

use crate::api::error::{ApiError, Problem};
use crate::models::json::{
    Fault, Found, Items, Limits, NESTING_LIMIT, NUMBER_DIGITS, Step, VALUES_LIMIT, scan,
};

/// A body that is one object.
pub(crate) const OBJECT: Limits = Limits {
    // The body itself holds the fields.
    depth: 1 + NESTING_LIMIT,
    values: VALUES_LIMIT,
    items: Items::Whole,
    uncounted: None,
};

/// Returns the limits of a body such as `{"tasks": [ … ]}` with at most `most` entries.
pub(crate) const fn list_of(most: usize) -> Limits {
    Limits {
        depth: 3 + NESTING_LIMIT,
        items: Items::InList(most),
        ..OBJECT
    }
}

/// Refuses JSON that some readers cannot parse, and more values than a body may hold.
pub(crate) fn check(body: &[u8], limits: Limits) -> Result<(), ApiError> {
    scan(body, limits, |found| Err(problem(&found, limits).into()))
}

fn problem(found: &Found<'_>, limits: Limits) -> Problem {
    let (kind, msg, input) = match found.fault {
        Fault::Number => (
            "number_range",
            format!(
                "Input should be a number of at most {NUMBER_DIGITS} digits that fits a double"
            ),
            json!(String::from_utf8_lossy(found.bytes())),
        ),
        Fault::Surrogate => (
            "string_unicode",
            "Input should be text without halves of surrogate pairs, such as \\ud83d alone"
                .to_owned(),
            json!(String::from_utf8_lossy(found.bytes())),
        ),
        Fault::TooDeep => (
            "recursion_limit",
            format!("Input should be nested at most {NESTING_LIMIT} levels deep"),
            Value::Null,
        ),
        Fault::TooManyValues => (
            "too_long",
            format!("Input should have at most {} JSON values", limits.values),
            Value::Null,
        ),
        Fault::TooManyItems => {
            let most = match limits.items {
                Items::InList(most) => most,
                Items::Whole => usize::MAX,
            };
            (
                "too_long",
                format!("List should have at most {most} items"),
                Value::Null,
            )
        }
    };
    let mut problem = Problem::new(kind, &["body"], msg, input);
    // Of what is too much the item is named, or the field; of the rest the exact place.
    let path = found.path();
    let length = match (found.fault, limits.items) {
        (Fault::TooManyItems, _) => 1,
        (Fault::TooManyValues, Items::Whole) => 0,
        (Fault::TooManyValues, Items::InList(_)) => 2,
        (Fault::TooDeep, Items::Whole) => 1,
        (Fault::TooDeep, Items::InList(_)) => 3,
        (Fault::Number | Fault::Surrogate, _) => path.len(),
    };
    for step in path.into_iter().take(length) {
        problem.place(match step {
            Step::Field(name) => json!(name),
            Step::Index(index) => json!(index),
        });
    }
    problem
}
