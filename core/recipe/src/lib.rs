//! Recipes: experiments in continual fine-tuning as TOML. A recipe is read in layers (built-in defaults, inherited
//! files, the recipe, the environment, `--set`), checked as a whole with every mistake located, and handed on as plain
//! structs, one a section. The JSON schema, the key reference and the checks all come from those structs.

mod assignment;
mod backbone_fit;
mod contradiction;
mod cores;
mod displace;
mod env_source;
mod expand;
mod expectation;
mod inherit;
mod key_path;
mod layer;
mod loaded;
mod mistake;
mod path_value;
mod plugin_catalog;
mod recipe_error;
mod reference;
mod render;
mod schema;
mod section;
mod surroundings;
mod sweep_check;
mod sweep_points;
mod validate;

#[cfg(test)]
mod tests;

pub use cores::on_all_cores;
pub use env_source::EnvSource;
pub use loaded::Loaded;
pub use path_value::default_data;
pub use section::recipe::Recipe;

pub use mistake::Mistake;
pub use recipe_error::{RecipeError, RecipeErrors, render_warnings};

pub use plugin_catalog::{BrokenPlugin, PluginCatalog, PluginEntry, PluginKind};
pub use surroundings::{BackendSupport, Capabilities, Surroundings};

pub use reference::reference_markdown;
pub use schema::schema_json;

pub use section::device::{Backend, Device, Precision, UnknownBackend};

pub use section::backbone::{Architecture, Backbone, Family, Pretrain, PretrainLoss, TokenizerSource};

pub use section::stream::{Limits, Order, Stream, Template};

pub use section::source::{FieldMap, Source, Split};

pub use section::expert::{Adapter, AdapterKind, Expert, ImportedExpert, Per, Start, Target};

pub use section::training::{Schedule, Training};

pub use section::indicator::{Indicator, IndicatorKind, IndicatorWords};

pub use section::rehearsal::{Rehearsal, RehearsalGrant, Role};

pub use section::plugin_use::PluginUse;

pub use section::routing::{Descriptor, Fallback, Grant, Routing};

pub use section::evaluation::{Decoding, Evaluation, MetricChoice, On, Sampling, Strategy, When};

pub use section::sweep::{Draw, RandomSearch, Sweep};
pub use sweep_points::SweepPoint;
