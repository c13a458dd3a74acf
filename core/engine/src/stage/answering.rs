//! Opens an ensemble from artifacts and puts queries to it: shared by evaluation, out-of-distribution queries and
//! `cadre ask`.

use std::sync::Arc;

use cadre_contract::{Evidence, ExpertCard, NamedVector, RouterStep};
use cadre_nn::{Decoding, Strategy};
use cadre_policy::Router;
use cadre_scheduler::{Answering, DecodingWork, IndicatorWork, ModelWork, PromptWork, RoutingWork};
use cadre_store::{Artifact, Seed};

use super::describe::{DESCRIPTORS, Descriptors};
use super::encoding::Encoding;
use super::inputs::task_of;
use crate::ensemble::{
    Answered, ExpertLibrary, LearnerProbing, MountedExpert, Query, Responder, RouterBackend, Routing,
    RoutingBounds, Watch, answer_all,
};
use crate::error::EngineError;
use crate::resources::{OpenModel, Resources};

/// A loaded router.
struct LoadedRouter {
    router: Router,
    name: String,
}

impl RouterBackend for LoadedRouter {
    fn decide(&mut self, batch: &[Evidence]) -> Result<Vec<RouterStep>, EngineError> {
        Ok(self.router.route(batch)?)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// The inputs for opening an ensemble.
pub(crate) struct EnsembleWork<'a> {
    /// The model.
    pub(crate) model: &'a ModelWork,
    /// The router, or a fixed responder.
    pub(crate) answering: &'a Answering,
    /// How prompts are built.
    pub(crate) prompt: &'a PromptWork,
    /// How answers are generated.
    pub(crate) decoding: &'a DecodingWork,
    /// The artifact of the backbone, or of the merged model.
    pub(crate) backbone: &'a Artifact,
    /// The experts, oldest first, with their stage names.
    pub(crate) experts: Vec<(&'a str, &'a Artifact)>,
    /// The experts' descriptors, oldest first, if there are any.
    pub(crate) descriptors: Vec<&'a Artifact>,
}

/// An open ensemble.
pub(crate) struct OpenEnsemble<'a> {
    model: Arc<OpenModel>,
    /// The experts.
    pub(crate) library: ExpertLibrary,
    /// Encodes queries as tokens.
    pub(crate) encoding: Encoding,
    executor: &'a Resources,
    answering: &'a Answering,
    decoding: Decoding,
    seed: Seed,
}

/// Opens an ensemble: backbone, experts, encoder.
pub(crate) fn open_ensemble<'a>(
    work: &EnsembleWork<'a>,
    executor: &'a Resources,
) -> Result<OpenEnsemble<'a>, EngineError> {
    // A merged model is a checkpoint in the artifact itself, whatever the backbone is.
    let merged = ModelWork { checkpoint: None, ..work.model.clone() };
    let model = match work.answering {
        Answering::Merged => executor.model(&merged, work.backbone)?,
        _ => executor.model(work.model, work.backbone)?,
    };
    let library = library(&model, &work.experts, &work.descriptors)?;
    let shape = model.learner.shape();
    let max_new_tokens = work.decoding.max_new_tokens as usize;
    // If training sets `max-prompt`, queries are cut to the same length, and a long answer ends at the context length.
    let response = if work.prompt.max_prompt.is_some() { 1 } else { max_new_tokens.min(shape.context / 2) };
    let encoding = Encoding::new(
        &model.tokenizer,
        shape.vocabulary,
        shape.context,
        work.prompt,
        indicator(work.answering),
        response,
    )?;
    let decoding = Decoding {
        max_new_tokens,
        stop: model.tokenizer.stops().to_vec(),
        strategy: match &work.decoding.strategy {
            cadre_recipe::Strategy::Greedy => Strategy::Greedy,
            cadre_recipe::Strategy::Sample(sampling) => Strategy::Sample {
                temperature: sampling.temperature as f32,
                top_p: sampling.top_p as f32,
                repetition_penalty: sampling.repetition_penalty as f32,
            },
        },
        seeds: Vec::new(),
        batch: work.decoding.pace.batch as usize,
    };
    // Derived from the recipe's seed only: a sampled answer is the same in every row of R.
    let seed = Seed(work.decoding.seed.unwrap_or(0)).derive("decoding");
    Ok(OpenEnsemble { model, library, encoding, executor, answering: work.answering, decoding, seed })
}

