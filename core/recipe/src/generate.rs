//! Output generated from the recipe structs: the JSON schema, the key reference, the expanded recipe; and the page of methods,
//! from the declarations in their components.

pub(crate) mod expand;
pub(crate) mod methods;
pub(crate) mod reference;
pub(crate) mod schema;
