//! Splits a recipe into the values that individual stages read.

use cadre_contract::Slot;
use cadre_recipe::{
    Backend, Grant, ImportedExpert, PluginKind, PluginUse, Pretrain, Recipe, Rehearsal, RehearsalGrant,
    Strategy, TokenizerSource, Training,
};

use crate::error::PlanError;
use crate::planning::files::Files;
use crate::stages::{
    Answering, Budget, CheckpointPlace, DecodingPace, DecodingWork, ImportWork, IndicatorLearning,
    IndicatorWork, Length, MergeWork, ModelPace, ModelWork, PretrainTokenizer, PretrainWork, PromptWork,
    Provenance, RehearseWork, RememberWork, RoutingWork, TaskMetrics, TrainingPace, TrainingWork,
};

/// Builds the work of each stage of a recipe.
pub(crate) struct WorkBuilder<'a> {
    recipe: &'a Recipe,
    pub(crate) files: Files<'a>,
    /// The model that all stages except the backbone use.
    pub(crate) model: ModelWork,
    /// The prompt settings of all stages.
    pub(crate) prompt: PromptWork,
}

impl<'a> WorkBuilder<'a> {
    pub(crate) fn new(recipe: &'a Recipe, mut files: Files<'a>) -> Result<Self, PlanError> {
        let checkpoint =
            recipe.backbone.checkpoint.as_ref().map(|path| CheckpointPlace { path: path.clone() });
        let model = ModelWork {
            checkpoint,
            // Without the index: equal devices compute equal results.
            backend: recipe.device.backend.name().to_owned(),
            precision: recipe.device.precision,
            pace: ModelPace {
                index: match recipe.device.backend {
                    Backend::Cuda { index } => index,
                    Backend::Cpu | Backend::NdArray => 0,
                },
                threads: recipe.device.threads,
                gradient_checkpointing: recipe.device.gradient_checkpointing,
            },
        };
        let prompt = PromptWork {
            template: files.template(&recipe.stream.template)?,
            max_prompt: recipe.expert.as_ref().map(|expert| expert.training.max_prompt),
        };
        Ok(Self { recipe, files, model, prompt })
    }

    pub(crate) fn training(&self, training: &Training) -> Result<TrainingWork, PlanError> {
        let length = match (training.epochs, training.steps) {
            (Some(epochs), None) => Length::Epochs(epochs),
            (None, Some(steps)) => Length::Steps(steps),
            _ => {
                return Err(PlanError::Unchecked {
                    key: "training",
                    problem: "exactly one of epochs and steps must be there",
                });
            }
        };
        Ok(TrainingWork {
            length,
            batch: training.batch,
            accumulate: training.accumulate,
            learning_rate: training.learning_rate,
            schedule: training.schedule,
            warmup: training.warmup,
            gradient_clip: training.gradient_clip,
            weight_decay: training.weight_decay,
            pace: TrainingPace {
                micro_batch: training.micro_batch,
                checkpoint_every: training.checkpoint_every,
            },
        })
    }

    pub(crate) fn pretrain(&mut self, pretrain: &Pretrain) -> Result<PretrainWork, PlanError> {
        let tokenizer = match &pretrain.tokenizer {
            TokenizerSource::TrainBpe(size) => PretrainTokenizer::TrainBpe(*size),
            TokenizerSource::File(path) => {
                PretrainTokenizer::File(self.files.tokenizer(path, "backbone.pretrain.tokenizer")?)
            }
        };
        Ok(PretrainWork {
            architecture: pretrain.architecture.clone(),
            tokenizer,
            template: self.prompt.template.clone(),
            max_prompt: pretrain.training.max_prompt,
            max_response: pretrain.training.max_response,
            training: self.training(&pretrain.training)?,
            loss: pretrain.loss,
            seed: pretrain.seed,
            model: ModelWork { checkpoint: None, ..self.model.clone() },
        })
    }

    /// An imported adapter, with the digests of its files.
    pub(crate) fn import(&mut self, import: &ImportedExpert) -> Result<ImportWork, PlanError> {
        let files = ["adapter_config.json", "adapter_model.safetensors"]
            .into_iter()
            .map(|name| self.files.file(&import.adapter.join(name), "expert.import"))
            .collect::<Result<_, _>>()?;
        Ok(ImportWork {
            path: import.adapter.clone(),
            files,
            checkpoint: self.model.checkpoint.clone(),
            indicator: self.indicator(),
        })
    }

    /// The indicator tokens, if the recipe has indicators.
    pub(crate) fn indicator(&self) -> Option<IndicatorWork> {
        self.recipe.indicator.as_ref().map(|indicator| IndicatorWork {
            accept: indicator.accept.clone(),
            reject: indicator.reject.clone(),
            kind: indicator.kind,
        })
    }

