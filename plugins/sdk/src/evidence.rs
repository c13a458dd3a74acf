//! What is known of one query: a view of its rows in the batch. Copies nothing; made up evidence for
//! tests is a [`crate::router::Sample`].

use std::ops::Range;

use crate::bindings::router_world::exports::cadre::policy::router::Batch;

/// An expert's claim on a query: the probabilities of the two indicator tokens at the first position
/// of its response, over the whole vocabulary, each in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Whose claim it is.
    pub expert: u32,
    /// Of the token that accepts.
    pub accept: f32,
    /// Of the token that rejects.
    pub reject: f32,
}

/// A finished answer to a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer<'a> {
    /// The text, without its end token.
    pub text: &'a str,
    /// Nats per generated token, at most 0.
    pub mean_log_probability: f32,
}

/// All that is known of one query so far. What is not known yet can be asked for with
/// [`crate::router::Step::Ask`].
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    batch: &'a Batch,
    place: usize,
    claims: Range<usize>,
    embeddings: Range<usize>,
    surprises: Range<usize>,
    answers: Range<usize>,
    tasks: Range<usize>,
}

impl<'a> Evidence<'a> {
    /// The evidence of a batch's first query. The batch must hold one.
    pub(crate) fn first(batch: &'a Batch) -> Self {
        let mut first = Self {
            batch,
            place: 0,
            claims: 0..0,
            embeddings: 0..0,
            surprises: 0..0,
            answers: 0..0,
            tasks: 0..0,
        };
        first.turn_to(0);
        first
    }

    /// Turns to the query that follows; false where there is none.
    pub(crate) fn advance(&mut self) -> bool {
        let more = self.place + 1 < self.batch.ids.len();
        if more {
            self.turn_to(self.place + 1);
        }
        more
    }

    fn turn_to(&mut self, place: usize) {
        let batch = self.batch;
        self.place = place;
        self.claims = following(&batch.claims.places, self.claims.end, place);
        self.embeddings = following(&batch.embeddings.places, self.embeddings.end, place);
        self.surprises = following(&batch.surprises.places, self.surprises.end, place);
        self.answers = following(&batch.answers.places, self.answers.end, place);
        self.tasks = following(&batch.tasks.places, self.tasks.end, place);
    }

    /// The query's number: unique within a run, the same in every round.
    pub fn id(&self) -> u64 {
        self.batch.ids[self.place]
    }

    /// What the experts see, template included.
    pub fn prompt(&self) -> &'a str {
        &self.batch.prompts[self.place]
    }

    /// The prompt's length in the backbone's tokens.
    pub fn prompt_tokens(&self) -> u32 {
        self.batch.prompt_tokens[self.place]
    }

    /// The claims that were made so far, in the order in which they were asked for.
    pub fn claims(&self) -> impl ExactSizeIterator<Item = Claim> + use<'a> {
        let table = &self.batch.claims;
        let experts = &table.experts[self.claims.clone()];
        let accept = &table.accept[self.claims.clone()];
        let reject = &table.reject[self.claims.clone()];
        experts.iter().zip(accept.iter().zip(reject)).map(|(&expert, (&accept, &reject))| Claim {
            expert,
            accept,
            reject,
        })
    }

    /// This expert's claim, if it was asked.
    pub fn claim(&self, expert: u32) -> Option<Claim> {
        let table = &self.batch.claims;
        let asked = table.experts[self.claims.clone()].iter().position(|&asked| asked == expert)?;
        let row = self.claims.start + asked;
        Some(Claim { expert, accept: table.accept[row], reject: table.reject[row] })
    }

    /// The L2-normalised mean of the backbone's last hidden states over the prompt.
    pub fn embedding(&self) -> Option<&'a [f32]> {
        let row = self.embeddings.clone().next()?;
        Some(&self.batch.embeddings.vectors[row])
    }

    /// The mean negative log-likelihood of the prompt under this expert or, with none, the backbone,
    /// nats per token.
    pub fn surprise(&self, expert: Option<u32>) -> Option<f32> {
        let table = &self.batch.surprises;
        let row = self.surprises.clone().find(|&row| table.experts[row] == expert)?;
        Some(table.values[row])
    }

    /// The finished answer of this expert or, with none, of the backbone.
    pub fn answer(&self, expert: Option<u32>) -> Option<Answer<'a>> {
        let table = &self.batch.answers;
        let row = self.answers.clone().find(|&row| table.experts[row] == expert)?;
        Some(Answer { text: &table.texts[row], mean_log_probability: table.mean_log_probabilities[row] })
    }

    /// The truth, where the recipe grants it: which expert learned the query's task, `Some(None)` where
    /// none has.
    pub fn task(&self) -> Option<Option<u32>> {
        let row = self.tasks.clone().next()?;
        Some(self.batch.tasks.experts[row])
    }
}

