//! Dry run of a recipe's indicator tokens and imported adapters. Writes nothing.

use std::path::Path;

use cadre_checkpoint::BackboneShape;
use cadre_nn::check_adapter;
use cadre_recipe::{IndicatorKind, Loaded, RecipeError, TokenizerSource};
use cadre_scheduler::{BackboneWork, Plan, StageWork, pretrained_shape};
use cadre_store::ArtifactStore;

use super::Tried;
use crate::error::EngineError;
use crate::stage::{planned_tokenizer, rows_for};

/// The store, if it exists.
pub(super) fn opened(store: &Path) -> Result<Option<ArtifactStore>, EngineError> {
    Ok(if store.join("FORMAT").exists() { Some(ArtifactStore::open(store)?) } else { None })
}

/// Checks that a tokenizer trained by the run will encode each indicator as one token, if the recipe requires that. (A
/// tokenizer that exists as a file is checked with the recipe.)
pub(super) fn indicator(
    loaded: &Loaded,
    plan: &Plan,
    store: &Path,
) -> Result<Option<RecipeError>, EngineError> {
    let Some(indicator) =
        loaded.recipe.indicator.as_ref().filter(|indicator| indicator.kind == IndicatorKind::ExistingToken)
    else {
        return Ok(None);
    };
    let trained = loaded.recipe.backbone.pretrain.as_ref();
    if !trained.is_some_and(|pretrain| matches!(pretrain.tokenizer, TokenizerSource::TrainBpe(_))) {
        return Ok(None);
    }
    let store = opened(store)?;
    let Some(tokenizer) = planned_tokenizer(plan, store.as_ref(), &|| {})? else { return Ok(None) };
    let marks = [("indicator.accept", &indicator.accept), ("indicator.reject", &indicator.reject)];
    let wrong = |(key, mark): (&str, &String)| {
        tokenizer.single(mark).err().map(|problem| loaded.mistake(key, problem))
    };
    Ok(marks.into_iter().find_map(wrong))
}

/// Checks that imported adapters fit the recipe's backbone and have the rows of its indicator.
pub(super) fn tried(loaded: &Loaded, plan: &Plan, store: &Path) -> Result<Tried, EngineError> {
    let mut tried = Tried::default();
    let imports = loaded.recipe.expert.iter().flat_map(|expert| &expert.import).enumerate();
    let mut shape = None;
    for (index, import) in imports {
        let work = plan.stages.iter().find_map(|stage| match &stage.work {
            // By task: if the recipe names an adapter on the Hub, the plan contains its local folder.
            StageWork::Import(work) if stage.name == format!("train/{}", import.task) => Some(work),
            _ => None,
        });
        let Some(work) = work else { continue };
        let shape = match &shape {
            Some(shape) => shape,
            None => match planned_shape(plan, store)? {
                Some(found) => shape.insert(found),
                None => return Ok(tried),
            },
        };
        let key = format!("expert.import[{index}].adapter");
        let problem = match check_adapter(shape, &work.path) {
            Err(problem) => EngineError::from(problem),
            Ok(found) => match rows_for(work, &found) {
                Err(problem) => problem,
                Ok(()) => {
                    let remarks = found.remarks.into_iter().map(|remark| loaded.mistake(&key, remark));
                    tried.warnings.extend(remarks);
                    continue;
                }
            },
        };
        tried.errors.push(loaded.mistake(&key, problem));
    }
    Ok(tried)
}

/// The shape of the plan's backbone, which may not exist yet.
fn planned_shape(plan: &Plan, store: &Path) -> Result<Option<BackboneShape>, EngineError> {
    let backbone = plan.stages.iter().find_map(|stage| match &stage.work {
        StageWork::Backbone(work) => Some(work),
        _ => None,
    });
    Ok(match backbone {
        None => None,
        Some(BackboneWork::Checkpoint(work)) => Some(BackboneShape::of_folder(&work.path)?),
        Some(BackboneWork::Pretrain(work)) => {
            let tokenizer = planned_tokenizer(plan, opened(store)?.as_ref(), &|| {})?;
            tokenizer.map(|tokenizer| pretrained_shape(&work.architecture, tokenizer.vocabulary() as usize))
        }
    })
}
