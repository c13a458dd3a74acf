//! `cadre completions SHELL`: a script on standard output.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{CommandLine, Done};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> Done {
    clap_complete::generate(args.shell, &mut CommandLine::command(), "cadre", &mut std::io::stdout());
    Ok(())
}
