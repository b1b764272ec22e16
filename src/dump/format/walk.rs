//! Walks through a dump: its top level and its list of tasks, whatever their order.
//!
//! What is done with an entry is the [`Visit`]'s; where in the file it happened is kept here, so
//! that every error can name its place.

use std::fmt;
use std::io::Read;
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::Error;
use super::fields::TASKS;
use super::input::{Input, Meter};

/// What stands beside the tasks may take this much: a few flags in every file that is known.
const FIELDS_LIMIT_MIB: u64 = 16;

/// What is done with the entries of a dump.
pub(crate) trait Visit {
    /// Takes the next entry of the list of tasks; `false` after the last one.
    ///
    /// Its own reasons to end the walk go to `position`.
    fn task<'de, A: SeqAccess<'de>>(
        &mut self,
        tasks: &mut A,
        position: &mut Position,
    ) -> Result<bool, A::Error>;

    /// Takes the value of a top-level field other than the tasks.
    ///
    /// Its own reasons to end the walk go to `position`.
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        fields: &mut A,
        position: &mut Position,
    ) -> Result<(), A::Error>;
}

/// Where the walk is, and why it ends before the end.
#[derive(Default)]
pub(crate) struct Position {
    meter: Rc<Meter>,
    field: Option<String>,
    index: Option<u64>,
    tasks_seen: bool,
    reason: Option<Error>,
}

impl Position {
    /// Bytes of the file read so far, give or take a buffer.
    pub(crate) fn bytes(&self) -> u64 {
        self.meter.read()
    }

    /// Ends the walk for `reason`, which only needs the place of the entry in front of it.
    pub(crate) fn end<E: serde::de::Error>(&mut self, reason: impl FnOnce(String) -> Error) -> E {
        self.reason = Some(reason(self.to_string()));
        E::custom("ended")
    }

    fn error(mut self, error: serde_json::Error) -> Error {
        let place = self.to_string();
        if let Some(reason) = self.reason.take() {
            reason
        } else if self.meter.exceeded() {
            too_large(place)
        } else if error.is_io() {
            Error::Io(error.into())
        } else if !self.meter.has_text() {
            Error::Empty
        } else {
            Error::Json {
                place,
                source: error,
            }
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.as_deref().unwrap_or_default())?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

fn too_large(place: String) -> Error {
    Error::TooLarge {
        place,
        limit_mib: FIELDS_LIMIT_MIB,
    }
}

/// Goes through the whole of `source` with `visit`, once; how many characters were replaced on the way.
pub(crate) fn walk(source: impl Read, visit: &mut impl Visit) -> Result<u64, Error> {
    let mut position = Position::default();
    let input = Input::new(source, Rc::clone(&position.meter));
    let mut json = serde_json::Deserializer::from_reader(input);
    let top = Top {
        visit,
        position: &mut position,
    };
    let walked = json.deserialize_map(top).and_then(|()| json.end());
    match walked {
        Ok(()) if !position.tasks_seen => Err(Error::NoTasks),
        Ok(()) => Ok(position.meter.replaced()),
        Err(error) => Err(position.error(error)),
    }
}

struct Top<'a, V> {
    visit: &'a mut V,
    position: &'a mut Position,
}

impl<'de, V: Visit> Visitor<'de> for Top<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object with a \"tasks\" list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { visit, position } = self;
        let mut allowed = FIELDS_LIMIT_MIB * 1024 * 1024;
        loop {
            position.meter.allow(allowed);
            let before = position.meter.read();
            let Some(name) = map.next_key::<String>()? else {
                position.meter.allow_all();
                return Ok(());
            };
            if name == TASKS {
                position.meter.allow_all();
                if std::mem::replace(&mut position.tasks_seen, true) {
                    return Err(position.end(|_| Error::TasksTwice));
                }
                position.field = Some(name);
                map.next_value_seed(Tasks { visit, position })?;
            } else {
                position.field = Some(name.clone());
                visit.field(&name, &mut map, position)?;
                allowed = allowed.saturating_sub(position.meter.read() - before);
                if allowed == 0 {
                    return Err(position.end(too_large));
                }
            }
            position.field = None;
        }
    }
}

struct Tasks<'a, V> {
    visit: &'a mut V,
    position: &'a mut Position,
}

impl<'de, V: Visit> DeserializeSeed<'de> for Tasks<'_, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, V: Visit> Visitor<'de> for Tasks<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tasks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tasks: A) -> Result<(), A::Error> {
        for index in 0.. {
            self.position.index = Some(index);
            if !self.visit.task(&mut tasks, self.position)? {
                break;
            }
        }
        self.position.index = None;
        Ok(())
    }
}
