//! Checks of a recipe: against the schema, for contradictions, and against the plugins and devices of this machine.

pub(crate) mod backbone_fit;
pub(crate) mod contradiction;
pub(crate) mod plugin_catalog;
pub(crate) mod surroundings;
pub(crate) mod sweep_check;
pub(crate) mod unknown_key;
pub(crate) mod validate;
