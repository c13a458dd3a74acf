//! A batch's evidence by columns, as the contract wants it: what is thousands of small records in the core
//! crosses the wall in a few long lists. Texts and vectors are borrowed; nothing is judged here but that a
//! finding answers its probe.

use cadre_wall as wall;

use crate::bindings::router_world::exports::cadre::policy::router as wit;

/// Evidence of a batch, by columns.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    ids: Vec<u64>,
    prompts: Vec<&'a str>,
    prompt_tokens: Vec<u32>,
    claims: Rows<u32>,
    accept: Vec<f32>,
    reject: Vec<f32>,
    embedded: Vec<u32>,
    vectors: Vec<&'a [f32]>,
    surprises: Rows<Option<u32>>,
    surprise_values: Vec<f32>,
    answers: Rows<Option<u32>>,
    texts: Vec<&'a str>,
    mean_log_probabilities: Vec<f32>,
    tasks: Rows<Option<u32>>,
}

/// Which query a finding is about (its place in the batch), and whose it is.
struct Rows<E> {
    places: Vec<u32>,
    experts: Vec<E>,
}

impl<E> Default for Rows<E> {
    fn default() -> Self {
        Self { places: Vec::new(), experts: Vec::new() }
    }
}

impl<E> Rows<E> {
    fn add(&mut self, place: u32, expert: E) {
        self.places.push(place);
        self.experts.push(expert);
    }
}

impl<'a> Columns<'a> {
    /// Sorts a batch's evidence into columns; gives the query and the probe of a finding that is of
    /// another kind than its probe.
    pub(crate) fn of(batch: &'a [wall::Evidence]) -> Result<Self, (u64, &'a wall::RouterProbe)> {
        // Claims are what there are many of.
        let rows = batch.iter().map(|evidence| evidence.observations.len()).sum();
        let mut columns = Self {
            ids: batch.iter().map(|evidence| evidence.query.id).collect(),
            prompts: batch.iter().map(|evidence| evidence.query.prompt.as_str()).collect(),
            prompt_tokens: batch.iter().map(|evidence| evidence.query.prompt_tokens).collect(),
            claims: Rows { places: Vec::with_capacity(rows), experts: Vec::with_capacity(rows) },
            accept: Vec::with_capacity(rows),
            reject: Vec::with_capacity(rows),
            ..Self::default()
        };
        for (place, evidence) in (0_u32..).zip(batch) {
            for seen in &evidence.observations {
                if !columns.add(place, seen) {
                    return Err((evidence.query.id, &seen.probe));
                }
            }
        }
        Ok(columns)
    }

    /// Whether the finding is of its probe's kind; if so, it has a row now.
    fn add(&mut self, place: u32, seen: &'a wall::RouterObservation) -> bool {
        match (&seen.probe, &seen.finding) {
            (wall::RouterProbe::Claim(expert), wall::RouterFinding::Claim(claim)) => {
                self.claims.add(place, *expert);
                self.accept.push(claim.accept);
                self.reject.push(claim.reject);
            }
            (wall::RouterProbe::Embedding, wall::RouterFinding::Embedding(values)) => {
                self.embedded.push(place);
                self.vectors.push(values);
            }
            (wall::RouterProbe::Surprise(expert), wall::RouterFinding::Surprise(value)) => {
                self.surprises.add(place, *expert);
                self.surprise_values.push(*value);
            }
            (wall::RouterProbe::Answer(expert), wall::RouterFinding::Answer(answer)) => {
                self.answers.add(place, *expert);
                self.texts.push(&answer.text);
                self.mean_log_probabilities.push(answer.mean_log_probability);
            }
            (wall::RouterProbe::Task, wall::RouterFinding::Task(expert)) => self.tasks.add(place, *expert),
            _ => return false,
        }
        true
    }

    /// The batch as the policy takes it.
    pub(crate) fn batch(&self) -> wit::Batch<'_> {
        wit::Batch {
            ids: &self.ids,
            prompts: &self.prompts,
            prompt_tokens: &self.prompt_tokens,
            claims: wit::Claims {
                places: &self.claims.places,
                experts: &self.claims.experts,
                accept: &self.accept,
                reject: &self.reject,
            },
            embeddings: wit::Embeddings { places: &self.embedded, vectors: &self.vectors },
            surprises: wit::Surprises {
                places: &self.surprises.places,
                experts: &self.surprises.experts,
                values: &self.surprise_values,
            },
            answers: wit::Answers {
                places: &self.answers.places,
                experts: &self.answers.experts,
                texts: &self.texts,
                mean_log_probabilities: &self.mean_log_probabilities,
            },
            tasks: wit::Tasks { places: &self.tasks.places, experts: &self.tasks.experts },
        }
    }
}