impl OpenEnsemble<'_> {
    /// Routes and answers queries; returns one result per query, in order.
    pub(crate) fn answer(&self, queries: &[Query], watch: &dyn Watch) -> Result<Vec<Answered>, EngineError> {
        let probing = self.probing();
        let mut router;
        let guide = match self.answering {
            Answering::Backbone | Answering::Merged => Routing::Fixed(Responder::Backbone),
            Answering::Adapter => Routing::Fixed(Responder::Expert(0)),
            Answering::Routed(work) => {
                router = self.router(work)?;
                Routing::Router(&mut router, self.bounds(work))
            }
        };
        answer_all(guide, queries, &self.executor.book, &probing, watch)
    }

    /// Routes queries without generating answers.
    pub(crate) fn route(
        &self,
        work: &RoutingWork,
        queries: &[Query],
        watch: &dyn Watch,
    ) -> Result<Vec<crate::ensemble::RouteTrace>, EngineError> {
        let probing = self.probing();
        let mut finder = crate::ensemble::BookFinder { book: &self.executor.book, probing: &probing, watch };
        crate::ensemble::route_all(&mut self.router(work)?, queries, self.bounds(work), &mut finder)
    }

    fn probing(&self) -> LearnerProbing<'_> {
        LearnerProbing {
            learner: &self.model.learner,
            backbone: self.model.key,
            computed_in: &self.model.computed_in,
            tokenizer: &self.model.tokenizer,
            library: &self.library,
            indicators: self.encoding.encoder.indicators(),
            decoding: self.decoding.clone(),
            seed: self.seed,
        }
    }

    fn router(&self, work: &RoutingWork) -> Result<LoadedRouter, EngineError> {
        let settings = serde_json::Value::Object(work.router.settings.clone()).to_string();
        let plugin = self.executor.plugin(&work.router)?;
        let router = plugin.router(&settings, &self.library.cards())?;
        Ok(LoadedRouter { router, name: plugin.id().to_string() })
    }

    fn bounds(&self, work: &RoutingWork) -> RoutingBounds {
        // Destructured, so that a key added to recipes does not compile until it is used here.
        let RoutingWork { router: _, fallback, grant_task, max_rounds, indicator } = work;
        RoutingBounds {
            max_rounds: *max_rounds,
            grant_task: *grant_task,
            experts: self.library.len(),
            claims: indicator.is_some(),
            fallback: *fallback,
        }
    }
}

/// The indicator with which experts claim, if they do.
fn indicator(answering: &Answering) -> Option<&IndicatorWork> {
    match answering {
        Answering::Routed(work) => work.indicator.as_ref(),
        Answering::Backbone | Answering::Adapter | Answering::Merged => None,
    }
}

/// Greedy decoding, for probes that do not generate text.
pub(super) fn greedy(batch: usize) -> Decoding {
    Decoding { max_new_tokens: 1, stop: Vec::new(), strategy: Strategy::Greedy, seeds: Vec::new(), batch }
}

/// Mounts experts, oldest first, and builds their cards.
pub(super) fn library(
    model: &OpenModel,
    experts: &[(&str, &Artifact)],
    descriptors: &[&Artifact],
) -> Result<ExpertLibrary, EngineError> {
    let mut mounted = Vec::with_capacity(experts.len());
    for (place, (name, artifact)) in experts.iter().enumerate() {
        let number = |fact: &str| artifact.manifest().facts[fact].as_u64().unwrap_or(0);
        let descriptors: Vec<NamedVector> = match descriptors.get(place) {
            Some(described) => described.read_json::<Descriptors>(DESCRIPTORS)?.descriptors,
            None => Vec::new(),
        };
        mounted.push(MountedExpert {
            card: ExpertCard {
                // Bounded by the number of tasks in a recipe.
                index: place as u32,
                task: task_of(name).to_owned(),
                training_examples: u32::try_from(number("training-examples")).unwrap_or(u32::MAX),
                parameters: number("parameters"),
                descriptors,
            },
            key: *artifact.key(),
            slot: model.mount(artifact)?,
        });
    }
    Ok(ExpertLibrary::new(mounted))
}
