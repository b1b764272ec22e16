//! A table of settings while it is read: every key is asked for once, and what is left is unknown.
//!
//! The keys that a table knows are exactly those that were asked for. So there is no second list to
//! keep in step, and the table of a processor knows the keys of its own kind alone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use super::error::{Error, Place};
use super::layers::Layers;
use super::rules::{self, Names, Rule};
use super::values;
use super::variable;

/// How alike two names must be (by Jaro's measure; 1 is the same) to offer one for the other.
const ALIKE: f64 = 0.8;

pub(crate) struct Table<'a> {
    layers: &'a Layers,
    /// The keys that lead here; empty at the top.
    path: Vec<String>,
    place: Place,
    /// What nobody has asked for yet.
    values: Dict,
    known: Vec<&'static str>,
    /// Those of the known keys that are tables, which no variable can hold.
    subtables: Vec<&'static str>,
    origins: BTreeMap<&'static str, Place>,
    /// The mistake that a key without a default is not there. It waits for the end, because a key that is
    /// misspelt is both missing and unknown, and only the second says where it stands.
    missing: Option<Error>,
}

impl<'a> Table<'a> {
    /// Returns the table that holds all others.
    pub(crate) fn top(layers: &'a Layers) -> Self {
        Self::new(layers, Vec::new(), Place::Default, layers.values())
    }

    fn new(layers: &'a Layers, path: Vec<String>, place: Place, values: Dict) -> Self {
        Self {
            layers,
            path,
            place,
            values,
            known: Vec::new(),
            subtables: Vec::new(),
            origins: BTreeMap::new(),
            missing: None,
        }
    }

    /// The value of `key`, where it is set.
    pub(crate) fn take<T>(&mut self, key: &'static str, rule: Rule<T>) -> Result<Option<T>, Error> {
        self.known.push(key);
        let Some(value) = self.values.remove(key) else {
            return Ok(None);
        };
        self.origins.insert(key, self.place_of(key, &value));
        self.read(key, &value, rule).map(Some)
    }

    /// The value of `key`, which has no default. If it is not there, [`Self::finish`] says so.
    pub(crate) fn require<T: Default>(
        &mut self,
        key: &'static str,
        rule: Rule<T>,
    ) -> Result<T, Error> {
        if let Some(value) = self.take(key, rule)? {
            return Ok(value);
        }
        let mistake = self.refuse(key, "nothing", rule.expected);
        self.missing.get_or_insert(mistake);
        Ok(T::default())
    }

    /// The value of `key`, which has no default and decides which others there are.
    pub(crate) fn require_first<T>(
        &mut self,
        key: &'static str,
        rule: Rule<T>,
    ) -> Result<T, Error> {
        if let Some(value) = self.take(key, rule)? {
            return Ok(value);
        }
        let misspelt = self.values.iter();
        let misspelt = misspelt.filter(|(name, _)| likeness(key, name) >= ALIKE);
        match misspelt
            .map(|(name, value)| self.unknown(name, value))
            .next()
        {
            Some(mistake) => Err(mistake),
            None => Err(self.refuse(key, "nothing", rule.expected)),
        }
    }

    /// The table `key`, where there is one.
    pub(crate) fn take_table(
        &mut self,
        key: &'static str,
        rule: Rule<Dict>,
    ) -> Result<Option<Self>, Error> {
        self.subtables.push(key);
        let values = self.take(key, rule)?;
        Ok(values.map(|values| {
            Self::new(
                self.layers,
                self.path_of(key),
                self.origins[key].clone(),
                values,
            )
        }))
    }

    /// Reads every value by one rule, under names that the user chose.
    pub(crate) fn read_all<T>(
        self,
        names: Names,
        rule: Rule<T>,
    ) -> Result<impl Iterator<Item = (String, T)>, Error> {
        let mut read = Vec::with_capacity(self.values.len());
        for (name, value) in &self.values {
            if !(names.fit)(name) {
                let place = self.place_of(name, value);
                let found = format!("the name {name:?}");
                return Err(Error::invalid(
                    spelled(&self.path),
                    place,
                    found,
                    names.expected,
                ));
            }
            read.push((name.clone(), self.read(name, value, rule)?));
        }
        Ok(read.into_iter())
    }

