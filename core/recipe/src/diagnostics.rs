//! Errors and warnings about a recipe: their messages, locations, suggestions and rendering.

pub(crate) mod expectation;
pub(crate) mod mistake;
pub(crate) mod recipe_error;
pub(crate) mod render;
pub(crate) mod synonyms;
pub(crate) mod syntax;
