//! ONE DEFINITION OF EACH REQUEST BODY: a table of fields, from which both the reader and the document's schema come.
//!
//! [`body!`] makes a struct of the table. Each field names its kind, which knows how to read a value and how to describe
//! it. A reader notes every mistake with its field, and refuses the fields that the table does not name, or keeps them.

use serde_json::{Map, Value};
use utoipa::openapi::schema::{
    AdditionalProperties, Object, ObjectBuilder, OneOfBuilder, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Schema};

use super::fields::Fields;
use super::json::parse_object;
use super::kinds::Kind;
use crate::api::error::ApiError;

/// A request body that [`body!`] defines.
pub(crate) trait RequestBody: Sized {
    /// The names of its fields.
    const NAMES: &'static [&'static str];

    /// Takes the fields of the table out of `fields`, and notes every mistake there.
    fn take(fields: &mut Fields) -> Self;

    /// Reads a JSON object without other fields than those of the table. `check` notes mistakes beyond single fields.
    ///
    /// # Errors
    /// 422 with every mistake.
    fn read(body: &[u8], check: impl FnOnce(&mut Self, &mut Fields)) -> Result<Self, ApiError> {
        Self::from_fields(parse_object(body)?, check)
    }

    /// Reads like [`RequestBody::read`], from the fields of the object.
    fn from_fields(
        fields: Map<String, Value>,
        check: impl FnOnce(&mut Self, &mut Fields),
    ) -> Result<Self, ApiError> {
        let mut fields = Fields::new(fields);
        let mut body = Self::take(&mut fields);
        check(&mut body, &mut fields);
        fields.refuse_others(Self::NAMES)?;
        Ok(body)
    }
}

/// A field of a body: its kind, and whether it may be missing.
pub(crate) trait Field {
    type Out;

    const IS_REQUIRED: bool;

    /// Takes the field out of the body. A mistake is noted.
    fn take(&self, fields: &mut Fields, name: &str) -> Self::Out;

    fn schema(&self, description: String) -> RefOr<Schema>;
}

/// A field that may be missing or null.
pub(crate) struct Optional<K> {
    kind: K,
    /// What a missing field means, for the document.
    default: Option<Value>,
}

/// A field that has to be there. A missing one is noted, and reads as the default of its type.
pub(crate) struct Required<K>(K);

pub(crate) const fn optional<K>(kind: K) -> Optional<K> {
    let default = None;
    Optional { kind, default }
}

pub(crate) const fn required<K>(kind: K) -> Required<K> {
    Required(kind)
}

impl<K> Optional<K> {
    /// Names the value that a missing field stands for.
    pub(crate) fn default_to(mut self, default: impl Into<Value>) -> Self {
        self.default = Some(default.into());
        self
    }
}

impl<K: Kind> Field for Optional<K> {
    type Out = Option<K::Value>;

    const IS_REQUIRED: bool = false;

    fn take(&self, fields: &mut Fields, name: &str) -> Self::Out {
        let value = fields.take(name)?;
        self.kind.read(fields, name, value)
    }

    fn schema(&self, description: String) -> RefOr<Schema> {
        let null = || RefOr::T(Schema::Object(Object::with_type(Type::Null)));
        match described(self.kind.schema(), description, self.default.clone()) {
            RefOr::T(Schema::Object(mut object)) => {
                object.schema_type = nullable(object.schema_type);
                RefOr::T(Schema::Object(object))
            }
            RefOr::T(Schema::Array(mut array)) => {
                array.schema_type = nullable(array.schema_type);
                RefOr::T(Schema::Array(array))
            }
            other => OneOfBuilder::new().item(other).item(null()).into(),
        }
    }
}

impl<K: Kind<Value: Default>> Field for Required<K> {
    type Out = K::Value;

    const IS_REQUIRED: bool = true;

