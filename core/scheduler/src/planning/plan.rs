//! A plan: the stages of a run with their keys, in topological order, and the state of each in a store.

use cadre_store::{ArtifactStore, Digest, StoreError};
use serde::{Deserialize, Serialize};

use crate::planning::speed::{self, TrainingTime};
use crate::stages::StageSpec;

/// Version of `plan.json`.
pub(crate) const PLAN_FORMAT: u32 = 1;

/// The stages of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// Version of this layout; 1.
    pub format_version: u32,
    /// Name of the recipe.
    pub name: String,
    /// Key of the run: a digest of the recipe (without keys that only affect speed) and of all stages except the
    /// report.
    pub run_key: Digest,
    /// The tasks, in the order of the stream.
    pub tasks: Vec<String>,
    /// The stages, each after its inputs.
    pub stages: Vec<StageSpec>,
}

/// The state of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageState {
    /// Its artifact is in the store.
    Cached,
    /// It was started and can be resumed.
    Interrupted,
    /// It was not started.
    ToDo,
}

/// The state of each stage of a plan, in the order of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStatus {
    /// One state per stage.
    pub stages: Vec<StageState>,
    /// Estimated training time of the stages to do, if speeds were measured on this machine.
    pub training_time: Option<TrainingTime>,
}

impl Plan {
    /// The status of the plan in `store`. Reads only manifests and file lengths.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn status(&self, store: &ArtifactStore) -> Result<PlanStatus, StoreError> {
        PlanStatus::of(&self.stages, store)
    }

    /// The stage of this name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageSpec> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}

impl PlanStatus {
    /// The status of these stages in `store`.
    pub(crate) fn of(stages: &[StageSpec], store: &ArtifactStore) -> Result<Self, StoreError> {
        let state = |stage: &StageSpec| {
            Ok(match store.contains(&stage.key)? {
                true => StageState::Cached,
                false if store.has_workspace(&stage.key) => StageState::Interrupted,
                false => StageState::ToDo,
            })
        };
        let states = stages.iter().map(state).collect::<Result<Vec<_>, StoreError>>()?;
        let training_time = speed::estimate(store, stages, &states);
        Ok(Self { stages: states, training_time })
    }

    /// The status of a plan of `stages` stages of which none was started.
    #[must_use]
    pub fn nothing_done(stages: usize) -> Self {
        Self { stages: vec![StageState::ToDo; stages], training_time: None }
    }

    /// The number of stages in this state.
    #[must_use]
    pub fn count(&self, state: StageState) -> usize {
        self.stages.iter().filter(|found| **found == state).count()
    }
}
