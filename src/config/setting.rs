//! One setting as the program knows it, and the macro that makes a table of settings out of one list.
//!
//! From a [`Setting`] come the reader, the default, the variables, what a reload changes, `venom doctor --settings` and the
//! generated files. A setting without one of its parts does not compile.

use super::error::Error;
use super::table_reader::TableReader;

/// A setting of `S`.
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "a test writes the reference from some of the fields"
    )
)]
pub(crate) struct Setting<S: 'static> {
    /// Name of the field and key in `venom.toml`.
    pub(crate) key: &'static str,
    /// Heading of the group that it is in.
    pub(crate) section: &'static str,
    /// Lines of plain English. The first sentence says all that one must know.
    pub(crate) meaning: &'static [&'static str],
    /// Completes "expected …": the kind of value, its unit and its limits.
    pub(crate) expected: &'static str,
    /// A second variable that sets it, besides `VENOM_` and the key in capitals.
    pub(crate) also: Option<&'static str>,
    pub(crate) flag: Option<&'static str>,
    pub(crate) applies: Applies,
    /// Whether no text shows its value.
    pub(crate) secret: bool,
    /// Takes the value out of the table into `S`, or leaves the default.
    pub(crate) read: fn(&mut TableReader<'_>, &mut S) -> Result<(), Error>,
    /// Returns the value as a person reads it.
    pub(crate) shown: fn(&S) -> String,
    /// Returns the value as `venom.toml` has it.
    pub(crate) toml: fn(&S) -> String,
    /// Returns what differs: the key, or `key.NAME` for each table.
    pub(crate) differences: fn(&S, &S) -> Vec<String>,
    /// Copies the value from one to the other.
    pub(crate) copy: fn(&S, &mut S),
}

/// When a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applies {
    /// As soon as the configuration is reloaded.
    OnReload,
    /// At the next start.
    OnRestart,
}

/// Defines a struct of settings with its defaults, and the list of its [`Setting`]s as `ALL`.
///
/// ```text
/// section "Heading";
///
/// /// What it means.
/// key: Type = default, OnReload | OnRestart, RULE [via reader], [also "VARIABLE",] [flag "--flag"];
/// ```
macro_rules! define_settings {
    (
        $(#[$attribute:meta])*
        pub(crate) struct $name:ident;
        $(
            section $section:literal;
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $default:expr, $applies:ident, $rule:ident $(via $read:ident)?
                $(, also $also:literal)? $(, flag $flag:literal)?;
            )+
        )+
    ) => {
        $(#[$attribute])*
        pub(crate) struct $name {
            $($(
                $(#[doc = $doc])+
                pub(crate) $key: $type,
            )+)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($($key: $default,)+)+ }
            }
        }

        impl $name {
            /// Every setting, in the order in which they are read and shown.
            pub(crate) const ALL: &'static [Setting<Self>] = &[$($(Setting {
                key: stringify!($key),
                section: $section,
                meaning: &[$($doc),+],
                expected: value_types::$rule.expected,
                also: define_settings!(@option $($also)?),
                flag: define_settings!(@option $($flag)?),
                applies: Applies::$applies,
                secret: <$type as SettingValue>::IS_SECRET,
                read: define_settings!(@read $key $rule $($read)?),
                shown: |settings| settings.$key.shown(),
                toml: |settings| settings.$key.toml(),
                differences: |before, after| before.$key.differences(&after.$key, stringify!($key)),
                copy: |from, to| to.$key.clone_from(&from.$key),
            },)+)+];
        }
    };
    (@option) => { None };
    (@option $value:literal) => { Some($value) };
    (@read $key:ident $rule:ident) => {
        |table, settings| {
            if let Some(value) = table.take(stringify!($key), value_types::$rule)? {
                settings.$key = value;
            }
            Ok(())
        }
    };
    (@read $key:ident $rule:ident $read:ident) => { $read };
}

pub(crate) use define_settings;
