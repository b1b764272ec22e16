//! Each setting as a person reads it, and where it comes from.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;
use utoipa::ToSchema;

use super::changes::for_each_setting;
use super::{Auth, Durability, Loaded, LogFormat, Origins, Password, Place, Rate, Settings};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedSetting)]
pub(crate) struct Explained {
    pub(crate) key: &'static str,
    /// Its value in words; a secret is not in it. Of tables, their names.
    pub(crate) value: String,
    #[serde(flatten)]
    #[schema(value_type = PlaceTold)]
    pub(crate) place: Place,
}

/// How a [`Place`] is told.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes, and is never made")]
struct PlaceTold {
    /// The layer in a word: `default`, the name of a file, `environment`, `command line`.
    source: String,
    /// Where exactly, in words.
    place: String,
}

impl Loaded {
    /// All settings, in the order of [`Settings`].
    pub(crate) fn explained(&self) -> Vec<Explained> {
        self.settings.explained(&self.origins)
    }
}

impl Settings {
    /// All of them, in their order, when those that are set stand in these places.
    pub(crate) fn explained(&self, origins: &Origins) -> Vec<Explained> {
        let place = |key| origins.get(key).unwrap_or(&Place::Default).clone();
        macro_rules! explain {
            ($($how:ident $field:ident,)*) => {
                vec![$(Explained {
                    key: stringify!($field),
                    value: self.$field.shown(),
                    place: place(stringify!($field)),
                }),*]
            };
        }
        for_each_setting!(explain)
    }
}

/// A value in words. What holds a secret needs a type of its own, whose words do not hold it.
trait Shown {
    fn shown(&self) -> String;
}

macro_rules! shown_as_it_is {
    ($($kind:ty),*) => {
        $(impl Shown for $kind {
            fn shown(&self) -> String {
                self.to_string()
            }
        })*
    };
}

shown_as_it_is!(IpAddr, IpNet, Rate, u16, u32, u64, usize, i64, bool, String);

impl Shown for PathBuf {
    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        format!("{} s", self.as_secs_f64())
    }
}

impl Shown for Password {
    fn shown(&self) -> String {
        "(not shown)".to_owned()
    }
}

impl Shown for Durability {
    fn shown(&self) -> String {
        match self {
            Self::Full => "full".to_owned(),
            Self::Normal => "normal".to_owned(),
        }
    }
}

impl Shown for Auth {
    fn shown(&self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::Required => "required".to_owned(),
            Self::Off => "off".to_owned(),
        }
    }
}

impl Shown for LogFormat {
    fn shown(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "-".to_owned(), Shown::shown)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        match self.is_empty() {
            true => "-".to_owned(),
            false => self.iter().map(Shown::shown).collect::<Vec<_>>().join(", "),
        }
    }
}

impl<T> Shown for BTreeMap<String, T> {
    fn shown(&self) -> String {
        match self.is_empty() {
            true => "-".to_owned(),
            false => self.keys().cloned().collect::<Vec<_>>().join(", "),
        }
    }
}
