//! Answers the questions of the evidence book with a learner and its mounted experts. Stateless: caching is up to the
//! evidence book.

use cadre_contract::{Answer, Claim, RouterFinding};
use cadre_data::{IndicatorTokens, Tokenizer};
use cadre_nn::{Decoding, Flow, Learner, Row, ScoredRow, Strategy};
use cadre_store::{Digest, Seed};

use super::evidence_book::Probing;
use super::expert_library::ExpertLibrary;
use super::question::{Kind, Query, Responder};
use crate::error::EngineError;

/// Version of the computations, part of every address. Must be raised whenever a finding may change. 2: the findings of
/// a row do not depend on the other rows of its batch.
const COMPUTATION: u32 = 2;

/// Batches per segment: enough to occupy all workers, few enough to lose little in a kill.
const BATCHES_PER_SEGMENT: usize = 8;

/// Callback for finished rows.
type Progress<'a> = &'a mut dyn FnMut(usize) -> Flow;

/// Everything that findings depend on, except for the query.
pub(crate) struct LearnerProbing<'a> {
    /// The backbone.
    pub(crate) learner: &'a Learner,
    /// Key of the backbone.
    pub(crate) backbone: Digest,
    /// Backend and precision. Keys of weights do not include them: a checkpoint or an imported adapter is the same
    /// artifact on every backend.
    pub(crate) computed_in: &'a str,
    /// The backbone's tokenizer.
    pub(crate) tokenizer: &'a Tokenizer,
    /// The mounted experts.
    pub(crate) library: &'a ExpertLibrary,
    /// The indicator tokens, if experts were trained to claim.
    pub(crate) indicators: Option<&'a IndicatorTokens>,
    /// How answers are generated; seeds are set per query.
    pub(crate) decoding: Decoding,
    /// Seed of sampled answers.
    pub(crate) seed: Seed,
}

impl LearnerProbing<'_> {
    /// The model's input before the answer: an expert that was trained to claim answers after its accepting indicator,
    /// as in training.
    fn before_answer(&self, responder: &Responder, query: &Query) -> Vec<u32> {
        let mut ids = query.ids.clone();
        if let (Some(indicators), false) = (self.indicators, *responder == Responder::Backbone) {
            ids.extend_from_slice(&indicators.accept);
        }
        ids
    }

    fn rows(&self, asked: &[(&Responder, &Query)]) -> Vec<Row> {
        asked
            .iter()
            .map(|(responder, query)| Row {
                ids: query.ids.clone(),
                answerer: self.library.answerer(responder),
            })
            .collect()
    }

    fn claims(
        &self,
        asked: &[(&Responder, &Query)],
        progress: Progress<'_>,
    ) -> Result<Vec<RouterFinding>, EngineError> {
        let Some(indicators) = self.indicators else {
            return Err(EngineError::FindingsMissing { asked: asked.len() });
        };
        let pairs = match (indicators.accept.as_slice(), indicators.reject.as_slice()) {
            (&[accept], &[reject]) => {
                let rows = self.rows(asked);
                let found = self.learner.next_token_probabilities(
                    &rows,
                    &[accept, reject],
                    self.decoding.batch,
                    progress,
                )?;
                found.into_iter().map(|pair| (pair[0], pair[1])).collect()
            }
            (accept, reject) => {
                let accepts = self.probabilities_of(asked, accept, progress)?;
                let rejects = self.probabilities_of(asked, reject, progress)?;
                accepts.into_iter().zip(rejects).collect::<Vec<_>>()
            }
        };
        Ok(pairs.into_iter().map(|(accept, reject)| RouterFinding::Claim(Claim { accept, reject })).collect())
    }

    /// Probability of a multi-token text after each prompt: the product over its tokens.
    fn probabilities_of(
        &self,
        asked: &[(&Responder, &Query)],
        text: &[u32],
        progress: Progress<'_>,
    ) -> Result<Vec<f32>, EngineError> {
        let rows: Vec<ScoredRow> = asked
            .iter()
            .map(|(responder, query)| {
                let mut ids = query.ids.clone();
                let from = ids.len();
                ids.extend_from_slice(text);
                ScoredRow { row: Row { ids, answerer: self.library.answerer(responder) }, from }
            })
            .collect();
        let losses = self.learner.mean_negative_log_likelihoods(&rows, self.decoding.batch, progress)?;
        Ok(losses.into_iter().map(|loss| (-loss * text.len() as f32).exp()).collect())
    }

    fn surprises(
        &self,
        asked: &[(&Responder, &Query)],
        progress: Progress<'_>,
    ) -> Result<Vec<RouterFinding>, EngineError> {
        let mut found = vec![0.0; asked.len()];
        let (mut indices, mut rows) = (Vec::new(), Vec::new());
        for (index, row) in self.rows(asked).into_iter().enumerate() {
            // A prompt of one token has no loss.
            if row.ids.len() > 1 {
                indices.push(index);
                rows.push(ScoredRow { row, from: 1 });
            }
        }
        let losses = self.learner.mean_negative_log_likelihoods(&rows, self.decoding.batch, progress)?;
        for (index, loss) in indices.into_iter().zip(losses) {
            found[index] = loss;
        }
        Ok(found.into_iter().map(RouterFinding::Surprise).collect())
    }

    fn embeddings(
        &self,
        asked: &[(&Responder, &Query)],
        progress: Progress<'_>,
    ) -> Result<Vec<RouterFinding>, EngineError> {
        let prompts: Vec<Vec<u32>> = asked.iter().map(|(_, query)| query.ids.clone()).collect();
        let found = self.learner.embed(&prompts, self.decoding.batch, progress)?;
        Ok(found.into_iter().map(RouterFinding::Embedding).collect())
    }

    fn answers(
        &self,
        asked: &[(&Responder, &Query)],
        progress: Progress<'_>,
    ) -> Result<Vec<RouterFinding>, EngineError> {
        let rows: Vec<Row> = asked
            .iter()
            .map(|(responder, query)| Row {
                ids: self.before_answer(responder, query),
                answerer: self.library.answerer(responder),
            })
            .collect();
        let decoding = Decoding {
            seeds: asked.iter().map(|(_, query)| self.seed.derive(&query.digest.to_string()).0).collect(),
            ..self.decoding.clone()
        };
        let found = self.learner.generate(&rows, &decoding, progress)?;
        found
            .into_iter()
            .map(|generated| {
                Ok(RouterFinding::Answer(Answer {
                    text: self.tokenizer.decode(&generated.ids)?,
                    mean_log_probability: generated.mean_log_probability,
                }))
            })
            .collect()
    }
}

