//! Inference without gradients: probabilities, likelihoods, embeddings, answers. Rows are sorted so that those with the
//! same answerer and similar length are computed together; results are in the order of the input. On burn-flex (the CPU
//! backend) the result for a row must be a function of that row and its answerer alone, to the last bit: neither the
//! batch size nor the other rows may change it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::adapter::{ExpertSlot, Mix};
use crate::error::NnError;
use crate::generation::{Answerer, Decoding, Generated, Row, ScoredRow, Strategy, generate, log_softmax_at};
use crate::kernel::{UNDIVIDED, fused};
use crate::learner::Learner;
use crate::packed_batch::PackedBatch;
use crate::training::Flow;
use crate::weights::download;

/// Called with the number of finished rows. Returning [`Flow::Stop`] stops the rest, and the call returns
/// [`NnError::Stopped`].
pub type Progress<'a> = &'a mut dyn FnMut(usize) -> Flow;

/// A row and its answerer.
type Item<'a> = (&'a [u32], &'a Answerer);

/// Computes one value for each of the given row indices.
type BatchWork<'a, T> = dyn Fn(&[usize]) -> Result<Vec<T>, NnError> + Sync + 'a;

impl Learner {
    /// Whether the result for a row is the same, to the last bit, in batches of any size and beside any other rows.
    /// True on the CPU backend, whose matmuls are in this crate; other backends select their matmul by the number of
    /// rows.
    pub fn rows_stand_alone(&self) -> bool {
        fused::serves(&self.model.device)
    }

    /// Probability of each of `tokens` as the next token of each row: `[rows][tokens]`, each in [0, 1]. The
    /// distribution covers the vocabulary and the tokens that the row's experts add; any other token has probability 0.
    ///
    /// # Errors
    /// Invalid rows, a failure of the backend, or a stop.
    pub fn next_token_probabilities(
        &self,
        rows: &[Row],
        tokens: &[u32],
        batch: usize,
        progress: Progress<'_>,
    ) -> Result<Vec<Vec<f32>>, NnError> {
        let items: Vec<(&[u32], &Answerer)> =
            rows.iter().map(|row| (row.ids.as_slice(), &row.answerer)).collect();
        self.in_batches(&items, batch, progress, &|batch| {
            let pass = PackedBatch::new(batch.iter().map(|&row| (rows[row].ids.as_slice(), 0)));
            let mix = self.mix(batch.iter().map(|&row| &rows[row].answerer));
            let mut found = Vec::with_capacity(batch.len());
            self.model.logits(&pass, &mix, &pass.last_tokens(), None, &mut |_, logits| {
                found.push(log_softmax_at(logits, tokens).iter().map(|value| value.exp()).collect());
            })?;
            Ok(found)
        })
    }

    /// Mean negative log-likelihood, in nats per token, of the tokens of each row from its `from` on.
    ///
    /// # Errors
    /// Invalid rows, a failure of the backend, or a stop.
    pub fn mean_negative_log_likelihoods(
        &self,
        rows: &[ScoredRow],
        batch: usize,
        progress: Progress<'_>,
    ) -> Result<Vec<f32>, NnError> {
        for (number, scored) in rows.iter().enumerate() {
            if scored.row.ids.is_empty() {
                return Err(NnError::EmptyRow { row: number });
            }
            if scored.from == 0 || scored.from >= scored.row.ids.len() {
                let value = scored.from as f64;
                return Err(NnError::Setting {
                    field: "from",
                    value,
                    range: "1 to the last index of the row",
                });
            }
        }
        let items: Vec<(&[u32], &Answerer)> =
            rows.iter().map(|scored| (scored.row.ids.as_slice(), &scored.row.answerer)).collect();
        self.in_batches(&items, batch, progress, &|batch| {
            // The last token is not an input: the prediction after it is not scored.
            let pass = PackedBatch::new(
                batch.iter().map(|&row| (&rows[row].row.ids[..rows[row].row.ids.len() - 1], 0)),
            );
            let mix = self.mix(batch.iter().map(|&row| &rows[row].row.answerer));
            // For each scored token: the token before it, the index of its row in the batch, and its id.
            let (mut needed, mut targets) = (Vec::new(), Vec::new());
            for (index, (&row, segment)) in batch.iter().zip(pass.segments().iter()).enumerate() {
                let ScoredRow { row, from } = &rows[row];
                needed.extend((from - 1..segment.length).map(|at| segment.start + at));
                targets.extend(row.ids[*from..].iter().map(|&id| (index, id)));
            }
            let mut totals = vec![(0.0f64, 0.0f64); batch.len()];
            self.model.logits(&pass, &mix, &Arc::new(needed), None, &mut |number, logits| {
                let (index, id) = targets[number];
                totals[index].0 -= f64::from(log_softmax_at(logits, &[id])[0]);
                totals[index].1 += 1.0;
            })?;
            Ok(totals.iter().map(|(total, count)| (total / count) as f32).collect())
        })
    }

