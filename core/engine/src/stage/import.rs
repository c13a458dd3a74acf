//! `train/…` of a task whose expert is imported: converts a PEFT adapter to an expert of the library.

use cadre_nn::{ImportedAdapter, import_adapter};
use cadre_recipe::IndicatorKind;
use cadre_scheduler::{ImportWork, StageFacts, StageJob, StageKind};
use serde_json::json;

use super::inputs::first_input;
use crate::error::EngineError;
use crate::planned_files::{read_backbone, read_planned};
use crate::resources::Resources;

pub(super) fn import(
    work: &ImportWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let backbone = first_input(job, StageKind::Backbone)?;
    let digests = &executor.digests;
    let imported = read_backbone(backbone, work.checkpoint.as_ref(), digests, |folder| {
        read_planned(&work.files, digests, || Ok(import_adapter(folder, &work.path, job.draft.folder())?))
    })?;
    rows_for(work, &imported)?;
    Ok(json!({ "parameters": imported.parameters, "imported": true }))
}

/// Checks that an adapter has the rows of the indicator's tokens, if the recipe requires them.
///
/// # Errors
/// If the adapter lacks them.
pub(crate) fn rows_for(work: &ImportWork, imported: &ImportedAdapter) -> Result<(), EngineError> {
    let claims = work.indicator.as_ref().is_some_and(|indicator| indicator.kind == IndicatorKind::NewToken);
    let found = imported.spec.added_tokens;
    if claims && found != 2 {
        return Err(EngineError::NoIndicatorRows { adapter: work.path.clone(), found });
    }
    Ok(())
}
