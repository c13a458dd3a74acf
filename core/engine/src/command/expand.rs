//! `cadre expand RECIPE`: the recipe after inheritance and defaults, as TOML that loads again.

use clap::Args;

use super::opened::load;
use super::{Done, RecipeArgs};
use crate::error::EngineError;
use crate::terminal::{Manner, Terminal};

#[derive(Debug, Args)]
pub(super) struct ExpandArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
}

pub(super) fn expand(args: &ExpandArgs, terminal: &Terminal) -> Done {
    let (loaded, _) = load(&args.recipe)?;
    match terminal.manner() {
        Manner::Json => {
            let json = serde_json::to_string(&loaded.recipe);
            terminal.print(&json.map_err(|source| EngineError::NoJson { what: "the recipe", source })?);
        }
        _ => terminal.print(&loaded.expand()),
    }
    Ok(())
}
