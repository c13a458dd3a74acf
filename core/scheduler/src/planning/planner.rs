//! Builds the plan of a recipe: its stages, their inputs and their keys. The plan must not depend on the store.

use std::collections::HashMap;

use cadre_data::{Hub, OrderChoice};
use cadre_recipe::{
    Backbone, Evaluation, Expert, On, Order, Per, PluginCatalog, Recipe, RehearsalGrant, Start, When,
};
use cadre_store::{Digest, FileDigests};
use serde_json::{Value, json};

use crate::error::PlanError;
use crate::planning::estimate::Estimator;
use crate::planning::files::{Files, stream_spec};
use crate::planning::hub_names::{Unresolved, resolve};
use crate::planning::plan::{PLAN_FORMAT, Plan};
use crate::planning::work_builder::WorkBuilder;
use crate::stages::coverage::without_pace;
use crate::stages::{
    Answering, BackboneWork, CORPUS, ComposeWork, DescribeWork, EvaluateWork, MethodWork, OUTSIDE_QUERIES,
    OutOfDistributionWork, PSEUDO_NEGATIVES, PrepareExamples, PrepareTask, PrepareWork, PseudoNegativesWork,
    RehearseWork, ReportWork, StageKind, StageSpec, StageWork, TrainWork, ValidationWork,
};

/// Plans a checked recipe. `digests` caches the digests of files; `hub` resolves names on the Hub to folders.
///
/// # Errors
/// When a file, a dataset or a plugin of the recipe does not exist, or the recipe was not checked.
pub(crate) fn plan(
    recipe: &Recipe,
    catalog: &PluginCatalog,
    digests: &FileDigests,
    hub: &Hub,
) -> Result<Plan, PlanError> {
    plan_beside(recipe, catalog, digests, hub, &mut KnownKeys::default())
}

/// Like [`plan`], for one of several recipes: keys of stages that are unchanged since the previous plan come from
/// `known`.
pub(crate) fn plan_beside(
    recipe: &Recipe,
    catalog: &PluginCatalog,
    digests: &FileDigests,
    hub: &Hub,
    known: &mut KnownKeys,
) -> Result<Plan, PlanError> {
    let named = recipe;
    let (recipe, unresolved) = resolve(named, hub);
    if let Some(Unresolved { key, problem }) = unresolved.into_iter().next() {
        return Err(PlanError::Data { key, source: problem });
    }
    let recipe = &recipe;
    let tasks = task_order(recipe)?;
    let planner = Planner {
        named,
        recipe,
        works: WorkBuilder::new(recipe, Files::new(catalog, digests))?,
        estimator: Estimator::default(),
        tasks,
        stages: Vec::new(),
        known,
    };
    planner.run()
}

/// The tasks of the recipe's stream, in order.
pub(crate) fn task_order(recipe: &Recipe) -> Result<Vec<String>, PlanError> {
    let tasks = cadre_data::task_order(&stream_spec(&recipe.stream), &order_choice(&recipe.stream.order))
        .map_err(|source| PlanError::Data { key: "stream".to_owned(), source })?;
    if tasks.is_empty() { Err(PlanError::NoTask) } else { Ok(tasks) }
}

pub(crate) fn order_choice(order: &Order) -> OrderChoice {
    match order {
        Order::Named(name) if name == "default" => OrderChoice::Default,
        Order::Named(name) => OrderChoice::Named(name.clone()),
        Order::Tasks(tasks) => OrderChoice::Tasks(tasks.clone()),
    }
}

struct Planner<'a> {
    /// The recipe as written.
    named: &'a Recipe,
    /// The recipe with Hub names resolved to folders.
    recipe: &'a Recipe,
    works: WorkBuilder<'a>,
    estimator: Estimator,
    tasks: Vec<String>,
    stages: Vec<StageSpec>,
    known: &'a mut KnownKeys,
}

/// The keys of the previous plan. Neighbouring points of a sweep share most stages, and comparing two works is much
/// cheaper than computing a key.
#[derive(Debug, Default)]
pub(crate) struct KnownKeys(HashMap<String, (StageWork, Vec<Digest>, Digest)>);

