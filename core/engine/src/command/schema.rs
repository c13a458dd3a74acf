//! `cadre schema`: prints the JSON schema of recipes, for editors.

use super::Done;
use crate::terminal::Terminal;

pub(super) fn schema(terminal: &Terminal) -> Done {
    terminal.print(&cadre_recipe::schema_json());
    Ok(())
}
