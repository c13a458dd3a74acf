//! A batch's evidence in columns, as the contract expects: the core's many small records are passed as a few long
//! lists. Texts and vectors are borrowed. The only check is that a finding has its probe's kind.

use cadre_contract as contract;

use crate::bindings::router_world::exports::cadre::policy::router as wit;

/// The evidence of a batch, in columns.
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

/// Index of the query in the batch, and the expert, of each finding.
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
    /// Sorts a batch's evidence into columns. On failure, returns the query and the probe of a finding whose kind
    /// differs from its probe's.
    pub(crate) fn of(batch: &'a [contract::Evidence]) -> Result<Self, (u64, &'a contract::RouterProbe)> {
        // Claims are the most numerous.
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

    /// Adds a row for the finding; returns false if its kind does not match its probe's.
    fn add(&mut self, place: u32, seen: &'a contract::RouterObservation) -> bool {
        match (&seen.probe, &seen.finding) {
            (contract::RouterProbe::Claim(expert), contract::RouterFinding::Claim(claim)) => {
                self.claims.add(place, *expert);
                self.accept.push(claim.accept);
                self.reject.push(claim.reject);
            }
            (contract::RouterProbe::Embedding, contract::RouterFinding::Embedding(values)) => {
                self.embedded.push(place);
                self.vectors.push(values);
            }
            (contract::RouterProbe::Surprise(expert), contract::RouterFinding::Surprise(value)) => {
                self.surprises.add(place, *expert);
                self.surprise_values.push(*value);
            }
            (contract::RouterProbe::Answer(expert), contract::RouterFinding::Answer(answer)) => {
                self.answers.add(place, *expert);
                self.texts.push(&answer.text);
                self.mean_log_probabilities.push(answer.mean_log_probability);
            }
            (contract::RouterProbe::Task, contract::RouterFinding::Task(expert)) => {
                self.tasks.add(place, *expert)
            }
            _ => return false,
        }
        true
    }

    /// The batch in the contract's types.
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

#[cfg(test)]
mod tests {
    //! Every finding has its row and refers to the right query.

    use cadre_contract::{
        Answer, Claim, Evidence, Query, RouterFinding as Finding, RouterObservation, RouterProbe as Probe,
    };

    use super::Columns;

    fn evidence(id: u64, seen: Vec<(Probe, Finding)>) -> Evidence {
        let query = Query { id, prompt: format!("query {id}"), prompt_tokens: 2 };
        let observations =
            seen.into_iter().map(|(probe, finding)| RouterObservation { probe, finding }).collect();
        Evidence { query, observations }
    }

    fn claim(accept: f32) -> Finding {
        Finding::Claim(Claim { accept, reject: 0.25 })
    }

    #[test]
    fn every_finding_has_its_row() {
        let answer = |text: &str| Finding::Answer(Answer { text: text.into(), mean_log_probability: -0.5 });
        let batch = [
            evidence(7, vec![(Probe::Claim(2), claim(0.5)), (Probe::Surprise(None), Finding::Surprise(3.0))]),
            evidence(8, vec![]),
            evidence(
                9,
                vec![
                    (Probe::Task, Finding::Task(Some(1))),
                    (Probe::Claim(1), claim(0.125)),
                    (Probe::Embedding, Finding::Embedding(vec![0.6, 0.8])),
                    (Probe::Claim(0), claim(0.75)),
                    (Probe::Answer(Some(3)), answer("1 2 3")),
                    (Probe::Surprise(Some(1)), Finding::Surprise(2.0)),
                ],
            ),
        ];
        let columns = Columns::of(&batch).unwrap();
        let given = columns.batch();
        assert_eq!((given.ids, given.prompt_tokens), (&[7, 8, 9][..], &[2, 2, 2][..]));
        assert_eq!(given.prompts, ["query 7", "query 8", "query 9"]);
        assert_eq!((given.claims.places, given.claims.experts), (&[0, 2, 2][..], &[2, 1, 0][..]));
        assert_eq!((given.claims.accept, given.claims.reject), (&[0.5, 0.125, 0.75][..], &[0.25; 3][..]));
        assert_eq!((given.embeddings.places, given.embeddings.vectors), (&[2][..], &[&[0.6, 0.8][..]][..]));
        assert_eq!((given.surprises.places, given.surprises.values), (&[0, 2][..], &[3.0, 2.0][..]));
        assert_eq!(given.surprises.experts, [None, Some(1)]);
        assert_eq!((given.answers.places, given.answers.experts), (&[2][..], &[Some(3)][..]));
        assert_eq!(
            (given.answers.texts, given.answers.mean_log_probabilities),
            (&["1 2 3"][..], &[-0.5][..])
        );
        assert_eq!((given.tasks.places, given.tasks.experts), (&[2][..], &[Some(1)][..]));
    }

    #[test]
    fn a_finding_of_another_kind_than_its_probe_is_named() {
        let batch = [evidence(7, vec![]), evidence(8, vec![(Probe::Claim(1), Finding::Surprise(1.0))])];
        assert_eq!(Columns::of(&batch).err(), Some((8, &Probe::Claim(1))));
    }
}
