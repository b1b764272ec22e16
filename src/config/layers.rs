//! The layers of settings, weakest first: figment merges them, and each remembers where its values stand.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::error::SettingPlace;

/// Where each setting stands that is set, by key.
pub(crate) type Origins = BTreeMap<&'static str, SettingPlace>;

/// The values of one source, and where they stand, by path (`["processors", "summarise", "timeout"]`).
pub(crate) struct Layer {
    name: &'static str,
    values: Dict,
    places: BTreeMap<Vec<String>, SettingPlace>,
}

impl Layer {
    pub(crate) fn new(
        name: &'static str,
        values: Dict,
        places: BTreeMap<Vec<String>, SettingPlace>,
    ) -> Self {
        Self {
            name,
            values,
            places,
        }
    }

    /// Makes a layer of top-level settings that are all text.
    pub(crate) fn of_texts(
        name: &'static str,
        entries: impl IntoIterator<Item = (String, String, SettingPlace)>,
    ) -> Self {
        let mut layer = Self::new(name, Dict::new(), BTreeMap::new());
        for (key, text, place) in entries {
            layer.places.insert(vec![key.clone()], place);
            layer.values.insert(key, Value::from(text));
        }
        layer
    }

    /// Returns where `path` stands, or the nearest table around it.
    fn place(&self, path: &[String]) -> SettingPlace {
        (0..=path.len())
            .rev()
            .find_map(|length| self.places.get(&path[..length]))
            .cloned()
            .unwrap_or(SettingPlace::Default)
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// All layers. Each key has the value of the strongest layer that sets it.
pub(crate) struct Layers {
    merged: Figment,
    layers: Vec<Layer>,
}

impl Layers {
    /// Merges the layers, weakest first.
    pub(crate) fn new(layers: Vec<Layer>) -> Self {
        let merged = layers.iter().fold(Figment::new(), Figment::merge);
        Self { merged, layers }
    }

    /// Returns the values of all layers.
    pub(crate) fn values(&self) -> Dict {
        let mut profiles = self
            .merged
            .data()
            .expect("a layer's values are at hand, so reading them cannot fail");
        profiles.remove(&Profile::Default).unwrap_or_default()
    }

    /// Returns where the value at `path` stands; `tag` says in which layer.
    pub(crate) fn place(&self, tag: Tag, path: &[String]) -> SettingPlace {
        self.merged
            .get_metadata(tag)
            .and_then(|source| self.layers.iter().find(|layer| layer.name == source.name))
            .map_or(SettingPlace::Default, |layer| layer.place(path))
    }
}
