//! The sections of a recipe, one struct per file. Their doc comments become the key reference and the descriptions of
//! the JSON schema.

pub(crate) mod backbone;
pub(crate) mod device;
pub(crate) mod evaluation;
pub(crate) mod expert;
pub(crate) mod indicator;
pub(crate) mod method_use;
pub(crate) mod plugin_use;
pub(crate) mod recipe;
pub(crate) mod rehearsal;
pub(crate) mod routing;
pub(crate) mod source;
pub(crate) mod stream;
pub(crate) mod sweep;
pub(crate) mod training;