impl Probing for LearnerProbing<'_> {
    fn subject(&self, responder: &Responder) -> Digest {
        self.library.subject(&self.backbone, responder)
    }

    fn parameters(&self, kind: Kind, responder: &Responder) -> Digest {
        // Everything else that can change a finding is covered by other parts of its address: weights, configuration
        // and tokenizer by the keys of the subject; template, special tokens and cuts by the query's token ids. The
        // backbone never reads an indicator, so its findings do not depend on one.
        let indicators = self.indicators.filter(|_| *responder != Responder::Backbone);
        let indicators = indicators
            .map(|indicators| format!("{:?} {:?}", indicators.accept, indicators.reject))
            .unwrap_or_default();
        let text = match kind {
            Kind::Claim => indicators,
            Kind::Embedding | Kind::Surprise => String::new(),
            Kind::Answer => {
                let seed = match self.decoding.strategy {
                    Strategy::Greedy => 0,
                    Strategy::Sample { .. } => self.seed.0,
                };
                let Decoding { max_new_tokens, stop, strategy, .. } = &self.decoding;
                format!("{indicators} {max_new_tokens} {stop:?} {strategy:?} {seed}")
            }
        };
        // If a row's batch can change its last bits, findings are only reused for the same batch size.
        let batch = if self.learner.rows_stand_alone() { 0 } else { self.decoding.batch };
        Digest::of_bytes(format!("{COMPUTATION} {} {batch} {text}", self.computed_in).as_bytes())
    }

    fn rows_per_segment(&self, _: Kind) -> usize {
        self.decoding.batch * BATCHES_PER_SEGMENT
    }

    fn answer(
        &self,
        kind: Kind,
        rows: &[(&Responder, &Query)],
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<RouterFinding>, EngineError> {
        let mut progress = |rows: usize| if progress(rows) { Flow::Go } else { Flow::Stop };
        match kind {
            Kind::Claim => self.claims(rows, &mut progress),
            Kind::Embedding => self.embeddings(rows, &mut progress),
            Kind::Surprise => self.surprises(rows, &mut progress),
            Kind::Answer => self.answers(rows, &mut progress),
        }
    }
}
