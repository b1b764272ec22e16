//! Signatures by Standard Webhooks: `v1,` and HMAC-SHA256 in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::signing_key;

/// The key that signs messages.
pub(crate) struct WebhookKey(Vec<u8>);

impl WebhookKey {
    /// Parses a secret.
    ///
    /// # Errors
    /// If it is invalid. The text completes "the secret is …" and holds nothing of it.
    pub(crate) fn read(secret: &str) -> Result<Self, &'static str> {
        signing_key(secret).map(Self)
    }

    /// Returns the signature of a message that is sent at this Unix time.
    pub(crate) fn sign(&self, id: &str, sent_at: u64, body: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{sent_at}.{body}").as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        format!("v1,{signature}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference implementations.
    #[test]
    fn a_known_message_has_its_known_signature() {
        for prefix in ["whsec_", ""] {
            let key =
                WebhookKey::read(&format!("{prefix}MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
            let signature = key.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
            );
            assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        }
    }
}
