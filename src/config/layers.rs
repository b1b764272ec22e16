//! The layers, weakest first, merged by figment, and the memory of where each value came from.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::error::Place;

/// The values of one source, and their places by path (`["processors", "summarise", "timeout"]`).
pub(crate) struct Layer {
    name: &'static str,
    values: Dict,
    places: BTreeMap<Vec<String>, Place>,
}

impl Layer {
    pub(crate) fn new(
        name: &'static str,
        values: Dict,
        places: BTreeMap<Vec<String>, Place>,
    ) -> Self {
        Self {
            name,
            values,
            places,
        }
    }

    /// A layer of top-level settings that are all written as text.
    pub(crate) fn of_texts(
        name: &'static str,
        entries: impl IntoIterator<Item = (String, String, Place)>,
    ) -> Self {
        let mut layer = Self::new(name, Dict::new(), BTreeMap::new());
        for (key, text, place) in entries {
            layer.places.insert(vec![key.clone()], place);
            layer.values.insert(key, Value::from(text));
        }
        layer
    }

    /// The place of `path`, or of the nearest table around it.
    fn place(&self, path: &[String]) -> Place {
        (0..=path.len())
            .rev()
            .find_map(|length| self.places.get(&path[..length]))
            .cloned()
            .unwrap_or(Place::Default)
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
    /// Merges layers that are given weakest first.
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

    /// Where the value with this tag stands, if `path` leads to it.
    pub(crate) fn place(&self, tag: Tag, path: &[String]) -> Place {
        self.merged
            .get_metadata(tag)
            .and_then(|source| self.layers.iter().find(|layer| layer.name == source.name))
            .map_or(Place::Default, |layer| layer.place(path))
    }
}
