//! A token as its holder knows it, and its hash.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::models::TokenHash;

/// Marks a token as one, for people and for scanners of leaked secrets.
const PREFIX: &str = "venom_";
const RANDOM_BYTES: usize = 32;

/// A new token. It is shown once and stored nowhere.
pub(crate) struct TokenText(String);

impl TokenText {
    /// Creates a token of 256 random bits.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random)?;
        Ok(Self(format!(
            "{PREFIX}{}",
            BASE64_URL_SAFE_NO_PAD.encode(random)
        )))
    }

    /// Returns the hash to store. A plain hash suffices, because nobody guesses 256 random bits.
    pub(crate) fn hash(&self) -> TokenHash {
        hash(self.0.as_bytes())
    }

    /// Returns the token itself, for its holder.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(…)")
    }
}

/// Returns the hash of a token.
pub(crate) fn hash(token: &[u8]) -> TokenHash {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_differ_and_are_not_shown() {
        let (one, other) = (TokenText::new().unwrap(), TokenText::new().unwrap());
        assert_eq!(one.reveal().len(), PREFIX.len() + 43);
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), hash(one.reveal().as_bytes()));
        assert!(!format!("{one:?}").contains(&one.reveal()[6..12]));
    }
}
