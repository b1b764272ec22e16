//! Reads `venom.toml` as a layer: its values, and the line of every key.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use figment::value::{Dict, Value};
use toml_edit::{ImDocument, Item, Key, TableLike};

use super::error::{Error, SettingPlace};
use super::layers::Layer;

const NAME: &str = "venom.toml";

/// Reads the file. A missing one is empty, unless it is `required`.
pub(crate) fn layer(path: &Path, required: bool) -> Result<Layer, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !required => String::new(),
        Err(reason) => {
            let path = path.to_owned();
            return Err(Error::Unreadable { path, reason });
        }
    };
    parse(path.into(), &text)
}

fn parse(path: Arc<Path>, text: &str) -> Result<Layer, Error> {
    let mut reader = TomlReader {
        text,
        path,
        places: BTreeMap::new(),
    };
    let document = ImDocument::parse(text).map_err(|error| Error::Syntax {
        place: reader.place(&error.span().unwrap_or_default()),
        // The parser's own text would show the line, and the line may hold a secret.
        reason: error.message().replace('\n', ", "),
    })?;
    let values = reader.table(document.as_table(), &mut Vec::new());
    Ok(Layer::new(NAME, values, reader.places))
}

/// Turns the document into values and notes where each key stands on the way.
struct TomlReader<'a> {
    text: &'a str,
    path: Arc<Path>,
    places: BTreeMap<Vec<String>, SettingPlace>,
}

impl TomlReader<'_> {
    fn table(&mut self, table: &dyn TableLike, path: &mut Vec<String>) -> Dict {
        let mut values = Dict::new();
        for (name, item) in table.iter() {
            path.push(name.to_owned());
            if let Some(span) = table.key(name).and_then(Key::span) {
                self.places.insert(path.clone(), self.place(&span));
            }
            values.insert(name.to_owned(), self.item(item, path));
            path.pop();
        }
        values
    }

    fn item(&mut self, item: &Item, path: &mut Vec<String>) -> Value {
        if let Some(table) = item.as_table_like() {
            return Value::from(self.table(table, path));
        }
        match item {
            Item::Value(value) => value_of(value),
            Item::ArrayOfTables(tables) => {
                let tables = tables.iter().map(|table| self.table(table, path));
                Value::from(tables.collect::<Vec<_>>())
            }
            Item::Table(_) | Item::None => Value::from(Dict::new()),
        }
    }

    fn place(&self, span: &Range<usize>) -> SettingPlace {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        SettingPlace::File {
            path: self.path.clone(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        }
    }
}

fn value_of(value: &toml_edit::Value) -> Value {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => Value::from(text.value().as_str()),
        Toml::Integer(number) => Value::from(*number.value()),
        Toml::Float(number) => Value::from(*number.value()),
        Toml::Boolean(truth) => Value::from(*truth.value()),
        Toml::Datetime(time) => Value::from(time.value().to_string()),
        Toml::Array(items) => Value::from(items.iter().map(value_of).collect::<Vec<_>>()),
        Toml::InlineTable(table) => Value::from(
            table
                .iter()
                .map(|(name, value)| (name.to_owned(), value_of(value)))
                .collect::<Dict>(),
        ),
    }
}
