//! Errors and warnings about a recipe: what they say, where they point, how they are printed.

pub(crate) mod expectation;
pub(crate) mod mistake;
pub(crate) mod recipe_error;
pub(crate) mod render;