    /// Embedding of each prompt by the backbone, `[prompts][hidden]`: the mean of its last hidden states, normalised to
    /// unit length.
    ///
    /// # Errors
    /// Invalid rows, a failure of the backend, or a stop.
    pub fn embed(
        &self,
        prompts: &[Vec<u32>],
        batch: usize,
        progress: Progress<'_>,
    ) -> Result<Vec<Vec<f32>>, NnError> {
        let items: Vec<(&[u32], &Answerer)> =
            prompts.iter().map(|prompt| (prompt.as_slice(), &Answerer::Backbone)).collect();
        let width = self.shape().hidden;
        self.in_batches(&items, batch, progress, &|batch| {
            let pass = PackedBatch::new(batch.iter().map(|&row| (prompts[row].as_slice(), 0)));
            let mix = Mix::none(self.shape().vocabulary);
            let hidden = download(self.model.hidden(&pass, &mix, None, None))?;
            let mean = |(number, segment): (usize, &crate::kernel::Segment)| {
                let rows = &hidden[segment.start * width..][..segment.length * width];
                let mut sum = vec![0.0f64; width];
                for row in rows.chunks_exact(width) {
                    for (sum, value) in sum.iter_mut().zip(row) {
                        *sum += f64::from(*value);
                    }
                }
                let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
                if !(length.is_finite() && length > 0.0) {
                    return Err(NnError::Logits { row: batch[number] });
                }
                Ok(sum.iter().map(|value| (value / length) as f32).collect())
            };
            pass.segments().iter().enumerate().map(mean).collect()
        })
    }

    /// Generates an answer to each row. Each answer depends only on its row and seed.
    ///
    /// # Errors
    /// Invalid rows or decoding settings, a failure of the backend, or a stop.
    pub fn generate(
        &self,
        rows: &[Row],
        decoding: &Decoding,
        progress: Progress<'_>,
    ) -> Result<Vec<Generated>, NnError> {
        check_decoding(decoding)?;
        let items: Vec<(&[u32], &Answerer)> =
            rows.iter().map(|row| (row.ids.as_slice(), &row.answerer)).collect();
        self.in_batches(&items, decoding.batch, progress, &|batch| {
            let prompts: Vec<&[u32]> = batch.iter().map(|&row| rows[row].ids.as_slice()).collect();
            let seeds: Vec<u64> =
                batch.iter().map(|&row| decoding.seeds.get(row).copied().unwrap_or(row as u64)).collect();
            let mix = self.mix(batch.iter().map(|&row| &rows[row].answerer));
            generate(&self.model, &prompts, mix, decoding, &seeds)
        })
    }

