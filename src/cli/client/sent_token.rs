//! The token that a command sends to the service. No message and no debug output shows it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use reqwest::header::HeaderValue;

use crate::cli::error::Error;

/// A token in the form of its `Authorization` header.
#[derive(Clone)]
pub(crate) struct BearerToken(HeaderValue);

impl BearerToken {
    /// Reads the token from a file and drops white space around it.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let read = fs::read_to_string(path);
        let text = read.map_err(|error| Error::Failed(format!("cannot read {shown}: {error}")))?;
        text.parse()
            .map_err(|reason| Error::Failed(format!("{shown}: {reason}")))
    }

    /// Returns the header's value, marked as sensitive.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl FromStr for BearerToken {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let token = text.trim();
        let wrong = "expected a token, as `venom token create` prints it";
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong);
        }
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| wrong)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
