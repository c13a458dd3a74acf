//! The decoding loop of a batch: processes the prompts once, then one token per row and step. Finished rows leave the
//! batch at once.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::cache::KvCache;
use super::choose::{choose, log_softmax_at};
use super::spec::{Decoding, Generated};
use crate::adapter::Mix;
use crate::error::NnError;
use crate::model::Model;
use crate::packed_batch::PackedBatch;

/// A row that is not finished.
struct Open {
    /// Index of the row in the batch as given.
    index: usize,
    ids: Vec<u32>,
    prompt: usize,
    log_probability: f64,
    chosen: usize,
    rng: ChaCha8Rng,
}

/// Generates answers to the rows of one batch; each row has its own seed.
///
/// # Errors
/// The backend failed, or the model's logits are not finite.
pub(crate) fn generate(
    model: &Model,
    prompts: &[&[u32]],
    mix: Mix,
    decoding: &Decoding,
    seeds: &[u64],
) -> Result<Vec<Generated>, NnError> {
    let mut answers: Vec<Option<Generated>> = prompts.iter().map(|_| None).collect();
    let context = model.backbone.shape.context;
    let mut mix = mix;
    let mut cache = KvCache::new(model.backbone.shape.layers);
    let mut open: Vec<Open> = prompts
        .iter()
        .zip(seeds)
        .enumerate()
        .map(|(index, (prompt, seed))| Open {
            index,
            ids: prompt.to_vec(),
            prompt: prompt.len(),
            log_probability: 0.0,
            chosen: 0,
            rng: ChaCha8Rng::seed_from_u64(*seed),
        })
        .collect();
    if decoding.max_new_tokens == 0 {
        return Ok(open.iter().map(|row| row.answer(false)).collect());
    }
    let mut pass = PackedBatch::new(open.iter().map(|row| (row.ids.as_slice(), 0)));
    loop {
        let wanted: Arc<Vec<usize>> = pass.last_tokens();
        let mut retained = Vec::with_capacity(open.len());
        let mut each = |number: usize, logits: &[f32]| {
            let row = &mut open[number];
            let token = choose(logits, &row.ids, decoding.strategy, &mut row.rng) as u32;
            row.log_probability += f64::from(log_softmax_at(logits, &[token])[0]);
            row.chosen += 1;
            let ended = decoding.stop.contains(&token);
            if !ended {
                row.ids.push(token);
            }
            if ended || row.ids.len() - row.prompt == decoding.max_new_tokens || row.ids.len() >= context {
                answers[row.index] = Some(row.answer(ended));
            } else {
                retained.push(number);
            }
        };
        let result = model.logits(&pass, &mix, &wanted, Some(&mut cache), &mut each);
        result.map_err(|error| match error {
            NnError::Logits { row } => NnError::Logits { row: open[row].index },
            other => other,
        })?;
        if retained.is_empty() {
            break;
        }
        if retained.len() < open.len() {
            cache.retain_rows(&retained);
            mix = mix.retain_rows(&retained, &model.device);
            let mut number = 0;
            open.retain(|_| {
                number += 1;
                retained.binary_search(&(number - 1)).is_ok()
            });
        }
        pass = PackedBatch::new(open.iter().map(|row| (&row.ids[row.ids.len() - 1..], row.ids.len() - 1)));
    }
    Ok(answers.into_iter().flatten().collect())
}

impl Open {
    fn answer(&self, stopped: bool) -> Generated {
        let mean = if self.chosen == 0 { 0.0 } else { self.log_probability / self.chosen as f64 };
        Generated { ids: self.ids[self.prompt..].to_vec(), mean_log_probability: mean as f32, stopped }
    }
}
