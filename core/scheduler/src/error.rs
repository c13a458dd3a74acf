//! Errors of planning and execution. Every error must name its stage or key.

use cadre_data::DataError;
use cadre_store::{StoreError, chain};

use crate::walk::executor::StageError;

/// Why a recipe could not be planned. For a checked recipe, only because files changed since the check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A dataset could not be found or listed.
    #[error("plan {key}")]
    Data {
        /// The section of the recipe.
        key: String,
        /// The cause.
        source: DataError,
    },
    /// A file could not be digested.
    #[error("plan {key}")]
    File {
        /// The section of the recipe.
        key: String,
        /// The cause.
        source: StoreError,
    },
    /// A policy was not found.
    #[error("plan {key}: there is no {kind} `{name}`; available: {}", known.join(", "))]
    NoPlugin {
        /// The section of the recipe.
        key: String,
        /// `router` or `selector`.
        kind: &'static str,
        /// The requested name.
        name: String,
        /// The available names.
        known: Vec<String>,
    },
    /// A setting of a method does not fit.
    #[error("plan {key}: {problem}")]
    Setting {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The recipe contradicts itself: it was not checked.
    #[error("plan {key}: {problem}")]
    Unchecked {
        /// The key.
        key: &'static str,
        /// The cause.
        problem: &'static str,
    },
    /// A stream without tasks.
    #[error("plan stream: it has no task")]
    NoTask,
    /// A value that cannot be serialised, so that no key can be computed from it.
    #[error("plan {stage}: a value cannot be serialised")]
    NoJsonForm {
        /// The stage.
        stage: String,
        /// The error of the serializer.
        source: serde_json::Error,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a plan could not be completed. Finished stages stay in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// A stage failed.
    #[error("do stage {stage} (key {key})")]
    Stage {
        /// Its name.
        stage: String,
        /// Its short key.
        key: String,
        /// Why.
        source: StageError,
    },
    /// Several stages failed. The text contains their causes, because each stage has its own.
    #[error("{}{}", chain(first.as_ref()), others(also))]
    Several {
        /// The failure of the first one.
        first: Box<WalkError>,
        /// The others, each with its message.
        also: Vec<(String, String)>,
    },
    /// A stage panicked: a bug in the program.
    #[error("do stage {stage} (key {key}): the program panicked: {message}")]
    Panicked {
        /// Its name.
        stage: String,
        /// Its short key.
        key: String,
        /// The message of the panic.
        message: String,
    },
    /// An artifact is damaged every time it is produced.
    #[error(
        "do stage {stage}: its input {input} was damaged again after it was rebuilt {tries} times; check the disk"
    )]
    KeepsBreaking {
        /// The stage that needs it.
        stage: String,
        /// The stage that produces it.
        input: String,
        /// Number of attempts.
        tries: u32,
    },
    /// The store failed.
    #[error("keep stage {stage}")]
    Store {
        /// The stage.
        stage: String,
        /// The cause.
        source: StoreError,
    },
}

fn others(also: &[(String, String)]) -> String {
    also.iter().map(|(stage, message)| format!("; and {stage}: {message}")).collect()
}
