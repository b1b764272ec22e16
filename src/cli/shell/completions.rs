//! `venom completions`: what a shell needs to complete the command line.

use clap::Args;
use clap_complete::Shell;

use crate::cli::error::Error;
use crate::cli::output::print::print;

const EXAMPLES: &str = "\
Examples:
  venom completions bash > ~/.local/share/bash-completion/completions/venom
  venom completions zsh > \"${fpath[1]}/_venom\"
  venom completions fish > ~/.config/fish/completions/venom.fish";

/// Print the completions for a shell.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Shell that reads them
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints them.
pub(crate) fn run(completions: &CompletionsArgs, command: &mut clap::Command) -> Result<(), Error> {
    let mut script = Vec::new();

    clap_complete::generate(completions.shell, command, "venom", &mut script);
    print(&String::from_utf8_lossy(&script))
}
