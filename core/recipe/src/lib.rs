//! Recipes: experiments in continual fine-tuning as TOML. A recipe is read in layers (built-in defaults, inherited
//! files, the recipe, the environment, `--set`), checked as a whole with every mistake located, and handed on as plain
//! structs, one a section. The JSON schema, the key reference and the checks all come from those structs.

mod section;

pub use section::recipe::Recipe;

pub use section::device::{Backend, Device, Precision, UnknownBackend};

pub use section::backbone::{Architecture, Backbone, Family, Pretrain, PretrainLoss, TokenizerSource};

pub use section::stream::{Limits, Order, Stream, Template};

pub use section::source::{FieldMap, Source, Split};

pub use section::expert::{Adapter, AdapterKind, Expert, Per, Start, Target};

pub use section::training::{Schedule, Training};

pub use section::indicator::{Indicator, IndicatorKind};

pub use section::rehearsal::{Rehearsal, RehearsalGrant, Role};

pub use section::plugin_use::PluginUse;

pub use section::routing::{Descriptor, Fallback, Grant, Routing};

pub use section::evaluation::{Decoding, Evaluation, MetricChoice, On, Sampling, Strategy, When};

pub use section::sweep::Sweep;
