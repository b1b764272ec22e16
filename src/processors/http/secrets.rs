//! Secrets: read when they are needed, and kept out of messages.

use crate::config::Secret;
use crate::processors::{Next, RunError};

/// A shorter word of a header is no secret, and hiding it would spoil sentences.
const SHORTEST: usize = 8;

/// The secret as it is at this moment; `what` it is completes "cannot read …".
///
/// # Errors
/// When it is not there. The message names the place, and no other attempt is made.
pub(in crate::processors) async fn reveal(secret: &Secret, what: &str) -> Result<String, RunError> {
    let secret = secret.clone();
    let read = tokio::task::spawn_blocking(move || secret.reveal());
    let read = read.await.map_err(|error| error.to_string()).flatten();
    read.map_err(|reason| RunError::with(format!("cannot read {what}: {reason}"), Next::GiveUp))
}

/// Texts that no message may show, even where the other side repeats them.
#[derive(Default)]
pub(in crate::processors) struct Secrets(Vec<String>);

impl Secrets {
    pub fn add(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.0.push(secret.to_owned());
        }
    }

    /// Adds the words of a header's value that are long enough to be secrets.
    pub fn add_header(&mut self, value: &str) {
        let words = value.split_whitespace();
        let long = words.filter(|word| word.len() >= SHORTEST);
        self.0.extend(long.map(str::to_owned));
    }

    pub fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), "[hidden]")
        })
    }
}
