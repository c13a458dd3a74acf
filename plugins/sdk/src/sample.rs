//! Evidence made up for tests. A policy never sees one.

use crate::bindings::router_world::exports::cadre::policy::router::{
    Answers, Batch, Claims, Embeddings, Surprises, Tasks,
};
use crate::router::Evidence;

/// One query and what a test wants to be known of it.
///
/// ```
/// use cadre_policy_sdk::router::Sample;
///
/// let sample = Sample::new("sort: 3 1 2").claim(0, 0.9, 0.1).claim(1, 0.2, 0.7);
/// assert_eq!(sample.evidence().claims().len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Sample {
    batch: Batch,
}

impl Sample {
    /// A query of which nothing is known but its prompt. Its number is 1, its length the count of its
    /// words.
    pub fn new(prompt: &str) -> Self {
        let batch = Batch {
            ids: vec![1],
            prompts: vec![prompt.to_owned()],
            prompt_tokens: vec![prompt.split_whitespace().count() as u32],
            claims: Claims { places: vec![], experts: vec![], accept: vec![], reject: vec![] },
            embeddings: Embeddings { places: vec![], vectors: vec![] },
            surprises: Surprises { places: vec![], experts: vec![], values: vec![] },
            answers: Answers {
                places: vec![],
                experts: vec![],
                texts: vec![],
                mean_log_probabilities: vec![],
            },
            tasks: Tasks { places: vec![], experts: vec![] },
        };
        Self { batch }
    }

    /// With this number.
    pub fn id(mut self, id: u64) -> Self {
        self.batch.ids[0] = id;
        self
    }

    /// With this length in tokens.
    pub fn prompt_tokens(mut self, tokens: u32) -> Self {
        self.batch.prompt_tokens[0] = tokens;
        self
    }

    /// With an expert's claim.
    pub fn claim(mut self, expert: u32, accept: f32, reject: f32) -> Self {
        let table = &mut self.batch.claims;
        table.places.push(0);
        table.experts.push(expert);
        table.accept.push(accept);
        table.reject.push(reject);
        self
    }

    /// With the query's embedding.
    pub fn embedding(mut self, vector: &[f32]) -> Self {
        self.batch.embeddings.places.push(0);
        self.batch.embeddings.vectors.push(vector.to_vec());
        self
    }

    /// With the prompt's surprise under an expert or, with none, the backbone.
    pub fn surprise(mut self, expert: Option<u32>, nats: f32) -> Self {
        let table = &mut self.batch.surprises;
        table.places.push(0);
        table.experts.push(expert);
        table.values.push(nats);
        self
    }

    /// With the finished answer of an expert or, with none, of the backbone.
    pub fn answer(mut self, expert: Option<u32>, text: &str, mean_log_probability: f32) -> Self {
        let table = &mut self.batch.answers;
        table.places.push(0);
        table.experts.push(expert);
        table.texts.push(text.to_owned());
        table.mean_log_probabilities.push(mean_log_probability);
        self
    }

    /// With the truth: the expert that learned the query's task, or none.
    pub fn task(mut self, expert: Option<u32>) -> Self {
        self.batch.tasks.places.push(0);
        self.batch.tasks.experts.push(expert);
        self
    }

    /// The evidence to give to a router.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence::first(&self.batch)
    }
}