/// The rows about a place; they begin where those of the place before end.
fn following(places: &[u32], start: usize, place: usize) -> Range<usize> {
    let rows = places[start..].iter().take_while(|found| **found as usize == place);
    start..start + rows.count()
}

#[cfg(test)]
mod tests {
    //! Every query sees its own rows.

    use super::{Answer, Claim, Evidence};
    use crate::bindings::router_world::exports::cadre::policy::router::{
        Answers, Batch, Claims, Embeddings, Surprises, Tasks,
    };

    fn batch() -> Batch {
        Batch {
            ids: vec![7, 8, 9],
            prompts: vec!["a".into(), "b".into(), "c".into()],
            prompt_tokens: vec![1, 2, 3],
            claims: Claims {
                places: vec![0, 0, 2],
                experts: vec![1, 0, 1],
                accept: vec![0.5, 0.25, 0.75],
                reject: vec![0.125, 0.5, 0.0],
            },
            embeddings: Embeddings { places: vec![1], vectors: vec![vec![0.5, 0.5]] },
            surprises: Surprises { places: vec![1, 1], experts: vec![None, Some(2)], values: vec![3.0, 2.0] },
            answers: Answers {
                places: vec![2],
                experts: vec![Some(0)],
                texts: vec!["1 2 3".into()],
                mean_log_probabilities: vec![-0.5],
            },
            tasks: Tasks { places: vec![0, 2], experts: vec![None, Some(1)] },
        }
    }

    #[test]
    fn every_query_sees_its_own_rows() {
        let batch = batch();
        let first = Evidence::first(&batch);
        let mut second = first.clone();
        assert!(second.advance());
        let mut third = second.clone();
        assert!(third.advance());
        assert!(!third.clone().advance());
        assert_eq!((first.id(), first.prompt(), first.prompt_tokens()), (7, "a", 1));
        assert_eq!((third.id(), third.prompt(), third.prompt_tokens()), (9, "c", 3));
        let claim = |expert, accept, reject| Claim { expert, accept, reject };
        assert_eq!(first.claims().collect::<Vec<_>>(), [claim(1, 0.5, 0.125), claim(0, 0.25, 0.5)]);
        assert_eq!((second.claims().len(), third.claims().len()), (0, 1));
        assert_eq!(first.claim(0), Some(claim(0, 0.25, 0.5)));
        assert_eq!(third.claim(0), None);
        assert_eq!((first.embedding(), second.embedding()), (None, Some(&[0.5, 0.5][..])));
        assert_eq!(second.surprise(None), Some(3.0));
        assert_eq!(second.surprise(Some(2)), Some(2.0));
        assert_eq!((second.surprise(Some(1)), first.surprise(None)), (None, None));
        let answer = Answer { text: "1 2 3", mean_log_probability: -0.5 };
        assert_eq!((third.answer(Some(0)), third.answer(None)), (Some(answer), None));
        assert_eq!(first.task(), Some(None));
        assert_eq!(second.task(), None);
        assert_eq!(third.task(), Some(Some(1)));
    }
}
