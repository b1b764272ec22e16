//! Flattens schemas of structs that contain an enum's fields.
//!
//! A struct that flattens an enum is described as "all of: one of these, and these fields". Generators of
//! clients understand "one of: each with these fields" better, and so do people.

use serde_json::{Map, Value, json};

type Schemas = Map<String, Value>;

/// Spells out every schema that needs it.
pub(crate) fn spell_out(schemas: &mut Schemas) {
    let before = schemas.clone();
    for schema in schemas.values_mut() {
        if !needs_it(schema, &before) {
            continue;
        }
        let description = schema["description"].take();
        let mut all = alternatives(schema, &before);
        *schema = match all.len() {
            1 => all.remove(0),
            _ => json!({ "oneOf": all }),
        };
        if !description.is_null() {
            schema["description"] = description;
        }
    }
}

/// Returns whether alternatives stand below other fields.
fn needs_it(schema: &Value, schemas: &Schemas) -> bool {
    let parts = |name: &str| schema[name].as_array().into_iter().flatten();
    parts("allOf").any(|part| alternatives(part, schemas).len() > 1)
        || parts("oneOf").any(|part| part.get("allOf").is_some())
}

/// Returns the alternatives of a schema, each without alternatives of its own.
fn alternatives(schema: &Value, schemas: &Schemas) -> Vec<Value> {
    if let Some(place) = schema["$ref"].as_str() {
        let name = place.rsplit('/').next().unwrap_or_default();
        return alternatives(&schemas[name], schemas);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choices = choices.iter();
        return choices
            .flat_map(|choice| alternatives(choice, schemas))
            .collect();
    }
    let Some(parts) = schema["allOf"].as_array() else {
        return vec![schema.clone()];
    };
    let nothing = vec![json!({ "type": "object", "required": [], "properties": {} })];
    parts.iter().fold(nothing, |found, part| {
        let more = alternatives(part, schemas);
        let pairs = found
            .iter()
            .flat_map(|one| more.iter().map(move |other| joined(one, other)));
        pairs.collect()
    })
}

/// Returns a schema with the fields of both.
fn joined(one: &Value, other: &Value) -> Value {
    let mut both = one.clone();
    for (name, value) in other.as_object().into_iter().flatten() {
        match (&mut both[name], value) {
            (Value::Object(fields), Value::Object(more)) => fields.extend(more.clone()),
            (Value::Array(items), Value::Array(more)) => items.extend(more.clone()),
            (place, value) => *place = value.clone(),
        }
    }
    both
}
