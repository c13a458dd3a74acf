//! The sections of a recipe, one struct a file. They say what a section holds and what each key means, never how it
//! is read or done.

pub(crate) mod backbone;
pub(crate) mod device;
pub(crate) mod evaluation;
pub(crate) mod expert;
pub(crate) mod indicator;
pub(crate) mod plugin_use;
pub(crate) mod recipe;
pub(crate) mod rehearsal;
pub(crate) mod routing;
pub(crate) mod source;
pub(crate) mod stream;
pub(crate) mod sweep;
pub(crate) mod training;
