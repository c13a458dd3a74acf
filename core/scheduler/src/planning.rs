//! Planning: the stages of a recipe, their keys, the files they read, and their estimated cost.

pub(crate) mod estimate;
pub(crate) mod files;
pub(crate) mod hub_names;
pub(crate) mod memory;
pub(crate) mod open_recipe;
pub(crate) mod plan;
pub(crate) mod planner;
pub(crate) mod speed;
pub(crate) mod work_builder;
