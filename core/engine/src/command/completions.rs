//! `cadre completions SHELL`: a script on standard output.

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
    // Into memory first: the generator takes a reader that has gone away for a bug.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), "cadre", &mut script);
    terminal.print(&String::from_utf8_lossy(&script));
    Ok(())
}
