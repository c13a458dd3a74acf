//! Output generated from the recipe structs: the JSON schema, the key reference, the expanded recipe.

pub(crate) mod expand;
pub(crate) mod reference;
pub(crate) mod schema;