    pub(crate) fn indicator_learning(&self) -> Option<IndicatorLearning> {
        self.recipe.indicator.as_ref().map(|indicator| IndicatorLearning {
            loss_weight: indicator.loss_weight,
            start_from: indicator.start_from.clone(),
        })
    }

    pub(crate) fn remember(
        &mut self,
        rehearsal: &Rehearsal,
        task: &str,
        place: usize,
    ) -> Result<RememberWork, PlanError> {
        Ok(RememberWork {
            task: task.to_owned(),
            place: as_u32(place),
            selector: self.files.plugin(PluginKind::Selector, &rehearsal.selector, "rehearsal.selector")?,
            budget: budget(&rehearsal.selector)?,
            role: rehearsal.role,
            grant_experts: rehearsal.grant.contains(&RehearsalGrant::Experts),
            prompt: self.prompt.clone(),
            max_response: self.max_response(),
            seed: self.recipe.seed,
            model: self.model.clone(),
        })
    }

    pub(crate) fn rehearse(
        &mut self,
        rehearsal: &Rehearsal,
        earlier: &[String],
    ) -> Result<RehearseWork, PlanError> {
        Ok(RehearseWork {
            place: as_u32(earlier.len()),
            earlier: earlier.to_vec(),
            selector: self.files.plugin(PluginKind::Selector, &rehearsal.selector, "rehearsal.selector")?,
            role: rehearsal.role,
            grant_experts: rehearsal.grant.contains(&RehearsalGrant::Experts),
            prompt: self.prompt.clone(),
            max_response: self.max_response(),
            model: self.model.clone(),
        })
    }

    /// The recipe checks reject rehearsal without experts, so the fallback is never used.
    fn max_response(&self) -> u32 {
        self.recipe.expert.as_ref().map_or(u32::MAX, |expert| expert.training.max_response)
    }

    pub(crate) fn answering(&mut self) -> Result<Answering, PlanError> {
        let recipe = self.recipe;
        let router = recipe.routing.as_ref().map(|routing| (routing, &routing.router));
        Ok(match (&recipe.expert, router) {
            (None, _) => Answering::Backbone,
            (Some(_), None) => Answering::Adapter,
            (Some(_), Some((_, None))) => Answering::Merged,
            (Some(_), Some((routing, Some(router)))) => Answering::Routed(RoutingWork {
                router: self.files.plugin(PluginKind::Router, router, "routing.router")?,
                fallback: routing.fallback,
                grant_task: routing.grant.contains(&Grant::Task),
                max_rounds: routing.max_rounds,
                indicator: self.indicator(),
            }),
        })
    }

    /// The merge of the first `experts` experts of `tasks` tasks; `None` if the recipe does not merge.
    pub(crate) fn merge(&mut self, experts: usize, tasks: usize) -> Result<Option<MergeWork>, PlanError> {
        let Some(used) = self.recipe.routing.as_ref().and_then(|routing| routing.merge.as_ref()) else {
            return Ok(None);
        };
        let merge = self.files.method(Slot::Merge, used, (experts, tasks), "routing.merge")?;
        let checkpoint = self.model.checkpoint.clone();
        Ok(Some(MergeWork { merge, seed: self.recipe.seed, checkpoint }))
    }

    pub(crate) fn metrics(&self, tasks: &[String]) -> Vec<TaskMetrics> {
        let of = |task: &String| TaskMetrics {
            task: task.clone(),
            metrics: self.recipe.evaluation.metrics.of(task).to_vec(),
        };
        tasks.iter().map(of).collect()
    }

    pub(crate) fn decoding(&self) -> DecodingWork {
        let decoding = &self.recipe.evaluation.decoding;
        DecodingWork {
            max_new_tokens: decoding.max_new_tokens,
            strategy: decoding.strategy.clone(),
            seed: matches!(decoding.strategy, Strategy::Sample(_)).then_some(self.recipe.seed),
            pace: DecodingPace { batch: decoding.batch },
        }
    }

    pub(crate) fn provenance(&self) -> Provenance {
        Provenance {
            backend: self.model.backend.clone(),
            precision: self.model.precision,
            plugins: self.files.used_plugins(),
            data: self.files.used_data(),
        }
    }
}

fn budget(selector: &PluginUse) -> Result<Budget, PlanError> {
    match (selector.share, selector.count) {
        (Some(share), None) => Ok(Budget::Share(share)),
        (None, Some(count)) => Ok(Budget::Count(count)),
        _ => Err(PlanError::Unchecked {
            key: "rehearsal.selector",
            problem: "exactly one of share and count must be there",
        }),
    }
}

fn as_u32(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