    fn take(&self, fields: &mut Fields, name: &str) -> Self::Out {
        let value = fields.take_required(name, K::TAKES_NULL);
        let read = value.and_then(|value| self.0.read(fields, name, value));
        read.unwrap_or_default()
    }

    fn schema(&self, description: String) -> RefOr<Schema> {
        described(self.0.schema(), description, None)
    }
}

fn described(schema: RefOr<Schema>, description: String, default: Option<Value>) -> RefOr<Schema> {
    match schema {
        RefOr::Ref(mut reference) => {
            reference.description = description;
            RefOr::Ref(reference)
        }
        RefOr::T(Schema::Object(mut object)) => {
            object.description = Some(description).filter(|text| !text.is_empty());
            object.default = default;
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.description = Some(description).filter(|text| !text.is_empty());
            array.default = default;
            RefOr::T(Schema::Array(array))
        }
        other => other,
    }
}

fn nullable(of: SchemaType) -> SchemaType {
    match of {
        SchemaType::Type(one) => SchemaType::Array(vec![one, Type::Null]),
        other => other,
    }
}

/// One row of a body's table, as the document has it: name, whether it is required, schema.
pub(crate) type SchemaField = (&'static str, bool, RefOr<Schema>);

/// Returns the schema of a body. `kept` describes the fields that the table does not name; `None` refuses them.
pub(crate) fn schema_of(
    doc: &str,
    example: Value,
    kept: Option<&str>,
    fields: Vec<SchemaField>,
) -> RefOr<Schema> {
    let others = match kept {
        None => AdditionalProperties::FreeForm(false),
        Some(doc) => {
            let any = Object::with_type(SchemaType::AnyValue);
            AdditionalProperties::RefOr(described(any.into(), doc.to_owned(), None))
        }
    };
    let object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(text_of(doc)))
        .examples([example])
        .additional_properties(Some(others));
    let object = fields
        .into_iter()
        .fold(object, |object, (name, is_required, schema)| {
            let object = object.property(name, schema);
            match is_required {
                true => object.required(name),
                false => object,
            }
        });
    object.into()
}

/// Returns the text of doc comments, without the blank that each line begins with.
pub(crate) fn text_of(doc: &str) -> String {
    let lines: Vec<_> = doc.trim_end().lines().map(str::trim).collect();
    lines.join("\n")
}

/// Defines a request body: its struct, its reader ([`RequestBody`]) and its schema, named as after `as`.
macro_rules! body {
    (
        $(#[doc = $doc:literal])*
        pub(crate) struct $Body:ident as $name:literal {
            $($(#[doc = $field_doc:literal])* $field:ident: $type:ty = $kind:expr,)*
        }
        example: $example:tt
        $(other fields: $kept:literal)?
    ) => {
        $(#[doc = $doc])*
        pub(crate) struct $Body {
            $($(#[doc = $field_doc])* pub(crate) $field: $type,)*
        }

        impl $crate::api::input::body_schema::RequestBody for $Body {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];

            fn take(fields: &mut $crate::api::input::fields::Fields) -> Self {
                use $crate::api::input::body_schema::Field;
                Self { $($field: Field::take(&$kind, fields, stringify!($field)),)* }
            }
        }

        impl utoipa::PartialSchema for $Body {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                use $crate::api::input::body_schema::{Field, SchemaField, schema_of, text_of};
                fn field(name: &'static str, doc: &str, field: impl Field) -> SchemaField {
                    let is_required = is_required(&field);
                    (name, is_required, field.schema(text_of(doc)))
                }
                const fn is_required<F: Field>(_: &F) -> bool {
                    F::IS_REQUIRED
                }
                let fields = vec![
                    $(field(stringify!($field), concat!($($field_doc, "\n",)* ""), $kind),)*
                ];
                let kept = None$(.or(Some($kept)))?;
                schema_of(concat!($($doc, "\n",)* ""), serde_json::json!($example), kept, fields)
            }
        }

        impl utoipa::ToSchema for $Body {
            fn name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
        }
    };
}
pub(crate) use body;
