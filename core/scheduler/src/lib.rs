//! Planning and execution: turns a recipe into a plan of stages with keys, and executes the stages that are not cached.
//! Stages are known by name, values and key only; a [`StageExecutor`] implements their bodies.

#![forbid(unsafe_code)]

mod arguments;
mod check;
mod error;
#[cfg(test)]
mod fixture;
mod planning;
mod show;
mod stages;
mod sweep;
mod walk;

pub use arguments::{CommonArgs, RecipeArgs};
pub use planning::files::{checkpoint_file_names, data_split, indicator_form, task_files, tokenizer_files};
pub use planning::open_recipe::{OpenRecipe, Planned};
pub use stages::shapes::{pretrained_shape, slot};
pub use sweep::open_sweep::{OpenSweep, PlannedSweep, SweepArgs};

pub use planning::memory::{MemoryNeed, bytes, machine_memory};
pub use planning::plan::{Plan, PlanStatus, StageState};
pub use planning::speed::TrainingTime;
pub use show::render::{memory_line, render, render_json};
pub use show::sweep_render::{render_sweep, render_sweep_json};
pub use sweep::batch_jobs::{BatchJob, batch_jobs};
pub use sweep::sweep_plan::{PlannedPoint, SWEEP_PLAN_FORMAT, SweepPlan};

pub use stages::{
    Answering, BackboneWork, Budget, CORPUS, CheckpointPlace, CheckpointWork, ComposeWork, DecodingPace,
    DecodingWork, DescribeWork, Estimate, EvaluateWork, ExamplesWork, FileUse, ImportWork, IndicatorLearning,
    IndicatorWork, Length, MergeWork, MethodWork, ModelPace, ModelWork, OUTSIDE_QUERIES,
    OutOfDistributionWork, PSEUDO_NEGATIVES, PluginWork, PolicyWork, PrepareExamples, PrepareTask,
    PrepareWork, PretrainTokenizer, PretrainWork, PromptWork, Provenance, PseudoNegativesWork, RehearseWork,
    RememberWork, ReportWork, RoutingWork, SourceWork, StageKind, StageSpec, StageWork, TaskMetrics,
    TemplateWork, TokenizerWork, TrainWork, TrainingPace, TrainingWork, UsedData, UsedPlugin, ValidationWork,
};

pub use walk::executor::{StageError, StageExecutor, StageFacts, StageInput, StageJob, StageOutcome};
pub use walk::{SharedOutcome, WalkOptions, WalkOutcome, walk, walk_shared};

pub use walk::event::{Event, EventKind, EventSink, StopFlag};

pub use stages::coverage::{KEY_USES, KeyReader, KeyUse};
pub use stages::stage_reference::stage_reference_markdown;

pub use error::{PlanError, WalkError};