impl KnownKeys {
    fn key(&mut self, name: &str, work: &StageWork, inputs: Vec<Digest>) -> Result<Digest, PlanError> {
        if let Some((known, of, key)) = self.0.get(name)
            && *of == inputs
            && known == work
        {
            return Ok(*key);
        }
        let key =
            work.key(&inputs).map_err(|source| PlanError::NoJsonForm { stage: name.to_owned(), source })?;
        self.0.insert(name.to_owned(), (work.clone(), inputs, key));
        Ok(key)
    }
}

/// Indices of the stages that later ones read.
#[derive(Default)]
struct Places {
    prepared: Vec<usize>,
    out_of_distribution: Option<usize>,
    pseudo_negatives: Option<usize>,
    backbone: usize,
    remembered: Vec<usize>,
    trained: Vec<usize>,
    described: Vec<usize>,
}

impl Planner<'_> {
    fn run(mut self) -> Result<Plan, PlanError> {
        let mut places = self.prepare()?;
        places.backbone = self.backbone()?;
        let recipe = self.recipe;
        match recipe.expert.as_ref() {
            // Without training between tasks, all rows are equal.
            None => self.row(self.tasks.len() - 1, &places, &[])?,
            Some(expert) if expert.per == Per::Union => self.union(expert, &mut places)?,
            Some(expert) => self.one_after_another(expert, &mut places)?,
        }
        self.out_of_distribution(&places)?;
        let run_key = self.run_key()?;
        self.report(run_key)?;
        Ok(Plan {
            format_version: PLAN_FORMAT,
            name: self.recipe.name.clone(),
            run_key,
            tasks: self.tasks,
            stages: self.stages,
        })
    }

    fn prepare(&mut self) -> Result<Places, PlanError> {
        let recipe = self.recipe;
        let mut places = Places::default();
        let seed = recipe.stream.seed.unwrap_or(recipe.seed);
        for task in self.tasks.clone() {
            let work = PrepareTask {
                source: self.works.files.task(&recipe.stream, &task)?,
                limits: recipe.stream.limits.clone(),
                task: task.clone(),
                seed,
            };
            places.prepared.push(self.add(
                StageSpec::name_for(StageKind::Prepare, &task),
                StageWork::Prepare(PrepareWork::Task(work)),
                vec![],
            )?);
        }
        if let Some(source) = &recipe.evaluation.out_of_distribution {
            let examples = self.works.files.examples(source, "evaluation.out-of-distribution")?;
            let work = PrepareWork::Examples(PrepareExamples { sources: vec![examples], seed });
            places.out_of_distribution =
                Some(self.add(OUTSIDE_QUERIES.to_owned(), StageWork::Prepare(work), vec![])?);
        }
        if let Some(source) =
            recipe.rehearsal.as_ref().and_then(|rehearsal| rehearsal.pseudo_negatives.as_ref())
        {
            // `count` applies per task and is read by `compose`.
            let examples = self.works.files.examples(source, "rehearsal.pseudo-negatives")?;
            let work = PrepareWork::Examples(PrepareExamples { sources: vec![examples], seed });
            places.pseudo_negatives =
                Some(self.add(PSEUDO_NEGATIVES.to_owned(), StageWork::Prepare(work), vec![])?);
        }
        Ok(places)
    }

    fn backbone(&mut self) -> Result<usize, PlanError> {
        let name = "backbone".to_owned();
        match &self.recipe.backbone {
            Backbone { checkpoint: Some(folder), pretrain: None } => {
                let work = self.works.files.checkpoint(folder)?;
                self.add(name, StageWork::Backbone(BackboneWork::Checkpoint(work)), vec![])
            }
            Backbone { checkpoint: None, pretrain: Some(pretrain) } => {
                let mut sources = Vec::new();
                for (place, source) in pretrain.corpus.iter().enumerate() {
                    let key = format!("backbone.pretrain.corpus[{place}]");
                    sources.push(self.works.files.examples(source, &key)?);
                }
                let corpus = PrepareWork::Examples(PrepareExamples { sources, seed: pretrain.seed });
                let corpus = self.add(CORPUS.to_owned(), StageWork::Prepare(corpus), vec![])?;
                let work = self.works.pretrain(pretrain)?;
                self.add(name, StageWork::Backbone(BackboneWork::Pretrain(work)), vec![corpus])
            }
            Backbone { .. } => Err(PlanError::Unchecked {
                key: "backbone",
                problem: "exactly one of checkpoint and pretrain must be there",
            }),
        }
    }

    /// One expert per task, or one adapter trained on all tasks in turn.
    fn one_after_another(&mut self, expert: &Expert, places: &mut Places) -> Result<(), PlanError> {
        for place in 0..self.tasks.len() {
            let task = self.tasks[place].clone();
            if let Some(import) = expert.import.iter().find(|import| import.task == task) {
                let work = StageWork::Import(self.works.import(import)?);
                places.trained.push(self.add(
                    StageSpec::name_for(StageKind::Train, &task),
                    work,
                    vec![places.backbone],
                )?);
                self.learned(place, expert, places)?;
                continue;
            }
            let composed = self.compose(place, places)?;
            let from_previous = place > 0 && (expert.per == Per::Stream || expert.start == Start::Previous);
            let mut inputs = vec![places.backbone, composed];
            if from_previous {
                inputs.extend(places.trained.last());
            }
            let work = self.train(expert, from_previous)?;
            places.trained.push(self.add(
                StageSpec::name_for(StageKind::Train, &task),
                StageWork::Train(work),
                inputs,
            )?);
            self.learned(place, expert, places)?;
        }
        Ok(())
    }

    /// The stages after the training of a task's expert.
    fn learned(&mut self, place: usize, expert: &Expert, places: &mut Places) -> Result<(), PlanError> {
        self.describe(place, places)?;
        self.remember(place, places)?;
        if !self.evaluates(place) {
            return Ok(());
        }
        let answerers = match self.merge(place, places)? {
            Some(merged) => vec![merged],
            None => self.answerers(expert, places),
        };
        self.row(place, places, &answerers)
    }

    fn union(&mut self, expert: &Expert, places: &mut Places) -> Result<(), PlanError> {
        let mut inputs = places.prepared.clone();
        inputs.extend(places.pseudo_negatives);
        let work = self.compose_work(self.tasks.clone(), None, places);
        let composed =
            self.add(StageSpec::name_for(StageKind::Compose, "union"), StageWork::Compose(work), inputs)?;
        let work = self.train(expert, false)?;
        places.trained.push(self.add(
            StageSpec::name_for(StageKind::Train, "union"),
            StageWork::Train(work),
            vec![places.backbone, composed],
        )?);
        self.row(self.tasks.len() - 1, places, &self.answerers(expert, places))
    }

    fn compose(&mut self, place: usize, places: &Places) -> Result<usize, PlanError> {
        let task = self.tasks[place].clone();
        let mut inputs = vec![places.prepared[place]];
        let rehearse = match &self.recipe.rehearsal {
            Some(rehearsal) if place > 0 => {
                inputs.push(places.backbone);
                inputs.extend(&places.remembered);
                if rehearsal.grant.contains(&RehearsalGrant::Experts) {
                    inputs.extend(&places.trained);
                }
                Some(self.works.rehearse(rehearsal, &self.tasks[..place])?)
            }
            _ => None,
        };
        inputs.extend(places.pseudo_negatives);
        let work = self.compose_work(vec![task.clone()], rehearse, places);
        self.add(StageSpec::name_for(StageKind::Compose, &task), StageWork::Compose(work), inputs)
    }

    fn compose_work(
        &self,
        tasks: Vec<String>,
        rehearse: Option<RehearseWork>,
        places: &Places,
    ) -> ComposeWork {
        let recipe = self.recipe;
        let source = recipe.rehearsal.as_ref().and_then(|rehearsal| rehearsal.pseudo_negatives.as_ref());
        let pseudo_negatives = source
            .filter(|_| places.pseudo_negatives.is_some())
            .map(|source| PseudoNegativesWork { count: source.count });
        let mixed = rehearse.is_some() || pseudo_negatives.is_some();
        let marked = recipe.indicator.is_some();
        let rehearsal = recipe.rehearsal.as_ref().filter(|_| mixed && marked);
        ComposeWork {
            tasks,
            rehearse,
            pseudo_negatives,
            marked,
            negatives_keep_response: rehearsal.map(|rehearsal| rehearsal.negatives_keep_response),
            seed: mixed.then_some(recipe.seed),
            held_out: recipe.evaluation.validation.map(|validation| validation.count),
        }
    }

    fn train(&mut self, expert: &Expert, from_previous: bool) -> Result<TrainWork, PlanError> {
        let recipe = self.recipe;
        Ok(TrainWork {
            adapter: expert.adapter.clone(),
            training: self.works.training(&expert.training)?,
            prompt: self.works.prompt.clone(),
            max_response: expert.training.max_response,
            indicator: self.works.indicator(),
            indicator_learning: self.works.indicator_learning(),
            from_previous,
            seed: recipe.seed,
            model: self.works.model.clone(),
            validation: recipe.evaluation.validation.map(|validation| ValidationWork {
                every: validation.every,
                keep: validation.keep,
                patience: validation.patience,
            }),
        })
    }

    fn describe(&mut self, place: usize, places: &mut Places) -> Result<(), PlanError> {
        let Some(routing) = self.recipe.routing.as_ref().filter(|routing| !routing.descriptors.is_empty())
        else {
            return Ok(());
        };
        let work = DescribeWork {
            descriptors: routing.descriptors.clone(),
            prompt: self.works.prompt.clone(),
            model: self.works.model.clone(),
        };
        let name = StageSpec::name_for(StageKind::Describe, &self.tasks[place]);
        let inputs = vec![places.backbone, places.prepared[place]];
        places.described.push(self.add(name, StageWork::Describe(work), inputs)?);
        Ok(())
    }

    /// The selection of replay examples of a task; none for the last one, since no task follows it.
    fn remember(&mut self, place: usize, places: &mut Places) -> Result<(), PlanError> {
        let recipe = self.recipe;
        let Some(rehearsal) = recipe.rehearsal.as_ref().filter(|_| place + 1 < self.tasks.len()) else {
            return Ok(());
        };
        let task = self.tasks[place].clone();
        let work = self.works.remember(rehearsal, &task, place)?;
        let mut inputs = vec![places.backbone, places.prepared[place]];
        if work.grant_experts {
            inputs.extend(&places.trained);
        }
        places.remembered.push(self.add(
            StageSpec::name_for(StageKind::Remember, &task),
            StageWork::Remember(work),
            inputs,
        )?);
        Ok(())
    }

    /// The merge of the experts trained up to this task, if the recipe merges.
    fn merge(&mut self, place: usize, places: &Places) -> Result<Option<usize>, PlanError> {
        let Some(work) = self.works.merge(places.trained.len(), self.tasks.len())? else { return Ok(None) };
        let mut inputs = vec![places.backbone];
        inputs.extend(&places.trained);
        let name = StageSpec::name_for(StageKind::Merge, &self.tasks[place]);
        self.add(name, StageWork::Merge(work), inputs).map(Some)
    }

    /// Whether the row of R after this task is evaluated.
    fn evaluates(&self, place: usize) -> bool {
        self.recipe.evaluation.when != When::End || place + 1 == self.tasks.len()
    }

    /// The adapters that can answer after this task.
    fn answerers(&self, expert: &Expert, places: &Places) -> Vec<usize> {
        match expert.per {
            Per::Task => places.trained.iter().chain(&places.described).copied().collect(),
            Per::Stream | Per::Union => places.trained.last().copied().into_iter().collect(),
        }
    }

    /// Row `place` of R, if the recipe evaluates it.
    fn row(&mut self, place: usize, places: &Places, answerers: &[usize]) -> Result<(), PlanError> {
        let recipe = self.recipe;
        let Evaluation { on, predictions, .. } = &recipe.evaluation;
        if !self.evaluates(place) {
            return Ok(());
        }
        let asked = match on {
            On::Seen => place + 1,
            On::All => self.tasks.len(),
        };
        let work = EvaluateWork {
            learned: self.tasks[..=place].to_vec(),
            queries: self.works.metrics(&self.tasks[..asked]),
            answering: self.works.answering()?,
            prompt: self.works.prompt.clone(),
            decoding: self.works.decoding(),
            predictions: *predictions,
            model: self.works.model.clone(),
        };
        let mut inputs = vec![places.backbone];
        inputs.extend(&places.prepared[..asked]);
        inputs.extend(answerers);
        let name = StageSpec::name_for(StageKind::Evaluate, &self.tasks[place]);
        self.add(name, StageWork::Evaluate(work), inputs).map(drop)
    }

    fn out_of_distribution(&mut self, places: &Places) -> Result<(), PlanError> {
        let Some(prepared) = places.out_of_distribution else { return Ok(()) };
        let routed = self.recipe.routing.as_ref().is_some_and(|routing| routing.router.is_some());
        let mut inputs = vec![prepared];
        if routed {
            inputs.push(places.backbone);
            inputs.extend(&places.trained);
            inputs.extend(&places.described);
        }
        let work = OutOfDistributionWork {
            learned: self.tasks.clone(),
            answering: self.works.answering()?,
            prompt: routed.then(|| self.works.prompt.clone()),
            decoding: routed.then(|| self.works.decoding()),
            predictions: self.recipe.evaluation.predictions,
            model: routed.then(|| self.works.model.clone()),
        };
        self.add("out-of-distribution".to_owned(), StageWork::OutOfDistribution(work), inputs).map(drop)
    }

    fn run_key(&self) -> Result<Digest, PlanError> {
        let recipe = serde_json::to_value(self.named)
            .map_err(|source| PlanError::NoJsonForm { stage: "report".to_owned(), source })?;
        let keys: Vec<Value> = self.stages.iter().map(|stage| json!([stage.name, stage.key])).collect();
        let mut value = json!({});
        value["recipe"] = without_pace(recipe);
        value["stages"] = Value::from(keys);
        Ok(Digest::of_value("cadre run 1", &value))
    }

    fn report(&mut self, run: Digest) -> Result<(), PlanError> {
        let recipe = self.recipe;
        let work = ReportWork {
            run,
            name: recipe.name.clone(),
            reference: recipe.reference.clone(),
            summary: recipe.summary.clone(),
            seed: recipe.seed,
            tasks: self.tasks.clone(),
            method: MethodWork {
                router: match self.works.answering()? {
                    Answering::Routed(routing) => Some(routing.router),
                    Answering::Backbone | Answering::Adapter | Answering::Merged => None,
                },
                indicator: recipe.indicator.as_ref().map(|indicator| indicator.kind),
                warmup: recipe.expert.as_ref().map(|expert| expert.training.warmup),
            },
            provenance: self.works.provenance(),
        };
        let inputs = (0..self.stages.len()).collect();
        self.add("report".to_owned(), StageWork::Report(work), inputs).map(drop)
    }

    fn add(&mut self, name: String, work: StageWork, inputs: Vec<usize>) -> Result<usize, PlanError> {
        let keys: Vec<Digest> = inputs.iter().map(|place| self.stages[*place].key).collect();
        let key = self.known.key(&name, &work, keys)?;
        let estimate = self.estimator.estimate(&work, &inputs, &self.stages);
        self.stages.push(StageSpec { name, kind: work.kind(), work, inputs, key, estimate });
        Ok(self.stages.len() - 1)
    }
}

#[cfg(test)]
mod tests;
