//! Stages: each kind of work with exactly the values that it may read. A stage's key is a digest of these values and
//! the keys of its inputs, and its body receives nothing else. A body must not depend on anything that is not in its
//! key.

pub(crate) mod coverage;
mod evaluation;
mod learning;
mod parts;
mod preparation;
pub(crate) mod shapes;
pub(crate) mod stage_reference;

use cadre_store::{Digest, Seed};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use evaluation::{
    Answering, DecodingPace, DecodingWork, EvaluateWork, MethodWork, OutOfDistributionWork, Provenance,
    ReportWork, RoutingWork, TaskMetrics, UsedData, UsedPlugin,
};
pub(crate) use learning::CHECKPOINT_READING;
pub use learning::{
    BackboneWork, Budget, CheckpointWork, ComposeWork, DescribeWork, ImportWork, IndicatorLearning, Length,
    MergeWork, PretrainTokenizer, PretrainWork, PseudoNegativesWork, RehearseWork, RememberWork,
    TokenizerWork, TrainWork, TrainingPace, TrainingWork, ValidationWork,
};
pub use parts::{
    CheckpointPlace, FileUse, IndicatorWork, ModelPace, ModelWork, PluginWork, PolicyWork, PromptWork,
    SourceWork, TemplateWork,
};
pub use preparation::{ExamplesWork, PrepareExamples, PrepareTask, PrepareWork};

/// Name of the stage that prepares the corpus of a backbone.
pub const CORPUS: &str = "prepare-corpus";

/// Name of the stage that prepares pseudo-negatives: queries of no task, to be rejected in training.
pub const PSEUDO_NEGATIVES: &str = "prepare-pseudo-negatives";

/// Name of the stage that prepares out-of-distribution queries.
pub const OUTSIDE_QUERIES: &str = "prepare-out-of-distribution";

/// A kind of stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    /// Reads examples from a dataset.
    Prepare,
    /// Loads or pretrains the backbone.
    Backbone,
    /// Selects the examples of a task to keep.
    Remember,
    /// Assembles a training set.
    Compose,
    /// Trains an adapter.
    Train,
    /// Computes descriptors of an expert.
    Describe,
    /// Merges experts into one model.
    Merge,
    /// Scores one row of R.
    Evaluate,
    /// Routes out-of-distribution queries.
    OutOfDistribution,
    /// Writes the report.
    Report,
}

impl StageKind {
    /// All kinds, in the order of a run.
    pub const ALL: [Self; 10] = [
        Self::Prepare,
        Self::Backbone,
        Self::Remember,
        Self::Compose,
        Self::Train,
        Self::Describe,
        Self::Merge,
        Self::Evaluate,
        Self::OutOfDistribution,
        Self::Report,
    ];

    /// Its name, as in the names of stages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Backbone => "backbone",
            Self::Remember => "remember",
            Self::Compose => "compose",
            Self::Train => "train",
            Self::Describe => "describe",
            Self::Merge => "merge",
            Self::Evaluate => "evaluate",
            Self::OutOfDistribution => "out-of-distribution",
            Self::Report => "report",
        }
    }

    /// Version of the body, part of every key; incremented when the output of the body changes.
    #[must_use]
    pub fn version(self) -> u32 {
        match self {
            // 2: the post-processor adds the special tokens around a text, templates render as in Jinja2, responses
            // have the ids that they have after their prompt.
            Self::Backbone => 2,
            Self::Prepare | Self::Remember | Self::Compose | Self::Train | Self::Merge => 1,
            // 2: claims, embeddings and answers of a row do not depend on the other rows of its batch; routes contain
            // the score of each query.
            Self::Describe | Self::Evaluate | Self::OutOfDistribution => 2,
            // 3: the validation of experts, the finding about constant answers, findings ordered by damage.
            Self::Report => 3,
        }
    }
}

/// The work of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageWork {
    /// Reads examples from a dataset.
    Prepare(PrepareWork),
    /// Loads or pretrains the backbone.
    Backbone(BackboneWork),
    /// Selects the examples of a task to keep.
    Remember(RememberWork),
    /// Assembles a training set.
    Compose(ComposeWork),
    /// Trains an adapter.
    Train(TrainWork),
    /// Imports an adapter; its kind is that of training.
    Import(ImportWork),
    /// Computes descriptors of an expert.
    Describe(DescribeWork),
    /// Merges experts into one model.
    Merge(MergeWork),
    /// Scores one row of R.
    Evaluate(EvaluateWork),
    /// Routes out-of-distribution queries.
    OutOfDistribution(OutOfDistributionWork),
    /// Writes the report.
    Report(ReportWork),
}

