//! A question before something that cannot be taken back.

use std::io::{self, IsTerminal};

use super::print::say;
use crate::cli::error::Error;

/// Whether to ask before `what` is done: not where `--yes` was given. Where nobody can be asked, `--yes` has to
/// be: what a script pipes into a command is no consent.
pub(crate) fn must_ask(yes: bool, what: &str) -> Result<bool, Error> {
    match (yes, io::stdin().is_terminal()) {
        (true, _) => Ok(false),
        (false, true) => Ok(true),
        (false, false) => Err(Error::Usage(format!(
            "{what} cannot be taken back, and there is no terminal to ask at; add --yes"
        ))),
    }
}

/// Whether the person at the terminal says yes; nothing else than yes is one.
pub(crate) fn confirm(question: &str) -> Result<bool, Error> {
    say(format_args!("{question} [y/N]"));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::Failed(format!("cannot read the answer: {error}")))?;
    let answer = answer.trim();
    Ok(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"))
}
