//! What stages are: each kind of work with exactly the values it may read. A stage's key is made of these values
//! and the keys of its inputs, and its body gets nothing else: no stage can read what its key does not name.
//! Nothing here does any work.

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
    PretrainTokenizer, PretrainWork, PseudoNegativesWork, RehearseWork, RememberWork, TokenizerWork,
    TrainWork, TrainingPace, TrainingWork, ValidationWork,
};
pub use parts::{
    CheckpointPlace, FileUse, IndicatorWork, ModelPace, ModelWork, PluginWork, PromptWork, SourceWork,
    TemplateWork,
};
pub use preparation::{ExamplesWork, PrepareExamples, PrepareTask, PrepareWork};

/// Name of the stage that prepares the corpus of a backbone.
pub const CORPUS: &str = "prepare-corpus";

/// Name of the stage that prepares examples of no task, to be rejected in training.
pub const PSEUDO_NEGATIVES: &str = "prepare-pseudo-negatives";

/// Name of the stage that prepares queries of no task, to be routed.
pub const OUTSIDE_QUERIES: &str = "prepare-out-of-distribution";

/// A kind of stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    /// Reads examples from a dataset.
    Prepare,
    /// Loads or pretrains the backbone.
    Backbone,
    /// Chooses what to keep of a learned task.
    Remember,
    /// Puts a training set together.
    Compose,
    /// Trains an adapter.
    Train,
    /// Notes descriptors of an expert.
    Describe,
    /// Scores one row of R.
    Evaluate,
    /// Routes queries of no task.
    OutOfDistribution,
    /// Writes the report.
    Report,
}

impl StageKind {
    /// All kinds, in the order in which they come up in a run.
    pub const ALL: [Self; 9] = [
        Self::Prepare,
        Self::Backbone,
        Self::Remember,
        Self::Compose,
        Self::Train,
        Self::Describe,
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
            Self::Evaluate => "evaluate",
            Self::OutOfDistribution => "out-of-distribution",
            Self::Report => "report",
        }
    }

    /// Version of what the body does: part of every key, raised when a body's output changes.
    #[must_use]
    pub fn version(self) -> u32 {
        match self {
            // 2: what is put around a text is the post-processor's, templates render as in Jinja2, responses have the
            // ids they have behind their prompt.
            Self::Backbone => 2,
            Self::Prepare | Self::Remember | Self::Compose | Self::Train => 1,
            // 2: claims, embeddings and answers are those of a row alone, whoever stands beside it; routes hold the
            // score of each query; the report has findings and intervals.
            Self::Describe | Self::Evaluate | Self::OutOfDistribution | Self::Report => 2,
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
    /// Chooses what to keep of a learned task.
    Remember(RememberWork),
    /// Puts a training set together.
    Compose(ComposeWork),
    /// Trains an adapter.
    Train(TrainWork),
    /// Takes an adapter over; a stage of the kind that makes experts.
    Import(ImportWork),
    /// Notes descriptors of an expert.
    Describe(DescribeWork),
    /// Scores one row of R.
    Evaluate(EvaluateWork),
    /// Routes queries of no task.
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
            Self::Evaluate(_) => StageKind::Evaluate,
            Self::OutOfDistribution(_) => StageKind::OutOfDistribution,
            Self::Report(_) => StageKind::Report,
        }
    }

    /// The recipe's seed that this work reads (the backbone and the stream have seeds of their own); none where
    /// nothing is random.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        match self {
            Self::Prepare(PrepareWork::Task(work)) => Some(work.seed),
            Self::Prepare(PrepareWork::Examples(work)) => Some(work.seed),
            Self::Backbone(BackboneWork::Pretrain(work)) => Some(work.seed),
            Self::Remember(work) => Some(work.seed),
            Self::Compose(work) => work.seed,
            Self::Train(work) => Some(work.seed),
            Self::Evaluate(work) => work.decoding.seed,
            Self::OutOfDistribution(work) => work.decoding.as_ref().and_then(|decoding| decoding.seed),
            Self::Backbone(BackboneWork::Checkpoint(_))
            | Self::Import(_)
            | Self::Describe(_)
            | Self::Report(_) => None,
        }
    }

    /// The part of the work that decides its outcome, as it goes into the key: all of it but what lies under `path`
    /// (where something is, whose digest stands beside it) and `pace` (how fast, in which pieces).
    pub(crate) fn key_value(&self) -> Result<Value, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        strip(&mut value);
        Ok(value)
    }

    /// The key of a stage with this work and these inputs.
    pub(crate) fn key(&self, inputs: &[Digest]) -> Result<Digest, serde_json::Error> {
        let kind = self.kind();
        let mut value = json!({ "kind": kind.name(), "version": kind.version(), "inputs": inputs });
        // Moved in: `json!` would make it anew.
        value["work"] = self.key_value()?;
        Ok(Digest::of_value("cadre stage 1", &value))
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "path" && name != "pace");
            for (name, field) in fields {
                // A plugin's settings are its own: a `path` among them is a value like any other.
                if name != "settings" {
                    strip(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a stage is expected to cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Estimate {
    /// Examples it reads or trains on, where known before the data is loaded.
    pub examples: Option<u64>,
    /// Tokens that go through training, epochs counted.
    pub training_tokens: Option<u64>,
}

/// One stage of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StageSpec {
    /// Its name, unique in the plan: the kind and, where it is about a task, that (`train/sort`). No other name has a
    /// slash, so that a task may be called whatever it likes.
    pub name: String,
    /// Its kind.
    pub kind: StageKind,
    /// What it does.
    pub work: StageWork,
    /// The stages whose artifacts it reads, as places in the plan; all before it.
    pub inputs: Vec<usize>,
    /// The key of its artifact.
    pub key: Digest,
    /// What it is expected to cost.
    pub estimate: Estimate,
}

impl StageSpec {
    /// The name of a stage of this kind about a task.
    #[must_use]
    pub fn name_for(kind: StageKind, task: &str) -> String {
        format!("{}/{task}", kind.name())
    }

    /// The task that it is about, or `union`; none where it is about no single one.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        match &self.work {
            StageWork::Prepare(PrepareWork::Task(work)) => Some(&work.task),
            StageWork::Prepare(PrepareWork::Examples(_)) => None,
            _ => self.name.strip_prefix(self.kind.name())?.strip_prefix('/'),
        }
    }

    /// The seed of what is random in this stage: derived from the seed it reads and its key. Zero's derivation where
    /// it reads none.
    #[must_use]
    pub fn seed(&self) -> Seed {
        Seed(self.work.seed().unwrap_or(0)).derive(&self.key.to_string())
    }
}
