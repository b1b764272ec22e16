//! Reads secrets when they are needed, and keeps them out of messages.

use reqwest::Url;

use crate::config::Secret;
use crate::processors::run_error::{Next, RunError};

/// A shorter text may be part of an ordinary word: it is hidden only where it stands alone.
const SHORTEST: usize = 8;
/// The number of characters of a server's text that a message shows.
const SHOWN: usize = 200;

const HIDDEN: &str = "[hidden]";

/// Reads the current secret; its name `what` completes "cannot read …".
///
/// # Errors
/// If it does not exist. The message names the file or variable, and no other attempt is made.
pub(crate) async fn reveal(secret: &Secret, what: &str) -> Result<String, RunError> {
    let secret = secret.clone();
    let read = tokio::task::spawn_blocking(move || secret.reveal());
    let read = read.await.map_err(|error| error.to_string()).flatten();
    read.map_err(|reason| RunError::with(format!("cannot read {what}: {reason}"), Next::GiveUp))
}

/// Texts that no message may show, even where the other side repeats them; the longest first, so that none is left in
/// part because it holds another one.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if !secret.is_empty() {
            let place = self.0.partition_point(|other| other.len() >= secret.len());
            self.0.insert(place, secret.to_owned());
        }
    }

    /// Adds a header's value: all of it, the part after its first word, as in `Bearer token`, and its longer words.
    pub(crate) fn add_header(&mut self, value: &str) {
        self.add(value);
        if let Some((_, rest)) = value.split_once(char::is_whitespace) {
            self.add(rest);
        }
        self.add_long(value.split_whitespace());
    }

    /// Adds an address's path and query, as many hold a token there.
    pub(crate) fn add_address(&mut self, address: &str) {
        self.add(address);
        let Ok(url) = Url::parse(address) else {
            return;
        };
        let path = url.path();
        self.add(url.as_str());
        if path != "/" {
            self.add(path);
        }
        self.add_long(path.split('/'));
        if let Some(query) = url.query() {
            self.add(&format!("{path}?{query}"));
            self.add(query);
            for pair in query.split('&') {
                self.add(pair.split_once('=').map_or(pair, |(_, value)| value));
            }
        }
        for (_, value) in url.query_pairs() {
            self.add(&value);
        }
    }

    fn add_long<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for word in words.filter(|word| word.len() >= SHORTEST) {
            self.add(word);
        }
    }

    /// Returns a server's text as a message may show it: its first line, short, without secrets and control
    /// characters; `None` if it is empty.
    pub(crate) fn words(&self, said: &str) -> Option<String> {
        let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
        let line = self.hide(line);
        let mut shown: String = line.chars().take(SHOWN).collect();
        if shown.len() < line.len() {
            shown.push('…');
        }
        Some(shown.replace(char::is_control, " "))
    }

    fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            match secret.len() >= SHORTEST {
                true => text.replace(secret.as_str(), HIDDEN),
                false => hide_alone(&text, secret),
            }
        })
    }
}

/// Hides a text where no letter or digit stands beside it.
fn hide_alone(text: &str, secret: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    for (at, found) in text.match_indices(secret) {
        let end = at + found.len();
        let is_part = text[..at].ends_with(char::is_alphanumeric)
            || text[end..].starts_with(char::is_alphanumeric);
        if !is_part {
            shown.push_str(&text[done..at]);
            shown.push_str(HIDDEN);
            done = end;
        }
    }
    shown + &text[done..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add("sk-12345");
        secrets.add_header("Bearer tokentoken");
        secrets.add_header("d");
        secrets
    }

    fn words(said: &str) -> String {
        secrets().words(said).unwrap_or_default()
    }

    #[test]
    fn what_is_shown_is_one_short_line() {
        assert_eq!(words("\n no such page \nmore"), "no such page");
        assert_eq!(words(" \n"), "");
        assert_eq!(words("a\u{1b}b\rc"), "a b c");
        assert_eq!(words(&"x".repeat(5000)).chars().count(), SHOWN + 1);
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand_and_short_ones_where_they_stand_alone() {
        assert_eq!(words("bad key xsk-12345x"), "bad key x[hidden]x");
        assert_eq!(words("sent Bearer tokentoken"), "sent [hidden]");
        assert_eq!(words("sent tokentoken"), "sent [hidden]");
        assert_eq!(words("hidden: d, not dd"), "hidden: [hidden], not dd");
    }

    #[test]
    fn of_an_address_everything_but_the_host_is_hidden() {
        let mut secrets = Secrets::default();
        secrets.add_address("https://a.example/in/t%C3%B6ken-1234?a=x%21y&b=long-value");
        let words = |said: &str| secrets.words(said).unwrap();
        assert_eq!(words("POST /in/t%C3%B6ken-1234!"), "POST [hidden]!");
        assert_eq!(
            words("t%C3%B6ken-1234 in a.example"),
            "[hidden] in a.example"
        );
        assert_eq!(
            words("x!y, x%21y, long-value"),
            "[hidden], [hidden], [hidden]"
        );
        let mut secrets = Secrets::default();
        secrets.add_address("https://a.example");
        assert_eq!(secrets.words("GET / 404").unwrap(), "GET / 404");
    }
}
