//! Reads a dump and passes each task to a callback; returns the fields beside the tasks.

use std::io::Read;

use serde::de::{MapAccess, SeqAccess};
use serde_json::{Map, Value};

use super::error::{Error, Stopped};
use super::task;
use super::walk::{Position, Visit, walk};
use crate::models::Task;
use crate::models::json::{Plain, PlainObject};

/// Reads a dump and hands each task to `each`, with the bytes of the file that it took (in steps of
/// a buffer); returns the top-level fields other than `tasks`, in their order,
/// and how many characters had to be replaced.
///
/// Halves of surrogate pairs in its texts become U+FFFD. Tasks that name no processor get
/// `default_processor`. Tasks already handed out when an error
/// comes are not taken back: read twice, first with a taker that does nothing, for all or nothing.
pub(crate) fn read(
    source: impl Read,
    default_processor: &str,
    each: impl FnMut(Task, u64) -> Result<(), Stopped>,
) -> Result<Rest, Error> {
    let mut reader = Reader {
        default_processor,
        each,
        bytes_before: 0,
        fields: Map::new(),
    };
    let replaced_characters = walk(source, &mut reader)?;
    Ok(Rest {
        fields: reader.fields,
        replaced_characters,
    })
}

/// What a dump holds besides its tasks.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rest {
    pub(crate) fields: Map<String, Value>,
    /// Halves of surrogate pairs that became U+FFFD.
    pub(crate) replaced_characters: u64,
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
        let Some(PlainObject(entry)) = tasks.next_element()? else {
            return Ok(false);
        };
        let task = task::from_entry(entry, self.default_processor)
            .map_err(|fault| position.end(|place| fault.at(&place)))?;
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
        position: &mut Position,
    ) -> Result<(), A::Error> {
        let Plain(value) = fields.next_value()?;
        task::check_field(&value).map_err(|fault| position.end(|place| fault.at(&place)))?;
        // The last of two fields of one name counts, as in Python.
        self.fields.insert(name.to_owned(), value);
        Ok(())
    }
}
