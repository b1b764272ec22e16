//! `venom man`: prints or writes the manual pages.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::Error;
use crate::cli::output::print::{print, say};

const EXAMPLES: &str = "\
Examples:
  venom man | man -l -
  venom man --dir ~/.local/share/man/man1     one page per command: man venom-submit";

/// Print the manual page, or write one page per command.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write venom.1, venom-submit.1 and so on to this folder; created if missing
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints or writes the pages of `command`.
pub(crate) fn run(man: &ManArgs, command: clap::Command) -> Result<(), Error> {
    let Some(folder) = &man.dir else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(command).render(&mut page);
        rendered.map_err(|error| Error::Failed(format!("cannot render the page: {error}")))?;
        return print(&String::from_utf8_lossy(&page));
    };
    let name = folder.display();
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|error| Error::Failed(format!("cannot write to {name}: {error}")))?;
    say(format_args!("pages written to {name}"));
    Ok(())
}