    /// Checks the rows, splits them into batches and computes these on the workers. `work` maps row indices to one
    /// value each.
    fn in_batches<T: Send>(
        &self,
        items: &[Item<'_>],
        batch: usize,
        progress: Progress<'_>,
        work: &BatchWork<'_, T>,
    ) -> Result<Vec<T>, NnError> {
        if batch == 0 {
            return Err(NnError::Setting { field: "batch", value: 0.0, range: "at least 1" });
        }
        for (row, (ids, answerer)) in items.iter().enumerate() {
            self.check(row, ids, answerer)?;
        }
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&row| (group(items[row].1), items[row].0.len()));
        let batches = self.divided(&order, items, batch);
        let found: Mutex<Vec<Option<T>>> = Mutex::new(items.iter().map(|_| None).collect());
        let mut done = 0;
        self.workers.each_watched(
            batches.len(),
            &|number| {
                let values = work(batches[number]).map_err(|error| in_caller_rows(error, batches[number]))?;
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                for (&row, value) in batches[number].iter().zip(values) {
                    found[row] = Some(value);
                }
                Ok(())
            },
            &mut |number| {
                done += batches[number].len();
                progress(done) == Flow::Go
            },
        )?;
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect())
    }

    /// Splits rows in the given order into batches of at most `batch`. Rows with different answerers share a batch only
    /// while the sum of the ranks of their adapters is small: longer sums would be split, and at other places than for
    /// one answerer alone.
    fn divided<'a>(&self, order: &'a [usize], items: &[Item<'_>], batch: usize) -> Vec<&'a [usize]> {
        let experts = self.experts.read().unwrap_or_else(PoisonError::into_inner);
        let mut batches = Vec::new();
        let mut first = 0;
        let mut slots: Vec<ExpertSlot> = Vec::new();
        for (at, &row) in order.iter().enumerate() {
            let own = shares(items[row].1);
            let mut joined = slots.clone();
            joined.extend(own.iter().map(|(slot, _)| *slot));
            joined.sort_unstable();
            joined.dedup();
            let ranks: usize = joined.iter().filter_map(|slot| Some(experts.get(slot.0)?.rank())).sum();
            let foreign = at > first && group(items[order[at - 1]].1) != group(items[row].1);
            if at - first == batch || (foreign && ranks > UNDIVIDED) {
                batches.push(&order[first..at]);
                first = at;
                joined = own.iter().map(|(slot, _)| *slot).collect();
            }
            slots = joined;
        }
        if first < order.len() {
            batches.push(&order[first..]);
        }
        batches
    }

    fn check(&self, row: usize, ids: &[u32], answerer: &Answerer) -> Result<(), NnError> {
        let shape = self.shape();
        if ids.is_empty() {
            return Err(NnError::EmptyRow { row });
        }
        if ids.len() > shape.context {
            return Err(NnError::RowTooLong { row, tokens: ids.len(), context: shape.context });
        }
        let experts = self.experts.read().unwrap_or_else(PoisonError::into_inner);
        let mut added = 0;
        for (slot, weight) in shares(answerer) {
            let expert =
                experts.get(slot.0).ok_or(NnError::ExpertSlot { slot: slot.0, mounted: experts.len() })?;
            if !weight.is_finite() {
                return Err(NnError::MixWeight { row, weight });
            }
            added = added.max(expert.added_tokens);
        }
        if matches!(answerer, Answerer::Mix(experts) if experts.is_empty()) {
            return Err(NnError::MixWeight { row, weight: 0.0 });
        }
        let known = shape.vocabulary + added;
        match ids.iter().find(|&&id| id as usize >= known) {
            Some(&id) => Err(NnError::TokenId { row, id, known }),
            None => Ok(()),
        }
    }

    /// The experts of rows that have been checked.
    fn mix<'a>(&self, answerers: impl Iterator<Item = &'a Answerer>) -> Mix {
        let rows: Vec<Vec<(ExpertSlot, f32)>> = answerers.map(shares).collect();
        let mut slots: Vec<ExpertSlot> = rows.iter().flatten().map(|(slot, _)| *slot).collect();
        slots.sort_unstable();
        slots.dedup();
        let mounted = self.experts.read().unwrap_or_else(PoisonError::into_inner);
        let experts = slots.iter().map(|slot| Arc::clone(&mounted[slot.0])).collect();
        drop(mounted);
        let numbered = |row: Vec<(ExpertSlot, f32)>| {
            row.into_iter()
                .filter_map(|(slot, weight)| Some((slots.binary_search(&slot).ok()?, weight)))
                .collect()
        };
        Mix::new(
            experts,
            rows.into_iter().map(numbered).collect(),
            self.shape().vocabulary,
            &self.model.device,
        )
    }
}

/// Experts of an answerer, with their weights.
fn shares(answerer: &Answerer) -> Vec<(ExpertSlot, f32)> {
    match answerer {
        Answerer::Backbone => vec![],
        Answerer::Expert(slot) => vec![(*slot, 1.0)],
        Answerer::Mix(experts) => experts.clone(),
    }
}

/// A key that is equal for rows with the same experts and weights.
fn group(answerer: &Answerer) -> Vec<(ExpertSlot, u32)> {
    shares(answerer).into_iter().map(|(slot, weight)| (slot, weight.to_bits())).collect()
}

/// Converts the row index in an error from the batch to the caller's rows.
fn in_caller_rows(error: NnError, batch: &[usize]) -> NnError {
    match error {
        NnError::Logits { row } => NnError::Logits { row: batch.get(row).copied().unwrap_or(row) },
        other => other,
    }
}

fn check_decoding(decoding: &Decoding) -> Result<(), NnError> {
    let out = |field, value: f32, range| Err(NnError::Setting { field, value: f64::from(value), range });
    if let Strategy::Sample { temperature, top_p, repetition_penalty } = decoding.strategy {
        if !(temperature.is_finite() && temperature > 0.0) {
            return out("temperature", temperature, "above 0");
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return out("top-p", top_p, "above 0, up to 1");
        }
        if !(repetition_penalty.is_finite() && repetition_penalty > 0.0) {
            return out("repetition-penalty", repetition_penalty, "above 0");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
