//! Recipes: experiments in continual fine-tuning as TOML. A recipe is read in layers (built-in defaults, inherited
//! files, the recipe, the environment, `--set`), checked as a whole, and returned as plain structs, one per section.
//! Every error has a file, a line and a key. The JSON schema, the key reference and the checks are generated from those
//! structs.

#![forbid(unsafe_code)]

mod check;
mod cores;
mod diagnostics;
mod generate;
mod read;
mod section;

#[cfg(test)]
mod tests;

pub use cores::on_all_cores;
pub use read::env_source::EnvSource;
pub use read::loaded::Loaded;
pub use read::path_value::default_data;
pub use section::recipe::Recipe;

pub use diagnostics::mistake::Mistake;
pub use diagnostics::recipe_error::{RecipeError, RecipeErrors, render_warnings};
pub use diagnostics::syntax::meant_number;

pub use cadre_contract::PluginKind;
pub use check::plugin_catalog::{BrokenPlugin, PluginCatalog, PluginEntry};
pub use check::surroundings::{BackendSupport, Capabilities, Surroundings};

pub use generate::methods::methods_markdown;
pub use generate::reference::reference_markdown;
pub use generate::schema::schema_json;

pub use section::device::{Backend, Device, Precision, UnknownBackend};

pub use section::backbone::{Architecture, Backbone, Family, Pretrain, PretrainLoss, TokenizerSource};

pub use section::stream::{Limits, Order, Stream, Template};

pub use section::source::{FieldMap, Source, Split};

pub use section::expert::{Adapter, AdapterKind, Expert, ImportedExpert, Per, Scaling, Start, Target};

pub use section::training::{Schedule, Training};

pub use section::indicator::{Indicator, IndicatorKind, IndicatorWords};

pub use section::rehearsal::{Rehearsal, RehearsalGrant, Role};

pub use section::method_use::MethodUse;
pub use section::plugin_use::PluginUse;

pub use section::routing::{Descriptor, Fallback, Grant, Routing};

pub use section::evaluation::{
    Decoding, Evaluation, Keep, MetricChoice, On, Sampling, Strategy, Validation, When,
};

pub use read::sweep_points::SweepPoint;
pub use section::sweep::{Draw, RandomSearch, Sweep};
