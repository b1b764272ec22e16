//! The question before an action that cannot be undone.

use std::io::{self, IsTerminal};

use super::print::say;
use crate::cli::error::Error;

/// Returns true if the command has to ask before `what`, and false if `--yes` was given. Fails without a terminal:
/// piped input is no consent, so a script has to pass `--yes`.
pub(crate) fn must_ask(yes: bool, what: &str) -> Result<bool, Error> {
    match (yes, io::stdin().is_terminal()) {
        (true, _) => Ok(false),
        (false, true) => Ok(true),
        (false, false) => Err(Error::Usage(format!(
            "{what} cannot be undone, and there is no terminal to confirm it; add --yes"
        ))),
    }
}

/// Asks the question and returns true for `y` or `yes`.
pub(crate) fn confirm(question: &str) -> Result<bool, Error> {
    say(format_args!("{question} [y/N]"));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::Failed(format!("cannot read the answer: {error}")))?;
    let answer = answer.trim();
    Ok(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"))
}
