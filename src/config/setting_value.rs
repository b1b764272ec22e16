//! How the value of a setting is written: for a person, and in `venom.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::choices::{Auth, Durability, HiveCodec, HiveQueue, KindName, LogFormat, Missed};
use super::hive::Password;
use super::rate::Rate;

/// A value that a setting can have. One that holds a secret has a type of its own, whose texts do not hold it.
pub(crate) trait SettingValue: PartialEq {
    const IS_SECRET: bool = false;
    /// How `venom.toml` writes that an optional value of this type is absent.
    const ABSENT: &'static str = "\"\"";

    /// Returns the value as a person reads it.
    fn shown(&self) -> String;

    /// Returns the value as `venom.toml` has it.
    fn toml(&self) -> String {
        format!("{:?}", self.shown())
    }

    /// Returns `key` if the values differ.
    fn differences(&self, other: &Self, key: &str) -> Vec<String> {
        match self == other {
            true => Vec::new(),
            false => vec![key.to_owned()],
        }
    }
}

macro_rules! written_as_text {
    ($($kind:ty),*) => {
        $(impl SettingValue for $kind {
            fn shown(&self) -> String {
                self.to_string()
            }
        })*
    };
}

macro_rules! written_as_number {
    ($($kind:ty),*) => {
        $(impl SettingValue for $kind {
            fn shown(&self) -> String {
                self.to_string()
            }

            fn toml(&self) -> String {
                grouped(&self.to_string())
            }
        })*
    };
}

written_as_text!(IpAddr, IpNet, String);
written_as_number!(u16, u32, u64, usize, i64);

/// Returns the digits in groups of three if they are more than four: `10_000`.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) && digits.len() > 4 {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

impl SettingValue for bool {
    fn shown(&self) -> String {
        self.to_string()
    }

    fn toml(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for Rate {
    const ABSENT: &'static str = "\"off\"";

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for PathBuf {
    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl SettingValue for Duration {
    const ABSENT: &'static str = "\"forever\"";

    fn shown(&self) -> String {
        format!("{} s", self.as_secs_f64())
    }

    fn toml(&self) -> String {
        self.as_secs_f64().to_string()
    }
}

impl SettingValue for Password {
    const IS_SECRET: bool = true;

    fn shown(&self) -> String {
        "(not shown)".to_owned()
    }
}

macro_rules! written_as_word {
    ($($kind:ty),*) => {
        $(impl SettingValue for $kind {
            fn shown(&self) -> String {
                self.name().to_owned()
            }
        })*
    };
}

written_as_word!(
    Auth, Durability, LogFormat, KindName, HiveQueue, HiveCodec, Missed
);

impl<T: SettingValue> SettingValue for Option<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "-".to_owned(), T::shown)
    }

    fn toml(&self) -> String {
        self.as_ref().map_or_else(|| T::ABSENT.to_owned(), T::toml)
    }
}

impl<T: SettingValue> SettingValue for Vec<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn shown(&self) -> String {
        match self.is_empty() {
            true => "-".to_owned(),
            false => self.iter().map(T::shown).collect::<Vec<_>>().join(", "),
        }
    }

    fn toml(&self) -> String {
        let items: Vec<_> = self.iter().map(T::toml).collect();
        format!("[{}]", items.join(", "))
    }
}

/// Tables by name; a difference names the table.
impl<T: PartialEq> SettingValue for BTreeMap<String, T> {
    fn shown(&self) -> String {
        match self.is_empty() {
            true => "-".to_owned(),
            false => self.keys().cloned().collect::<Vec<_>>().join(", "),
        }
    }

    /// Tables stand under headings of their own.
    fn toml(&self) -> String {
        String::new()
    }

    fn differences(&self, other: &Self, key: &str) -> Vec<String> {
        let names: BTreeSet<_> = self.keys().chain(other.keys()).collect();
        let changed = (names.into_iter()).filter(|name| self.get(*name) != other.get(*name));
        changed.map(|name| format!("{key}.{name}")).collect()
    }
}

#[test]
fn long_numbers_are_grouped() {
    for (number, text) in [
        (5u64, "5"),
        (8000, "8000"),
        (10_000, "10_000"),
        (8_388_608, "8_388_608"),
    ] {
        assert_eq!(number.toml(), text);
    }
}
