//! An example in the learner's form: token ids and the positions with a loss.

/// A sequence of token ids with its loss mask.
///
/// If `mask[t]` is true, the prediction of `ids[t]` from `ids[..t]` has a loss. Both vectors have the same length;
/// `mask[0]` is always false, because nothing precedes the first token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenExample {
    /// Token ids, in order.
    pub ids: Vec<u32>,
    /// For each id, whether its prediction has a loss.
    pub mask: Vec<bool>,
    /// Weight of this example's loss; 1 unless a selector sets another. Finite, at least 0.
    pub weight: f32,
    /// Number of indicator tokens, which are the first tokens with a loss; 0 without an indicator.
    pub indicator: usize,
    /// Weight of the loss at each indicator token; 1 unless a recipe sets another. Finite, above 0.
    pub indicator_weight: f32,
}

impl TokenExample {
    /// A given prompt and a continuation to learn: the mask is true exactly on `learnt` (except for the very first
    /// token of the sequence). The weight is 1.
    pub fn new(given: Vec<u32>, learnt: &[u32]) -> Self {
        let mut ids = given;
        let start = ids.len().max(1);
        ids.extend_from_slice(learnt);
        let mask = (0..ids.len()).map(|at| at >= start).collect();
        Self { ids, mask, weight: 1.0, indicator: 0, indicator_weight: 1.0 }
    }

    /// Marks the first `tokens` learned tokens as an indicator.
    pub fn with_indicator(mut self, tokens: usize) -> Self {
        self.indicator = tokens;
        self
    }

    /// Sets the weight of the loss at the indicator.
    pub fn with_indicator_weight(mut self, weight: f32) -> Self {
        self.indicator_weight = weight;
        self
    }

    /// The positions with a loss, in order, each with the weight of its token (without the example's own weight). The
    /// first token of the sequence is never among them, because nothing precedes it.
    pub fn losses(&self) -> impl Iterator<Item = (usize, f32)> {
        let places = (1..self.ids.len()).filter(|&at| self.mask[at]);
        places
            .enumerate()
            .map(|(number, at)| (at, if number < self.indicator { self.indicator_weight } else { 1.0 }))
    }

    /// Puts a loss on every token except the first, as in pretraining on plain text.
    pub fn with_loss_everywhere(mut self) -> Self {
        self.mask = (0..self.ids.len()).map(|at| at > 0).collect();
        self
    }

    /// Sets the weight of the example.
    pub fn with_weight(mut self, weight: f32) -> Self {
        self.weight = weight;
        self
    }

    /// Truncates the sequence to its first `most` tokens.
    pub fn truncated(mut self, most: usize) -> Self {
        self.ids.truncate(most);
        self.mask.truncate(most);
        self
    }

    /// Total number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number of tokens with a loss.
    pub fn loss_tokens(&self) -> usize {
        self.mask.iter().filter(|&&counts| counts).count()
    }
}

#[cfg(test)]
mod tests {
    use super::TokenExample;

    #[test]
    fn the_loss_is_on_the_continuation_alone() {
        let example = TokenExample::new(vec![1, 7, 8], &[9, 2]);
        assert_eq!(example.ids, [1, 7, 8, 9, 2]);
        assert_eq!(example.mask, [false, false, false, true, true]);
        assert_eq!((example.len(), example.loss_tokens()), (5, 2));
    }

    #[test]
    fn the_indicator_may_count_more_than_the_response() {
        let example = TokenExample::new(vec![1, 7], &[9, 3, 2]).with_indicator(1).with_indicator_weight(8.0);
        assert_eq!(example.losses().collect::<Vec<_>>(), [(2, 8.0), (3, 1.0), (4, 1.0)]);
        let plain = TokenExample::new(vec![1, 7], &[9, 2]);
        assert_eq!(plain.losses().collect::<Vec<_>>(), [(2, 1.0), (3, 1.0)]);
    }

    #[test]
    fn the_first_token_is_never_predicted() {
        assert_eq!(
            TokenExample::new(vec![], &[9, 2]).mask,
            [false, true],
            "nothing precedes the first token"
        );
        let everywhere = TokenExample::new(vec![1, 7], &[2]).with_loss_everywhere();
        assert_eq!(everywhere.mask, [false, true, true]);
        assert!(TokenExample::new(vec![], &[]).is_empty());
    }
}
