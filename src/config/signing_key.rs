//! What a webhook's secret stands for: a key in base64, with or without `whsec_` before it, as the
//! libraries of Standard Webhooks read it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const PREFIX: &str = "whsec_";

/// Completes "expected …".
pub(crate) const EXPECTED_KEY: &str =
    "a key in base64, with or without `whsec_` before it, such as `openssl rand -base64 32` prints";

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key that a secret stands for.
///
/// # Errors
/// When it stands for none; completes "the secret is …" and holds nothing of it.
pub(crate) fn signing_key(secret: &str) -> Result<Vec<u8>, &'static str> {
    let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
    match ENGINE.decode(encoded) {
        Ok(key) if key.is_empty() => Err("an empty key"),
        Ok(key) => Ok(key),
        Err(_) => Err("not base64"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_base64_with_or_without_its_prefix_and_padding() {
        for secret in ["whsec_aGVsbG8=", "whsec_aGVsbG8", "aGVsbG8=", "aGVsbG8"] {
            assert_eq!(signing_key(secret).unwrap(), b"hello", "{secret}");
        }
        for secret in ["", "whsec_"] {
            assert_eq!(signing_key(secret), Err("an empty key"), "{secret}");
        }
        // `-` and `_` belong to the other alphabet, which the libraries read in different ways.
        for secret in [
            "whsec_no base64",
            "raw-bytes",
            "a_b_",
            "a",
            "whsec_whsec_aGVsbG8=",
        ] {
            assert_eq!(signing_key(secret), Err("not base64"), "{secret}");
        }
    }
}