    /// The tables in this one, under names that the user chose.
    pub(crate) fn tables(
        self,
        names: Names,
    ) -> Result<impl Iterator<Item = (String, Self)>, Error> {
        let (layers, path) = (self.layers, self.path.clone());
        let tables = self.read_all(names, rules::TABLE)?;
        Ok(tables.map(move |(name, (tag, values))| {
            let mut path = path.clone();
            path.push(name.clone());
            let place = layers.place(tag, &path);
            (name, Self::new(layers, path, place, values))
        }))
    }

    /// Where each key stands that was asked for and is set. Fails if a key is left that nobody
    /// asked for, or one is not there that has no default.
    pub(crate) fn finish(self) -> Result<BTreeMap<&'static str, Place>, Error> {
        if let Some((key, value)) = self.values.iter().next() {
            return Err(self.unknown(key, value));
        }
        match self.missing {
            None => Ok(self.origins),
            Some(mistake) => Err(mistake),
        }
    }

    fn unknown(&self, key: &str, value: &Value) -> Error {
        let place = self.place_of(key, value);
        Error::Unknown {
            hint: self.hint(key, &place),
            key: spelled(&self.path_of(key)),
            place,
        }
    }

    /// The keys that were asked for.
    #[cfg(test)]
    pub(crate) fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// The mistake that `key` has this value, or that it has none, which is one of the table.
    pub(crate) fn refuse(
        &self,
        key: &'static str,
        found: impl Into<String>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Error {
        let place = self.origins.get(key).unwrap_or(&self.place).clone();
        Error::invalid(spelled(&self.path_of(key)), place, found, expected)
    }

    fn read<T>(&self, key: &str, value: &Value, rule: Rule<T>) -> Result<T, Error> {
        (rule.read)(value).ok_or_else(|| {
            let place = self.place_of(key, value);
            let found = values::describe(value, rule.private);
            Error::invalid(spelled(&self.path_of(key)), place, found, rule.expected)
        })
    }

    fn hint(&self, unknown: &str, place: &Place) -> String {
        let spelled = |key: &&'static str| match place.has_variables() {
            true => (!self.subtables.contains(key)).then(|| variable::prefixed(key)),
            false => Some((*key).to_owned()),
        };
        let closest = self
            .known
            .iter()
            .map(|key| (likeness(key, unknown), key))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|(one, _), (other, _)| one.total_cmp(other));
        match closest.and_then(|(_, key)| spelled(key)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => {
                let mut names: Vec<_> = self.known.iter().filter_map(spelled).collect();
                names.sort_unstable();
                format!("known here: {}", names.join(", "))
            }
        }
    }

    fn path_of(&self, key: &str) -> Vec<String> {
        let mut path = self.path.clone();
        path.push(key.to_owned());
        path
    }

    fn place_of(&self, key: &str, value: &Value) -> Place {
        self.layers.place(value.tag(), &self.path_of(key))
    }
}

/// How alike two names are, from 0 to 1. Jaro's measure thinks little of a slip in a short name: `ulr`.
fn likeness(key: &str, name: &str) -> f64 {
    match strsim::osa_distance(key, name) {
        0 | 1 => 1.0,
        _ => strsim::jaro(key, name),
    }
}

/// A path as TOML writes it: with quotes around the names that need them, and in messages too, as
/// some names may be any text.
fn spelled(path: &[String]) -> String {
    let is_bare = |name: &str| {
        name.bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c))
    };
    let names = path.iter().map(|name| match is_bare(name) {
        true => name.clone(),
        false => format!("{name:?}"),
    });
    names.collect::<Vec<_>>().join(".")
}
