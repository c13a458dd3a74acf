//! Splits a batch of examples into micro-batches: packed tokens, the positions with a loss, their targets and weights.
//! The split must depend only on the rows of the batch, never on the number of threads.

use std::sync::Arc;

use cadre_data::TokenExample;

use super::dropout::Dropout;
use crate::packed_batch::PackedBatch;

/// Maximum number of tokens in a pair of micro-batches, if the size is chosen automatically. The matmul packs every
/// weight once per micro-batch, a cost that more rows amortise. An even number of micro-batches suits two workers.
const PAIR_TOKENS: usize = 2048;

/// Rows that are computed together.
#[derive(Debug)]
pub(crate) struct Micro {
    pub(crate) pass: PackedBatch,
    pub(crate) rows: usize,
    /// Tokens whose hidden state predicts a token with a loss.
    pub(crate) positions: Arc<Vec<usize>>,
    pub(crate) targets: Arc<Vec<u32>>,
    pub(crate) weights: Arc<Vec<f32>>,
    pub(crate) dropout: Option<Dropout>,
}

/// Number of an example's tokens that a forward pass needs: up to the last one that predicts a token with a loss.
fn input_length(example: &TokenExample) -> usize {
    example.mask.iter().rposition(|&counts| counts).unwrap_or(0)
}

/// Sum of the factors of an example's tokens with a loss: their number, if every factor is 1.
pub(crate) fn loss_weight(example: &TokenExample) -> f64 {
    example.losses().map(|(_, factor)| f64::from(factor)).sum()
}

/// Splits a batch. The weight of a token is the example's weight times the token's factor, divided by `normaliser`.
pub(crate) fn divide(
    batch: &[&TokenExample],
    rows: usize,
    normaliser: f64,
    dropout: Option<Dropout>,
) -> Vec<Micro> {
    let total: usize = batch.iter().map(|example| input_length(example)).sum();
    let mut parts: Vec<&[&TokenExample]> = Vec::new();
    if rows > 0 {
        parts.extend(batch.chunks(rows));
    } else {
        let count = (2 * total.div_ceil(PAIR_TOKENS)).min(batch.len()).max(1);
        let (mut begin, mut seen) = (0, 0);
        for (row, example) in batch.iter().enumerate() {
            seen += input_length(example);
            // Part k ends where k / count of the tokens are reached.
            if seen * count >= total * (parts.len() + 1) || row + 1 == batch.len() {
                parts.push(&batch[begin..=row]);
                begin = row + 1;
            }
        }
    }
    let mut first_token = 0;
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| {
            let dropout = dropout.map(|dropout| Dropout { first_token, ..dropout });
            first_token += part.iter().map(|example| input_length(example)).sum::<usize>();
            micro(part, normaliser, dropout)
        })
        .collect()
}

fn micro(part: &[&TokenExample], normaliser: f64, dropout: Option<Dropout>) -> Micro {
    let pass = PackedBatch::new(part.iter().map(|example| (&example.ids[..input_length(example)], 0)));
    let (mut positions, mut targets, mut weights) = (vec![], vec![], vec![]);
    for (example, segment) in part.iter().zip(pass.segments().iter()) {
        for (at, factor) in example.losses() {
            positions.push(segment.start + at - 1);
            targets.push(example.ids[at]);
            weights.push(example.weight * factor / normaliser as f32);
        }
    }
    Micro {
        pass,
        rows: part.len(),
        positions: Arc::new(positions),
        targets: Arc::new(targets),
        weights: Arc::new(weights),
        dropout,
    }
}
