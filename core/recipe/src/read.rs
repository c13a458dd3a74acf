//! Reading: TOML files, environment variables and `--set` become layers of one recipe; the points of a sweep.

pub(crate) mod assignment;
pub(crate) mod displace;
pub(crate) mod env_source;
pub(crate) mod inherit;
pub(crate) mod key_path;
pub(crate) mod layer;
pub(crate) mod loaded;
pub(crate) mod missing;
pub(crate) mod path_value;
pub(crate) mod sweep_points;
