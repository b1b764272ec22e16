//! Inspects a file: whether it is a dump, and whether this service wrote it.
//!
//! Cheaper than reading it: the whole structure is walked, nothing is kept, no value is parsed.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{Error, Stopped};
use super::walk::{Position, Visit, walk};

/// The field that only this service's tasks have, never the original's.
const FIELD_OF_OURS: &str = "run_at";

/// Who wrote a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// Every task has the fields that this service adds; also a dump without tasks.
    Ours,
    /// The original, or another program.
    Foreign,
}

/// Goes through a dump without reading its values. `go_on` is asked before each task.
pub(crate) fn inspect(
    source: impl Read,
    go_on: impl FnMut() -> Result<(), Stopped>,
) -> Result<Author, Error> {
    let mut inspector = Inspector {
        go_on,
        author: Author::Ours,
    };
    walk(source, &mut inspector)?;
    Ok(inspector.author)
}

struct Inspector<F> {
    go_on: F,
    author: Author,
}

impl<F: FnMut() -> Result<(), Stopped>> Visit for Inspector<F> {
    fn task<'de, A: SeqAccess<'de>>(
        &mut self,
        tasks: &mut A,
        position: &mut Position,
    ) -> Result<bool, A::Error> {
        if let Err(Stopped) = (self.go_on)() {
            return Err(position.end(|_| Error::Stopped));
        }
        let entry = tasks.next_element::<Outline>()?;
        if entry == Some(Outline(Author::Foreign)) {
            self.author = Author::Foreign;
        }
        Ok(entry.is_some())
    }

    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        _: &str,
        fields: &mut A,
        _: &mut Position,
    ) -> Result<(), A::Error> {
        fields.next_value::<IgnoredAny>().map(|_| ())
    }
}

/// The field names of a task.
#[derive(PartialEq)]
struct Outline(Author);

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OutlineVisitor)
    }
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Outline, A::Error> {
        let mut author = Author::Foreign;
        while let Some(name) = fields.next_key::<std::borrow::Cow<'_, str>>()? {
            if name == FIELD_OF_OURS {
                author = Author::Ours;
            }
            fields.next_value::<IgnoredAny>()?;
        }
        Ok(Outline(author))
    }
}
