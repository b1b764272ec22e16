//! The token that a command sends. No message shows it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use reqwest::header::HeaderValue;

use crate::cli::error::Error;

/// A token, as the header that carries it.
#[derive(Clone)]
pub(crate) struct Token(HeaderValue);

impl Token {
    /// The token in a file, without blanks around it.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let read = fs::read_to_string(path);
        let text = read.map_err(|error| Error::Failed(format!("cannot read {shown}: {error}")))?;
        text.parse()
            .map_err(|reason| Error::Failed(format!("{shown}: {reason}")))
    }

    /// The header's value, which nothing prints.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl FromStr for Token {
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

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
