//! `cadre completions SHELL`: prints a completion script.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{CommandLine, Done};
use crate::terminal::Terminal;

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs, terminal: &Terminal) -> Done {
    // Generate into memory first: the generator panics on a broken pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), "cadre", &mut script);
    terminal.print(&String::from_utf8_lossy(&script));
    Ok(())
}
