//! A question before something that cannot be taken back.

use std::io::{self, IsTerminal};

use super::error::Error;
use super::output::say;

/// Whether there is somebody to ask.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Whether the person at the terminal says yes; nothing else than yes is one.
pub(super) fn confirm(question: &str) -> Result<bool, Error> {
    say(format_args!("{question} [y/N]"));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::Failed(format!("cannot read the answer: {error}")))?;
    let answer = answer.trim();
    Ok(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"))
}
