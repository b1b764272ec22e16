//! Names of processors in request bodies, checked against the configured ones.

use serde_json::json;

use super::fields::Fields;
use crate::api::auth::caller::Caller;
use crate::api::error::Problem;
use crate::processors::Registry;

/// Notes a name that no configured processor has. A processor that the caller may not see is not told apart from a
/// missing one: [`Caller::check`] refuses both alike.
pub(crate) fn check_processor(
    fields: &mut Fields,
    name: Option<&str>,
    registry: &Registry,
    caller: &Caller,
) {
    if let Some(name) = name
        && caller.covers(name)
        && registry.get(name).is_none()
    {
        fields.problems([unknown_processor(name, registry, caller)]);
    }
}

/// Returns the mistake that the field `processor` names no configured processor.
pub(crate) fn unknown_processor(name: &str, registry: &Registry, caller: &Caller) -> Problem {
    let names = caller.names(registry).join(", ");
    let msg = format!("Input should be the name of a configured processor: {names}");
    Problem::new("enum", &["body", "processor"], msg, json!(name))
}
