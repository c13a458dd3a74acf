//! Runs a selector in a stage: the loaded policy, and the learner that answers its probes.

use cadre_contract::{Candidate, Generation, Order, Role, RouterFinding, SelectorObservation, SelectorStep};
use cadre_data::{Example, Target};
use cadre_nn::{Answerer, Decoding, Flow, Row, ScoredRow, Strategy};
use cadre_policy::Selector;
use cadre_recipe::Role as RecipeRole;
use cadre_scheduler::{PluginWork, StageJob, StageKind};
use cadre_store::Artifact;

use super::encoding::Encoding;
use super::watch::JobWatch;
use crate::ensemble::{
    CandidateProbes, EvidenceBook, ExpertLibrary, Kind, LearnerProbing, Query, Question, Refused, Responder,
    SelectorBackend,
};
use crate::error::EngineError;
use crate::resources::{OpenModel, Resources};

/// Batch size for answering a selector's probes.
const BATCH_ROWS: usize = 32;

/// A loaded selector.
pub(super) struct LoadedSelector {
    selector: Selector,
    name: String,
}

impl LoadedSelector {
    /// Loads the policy and opens it with the recipe's settings.
    pub(super) fn open(work: &PluginWork, executor: &Resources) -> Result<Self, EngineError> {
        let settings = serde_json::Value::Object(work.settings.clone()).to_string();
        let plugin = executor.plugin(work)?;
        Ok(Self { selector: plugin.selector(&settings)?, name: plugin.id().to_string() })
    }
}

impl SelectorBackend for LoadedSelector {
    fn select(
        &mut self,
        order: &Order,
        candidates: &[Candidate],
        seen: &[SelectorObservation],
    ) -> Result<SelectorStep, EngineError> {
        Ok(self.selector.select(order, candidates, seen)?)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Converts the recipe's role of selected examples to the contract's type.
pub(crate) fn contract_role(role: RecipeRole) -> Role {
    match role {
        RecipeRole::Negative => Role::Negative,
        RecipeRole::Positive => Role::Positive,
    }
}

/// Examples as candidates, numbered from 0. `tasks` returns the index of each one's task.
pub(super) fn candidates(
    examples: &[Example],
    tasks: &[u32],
    encoding: &Encoding,
) -> Result<Vec<Candidate>, EngineError> {
    let rows: Vec<(&Example, Target)> = examples.iter().map(|example| (example, Target::Plain)).collect();
    let encoded = encoding.encoder.encode_all(&rows)?;
    let all = examples.iter().zip(tasks).zip(encoded).enumerate();
    Ok(all
        .map(|(id, ((example, task), tokens))| Candidate {
            id: id as u64,
            task: *task,
            instruction: example.instruction.clone(),
            input: example.input.clone(),
            response: example.output.clone(),
            tokens: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
        })
        .collect())
}

/// Answers a selector's probes with the backbone and the experts among the stage's inputs.
pub(super) struct StageFinder<'a> {
    job: &'a StageJob<'a>,
    book: &'a EvidenceBook,
    model: &'a OpenModel,
    library: ExpertLibrary,
    encoding: &'a Encoding,
    /// The examples behind the candidates, by id: a candidate does not contain the turns of a conversation.
    examples: &'a [Example],
    granted: bool,
}

impl<'a> StageFinder<'a> {
    /// A finder on this model, with the experts among the stage's inputs if the recipe grants them.
    pub(super) fn new(
        job: &'a StageJob<'a>,
        executor: &'a Resources,
        model: &'a OpenModel,
        encoding: &'a Encoding,
        examples: &'a [Example],
        granted: bool,
    ) -> Result<Self, EngineError> {
        let experts: Vec<(&str, &Artifact)> =
            job.inputs_of(StageKind::Train).map(|input| (input.name.as_str(), &input.artifact)).collect();
        let library = super::answering::library(model, &experts, &[])?;
        Ok(Self { job, book: &executor.book, model, library, encoding, examples, granted })
    }

    fn expert(&self, index: Option<u32>) -> Result<Answerer, Refused> {
        match index {
            None => Ok(Answerer::Backbone),
            Some(_) if !self.granted => {
                Err(Refused::NotHere("experts are not granted to it (add rehearsal.grant = [\"experts\"])"))
            }
            Some(index) => match self.library.get(index) {
                Some(expert) => Ok(Answerer::Expert(expert.slot)),
                None => Err(Refused::NotHere("there is no such expert yet")),
            },
        }
    }

    fn flow(&self) -> Flow {
        if self.job.stop.is_requested() { Flow::Stop } else { Flow::Go }
    }

    fn probing(&self) -> LearnerProbing<'_> {
        LearnerProbing {
            learner: &self.model.learner,
            backbone: self.model.key,
            computed_in: &self.model.computed_in,
            tokenizer: &self.model.tokenizer,
            library: &self.library,
            indicators: None,
            decoding: super::answering::greedy(BATCH_ROWS),
            seed: self.job.spec.seed(),
        }
    }
}

