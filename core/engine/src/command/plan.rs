//! `cadre plan RECIPE`: shows the stages, which of them are cached, and their estimated cost.

use cadre_scheduler::{CommonArgs, RecipeArgs, memory_line, render, render_json};

use super::Done;
use super::opened::Opened;
use crate::terminal::{OutputMode, Terminal};

pub(super) fn plan(args: &RecipeArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let opened = Opened::of(args, &common.store, terminal)?;
    match terminal.mode() {
        OutputMode::Json => {
            terminal.print(&render_json(&opened.plan, &opened.status, opened.memory).to_string())
        }
        _ => {
            let memory = opened.memory.map(|need| memory_line(&need)).unwrap_or_default();
            terminal.print(&format!("{}{memory}", render(&opened.plan, &opened.status, true)));
        }
    }
    Ok(())
}
