//! A variable of the environment or of `.env`, and the variables that are no settings.

use super::error::{Error, SettingPlace};

/// What every variable of this program begins with.
pub(crate) const PREFIX: &str = "VENOM_";
/// NamePattern the settings file.
pub(crate) const CONFIG: &str = "VENOM_CONFIG";
/// The address of the service that the client commands talk to.
pub(crate) const URL: &str = "VENOM_URL";
/// The token that the client commands send.
pub(crate) const TOKEN: &str = "VENOM_TOKEN";
/// A file with that token.
pub(crate) const TOKEN_FILE: &str = "VENOM_TOKEN_FILE";
/// The CA certificates that the client commands trust.
pub(crate) const CA_FILE: &str = "VENOM_CA_FILE";

/// A variable as it was found.
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) place: SettingPlace,
}

impl Variable {
    /// Returns whether it counts as absent, as one with an empty value does.
    pub(crate) fn is_unset(&self) -> bool {
        self.value.trim().is_empty()
    }
}

/// Returns the last variable with this name that has a value. Case does not matter.
pub(crate) fn find<'a>(name: &str, variables: &'a [Variable]) -> Option<&'a Variable> {
    variables
        .iter()
        .rfind(|variable| variable.name.eq_ignore_ascii_case(name) && !variable.is_unset())
}

/// Returns the variable that sets `key`, with our prefix.
pub(crate) fn prefixed(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase())
}

/// Refuses a value that was not UTF-8: it was read with replacement characters, which must not become the name
/// of a file.
pub(crate) fn check_unicode(key: &str, text: &str, place: &SettingPlace) -> Result<(), Error> {
    match text.contains(char::REPLACEMENT_CHARACTER) {
        true => Err(Error::invalid(
            key,
            place.clone(),
            "bytes that are not UTF-8",
            "UTF-8 text",
        )),
        false => Ok(()),
    }
}
