//! Rendering of plans and sweeps for the terminal and as JSON.

pub(crate) mod render;
pub(crate) mod sweep_render;
