//! `venom completions`: prints the completion script of a shell.

use clap::Args;
use clap_complete::Shell;

use crate::cli::error::Error;
use crate::cli::output::print::print;

const EXAMPLES: &str = "\
Examples:
  venom completions bash > ~/.local/share/bash-completion/completions/venom
  venom completions zsh > \"${fpath[1]}/_venom\"
  venom completions fish > ~/.config/fish/completions/venom.fish";

/// Print the completion script of a shell.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Print the script for this shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for `command`.
pub(crate) fn run(completions: &CompletionsArgs, command: &mut clap::Command) -> Result<(), Error> {
    let mut script = Vec::new();

    clap_complete::generate(completions.shell, command, "venom", &mut script);
    print(&String::from_utf8_lossy(&script))
}
