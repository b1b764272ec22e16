//! Reads a table of settings: each known key is taken out once, and a key that is left at the end is unknown.
//!
//! The known keys are exactly those that were asked for, so the table of a processor knows the keys of its own kind
//! alone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use super::error::{Error, SettingPlace};
use super::layers::Layers;
use super::value_types::{self, NamePattern, ValueType};
use super::values;
use super::variable;

/// How similar an unknown key must be to a known one (Jaro; 1 is equal) for "did you mean".
const ALIKE: f64 = 0.8;

pub(crate) struct TableReader<'a> {
    layers: &'a Layers,
    /// The keys that lead here; empty at the top.
    path: Vec<String>,
    place: SettingPlace,
    /// The values that are not taken yet.
    values: Dict,
    known: Vec<&'static str>,
    /// Those of the known keys that are tables, which no variable can hold.
    subtables: Vec<&'static str>,
    origins: BTreeMap<&'static str, SettingPlace>,
    /// The error that a required key is missing. [`Self::finish`] returns it only if no key is unknown: a misspelt
    /// key is both, and the error about the unknown key names its line.
    missing: Option<Error>,
}

impl<'a> TableReader<'a> {
    /// Returns the table that holds all others.
    pub(crate) fn top(layers: &'a Layers) -> Self {
        Self::new(layers, Vec::new(), SettingPlace::Default, layers.values())
    }

    fn new(layers: &'a Layers, path: Vec<String>, place: SettingPlace, values: Dict) -> Self {
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

    /// Takes the value of `key`, if it is set.
    pub(crate) fn take<T>(
        &mut self,
        key: &'static str,
        rule: ValueType<T>,
    ) -> Result<Option<T>, Error> {
        self.known.push(key);
        let Some(value) = self.values.remove(key) else {
            return Ok(None);
        };
        self.origins.insert(key, self.place_of(key, &value));
        self.read(key, &value, rule).map(Some)
    }

    /// Takes the value of `key`, which is required. If it is missing, [`Self::finish`] returns the error.
    pub(crate) fn require<T: Default>(
        &mut self,
        key: &'static str,
        rule: ValueType<T>,
    ) -> Result<T, Error> {
        if let Some(value) = self.take(key, rule)? {
            return Ok(value);
        }
        let mistake = self.refuse(key, "nothing", rule.expected);
        self.missing.get_or_insert(mistake);
        Ok(T::default())
    }

    /// Takes the value of `key`, which is required and decides which other keys are known.
    pub(crate) fn require_first<T>(
        &mut self,
        key: &'static str,
        rule: ValueType<T>,
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

    /// Takes the table `key`, if there is one.
    pub(crate) fn take_table(
        &mut self,
        key: &'static str,
        rule: ValueType<Dict>,
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

    /// Reads all values, which have one type, under names that the user chose.
    pub(crate) fn read_all<T>(
        self,
        names: NamePattern,
        rule: ValueType<T>,
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

    /// Takes all tables in this one, under names that the user chose.
    pub(crate) fn tables(
        self,
        names: NamePattern,
    ) -> Result<impl Iterator<Item = (String, Self)>, Error> {
        let (layers, path) = (self.layers, self.path.clone());
        let tables = self.read_all(names, value_types::TABLE)?;
        Ok(tables.map(move |(name, (tag, values))| {
            let mut path = path.clone();
            path.push(name.clone());
            let place = layers.place(tag, &path);
            (name, Self::new(layers, path, place, values))
        }))
    }

    /// Returns where each known key stands that is set.
    ///
    /// # Errors
    /// A key is unknown, or a required one is missing.
    pub(crate) fn finish(self) -> Result<BTreeMap<&'static str, SettingPlace>, Error> {
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

    /// Returns the known keys.
    #[cfg(test)]
    pub(crate) fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// Returns the error about the value of `key`, or about the table if the key is not set.
    pub(crate) fn refuse(
        &self,
        key: &'static str,
        found: impl Into<String>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Error {
        let place = self.origins.get(key).unwrap_or(&self.place).clone();
        Error::invalid(spelled(&self.path_of(key)), place, found, expected)
    }

    fn read<T>(&self, key: &str, value: &Value, rule: ValueType<T>) -> Result<T, Error> {
        (rule.read)(value).ok_or_else(|| {
            let place = self.place_of(key, value);
            let found = values::describe(value, rule.private);
            Error::invalid(spelled(&self.path_of(key)), place, found, rule.expected)
        })
    }

    fn hint(&self, unknown: &str, place: &SettingPlace) -> String {
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

    fn place_of(&self, key: &str, value: &Value) -> SettingPlace {
        self.layers.place(value.tag(), &self.path_of(key))
    }
}

/// Returns how similar two names are, from 0 to 1. A single slip counts as equal, because Jaro's measure is low for a
/// slip in a short name: `ulr`.
fn likeness(key: &str, name: &str) -> f64 {
    match strsim::osa_distance(key, name) {
        0 | 1 => 1.0,
        _ => strsim::jaro(key, name),
    }
}

/// Returns the path as TOML writes it, with quotes around the names that need them.
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