impl StageWork {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> StageKind {
        match self {
            Self::Prepare(_) => StageKind::Prepare,
            Self::Backbone(_) => StageKind::Backbone,
            Self::Remember(_) => StageKind::Remember,
            Self::Compose(_) => StageKind::Compose,
            Self::Train(_) | Self::Import(_) => StageKind::Train,
            Self::Describe(_) => StageKind::Describe,
            Self::Merge(_) => StageKind::Merge,
            Self::Evaluate(_) => StageKind::Evaluate,
            Self::OutOfDistribution(_) => StageKind::OutOfDistribution,
            Self::Report(_) => StageKind::Report,
        }
    }

    /// The seed that this work reads (the backbone and the stream have separate seeds); `None` if nothing is random.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        match self {
            Self::Prepare(PrepareWork::Task(work)) => Some(work.seed),
            Self::Prepare(PrepareWork::Examples(work)) => Some(work.seed),
            Self::Backbone(BackboneWork::Pretrain(work)) => Some(work.seed),
            Self::Remember(work) => Some(work.seed),
            Self::Compose(work) => work.seed,
            Self::Train(work) => Some(work.seed),
            Self::Merge(work) => Some(work.seed),
            Self::Evaluate(work) => work.decoding.seed,
            Self::OutOfDistribution(work) => work.decoding.as_ref().and_then(|decoding| decoding.seed),
            Self::Backbone(BackboneWork::Checkpoint(_))
            | Self::Import(_)
            | Self::Describe(_)
            | Self::Report(_) => None,
        }
    }

    /// The part of the work that determines its result and goes into the key: everything except `path` (locations,
    /// whose contents are covered by digests) and `pace` (speed and batching).
    pub(crate) fn key_value(&self) -> Result<Value, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        strip(&mut value);
        Ok(value)
    }

    /// The key of a stage with this work and these inputs.
    pub(crate) fn key(&self, inputs: &[Digest]) -> Result<Digest, serde_json::Error> {
        let kind = self.kind();
        let mut value = json!({ "kind": kind.name(), "version": kind.version(), "inputs": inputs });
        // Moved in: `json!` would copy it.
        value["work"] = self.key_value()?;
        Ok(Digest::of_value("cadre stage 1", &value))
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "path" && name != "pace");
            for (name, field) in fields {
                // Plugin settings are opaque: a `path` among them is an ordinary value.
                if name != "settings" {
                    strip(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The estimated cost of a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Estimate {
    /// Examples that it reads or trains on, if known before the data is loaded.
    pub examples: Option<u64>,
    /// Training tokens over all epochs.
    pub training_tokens: Option<u64>,
}

/// One stage of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StageSpec {
    /// Its name, unique in the plan: the kind, followed by the task if it has one (`train/sort`). Other names contain
    /// no slash, so that task names are unrestricted.
    pub name: String,
    /// Its kind.
    pub kind: StageKind,
    /// Its work.
    pub work: StageWork,
    /// Indices in the plan of the stages whose artifacts it reads; all smaller than its own.
    pub inputs: Vec<usize>,
    /// The key of its artifact.
    pub key: Digest,
    /// Its estimated cost.
    pub estimate: Estimate,
}

impl StageSpec {
    /// The name of the stage of this kind for a task.
    #[must_use]
    pub fn name_for(kind: StageKind, task: &str) -> String {
        format!("{}/{task}", kind.name())
    }

    /// Its task, or `union`; `None` if it does not belong to a single task.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        match &self.work {
            StageWork::Prepare(PrepareWork::Task(work)) => Some(&work.task),
            StageWork::Prepare(PrepareWork::Examples(_)) => None,
            _ => self.name.strip_prefix(self.kind.name())?.strip_prefix('/'),
        }
    }

    /// The seed of this stage, derived from the seed that its work reads (0 if none) and from its key.
    #[must_use]
    pub fn seed(&self) -> Seed {
        Seed(self.work.seed().unwrap_or(0)).derive(&self.key.to_string())
    }
}
