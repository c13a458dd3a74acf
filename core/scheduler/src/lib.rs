//! From a recipe to what has to be done, and through it: a plan of stages with keys, and a walk that does what is
//! not there yet. Knows stages by name, values and key only: what their bodies do is the executor's business.

mod arguments;
mod batch_jobs;
mod check;
mod coverage;
mod error;
mod estimate;
mod event;
mod executor;
mod files;
#[cfg(test)]
mod fixture;
mod hub_names;
mod memory;
mod open_recipe;
mod open_sweep;
mod plan;
mod planner;
mod render;
mod row_check;
mod shapes;
mod stage_reference;
mod stages;
mod sweep_plan;
mod sweep_render;
mod tokenizers;
mod walk;
mod works;

pub use arguments::{CommonArgs, RecipeArgs};
pub use files::{checkpoint_file_names, data_split, indicator_form, task_files, tokenizer_files};
pub use open_recipe::{OpenRecipe, Planned};
pub use open_sweep::{OpenSweep, PlannedSweep, SweepArgs};
pub use shapes::{pretrained_shape, slot};

pub use batch_jobs::{BatchJob, batch_jobs};
pub use memory::{MemoryNeed, bytes, machine_memory};
pub use plan::{Plan, PlanStatus, StageState};
pub use render::{memory_line, render, render_json};
pub use sweep_plan::{PlannedPoint, SWEEP_PLAN_FORMAT, SweepPlan};
pub use sweep_render::{render_sweep, render_sweep_json};

pub use stages::{
    Answering, BackboneWork, Budget, CORPUS, CheckpointPlace, CheckpointWork, ComposeWork, DecodingPace,
    DecodingWork, DescribeWork, Estimate, EvaluateWork, ExamplesWork, FileUse, ImportWork, IndicatorLearning,
    IndicatorWork, Length, MethodWork, ModelPace, ModelWork, OUTSIDE_QUERIES, OutOfDistributionWork,
    PSEUDO_NEGATIVES, PluginWork, PrepareExamples, PrepareTask, PrepareWork, PretrainTokenizer, PretrainWork,
    PromptWork, Provenance, PseudoNegativesWork, RehearseWork, RememberWork, ReportWork, RoutingWork,
    SourceWork, StageKind, StageSpec, StageWork, TaskMetrics, TemplateWork, TokenizerWork, TrainWork,
    TrainingPace, TrainingWork, UsedData, UsedPlugin,
};

pub use executor::{StageError, StageExecutor, StageFacts, StageInput, StageJob, StageOutcome};
pub use walk::{SharedOutcome, WalkOptions, WalkOutcome, walk, walk_shared};

pub use event::{Event, EventKind, EventSink, StopFlag};

pub use coverage::{KEY_USES, KeyReader, KeyUse};
pub use stage_reference::stage_reference_markdown;

pub use error::{PlanError, WalkError};
