//! A table of settings while it is read: every key is asked for once, and what is left is unknown.
//!
//! The keys that a table knows are exactly those that were asked for. So there is no second list to
//! keep in step, and the table of a processor knows the keys of its own kind alone.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use super::environment;
use super::error::{Error, Place};
use super::layers::Layers;
use super::rules::{self, Names, Rule};
use super::values;

/// How alike two names must be (by Jaro's measure; 1 is the same) to offer one for the other.
const ALIKE: f64 = 0.8;

pub(super) struct Table<'a> {
    layers: &'a Layers,
    /// The keys that lead here; empty at the top.
    path: Vec<String>,
    place: Place,
    /// What nobody has asked for yet.
    values: Dict,
    known: Vec<&'static str>,
    origins: BTreeMap<&'static str, Place>,
}

impl<'a> Table<'a> {
    pub fn new(layers: &'a Layers, path: Vec<String>, place: Place, values: Dict) -> Self {
        Self {
            layers,
            path,
            place,
            values,
            known: Vec::new(),
            origins: BTreeMap::new(),
        }
    }

    /// The value of `key`, where it is set.
    pub fn take<T>(&mut self, key: &'static str, rule: Rule<T>) -> Result<Option<T>, Error> {
        self.known.push(key);
        let Some(value) = self.values.remove(key) else {
            return Ok(None);
        };
        self.origins.insert(key, self.place_of(key, &value));
        self.read(key, &value, rule).map(Some)
    }

    /// The table `key`, where there is one.
    pub fn take_table(
        &mut self,
        key: &'static str,
        rule: Rule<Dict>,
    ) -> Result<Option<Self>, Error> {
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
    pub fn read_all<T>(
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
                    self.path.join("."),
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
    pub fn tables(self, names: Names) -> Result<impl Iterator<Item = (String, Self)>, Error> {
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
    /// asked for.
    pub fn finish(self) -> Result<BTreeMap<&'static str, Place>, Error> {
        match self.values.iter().next() {
            None => Ok(self.origins),
            Some((key, value)) => {
                let place = self.place_of(key, value);
                Err(Error::Unknown {
                    hint: self.hint(key, &place),
                    key: self.path_of(key).join("."),
                    place,
                })
            }
        }
    }

    /// The keys that were asked for.
    #[cfg(test)]
    pub fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// The mistake that `key` has this value, or that it has none, which is one of the table.
    pub fn refuse(
        &self,
        key: &'static str,
        found: impl Into<String>,
        expected: &'static str,
    ) -> Error {
        let place = self.origins.get(key).unwrap_or(&self.place).clone();
        Error::invalid(self.path_of(key).join("."), place, found, expected)
    }

    fn read<T>(&self, key: &str, value: &Value, rule: Rule<T>) -> Result<T, Error> {
        (rule.read)(value).ok_or_else(|| {
            let place = self.place_of(key, value);
            let found = values::describe(value, rule.private);
            Error::invalid(self.path_of(key).join("."), place, found, rule.expected)
        })
    }

    fn hint(&self, unknown: &str, place: &Place) -> String {
        let spelled = |key: &&'static str| match place.has_variables() {
            true => environment::name_of(key),
            false => Some((*key).to_owned()),
        };
        let closest = self
            .known
            .iter()
            .map(|key| (strsim::jaro(key, unknown), key))
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