impl CandidateProbes for StageFinder<'_> {
    fn embeddings(&mut self, candidates: &[&Candidate]) -> Result<Vec<Vec<f32>>, EngineError> {
        let tokenizer = &self.model.tokenizer;
        let context = self.model.learner.shape().context;
        let mut queries = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let text = if candidate.input.is_empty() { &candidate.instruction } else { &candidate.input };
            let mut ids = tokenizer.surrounded(tokenizer.encode(text)?);
            ids.truncate(context);
            // An empty text still needs a row.
            if ids.is_empty() {
                ids.push(tokenizer.eos());
            }
            queries.push(Query::new(candidate.id, text.clone(), ids, None));
        }
        let question = Question { kind: Kind::Embedding, responder: Responder::Backbone };
        let asked: Vec<_> = queries.iter().map(|query| (question.clone(), query)).collect();
        let found = self.book.find(&self.probing(), Kind::Embedding, &asked, &JobWatch(self.job))?;
        found
            .into_iter()
            .map(|finding| match finding {
                RouterFinding::Embedding(vector) => Ok(vector),
                _ => Err(EngineError::FindingsMissing { asked: asked.len() }),
            })
            .collect()
    }

    fn losses(&mut self, candidates: &[&Candidate]) -> Result<Vec<f32>, Refused> {
        let answerer = match self.library.newest() {
            Some(newest) => self.expert(Some(newest.card.index))?,
            None => self.expert(Some(0))?,
        };
        let marked = self.encoding.encoder.indicators().is_some();
        let target = if marked { Target::Accept } else { Target::Plain };
        let mut rows = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let example = usize::try_from(candidate.id).ok().and_then(|id| self.examples.get(id));
            let example = example.ok_or(EngineError::FindingsMissing { asked: self.examples.len() })?;
            let tokens = self.encoding.encoder.encode(example, target).map_err(EngineError::from)?;
            let from = tokens.mask.iter().position(|counts| *counts).unwrap_or(tokens.ids.len() - 1);
            rows.push(ScoredRow { row: Row { ids: tokens.ids, answerer: answerer.clone() }, from });
        }
        let found = self.model.learner.mean_negative_log_likelihoods(&rows, BATCH_ROWS, &mut |_| self.flow());
        found.map_err(|error| Refused::from(EngineError::from(error)))
    }

    fn generated(&mut self, wanted: &[&Generation]) -> Result<Vec<String>, Refused> {
        let mut texts = vec![String::new(); wanted.len()];
        // Group requests with the same sampling parameters.
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (place, generation) in wanted.iter().enumerate() {
            let alike = |group: &Vec<usize>| sampled_alike(wanted[group[0]], generation);
            match groups.iter_mut().find(|group| alike(group)) {
                Some(group) => group.push(place),
                None => groups.push(vec![place]),
            }
        }
        let mut done = 0;
        for group in &groups {
            for places in group.chunks(BATCH_ROWS * 8) {
                let batch: Vec<&Generation> = places.iter().map(|&place| wanted[place]).collect();
                for (&place, text) in places.iter().zip(self.generate(&batch)?) {
                    texts[place] = text;
                }
                done += places.len() as u64;
                self.job.progress(done, wanted.len() as u64, "generations");
            }
        }
        Ok(texts)
    }
}

impl StageFinder<'_> {
    /// Samples several texts with the same parameters.
    fn generate(&self, batch: &[&Generation]) -> Result<Vec<String>, Refused> {
        let tokenizer = &self.model.tokenizer;
        let mut rows = Vec::with_capacity(batch.len());
        for generation in batch {
            let ids = tokenizer.surrounded(tokenizer.encode(&generation.prompt).map_err(EngineError::from)?);
            rows.push(Row { ids, answerer: self.expert(generation.expert)? });
        }
        let decoding = Decoding {
            max_new_tokens: batch[0].max_new_tokens as usize,
            stop: tokenizer.stops().to_vec(),
            strategy: if batch[0].temperature > 0.0 {
                Strategy::Sample {
                    temperature: batch[0].temperature,
                    top_p: batch[0].top_p,
                    repetition_penalty: batch[0].repetition_penalty,
                }
            } else {
                Strategy::Greedy
            },
            seeds: batch.iter().map(|generation| generation.seed).collect(),
            batch: BATCH_ROWS,
        };
        let found = self.model.learner.generate(&rows, &decoding, &mut |_| self.flow());
        let found = found.map_err(|error| Refused::from(EngineError::from(error)))?;
        let mut texts = Vec::with_capacity(found.len());
        for (generated, generation) in found.into_iter().zip(batch) {
            let text = tokenizer.decode(&generated.ids).map_err(EngineError::from)?;
            texts.push(cut_at(text, &generation.stop));
        }
        Ok(texts)
    }
}

fn sampled_alike(one: &Generation, other: &Generation) -> bool {
    let settings = |generation: &Generation| {
        (
            generation.max_new_tokens,
            [generation.temperature, generation.top_p, generation.repetition_penalty].map(f32::to_bits),
        )
    };
    settings(one) == settings(other)
}

/// Cuts a text at the first of its stop strings.
fn cut_at(mut text: String, stops: &[String]) -> String {
    let first =
        stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min();
    if let Some(end) = first {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::cut_at;

    #[test]
    fn the_earliest_stop_text_ends_a_sample() {
        let stops = ["\n\n".to_owned(), "Input:".to_owned(), String::new()];
        assert_eq!(cut_at("a b Input: c\n\nd".to_owned(), &stops), "a b ");
        assert_eq!(cut_at("a b".to_owned(), &stops), "a b");
    }
}
