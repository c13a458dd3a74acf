//! Plans and sweeps as tables for the terminal.

pub(crate) mod render;
pub(crate) mod sweep_render;
