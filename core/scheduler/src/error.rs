//! What can go wrong while planning and while walking a plan. Never hides which stage or key it was.

use cadre_data::DataError;
use cadre_store::StoreError;

use crate::walk::executor::StageError;

/// Why a recipe could not be planned. Recipes that were checked get none but those of files that changed since.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A dataset could not be found or listed.
    #[error("plan {key}: {source}")]
    Data {
        /// The section of the recipe.
        key: String,
        /// What is wrong with it.
        source: DataError,
    },
    /// A file could not be digested.
    #[error("plan {key}: {source}")]
    File {
        /// The section of the recipe.
        key: String,
        /// What is wrong with it.
        source: StoreError,
    },
    /// A policy is not there.
    #[error("plan {key}: there is no {kind} `{name}`; there are: {}", known.join(", "))]
    NoPlugin {
        /// The section of the recipe.
        key: String,
        /// `router` or `selector`.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The recipe contradicts itself: it was not checked.
    #[error("plan {key}: {problem}")]
    Unchecked {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A stream without tasks.
    #[error("plan stream: it has no task")]
    NoTask,
    /// A value has no JSON form, so that nothing can be keyed by it.
    #[error("plan {stage}: a value has no JSON form: {source}")]
    NoJsonForm {
        /// The stage.
        stage: String,
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// The store could not be asked what is there.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a plan could not be walked to its end. What was finished stays finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// A stage failed.
    #[error("do stage {stage} (key {key}): {source}{}", others(also))]
    Stage {
        /// Its name.
        stage: String,
        /// Its short key.
        key: String,
        /// Why.
        source: StageError,
        /// Other stages that failed, each with its message.
        also: Vec<(String, String)>,
    },
    /// A stage ended in a panic: a mistake in the program.
    #[error("do stage {stage} (key {key}): the program panicked: {message}")]
    Panicked {
        /// Its name.
        stage: String,
        /// Its short key.
        key: String,
        /// What the panic said.
        message: String,
    },
    /// An artifact is damaged each time it is made.
    #[error(
        "do stage {stage}: its input {input} was damaged again after it was made anew {tries} times; check the disk"
    )]
    KeepsBreaking {
        /// The stage that needs it.
        stage: String,
        /// The stage that makes it.
        input: String,
        /// How often it was made.
        tries: u32,
    },
    /// The store failed where no stage is to blame.
    #[error("keep stage {stage}: {source}")]
    Store {
        /// The stage.
        stage: String,
        /// What is wrong.
        source: StoreError,
    },
}

fn others(also: &[(String, String)]) -> String {
    also.iter().map(|(stage, message)| format!("; and {stage}: {message}")).collect()
}
