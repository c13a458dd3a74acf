//! `cadre plan RECIPE`: the stages, what is there and what it will cost. Runs nothing.

use std::io::IsTerminal;

use cadre_scheduler::{render, render_json};
use clap::Args;

use super::opened::Opened;
use super::{Common, Done, RecipeArgs};
use crate::terminal::{Manner, Terminal};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
}

pub(super) fn plan(args: &PlanArgs, common: &Common, terminal: &Terminal) -> Done {
    let opened = Opened::of(&args.recipe, &common.store)?;
    let status = opened.plan.status(&opened.store)?;
    match terminal.manner() {
        Manner::Json => terminal.print(&render_json(&opened.plan, &status).to_string()),
        _ => terminal.print(&render(&opened.plan, &status, std::io::stdout().is_terminal())),
    }
    Ok(())
}
