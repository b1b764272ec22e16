//! Reading a dump: each task to a taker, the fields beside them as the answer.

use std::io::Read;

use serde::de::{MapAccess, SeqAccess};
use serde_json::{Map, Value};

use super::walk::{Position, Visit, walk};
use super::{Error, Stopped, task};
use crate::models::Task;

/// Reads a dump and hands each task to `each`, with the bytes of the file that it took (in steps of
/// a buffer); returns the top-level fields other than `tasks`, in their order.
///
/// Tasks that name no processor get `default_processor`. Tasks already handed out when an error
/// comes are not taken back: read twice, first with a taker that does nothing, for all or nothing.
pub fn read(
    source: impl Read,
    default_processor: &str,
    each: impl FnMut(Task, u64) -> Result<(), Stopped>,
) -> Result<Map<String, Value>, Error> {
    let mut reader = Reader {
        default_processor,
        each,
        bytes_before: 0,
        fields: Map::new(),
    };
    walk(source, &mut reader)?;
    Ok(reader.fields)
}

struct Reader<'a, F> {
    default_processor: &'a str,
    each: F,
    bytes_before: u64,
    fields: Map<String, Value>,
}

impl<F: FnMut(Task, u64) -> Result<(), Stopped>> Visit for Reader<'_, F> {
    fn task<'de, A: SeqAccess<'de>>(
        &mut self,
        tasks: &mut A,
        position: &mut Position,
    ) -> Result<bool, A::Error> {
        let Some(entry) = tasks.next_element::<Map<String, Value>>()? else {
            return Ok(false);
        };
        let task = task::from_entry(entry, self.default_processor).map_err(|fault| {
            position.end(|place| Error::Value {
                place: format!("{place}.{}", fault.field),
                expected: fault.expected,
                found: fault.found,
            })
        })?;
        let bytes = position.bytes() - self.bytes_before;
        self.bytes_before = position.bytes();
        match (self.each)(task, bytes) {
            Ok(()) => Ok(true),
            Err(Stopped) => Err(position.end(|_| Error::Stopped)),
        }
    }

    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        fields: &mut A,
    ) -> Result<(), A::Error> {
        // The last of two fields of one name counts, as in Python.
        self.fields.insert(name.to_owned(), fields.next_value()?);
        Ok(())
    }
}
