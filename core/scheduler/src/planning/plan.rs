//! A plan: the stages of a run with their keys, in an order in which they can be done. Says what is there already;
//! never does a stage.

use cadre_store::{ArtifactStore, Digest, StoreError};
use serde::{Deserialize, Serialize};

use crate::planning::speed::{self, TrainingTime};
use crate::stages::StageSpec;

/// Version of `plan.json`.
pub(crate) const PLAN_FORMAT: u32 = 1;

/// What a run will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// Version of this layout; 1.
    pub format_version: u32,
    /// Name of the recipe.
    pub name: String,
    /// Key of the run: of the recipe (less what only changes speed) and of all stages but the report.
    pub run_key: Digest,
    /// The tasks, in the order of the stream.
    pub tasks: Vec<String>,
    /// The stages; inputs stand before what reads them.
    pub stages: Vec<StageSpec>,
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageState {
    /// Its artifact is there.
    Cached,
    /// It was begun and left something to go on from.
    Interrupted,
    /// Nothing is there.
    ToDo,
}

/// How far each stage of a plan is, in the order of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStatus {
    /// One state per stage.
    pub stages: Vec<StageState>,
    /// How long the stages to do will train, where that was measured on this machine.
    pub training_time: Option<TrainingTime>,
}

impl Plan {
    /// What of the plan is in `store`. Looks at manifests and lengths of files only.
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
    /// How far these stages are in `store`.
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

    /// The status of a plan of `stages` stages before anything was done.
    #[must_use]
    pub fn nothing_done(stages: usize) -> Self {
        Self { stages: vec![StageState::ToDo; stages], training_time: None }
    }

    /// How many stages are in this state.
    #[must_use]
    pub fn count(&self, state: StageState) -> usize {
        self.stages.iter().filter(|found| **found == state).count()
    }
}
