//! Writes a dump: one task a line, then the unknown fields that the last import kept.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::fields::{KNOWN_FIELDS, TASKS};
use crate::models::Task;

/// Writes a dump to `out`, task by task.
pub(crate) struct DumpWriter<W> {
    out: W,
    tasks: u64,
}

impl<W: Write> DumpWriter<W> {
    /// Returns a writer of an empty dump; call [`Self::finish`], or no file comes of it.
    pub(crate) fn new(out: W) -> Self {
        Self { out, tasks: 0 }
    }

    /// Returns the number of tasks written.
    pub(crate) fn tasks(&self) -> u64 {
        self.tasks
    }

    /// Returns the target.
    pub(crate) fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Writes the next task.
    pub(crate) fn task(&mut self, task: &Task) -> io::Result<()> {
        let before: &[u8] = if self.tasks == 0 {
            b"{\n  \"tasks\": [\n    "
        } else {
            b",\n    "
        };
        self.out.write_all(before)?;
        self.tasks += 1;
        let line = Line {
            task,
            extra: Extra(&task.extra.to_object()),
        };
        serde_json::to_writer(&mut self.out, &line)?;
        Ok(())
    }

    /// Ends the list of tasks and writes `fields` after it.
    ///
    /// The original expects `paid_mode_enabled` and `autonomy_level`: where `fields` has none, they
    /// get its defaults.
    pub(crate) fn finish(&mut self, fields: &Map<String, Value>) -> io::Result<()> {
        self.out.write_all(if self.tasks == 0 {
            b"{\n  \"tasks\": []"
        } else {
            b"\n  ]"
        })?;
        let defaults = [
            ("paid_mode_enabled", Value::Bool(false)),
            ("autonomy_level", Value::from(0)),
        ];
        for (name, value) in &defaults {
            if !fields.contains_key(*name) {
                self.field(name, value)?;
            }
        }
        for (name, value) in fields.iter().filter(|(name, _)| *name != TASKS) {
            self.field(name, value)?;
        }
        self.out.write_all(b"\n}\n")
    }

    fn field(&mut self, name: &str, value: &Value) -> io::Result<()> {
        self.out.write_all(b",\n  ")?;
        serde_json::to_writer(&mut self.out, name)?;
        self.out.write_all(b": ")?;
        serde_json::to_writer(&mut self.out, value)?;
        Ok(())
    }
}

/// A task with its unknown fields after the known ones.
#[derive(serde::Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    task: &'a Task,
    #[serde(flatten)]
    extra: Extra<'a>,
}

/// Unknown fields. One that has become known since it was imported does not appear a second time.
struct Extra<'a>(&'a Map<String, Value>);

impl Serialize for Extra<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0 {
            if !KNOWN_FIELDS.contains(&name.as_str()) {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}
