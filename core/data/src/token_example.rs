//! One example as the learner sees it: token ids and where the loss is taken. Knows no tokenizer and no tensor.

/// A sequence of token ids with its loss mask.
///
/// The loss is taken on predicting `ids[t]` from `ids[..t]` wherever `mask[t]` is true. Both vectors have the
/// same length; `mask[0]` is always false, as nothing precedes the first token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenExample {
    /// Token ids, the first token of the sequence first.
    pub ids: Vec<u32>,
    /// For each id, whether predicting it counts.
    pub mask: Vec<bool>,
    /// Factor of this example's loss; 1 unless a selector says otherwise. Finite, at least 0.
    pub weight: f32,
    /// How many tokens of the indicator stand first among those with a loss; 0 without an indicator.
    pub indicator: usize,
    /// Factor of the loss at each of them; 1 unless a recipe says otherwise. Finite, above 0.
    pub indicator_weight: f32,
}

impl TokenExample {
    /// A prompt that is given and a continuation that is learnt: the mask is true exactly on `learnt` (but never
    /// on the very first token of the sequence). Weight 1.
    pub fn new(given: Vec<u32>, learnt: &[u32]) -> Self {
        let mut ids = given;
        let start = ids.len().max(1);
        ids.extend_from_slice(learnt);
        let mask = (0..ids.len()).map(|at| at >= start).collect();
        Self { ids, mask, weight: 1.0, indicator: 0, indicator_weight: 1.0 }
    }

    /// The same sequence, of which the first `tokens` learnt tokens are an indicator.
    pub fn with_indicator(mut self, tokens: usize) -> Self {
        self.indicator = tokens;
        self
    }

    /// The same sequence with another factor of the loss at its indicator.
    pub fn with_indicator_weight(mut self, weight: f32) -> Self {
        self.indicator_weight = weight;
        self
    }

    /// Where the loss is taken, in order, each with the factor of its token (the example's own weight not counted). The
    /// first token of the sequence is predicted from nothing and is never among them.
    pub fn losses(&self) -> impl Iterator<Item = (usize, f32)> {
        let places = (1..self.ids.len()).filter(|&at| self.mask[at]);
        places
            .enumerate()
            .map(|(number, at)| (at, if number < self.indicator { self.indicator_weight } else { 1.0 }))
    }

    /// The same sequence with the loss on every token but the first, as in pretraining on plain text.
    pub fn with_loss_everywhere(mut self) -> Self {
        self.mask = (0..self.ids.len()).map(|at| at > 0).collect();
        self
    }

    /// The same sequence with another weight.
    pub fn with_weight(mut self, weight: f32) -> Self {
        self.weight = weight;
        self
    }

    /// The same sequence cut after its first `most` tokens.
    pub fn truncated(mut self, most: usize) -> Self {
        self.ids.truncate(most);
        self.mask.truncate(most);
        self
    }

    /// Tokens in all.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Tokens the loss is taken on.
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
