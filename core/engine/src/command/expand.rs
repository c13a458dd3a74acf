//! `cadre expand RECIPE`: prints the recipe after inheritance and defaults, as TOML that loads again. Reads no data.

use cadre_scheduler::RecipeArgs;

use super::Done;
use super::opened::read;
use crate::error::EngineError;
use crate::terminal::{OutputMode, Terminal};

pub(super) fn expand(args: &RecipeArgs, terminal: &Terminal) -> Done {
    let loaded = read(args)?.loaded;
    match terminal.mode() {
        OutputMode::Json => {
            let json = serde_json::to_string(&loaded.recipe);
            terminal.print(&json.map_err(|source| EngineError::NoJson { what: "the recipe", source })?);
        }
        _ => terminal.print(&loaded.expand()),
    }
    Ok(())
}
