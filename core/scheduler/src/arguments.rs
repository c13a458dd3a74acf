//! Command-line arguments that the programs share: the recipe and its changes, folders, output mode.

use std::path::PathBuf;

use clap::Args;

/// A recipe and changes to it.
#[derive(Debug, Clone, Args)]
pub struct RecipeArgs {
    /// The recipe: a TOML file
    #[arg(value_name = "RECIPE")]
    pub recipe: PathBuf,
    /// Change a value of the recipe, as `stream.limits.train=200`; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// Arguments of every command.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// Folder of finished stages; recipes and runs share it
    #[arg(long, global = true, value_name = "DIR", default_value = "store")]
    pub store: PathBuf,
    /// Folder of runs: their reports, events and predictions
    #[arg(long, global = true, value_name = "DIR", default_value = "runs")]
    pub runs: PathBuf,
    /// Folder of sweeps: their plans and reports
    #[arg(long, global = true, value_name = "DIR", default_value = "sweeps")]
    pub sweeps: PathBuf,
    /// Say nothing but errors and what was asked for
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Speak JSON on standard output, one value a line
    #[arg(long, global = true)]
    pub json: bool,
}
